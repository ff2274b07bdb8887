"""Two replicas of everything behind HAProxy: each is restarted under load, and nobody notices."""

import collections
import concurrent.futures
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time

import httpx
import psycopg
import pytest

from acknowledged import streams_are_complete
from conftest import PASSWORD, REPOSITORY
from suite import Suite
from waiting import until

SERVICES = ("identity", "profile", "session", "mfa", "audit", "gateway")


def records(suite):
    """Audit records of registrations and logins, by user."""
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT target_id, action, count(*), count(DISTINCT id) FROM audit_records"
            " WHERE action IN ('identity.user.registered', 'identity.login.succeeded') GROUP BY 1, 2"
        ).fetchall()
    return {(str(user), action): (count, distinct) for user, action, count, distinct in found}


@pytest.fixture(scope="module")
def pair():
    with tempfile.TemporaryDirectory(prefix="authms-e2e-") as home:
        running = Suite(REPOSITORY, pathlib.Path(home), replicas=2)
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def balanced(pair):
    """The address of HAProxy in front of both gateways, as configs/balancer has it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "BALANCER_ADDRESS": f"127.0.0.1:{port}",
        "GATEWAY_1": f"127.0.0.1:{11080 + pair.offset}",
        "GATEWAY_2": f"127.0.0.1:{11100 + pair.offset}",
    }
    path = os.environ["PATH"] + ":/usr/sbin"
    process = subprocess.Popen(
        ["haproxy", "-f", str(REPOSITORY / "configs/balancer/haproxy.cfg"), "-db"],
        env={**environment, "PATH": path}, stdout=subprocess.DEVNULL, stderr=open(pair.home / "haproxy.log", "wb"),
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, (pair.home / "haproxy.log").read_text()
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(answers, seconds=10, saying="HAProxy answers")
        yield url
    finally:
        process.terminate()
        process.wait(10)


class Users:
    """People who register, log in, read, refresh and sign out without pause; whatever is not a success is noted."""

    def __init__(self, url, clients=6):
        self.url = url
        self.failures = []
        self.answers = collections.Counter()
        self.registered = {}  # user id -> e-mail
        self.logins = collections.Counter()  # user id -> acknowledged logins
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.live, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: self.answers["refresh"] > 5, seconds=30, saying="the load is running")
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def call(self, http, method, path, **options):
        name = path.rsplit("/", 1)[-1]
        try:
            answer = http.request(method, path, **options)
        except httpx.HTTPError as error:
            self.failures.append((name, repr(error)))
            return None
        if not answer.is_success:
            self.failures.append((name, answer.status_code, answer.text))
            time.sleep(0.05)
            return None
        self.answers[name] += 1
        return answer.json().get("data") or {} if answer.content else {}

    def live(self):
        auth = "/identity/api/v1/auth"
        with httpx.Client(base_url=self.url, timeout=15) as http:
            while not self.stopping.is_set():
                email = f"rolling-{secrets.token_hex(8)}@example.org"
                made = self.call(http, "POST", f"{auth}/register", json={"email": email, "password": PASSWORD})
                if made is None:
                    continue
                self.registered[made["user_id"]] = email
                signed_in = self.call(http, "POST", f"{auth}/login", json={"identity": email, "password": PASSWORD})
                if signed_in is None:
                    continue
                self.logins[made["user_id"]] += 1
                bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
                refresh = signed_in.get("refresh_token")
                for _ in range(5):
                    if self.stopping.is_set():
                        return
                    self.call(http, "GET", f"{auth}/me", headers=bearer)
                    self.call(http, "GET", f"/profile/api/v1/profiles/{made['user_id']}", headers=bearer)
                    self.call(http, "GET", "/audit/api/v1/auth/me/audit-logs", headers=bearer)
                    if refresh:
                        data = self.call(http, "POST", f"{auth}/refresh", json={"refresh_token": refresh})
                        refresh = (data or {}).get("refresh_token") or refresh
                if refresh:
                    self.call(http, "POST", f"{auth}/logout", json={"refresh_token": refresh}, headers=bearer)


def is_back(suite, name, before):
    unit = suite.unit(name)
    return unit["phase"] == "ready" and unit["processIdentifier"] not in (None, before)


def everything_recorded_once(suite, users):
    def missing():
        found = records(suite)
        return [
            user
            for user in users.registered
            if found.get((user, "identity.user.registered"), (0, 0))[0] < 1
            or found.get((user, "identity.login.succeeded"), (0, 0))[0] < users.logins[user]
        ]

    until(lambda: not missing(), seconds=60, saying="the audit trail is complete")
    found = records(suite)
    for user in users.registered:
        assert found[user, "identity.user.registered"] == (1, 1)
        count, distinct = found.get((user, "identity.login.succeeded"), (0, 0))
        assert count == distinct
    until(
        lambda: streams_are_complete(suite),
        seconds=60,
        saying="the audit trail reaches the heads of the streams",
    )


def test_every_service_is_restarted_one_by_one_under_load_and_no_request_fails(pair, balanced):
    with Users(balanced) as users:
        done = pair.authms("restart", "--rolling", timeout=300)
        time.sleep(1)  # the load goes on with all of them new
    print(done.stdout, dict(users.answers))
    # It would have ended with 1 had a process ended with another code than 0, or after the 25 s that it has.
    restarted = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✔")]
    assert restarted == [name for service in SERVICES for name in (service, f"{service}-2")]
    assert not users.failures, users.failures[:10]
    assert min(users.answers[name] for name in ("register", "login", "me", "refresh", "logout", "audit-logs")) > 10
    everything_recorded_once(pair, users)


def test_requests_in_flight_when_a_service_is_told_to_stop_are_answered(pair):
    identity = f"http://127.0.0.1:{11001 + pair.offset}"
    email = f"flight-{secrets.token_hex(8)}@example.org"
    body = {"identity": email, "password": PASSWORD}
    made = httpx.post(f"{pair.gateway}/identity/api/v1/auth/register", json=body | {"email": email}, timeout=15)
    assert made.status_code == 201
    before = pair.unit("identity")["processIdentifier"]
    connections = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=identity, timeout=20, limits=connections) as http, httpx.Client() as other:

        def in_flight():
            text = other.get(f"{identity}/metrics").text
            return float(re.search(r"^http_server_requests_in_flight (\S+)$", text, re.MULTILINE)[1])

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            # More than it can hash at once: most of them still wait when the signal comes.
            logins = [pool.submit(http.post, "/api/v1/auth/login", json=body) for _ in range(48)]
            until(lambda: in_flight() >= 5, seconds=5, every=0.005, saying="logins are under way")
            os.kill(before, signal.SIGTERM)
            answers = [login.result() for login in logins]
    assert [answer.status_code for answer in answers] == [200] * 48
    until(lambda: is_back(pair, "identity", before), seconds=30, saying="identity is back")
    assert pair.unit("identity")["lastExitCode"] == 0


def test_a_second_signal_ends_a_process_at_once_and_loses_nothing(pair, balanced):
    with Users(balanced) as users:
        for name in ("identity", "session", "audit-2"):
            before = pair.unit(name)["processIdentifier"]
            os.kill(before, signal.SIGTERM)
            time.sleep(0.05)  # a moment in the midst of stopping
            start = time.monotonic()
            os.kill(before, signal.SIGTERM)
            until(lambda: not pathlib.Path(f"/proc/{before}").exists(), seconds=2, saying=f"{name} ends")
            assert time.monotonic() - start < 2
            until(lambda: is_back(pair, name, before), seconds=30, saying=f"{name} is back")
            assert pair.unit(name)["lastExitCode"] == 128 + signal.SIGTERM
    # What was under way in the process may have failed, with a clean answer; what was acknowledged has not.
    assert all(failure[1] in (502, 503, 504) for failure in users.failures), users.failures[:10]
    everything_recorded_once(pair, users)
