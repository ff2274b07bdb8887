"""What is given up is kept, explained, tried again or thrown away, and the audit trail tells of it."""

import json
import re
import uuid

import httpx
import pika
import psycopg
import pytest
from ruamel.yaml import YAML

from waiting import until


def publish(suite, body, message_id, routing_key="identity.user.updated"):
    with pika.BlockingConnection(pika.URLParameters(suite.env()["AMQP_URL"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(
            "authms.events", routing_key, body,
            pika.BasicProperties(message_id=message_id, delivery_mode=2, type="identity.user.updated"), mandatory=True,
        )  # fmt: skip


def recorded(suite, account):
    """The actions of that account that are in the trail."""
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        return [
            action
            for (action,) in connection.execute("SELECT action FROM audit_records WHERE operator_id = %s", (account.id,))
        ]


@pytest.fixture(autouse=True)
def settled(suite, make_account):
    """What earlier tests did is in the trail, and every service has met the broker: with its first event a service declares
    whatever is missing there."""
    account = make_account()
    account.login()
    until(
        lambda: {"identity.login.succeeded", "session.created"} <= set(recorded(suite, account)), seconds=20,
        saying="the events of a login are in the trail",
    )  # fmt: skip


def listed(suite):
    return {letter["id"]: letter for letter in json.loads(suite.authms("dlq", "list", "--json").stdout)}


def test_a_poison_message_is_kept_explained_retried_and_thrown_away(suite):
    name = f"poison-{uuid.uuid4()}"
    publish(suite, json.dumps({"password": "hunter2", "user": "ann"}), name)

    def both():
        """Once both queues that it reached have given it up, the two letters."""
        letters = json.loads(suite.authms("dlq", "list", "--json").stdout)
        found = [letter for letter in letters if letter["id"] == name]
        return found if len(found) == 2 else None

    letter, other = until(both, saying="the message is among the dead letters")
    assert {letter["queue"], other["queue"]} == {"authms.audit", "authms.session"}
    assert letter["attempts"] >= 1 and letter["last_error"] and letter["first_failed_at"]
    shown = suite.authms("dlq", "show", name).stdout
    assert "•••" in shown and "ann" in shown and "hunter2" not in shown
    # Tried again it fails again, and is not lost on the way.
    assert "tried again" in suite.authms("dlq", "retry", name).stdout
    until(both, saying="the message comes back to the dead letters")
    while name in listed(suite):
        suite.authms("dlq", "discard", name, "--reason", "a test sent it")
    gone = suite.authms("dlq", "discard", name, "--reason", "again", check=False)
    assert gone.returncode == 1 and "gone already" in gone.stderr

    def audited():
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
            rows = connection.execute(
                "SELECT action, metadata::text FROM audit_records WHERE target_id = %s", (name,)
            ).fetchall()
        actions = [action for action, _ in rows]
        return "audit.dead_letter.retried" in actions and any("a test sent it" in text for _, text in rows)

    until(audited, saying="the audit trail tells of the retry and the discard")


def test_another_suite_s_messages_and_its_trail_are_named_together(suite):
    env = suite.env()
    broker, trail = ("--amqp-url", env["AMQP_URL"]), ("--database-url", env["AUDIT_DATABASE_URL"])
    for alone in (broker, trail):
        done = suite.authms("dlq", "discard", "x", "--reason", "a test says so", *alone, check=False)
        assert done.returncode == 64 and "go together" in done.stderr
    done = suite.authms("dlq", "discard", "x", "--reason", "a test says so", *broker, *trail, check=False)
    assert done.returncode == 1 and "There is no dead letter x" in done.stderr


def test_a_good_message_among_the_dead_is_stored_once_however_often_it_is_retried(suite):
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        event = connection.execute(
            "SELECT id, occurred_at, tenant_id FROM audit_records WHERE source LIKE '%identity' LIMIT 1"
        ).fetchone()
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1 FROM stream_events WHERE id = %s", (event[0],)).fetchone()
    # A copy of a delivered event, put among the dead by hand.
    with pika.BlockingConnection(pika.URLParameters(suite.env()["AMQP_URL"])) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "authms.events", "identity.#")
        with httpx.Client(base_url=suite.gateway) as http:
            http.post(
                "/identity/api/v1/auth/register",
                json={"email": f"{uuid.uuid4()}@example.org", "password": "correct horse battery staple"},
            )
        method, properties, body = next(channel.consume(queue, inactivity_timeout=10, auto_ack=True))
        for _ in range(2):
            channel.basic_publish("authms.dlx", "authms.audit", body, properties)
    identifier = json.loads(body)["id"]
    until(lambda: identifier in listed(suite), saying="the copies are among the dead letters")
    suite.authms("dlq", "retry", "--all")
    until(lambda: identifier not in listed(suite), saying="they are gone from the dead letters")

    def count():
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
            return connection.execute("SELECT count(*) FROM audit_records WHERE id = %s", (identifier,)).fetchone()[0]

    until(lambda: count() == 1, saying="the event is in the trail")
    assert count() == 1


def test_the_same_over_the_api_for_administrators_alone(suite, auditor, account):
    name = f"poison-{uuid.uuid4()}"
    publish(suite, "no event", name, routing_key="mfa.nothing")
    found = lambda: auditor.get(f"/admin/dead-letters/{name}").status_code == 200
    until(found, saying="the dead letter is shown")
    assert auditor.get("/admin/dead-letters").json()["total"] >= 1
    letter = auditor.get(f"/admin/dead-letters/{name}").json()["data"]
    assert letter["queue"] == "authms.audit" and letter["payload"] == "(8 bytes that are no JSON)"
    assert auditor.post(f"/admin/dead-letters/{name}/discard", json={"reason": " "}).status_code == 422
    member = {"Authorization": f"Bearer {account.login()['access_token']}"}
    assert auditor.post(f"/admin/dead-letters/{name}/retry", headers=member).status_code == 403
    assert auditor.post(f"/admin/dead-letters/{name}/discard", json={"reason": "a test sent it"}).status_code == 200
    assert auditor.post(f"/admin/dead-letters/{name}/retry").status_code == 404


def test_an_event_that_no_queue_is_bound_for_is_kept_counted_and_given_to_everybody_later(suite, make_account):
    def bound(act):
        with pika.BlockingConnection(pika.URLParameters(suite.env()["AMQP_URL"])) as connection:
            getattr(connection.channel(), act)("authms.audit", "authms.events", "#")

    def strays():
        return [letter for letter in listed(suite).values() if letter["queue"] == "authms.unrouted"]

    def of(account, event):
        for letter in strays():
            if letter["type"] == event and account.id in suite.authms("dlq", "show", letter["id"], check=False).stdout:
                return letter

    bound("queue_unbind")
    try:
        account = make_account()
        account.login()
        # An event of an earlier test may have been on its way when the queue was unbound: it is a stray too.
        stray = until(lambda: of(account, "identity.login.succeeded"), saying="the event is among the unrouted")
        assert "no queue is bound" in stray["last_error"]
        shown = lambda: httpx.get(f"{suite.service_url('audit')}/metrics").text
        counted = lambda: re.search(r'\nauthms_dead_letters\{queue="authms.unrouted"\} [1-9]', shown())
        until(counted, seconds=20, saying="the unrouted are counted")
    finally:
        bound("queue_bind")
        suite.authms("dlq", "retry", "--all")
    until(lambda: not strays(), saying="nothing is unrouted any more")

    logins = lambda: recorded(suite, account).count("identity.login.succeeded")
    until(lambda: logins() == 1, saying="it is in the trail, once")


def test_every_metric_of_the_alerting_rules_is_shown_by_a_running_service(suite, repository):
    rules = YAML(typ="safe").load((repository / "configs/alerts/authms.rules.yaml").read_text())
    addresses = [suite.service_url(service) for service in ("identity", "session", "audit")] + [suite.gateway]
    shown = "".join(httpx.get(f"{address}/metrics").text for address in addresses)
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] and rule["annotations"]["summary"]
            names = re.findall(r"(?:authms|gateway)_\w+", rule["expr"])
            assert names
            for metric in names:
                assert f"\n{metric}{{" in shown or f"\n{metric} " in shown, metric
