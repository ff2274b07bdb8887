"""pika and the CloudEvents SDK, which know nothing of us, read our events; the audit trail has each exactly once."""

import hashlib
import json
import re
import struct

import pika
import psycopg
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from waiting import until


@pytest.fixture
def subscription(suite):
    """A queue of our own, bound to everything, as a third party would bind one."""
    connection = pika.BlockingConnection(pika.URLParameters(suite.env()["AMQP_URL"]))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "authms.events", "#")

    def received():
        messages = []
        while True:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return messages
            messages.append((method.routing_key, properties, body))

    yield received
    connection.close()


def collect(received, *wanted):
    """Messages until for each of `wanted` one has come whose event satisfies it."""
    messages = []

    def arrived():
        messages.extend(received())
        events = [json.loads(body) for _, _, body in messages]
        return all(any(is_it(event) for event in events) for is_it in wanted)

    until(arrived, seconds=15, saying="the event arrives")
    return messages


def test_a_login_s_events_reach_a_stock_client_as_valid_cloudevents(subscription, account):
    tokens = account.login()
    of = lambda source: lambda event: event["type"].startswith(source) and account.id in json.dumps(event)
    messages = collect(subscription, of("identity."), of("session."))
    mine = [
        (key, properties, body) for key, properties, body in messages if account.id in body.decode()
    ]
    types = set()
    for key, properties, body in mine:
        assert properties.content_type.startswith("application/cloudevents+json")
        assert properties.delivery_mode == 2
        event = JSONFormat().read(CloudEvent, body)  # raises where the event breaks the specification
        assert event.get_type() == key
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", event.get_id())
        attributes = event.get_attributes()
        for name in ("tenantid", "sequence", "prevhash", "hash"):
            assert attributes[name], f"{name} is missing in {key}"
        assert int(attributes["sequence"]) > 0
        types.add(key)
        for secret in (account.password, tokens["access_token"], tokens["refresh_token"], account.email):
            assert secret not in body.decode(), f"{key} tells a secret"
    assert any(key.startswith("identity.") for key in types) and any(key.startswith("session.") for key in types)


def test_every_stream_is_gap_free_and_chained(subscription, make_account):
    for _ in range(3):
        make_account().login()
    last = make_account()
    last.login()
    messages = collect(
        subscription, lambda event: event["type"].startswith("session.") and last.id in json.dumps(event)
    )
    streams = {}
    for _, _, body in messages:
        event = json.loads(body)
        streams.setdefault(event["source"], {})[int(event["sequence"])] = event
    assert len(streams) >= 2
    for source, events in streams.items():
        positions = sorted(events)
        assert positions == list(range(positions[0], positions[-1] + 1)), f"{source} has a gap"
        for position in positions[1:]:
            assert events[position]["prevhash"] == events[position - 1]["hash"], f"{source} breaks at {position}"


def audit_counts(suite, user):
    """How many audit records there are of each action for one user."""
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT action, count(*) FROM audit_records"
            " WHERE target_id = %(user)s OR operator_id = %(user)s GROUP BY action",
            {"user": user},
        ).fetchall()
    return dict(rows)


def test_the_audit_database_holds_each_event_once(suite, account):
    account.login()
    counts = until(
        lambda: (counts := audit_counts(suite, account.id))
        and any(name.startswith("session.") for name in counts)
        and any(name.startswith("identity.user.registered") for name in counts)
        and counts,
        seconds=15,
        saying="the audit database has the registration and the login",
    )
    assert set(counts.values()) == {1}, counts


def test_the_audit_log_is_for_those_who_may_read_it_and_only_their_tenant(suite, http, account):
    ordinary = account.login()["access_token"]
    url = "/audit/api/v1/admin/audit/logs"
    assert http.get(url).status_code == 401
    refused = http.get(url, headers={"Authorization": f"Bearer {ordinary}"})
    assert refused.status_code == 403 and refused.json()["code"] == 403001
