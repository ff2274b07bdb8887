"""Killed at twenty random moments under load: nothing that was acknowledged is lost, nothing is recorded twice."""

import collections
import os
import random
import secrets
import threading
import time

import httpx
import jwt
import pytest

from acknowledged import Acknowledged, streams_are_complete
from conftest import PASSWORD
from waiting import until

pytestmark = pytest.mark.alone

KILLS = int(os.environ.get("AUTHMS_KILLS", "20"))
VICTIMS = [
    "identity", "session", "profile", "mfa", "audit", "gateway", "rabbitmq", "redis",
    "postgres-identity", "postgres-session", "postgres-profile", "postgres-mfa", "postgres-audit",
]  # fmt: skip


class Load:
    """A few clients that register, sign in, refresh, change their profile and sign out; remembers what was acknowledged."""

    def __init__(self, gateway, clients=3):
        self.gateway = gateway
        self.acknowledged = Acknowledged()
        self.kept = []  # sessions that nobody signed out: the latest tokens of each
        self.statuses = collections.Counter()
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def call(self, http, method, path, action=None, token=None, request=None, **options):
        """The answer's data when it succeeds, else None; `action` is what the trail must have of it then."""
        request = request or f"load-{secrets.token_hex(12)}"
        headers = {"X-Request-Id": request, **({"Authorization": f"Bearer {token}"} if token else {})}
        try:
            answer = http.request(method, path, headers=headers, **options)
        except httpx.HTTPError:
            self.statuses["no answer"] += 1
            self.stopping.wait(0.05)
            return None
        self.statuses[answer.status_code] += 1
        if answer.status_code in (200, 201):
            if action:
                self.acknowledged.add(request, action)
            return answer.json()["data"]
        if answer.status_code == 503:
            self.stopping.wait(0.1)
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text}")
        return None

    def client(self):
        with httpx.Client(base_url=self.gateway, timeout=15) as http:
            while not self.stopping.is_set():
                self.one_user(http)

    def one_user(self, http):
        email = f"fault-{secrets.token_hex(8)}@example.org"
        who = {"email": email, "password": PASSWORD}
        user = self.call(http, "POST", "/identity/api/v1/auth/register", "identity.user.registered", json=who)
        if not user:
            return
        for turn in range(3):
            who = {"identity": email, "password": PASSWORD}
            tokens = self.call(http, "POST", "/identity/api/v1/auth/login", "identity.login.succeeded", json=who)
            if not tokens:
                continue
            token = tokens["access_token"]
            if tokens.get("refresh_token"):
                self.use(http, tokens, signs_out=turn == 1)
            if turn != 1:  # that session has been signed out
                path = f"/profile/api/v1/profiles/{user['user_id']}"
                self.call(http, "PUT", path, "profile.updated", token=token, json={"nickname": f"turn {turn}"})

    def use(self, http, tokens, signs_out):
        newer = None
        again = time.monotonic() + 8
        request = f"load-{secrets.token_hex(12)}"
        # The answer may be lost and the token used up: whoever asks again within ten seconds gets the same successor.
        while not newer and time.monotonic() < again:
            newer = self.refresh(http, tokens["refresh_token"], request)
        if not newer:
            return
        tokens = {**tokens, **{name: value for name, value in newer.items() if value}}
        if not signs_out:
            self.kept.append(tokens)
            return
        body = {"refresh_token": tokens["refresh_token"]}
        done = self.call(http, "POST", "/identity/api/v1/auth/logout", token=tokens["access_token"], json=body)
        if done:
            claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
            self.acknowledged.end(claims["sid"], tokens["access_token"])

    def refresh(self, http, token, request):
        data = self.call(
            http, "POST", "/identity/api/v1/auth/refresh", json={"refresh_token": token}, request=request
        )
        # An access token of five minutes changes nothing, and so has no record where nobody could write one.
        if data and data["expires_in"] != 300:
            self.acknowledged.add(request, "session.refreshed")
        return data


def test_killed_at_random_moments_under_load_every_acknowledged_change_is_recorded_once(suite):
    seed = int(os.environ.get("AUTHMS_SEED", secrets.randbelow(1 << 32)))
    print(f"seed {seed}: run again with AUTHMS_SEED={seed}")
    chance = random.Random(seed)
    killed = []
    with Load(suite.gateway) as load:
        for number in range(KILLS):
            time.sleep(chance.uniform(0.3, 2.0))  # the random moment
            victim = VICTIMS[number % len(VICTIMS)] if number < len(VICTIMS) else chance.choice(VICTIMS)
            suite.authms("kill", victim)
            killed.append(victim)
        until(suite.is_ready, seconds=60, every=0.2, saying="the suite heals after the last kill")
    done = load.acknowledged
    print(f"killed {killed}; statuses {dict(load.statuses)}; {len(done.expected)} changes")
    for action in ("identity.user.registered", "identity.login.succeeded", "session.refreshed", "profile.updated"):
        assert done.count(action) > 10, (action, load.statuses)
    assert done.ended and load.kept
    assert not load.failures, load.failures[:5]

    until(
        lambda: not done.missing_or_doubled(suite), seconds=60, every=0.5,
        saying=f"each acknowledged change has its one record (killed {killed}, seed {seed})",
    )
    until(
        lambda: streams_are_complete(suite), seconds=60, every=0.5,
        saying="the audit trail reaches the heads of the streams",
    )
    # What came late is there by now, so that a second record would be as well.
    assert not done.missing_or_doubled(suite)
    assert suite.authms("audit", "verify", check=False).returncode == 0
    accepted_and_lost(suite, load)


def accepted_and_lost(suite, load):
    """No token that was signed out is taken, by the gateway or by a service; no session that was not is lost."""
    with httpx.Client(base_url=suite.gateway, timeout=15) as http:
        me = lambda base, token: httpx.get(f"{base}/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=15)
        for token in load.acknowledged.ended.values():
            for base in (f"{suite.gateway}/identity/api/v1", f"{suite.service_url('identity')}/api/v1"):
                assert me(base, token).status_code == 401
        for tokens in load.kept:
            answer = http.post("/identity/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            assert answer.status_code == 200 and answer.json()["data"]["refresh_token"], answer.text
