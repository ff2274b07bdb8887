"""The broker that is down, that is stalled, and that is full: it slows nobody down and hides no revocation."""

import contextlib
import glob
import json
import subprocess
import time

import httpx
import jwt
import psycopg
import pytest

from tenancy import Person, claims, make_tenant
from test_degraded import audited_once
from waiting import until

pytestmark = pytest.mark.alone


def rabbitmqctl(suite, *arguments):
    """The broker's own tool, in the environment of the suite's node."""
    units = json.loads(suite.authms("status", "--json").stdout)["units"]
    pid = next(unit["processIdentifier"] for unit in units if unit["name"] == "rabbitmq")
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        environment = dict(pair.split("=", 1) for pair in file.read().split("\0") if "=" in pair)
    tool = glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmqctl")[0]
    command = [tool, "--node", environment["RABBITMQ_NODENAME"], "--quiet", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


@contextlib.contextmanager
def full(suite, what):
    """A broker under an alarm of its memory or its disk: it takes nothing from publishers, and goes on delivering."""
    command, low, usual = {
        "memory": ("set_vm_memory_high_watermark", "0.000001", "0.4"),
        "disk": ("set_disk_free_limit", "900000GB", "50MB"),
    }[what]

    def alarms():
        return json.loads(rabbitmqctl(suite, "status", "--formatter", "json"))["alarms"]

    rabbitmqctl(suite, command, low)
    try:
        until(lambda: what in json.dumps(alarms()), seconds=20, every=0.2, saying="the alarm is on")
        yield
    finally:
        rabbitmqctl(suite, command, usual)


@contextlib.contextmanager
def broken(suite, *faults):
    """Each fault is a process and how it fails."""
    done = []
    try:
        for unit, how in faults:
            suite.authms({"stopped": "stop", "stalled": "pause"}[how], unit)
            done.append((unit, how))
        yield
    finally:
        for unit, how in done:
            suite.authms({"stopped": "start", "stalled": "continue"}[how], unit)
        until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")


def refused_everywhere_soon(suite, account, http):
    """Two seconds after a sign-out no service takes the token, asked directly and through the gateway."""
    tokens = account.login()
    token = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert http.get("/identity/api/v1/auth/me", headers=token).status_code == 200
    out = http.post(
        "/identity/api/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]}, headers=token
    )
    heard = time.monotonic()
    assert out.status_code == 200, out.text
    urls = [
        f"{suite.gateway}/identity/api/v1/auth/me",
        f"{suite.service_url('identity')}/api/v1/auth/me",
        f"{suite.service_url('session')}/api/v1/sessions",
        f"{suite.service_url('audit')}/api/v1/auth/me/audit-logs",
        f"{suite.service_url('profile')}/api/v1/profiles/{account.id}",
    ]
    # Asked until it is so, and for the last time when the two seconds are over.
    for url in urls:
        left = max(0, heard + 2 - time.monotonic())
        until(lambda: httpx.get(url, headers=token, timeout=5).status_code == 401, left, saying=f"{url} refuses it")
    # And it stays so.
    answers = {url: httpx.get(url, headers=token, timeout=5).status_code for url in urls}
    assert set(answers.values()) == {401}, answers


@pytest.mark.parametrize(
    "faults",
    [
        [("rabbitmq", "stalled")],
        [("rabbitmq", "stopped")],
        [("redis", "stalled")],
        [("rabbitmq", "stalled"), ("redis", "stopped")],
        [("rabbitmq", "stalled"), ("redis", "stalled")],
    ],
    ids=lambda faults: "+".join(f"{unit} {how}" for unit, how in faults),
)
def test_a_signed_out_token_is_refused_within_two_seconds_without(faults, suite, make_account, http):
    account = make_account()
    with broken(suite, *faults):
        # At once, when nobody has noticed anything yet, and later.
        for _ in range(2):
            refused_everywhere_soon(suite, account, http)


@pytest.mark.parametrize("what", ["memory", "disk"])
def test_a_broker_that_is_full_slows_nobody_and_nothing_is_lost(what, suite, make_account, http):
    accounts = []
    with full(suite, what):
        slowest = 0.0
        for _ in range(5):
            began = time.monotonic()
            accounts.append(make_account())
            tokens = accounts[-1].login()
            assert accounts[-1].refresh(tokens["refresh_token"]).status_code == 200
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2.5, f"register, login and refresh took {slowest:.1f} s"
        refused_everywhere_soon(suite, accounts[0], http)
        # Audit pulls from the sources what the broker does not take.
        audited_once(suite, [account.id for account in accounts], seconds=20)
    # What waited is handed over now, and is known already.
    late = make_account()
    audited_once(suite, [account.id for account in [*accounts, late]], seconds=20)

    def drained():
        metrics = httpx.get(f"{suite.service_url('identity')}/metrics", timeout=5).text
        backlog = [line for line in metrics.splitlines() if line.startswith("authms_outbox_backlog_events")]
        return backlog and all(float(line.split()[-1]) == 0 for line in backlog)

    until(drained, seconds=20, saying="the outbox is empty again")


@pytest.mark.parametrize("how", ["stopped", "stalled"])
def test_what_an_administrator_takes_away_is_gone_at_once_without_the_broker(how, suite, administrator):
    tenant, owner = make_tenant(administrator)
    disabled, reset, demoted, holder = people = [Person(owner.http, tenant["id"]) for _ in range(4)]
    role = f"reader-{how}"
    made = owner.post("/admin/roles", json={"name": role, "permissions": ["users:read"]})
    assert made.status_code == 201, made.text
    for person, held in ((demoted, "admin"), (holder, role)):
        assert owner.put(f"/admin/users/{person.id}/roles/{held}").status_code == 200
        until(lambda: held in claims((person.refresh(), person)[1])["roles"], saying="a refresh carries the role")
    with broken(suite, ("rabbitmq", how)):
        acts = [
            ("PUT", f"/admin/users/{disabled.id}/status", {"json": {"status": "disabled"}}, 200),
            ("POST", f"/admin/users/{reset.id}/password-resets", {}, 201),
            ("DELETE", f"/admin/users/{demoted.id}/roles/admin", {}, 200),
            ("PUT", f"/admin/roles/{role}", {"json": {"permissions": []}}, 200),
        ]
        for method, path, options, status in acts:
            answer = owner.call(method, path, **options)
            assert answer.status_code == status, answer.text
        # No sooner than that, since a refresh gives tokens of half an hour.
        for person in (disabled, reset):
            assert person.refresh().status_code == 401
        for person, roles in ((demoted, ["member"]), (holder, ["member", role])):
            before = person.beside({"access_token": person.access_token, "refresh_token": ""})
            assert person.refresh().status_code == 200
            assert sorted(claims(person)["roles"]) == sorted(roles) and not claims(person).get("permissions")
            until(lambda: before.get("/auth/me").status_code == 401, 2, saying="the token of before is refused")
        for person in (disabled, reset):
            until(lambda: person.get("/auth/me").status_code == 401, 2, saying="the token is refused")
        suspended = administrator.put(f"/admin/tenants/{tenant['id']}/status", json={"status": "suspended"})
        assert suspended.status_code == 200, suspended.text
        assert [person.refresh().status_code for person in (owner, demoted, holder)] == [401] * 3
        # In again: what the broker delivers then is old news.
        path = f"/admin/tenants/{tenant['id']}/status"
        assert administrator.put(path, json={"status": "active"}).status_code == 200
        for person in (owner, demoted):
            person.login()
    wait_until_session_has_heard_all(suite, owner.http, owner.id, owner.access_token)
    for person in (owner, demoted):
        assert person.get("/auth/me").status_code == 200
        assert person.refresh().status_code == 200
    assert [person.refresh().status_code for person in people] == [401, 401, 200, 401]


@pytest.mark.parametrize("how", ["stopped", "stalled"])
def test_an_administrator_does_not_wait_for_a_session_service_that_is_away(how, suite, administrator):
    tenant, owner = make_tenant(administrator)
    ann = Person(owner.http, tenant["id"])
    with broken(suite, ("session", how)):
        for status in ["disabled", "active"] * 4:
            began = time.monotonic()
            answer = owner.put(f"/admin/users/{ann.id}/status", json={"status": status})
            assert answer.status_code == 200, answer.text
            assert time.monotonic() - began < 1.5


def test_a_token_whose_session_is_not_adopted_yet_can_be_signed_out(suite, http, account):
    def login_without_session():
        data = account.login()
        return None if data.get("refresh_token") else data["access_token"]

    with broken(suite, ("rabbitmq", "stopped")):
        suite.authms("stop", "session")
        try:
            token = until(login_without_session, saying="a login gives an access token only")
        finally:
            suite.authms("start", "session")
        bearer = {"Authorization": f"Bearer {token}"}
        out = lambda: http.post("/identity/api/v1/auth/logout", headers=bearer).status_code
        until(lambda: out() == 200, seconds=20, saying="the session service takes the sign-out")
        until(lambda: account.me(token).status_code == 401, 2, saying="the token is refused")
    again = account.login()["access_token"]
    wait_until_session_has_heard_all(suite, http, account.id, again)
    session = jwt.decode(token, options={"verify_signature": False})["sid"]
    with psycopg.connect(suite.env()["SESSION_DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT revoked_reason, origin FROM sessions WHERE id = %s", (session,)).fetchall()
    assert rows == [("logout", "login")]
    listed = http.get("/session/api/v1/sessions", headers={"Authorization": f"Bearer {again}"})
    assert listed.status_code == 200 and session not in listed.text


def wait_until_session_has_heard_all(suite, http, user, access_token):
    """What identity has to say now comes behind all that the broker did not take before."""
    name = f"n{time.time_ns()}"
    changed = http.put(
        "/identity/api/v1/auth/me", json={"name": name}, headers={"Authorization": f"Bearer {access_token}"}
    )
    assert changed.status_code == 200, changed.text

    def is_known():
        with psycopg.connect(suite.env()["SESSION_DATABASE_URL"]) as connection:
            query = "SELECT FROM sessions WHERE user_id = %s AND user_snapshot->>'name' = %s"
            return connection.execute(query, (user, name)).fetchall()

    until(is_known, seconds=30, every=0.2, saying="the session service has heard of a new name")
