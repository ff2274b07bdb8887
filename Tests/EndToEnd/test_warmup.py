"""The cache is lost under load: users come back a part at a time, nothing but 503002 goes wrong, revoked stays revoked.

A suite of its own, with stages of seconds.
"""

import collections
import json
import pathlib
import subprocess
import tempfile
import threading

import httpx
import psycopg
import pytest

from conftest import PASSWORD, Account
from suite import Suite, started
from waiting import until

pytestmark = pytest.mark.alone

SHORT = {
    "WARMUP_FIRST_STAGE": "4s", "WARMUP_SECOND_STAGE": "4s", "WARMUP_WATCH": "2s", "WARMUP_MINIMUM_HITS": "0",
    "WARMUP_STEADY_FLOOR": "1s", "WARMUP_INTERVAL": "500ms", "CACHE_HOT_KEYS_INTERVAL": "1s",
}  # fmt: skip


@pytest.fixture(scope="module")
def warm(repository):
    with tempfile.TemporaryDirectory(prefix="authms-warmup-") as home:
        with started(Suite(repository, pathlib.Path(home), **SHORT)) as running:
            yield running


@pytest.fixture(scope="module")
def client(warm):
    with httpx.Client(base_url=warm.gateway, timeout=15) as http:
        yield http


def report(warm, service):
    return json.loads(warm.authms("warmup", "status", service, "--json").stdout)[0]


def flush(warm):
    command = ["redis-cli", "--no-auth-warning", "-u", warm.env()["REDIS_URL"], "FLUSHALL"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip() == "OK"


def hit_rate(warm, service):
    return report(warm, service)["history"][-1].get("hit_rate", 0)


class Users:
    """Signed-in users who read, refresh and sign in all the time, and what they were answered."""

    def __init__(self, warm, accounts):
        self.gateway = warm.gateway
        self.accounts = [(account, account.login()) for account in accounts]
        self.answers = collections.Counter()
        self.bad = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.act, args=(n,), daemon=True) for n in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def act(self, number):
        mine = self.accounts[number::4]
        with httpx.Client(base_url=self.gateway, timeout=15) as http:
            turn = 0
            while not self.stopping.is_set():
                turn += 1
                account, tokens = mine[turn % len(mine)]
                bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
                self.note("me", http.get("/identity/api/v1/auth/me", headers=bearer))
                self.note("sessions", http.get("/session/api/v1/sessions", headers=bearer))
                self.note("profile", http.get(f"/profile/api/v1/profiles/{account.id}", headers=bearer))
                if turn % 5 == 0:
                    answer = http.post("/identity/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
                    self.note("refresh", answer)
                    if answer.status_code == 200:
                        tokens.update(answer.json()["data"])
                if turn % 20 == 0:
                    body = {"identity": account.email, "password": PASSWORD}
                    self.note("login", http.post("/identity/api/v1/auth/login", json=body))
                self.stopping.wait(0.02)

    def note(self, what, answer):
        code = answer.json().get("code") if answer.status_code != 200 else 0
        self.answers[(what, code)] += 1
        if code == 503002:
            assert 5 <= int(answer.headers["retry-after"]) <= 15
        elif code != 0:
            self.bad.append((what, answer.text[:300]))


def test_a_flushed_cache_under_load_costs_nothing_but_503002_and_comes_back(warm, client):
    accounts = [Account(client) for _ in range(12)]
    gone = accounts[0].login()
    bearer = {"Authorization": f"Bearer {gone['access_token']}"}
    assert client.post("/identity/api/v1/auth/logout", headers=bearer).status_code == 200
    until(lambda: accounts[0].me(gone["access_token"]).status_code == 401, saying="the sign-out is heard of")
    with Users(warm, accounts) as users:
        until(lambda: hit_rate(warm, "identity") > 0.5, saying="the cache is in use")
        # Whatever was asked for most has been written down by now.
        until(lambda: report(warm, "identity")["usual_hits_per_second"] > 0, saying="there is a usual load")
        flush(warm)
        for service in ("identity", "session", "profile"):
            until(lambda: report(warm, service)["stage"] != "idle", seconds=15, saying=f"{service} warms up")
        assert report(warm, "identity")["reason"] == "the cache was emptied"
        # A process that starts now finds an empty Redis, and must not take what was signed out.
        warm.authms("restart", "identity")
        until(lambda: client.get("/health").json()["status"] == "healthy", seconds=20, saying="identity is back")
        shares = []

        def over():
            now = report(warm, "identity")
            shares.append(now["share"])
            assert accounts[0].me(gone["access_token"]).status_code == 401
            return now["stage"] == "idle"

        until(over, seconds=40, every=0.4, saying="everybody is in again")
        users.answers[("me", 0)] = 0
        until(lambda: hit_rate(warm, "identity") > 0.5, saying="the hit rate recovers")
        until(lambda: users.answers[("me", 0)] > 50, saying="they are served")
    assert 20 in shares and 50 in shares and shares == sorted(shares), shares
    # While identity restarts the gateway says that it is down.
    assert [bad for bad in users.bad if "dependency_unavailable" not in bad[1]] == [], users.bad[:5]
    assert sum(count for (_, code), count in users.answers.items() if code == 503002) > 0, users.answers


def test_an_operator_starts_watches_and_skips_it_and_the_trail_tells(warm, client, tmp_path):
    page = tmp_path / "warmup.html"
    started = warm.authms("warmup", "start", "profile", "--reason", "a rehearsal")
    assert "20 %" in started.stdout, started.stdout
    seen = warm.authms("warmup", "status", "profile", "--html", str(page))
    assert "a rehearsal" in seen.stdout and "admitted" in seen.stdout and "▁" in seen.stdout, seen.stdout
    assert page.read_text().startswith("<!doctype html>") and page.read_text().count("<svg") == 4
    again = warm.authms("warmup", "start", "profile")
    assert "under way already" in again.stdout
    assert "everybody is admitted" in warm.authms("warmup", "skip", "profile").stdout
    assert report(warm, "profile")["share"] == 100
    metrics = httpx.get(f"{warm.service_url('profile')}/metrics").text
    assert "authms_warmup_admitted_percent 100" in metrics and "authms_cache_reads_total" in metrics
    refused = warm.authms("warmup", "start", "audit", check=False)
    assert refused.returncode != 0 and "caches nothing" in refused.stderr

    def recorded():
        with psycopg.connect(warm.env()["AUDIT_DATABASE_URL"]) as connection:
            rows = connection.execute(
                "SELECT action FROM audit_records WHERE target_id = 'profile' ORDER BY sequence"
            ).fetchall()
        return [row[0] for row in rows][-2:] == ["profile.warmup.started", "profile.warmup.skipped"]

    until(recorded, seconds=20, saying="the acts are in the trail")
