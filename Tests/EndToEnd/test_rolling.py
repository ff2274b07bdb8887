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
import pytest

from acknowledged import Acknowledged, streams_are_complete
from conftest import PASSWORD, REPOSITORY
from suite import Suite, started
from waiting import until

pytestmark = pytest.mark.alone

SERVICES = ("identity", "profile", "session", "mfa", "audit", "gateway")


@pytest.fixture(scope="module")
def pair():
    with tempfile.TemporaryDirectory(prefix="authms-e2e-") as home:
        settings = {"GATEWAY_TRUSTED_PROXIES": "127.0.0.1"}
        with started(Suite(REPOSITORY, pathlib.Path(home), replicas=2, **settings)) as running:
            yield running


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
        self.acknowledged = Acknowledged()
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

    def call(self, http, method, path, action=None, token=None, **options):
        """The answer's data when it succeeds, else None; `action` is what the audit trail must have of it then."""
        name = path.rsplit("/", 1)[-1]
        request = f"rolling-{secrets.token_hex(12)}"
        headers = {"X-Request-Id": request, **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            answer = http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            self.failures.append((name, repr(error)))
            return None
        if not answer.is_success:
            self.failures.append((name, answer.status_code, answer.text))
            self.stopping.wait(0.05)
            return None
        self.answers[name] += 1
        data = answer.json().get("data") or {}
        # An access token of five minutes changes nothing, and has no record.
        if action and data.get("expires_in") != 300:
            self.acknowledged.add(request, action)
        return data

    def live(self):
        with httpx.Client(base_url=self.url, timeout=15) as http:
            while not self.stopping.is_set():
                self.one_user(http)

    def one_user(self, http):
        auth = "/identity/api/v1/auth"
        email = f"rolling-{secrets.token_hex(8)}@example.org"
        who = {"email": email, "password": PASSWORD}
        user = self.call(http, "POST", f"{auth}/register", "identity.user.registered", json=who)
        if user is None:
            return
        who = {"identity": email, "password": PASSWORD}
        signed_in = self.call(http, "POST", f"{auth}/login", "identity.login.succeeded", json=who)
        if signed_in is None:
            return
        token, refresh = signed_in["access_token"], signed_in.get("refresh_token")
        for _ in range(5):
            if self.stopping.is_set():
                return
            self.call(http, "GET", f"{auth}/me", token=token)
            self.call(http, "GET", f"/profile/api/v1/profiles/{user['user_id']}", token=token)
            self.call(http, "GET", "/audit/api/v1/auth/me/audit-logs", token=token)
            if refresh:
                body = {"refresh_token": refresh}
                data = self.call(http, "POST", f"{auth}/refresh", "session.refreshed", json=body)
                if data is None:
                    return  # it may have been used up
                refresh = data.get("refresh_token") or refresh
        if refresh:
            self.call(http, "POST", f"{auth}/logout", token=token, json={"refresh_token": refresh})


def is_back(suite, name, before):
    unit = suite.unit(name)
    return unit["phase"] == "ready" and unit["processIdentifier"] not in (None, before)


def everything_recorded_once(suite, users):
    done = users.acknowledged
    assert done.count("identity.user.registered") > 10 and done.count("session.refreshed") > 10
    until(
        lambda: not done.missing_or_doubled(suite), seconds=60, every=0.5,
        saying="each acknowledged change has its one record",
    )  # fmt: skip
    until(lambda: streams_are_complete(suite), seconds=60, every=0.5, saying="every stream is in the trail to its head")


def test_every_service_is_restarted_one_by_one_under_load_and_no_request_fails(pair, balanced):
    with Users(balanced) as users:
        done = pair.authms("restart", "--rolling", timeout=300)
        # The load goes on with all of them new.
        refreshed = users.answers["refresh"]
        until(lambda: users.answers["refresh"] > refreshed + 10, saying="the new ones answer")
    print(done.stdout, dict(users.answers))
    # It would have ended with 1 had a process ended with another code than 0, or after the 25 s that it has.
    restarted = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✔")]
    assert restarted == [name for service in SERVICES for name in (service, f"{service}-2")]
    assert not users.failures, users.failures[:10]
    assert min(users.answers[name] for name in ("register", "login", "me", "refresh", "logout", "audit-logs")) > 10
    everything_recorded_once(pair, users)


def test_the_client_is_whom_the_balancer_saw_and_not_who_it_says_it_is(balanced):
    email = f"where-{secrets.token_hex(8)}@example.org"
    # From an address of this machine that is not the balancer's.
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=balanced, transport=transport, timeout=15, headers={"X-Forwarded-For": "6.6.6.6"}) as http:
        who = {"email": email, "password": PASSWORD}
        assert http.post("/identity/api/v1/auth/register", json=who).status_code == 201
        who = {"identity": email, "password": PASSWORD}
        token = http.post("/identity/api/v1/auth/login", json=who).json()["data"]["access_token"]
        sessions = http.get("/session/api/v1/sessions", headers={"Authorization": f"Bearer {token}"}).json()["items"]
    assert [session["ip"] for session in sessions] == ["127.0.0.2"]


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
            logins = [pool.submit(http.post, "/api/v1/auth/login", json=body) for _ in range(24)]
            until(lambda: in_flight() >= 5, seconds=10, every=0.005, saying="logins are under way")
            os.kill(before, signal.SIGTERM)
            answers = [login.result() for login in logins]
    assert [answer.status_code for answer in answers] == [200] * 24
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
