"""The rehearsal: every cell of the contract under the mixed load, as an operator runs it; and that it can find something.

On a suite of its own that was started with proxies: so the drill can also refuse, swallow and cut what still runs.
"""

import json
import os

import psycopg
import pytest

from suite import Suite, let_in, started
from waiting import until

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def proxied(repository, tmp_path_factory):
    home = tmp_path_factory.mktemp("drill")
    let_in(home)
    with started(Suite(repository, home, options=["--proxied"])) as running:
        yield running


def test_the_short_drill_keeps_every_promise_and_loses_nothing(proxied, tmp_path):
    page, report = tmp_path / "report.html", tmp_path / "report.json"
    done = proxied.authms(
        # Of the four seconds two are for degrading: what is seen in the two after them is what is judged.
        "drill", "blast-radius", "--short", "--outage", "4", "--json", str(report), "--html", str(page), check=False,
        timeout=240,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert len(found["rows"]) == 7
    faults = {row["cause"]["fault"] for row in found["rows"]}
    assert {"refused", "stalled", "stopped", "swallowed", "cut", "killed"} == faults
    assert any(len(row["cause"]["units"]) == 2 for row in found["rows"])
    reckoning = found["reckoning"]
    assert reckoning["missing"] == reckoning["doubled"] == 0 and reckoning["streams"] == []
    assert reckoning["lostSessions"] == [] and reckoning["acceptedTokens"] == [] and "trail" not in reckoning
    counted = reckoning["acknowledged"]
    assert counted["session.refreshed"] > 500 and counted["identity.login.succeeded"] > 200
    assert counted["identity.user.registered"] > 30 and counted["profile.updated"] > 50
    assert counted["session.revoked"] > 50 and counted["mfa.challenge.verified"] > 30
    for row in found["rows"]:
        tried = {cell["capability"] for cell in row["cells"] if cell["verdict"] == "kept"}
        # A killed process is back within a second or two, in which not everything is asked for often enough.
        every = {"verify", "refresh", "login", "login-mfa", "register", "profile", "logout", "audit"}
        asked = {"verify", "refresh"} if row["cause"]["fault"] == "killed" else every
        assert asked <= tried, row["cause"]
        assert all(cell.get("degradedAfter", 0) <= 2 and cell.get("healedAfter", 0) <= 5 for cell in row["cells"])
    # An outage that nobody would notice tests nothing.
    seen = {(cell["capability"], cell["worst"]) for row in found["rows"] for cell in row["cells"]}
    assert {("login", "refused"), ("login", "degraded"), ("refresh", "degraded"), ("profile", "refused")} <= seen
    assert {("login-mfa", "refused"), ("login-mfa", "degraded"), ("login-mfa", "works")} <= seen
    # Without mfa, who has a second factor is refused, and nobody else is.
    [without_mfa] = [row for row in found["rows"] if row["cause"]["units"] == ["mfa"]]
    assert {c["capability"] for c in without_mfa["cells"] if c["worst"] != "works"} == {"login-mfa"}, without_mfa
    # What was too little asked for is counted apart, in every form of the report.
    cells = [cell["verdict"] for row in found["rows"] for cell in row["cells"]]
    counts = {verdict: cells.count(verdict) for verdict in ("kept", "broken", "untested")}
    assert found["verdicts"] == counts and counts["broken"] == 0
    line = "{kept} kept, {broken} broken, {untested} untested".format(**counts)
    assert line in done.stdout and line in page.read_text()
    assert page.read_text().startswith("<!doctype html>") and "<svg" in page.read_text()


def test_a_broken_promise_is_found_and_ends_with_1(proxied, tmp_path):
    """A record that somebody put into the trail is counted, and the trail does not verify."""
    report = tmp_path / "report.json"
    env = proxied.env()
    with psycopg.connect(env["AUDIT_DATABASE_SUPERUSER_URL"], dbname="authms_audit", autocommit=True) as trail:
        trail.execute("SET session_replication_role = replica")
        record, message = trail.execute("SELECT id, message FROM audit_records ORDER BY sequence LIMIT 1").fetchone()
        change = "UPDATE audit_records SET message = %s WHERE id = %s"
        trail.execute(change, ("another", record))
        try:
            done = proxied.authms(
                "drill", "blast-radius", "--cause", "redis", "--fault", "killed", "--json", str(report), check=False,
                timeout=120,
            )  # fmt: skip
        finally:
            trail.execute(change, (message, record))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The trail is not whole" in done.stdout and json.loads(report.read_text())["reckoning"]["trail"]


def test_several_causes_are_one_and_what_cannot_be_broken_is_refused(suite, proxied):
    refused = lambda *options: proxied.authms("drill", "blast-radius", *options, check=False)
    moon = refused("--cause", "the-moon")
    assert moon.returncode == 64 and "the-moon" in moon.stderr
    service = refused("--cause", "identity", "--fault", "cut")
    assert service.returncode == 64 and "no proxy in front of it" in service.stderr
    plain = suite.authms("drill", "blast-radius", "--cause", "redis", "--fault", "cut", check=False)
    assert plain.returncode == 64 and "authms up --proxied" in plain.stderr


@pytest.mark.skipif("AUTHMS_SOAK_MINUTES" not in os.environ, reason="takes minutes: make soak, or AUTHMS_SOAK_MINUTES=1")
def test_a_soak_loses_nothing(proxied, tmp_path):
    report = tmp_path / "soak.json"
    minutes = os.environ["AUTHMS_SOAK_MINUTES"]
    done = proxied.authms(
        "drill", "soak", "--minutes", minutes, "--json", str(report), check=False, timeout=int(minutes) * 60 + 400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(report.read_text())["faults"]


def test_the_suite_is_as_it_was_after_its_drills(proxied):
    until(proxied.is_ready, seconds=30, every=0.2, saying="everything is ready after the drills")
