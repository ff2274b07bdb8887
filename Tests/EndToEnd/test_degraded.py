"""The degraded-mode contract, cell by cell: each cause is made, what is promised is tried, and then it must heal.

`works` means 2xx within two and a half seconds. `refused` means 503 with Retry-After as fast, and never a 500. A cause comes in
two kinds: `stopped`, so that connections are refused, and `stalled` (SIGSTOP), so that they are taken and nothing answers.
"""

import base64
import itertools
import time

import psycopg
import pytest

from second_factor import SecondFactorUser
from waiting import until

pytestmark = pytest.mark.alone

WORKS, REFUSED, TOKEN_ONLY = "works", "refused", "access token only"
SHORT = "access token of five minutes, no rotation"
WORSE = [WORKS, SHORT, TOKEN_ONLY, REFUSED]

# cause: (verify, refresh, login, register, login with a second factor)
CONTRACT = {
    "postgres-identity": (WORKS, WORKS, REFUSED, REFUSED, REFUSED),
    "identity": (WORKS, WORKS, REFUSED, REFUSED, REFUSED),
    "postgres-session": (WORKS, SHORT, TOKEN_ONLY, WORKS, TOKEN_ONLY),
    "session": (WORKS, SHORT, TOKEN_ONLY, WORKS, TOKEN_ONLY),
    "postgres-mfa": (WORKS, WORKS, WORKS, WORKS, REFUSED),
    "mfa": (WORKS, WORKS, WORKS, WORKS, REFUSED),
    "postgres-profile": (WORKS, WORKS, WORKS, WORKS, WORKS),
    "profile": (WORKS, WORKS, WORKS, WORKS, WORKS),
    "postgres-audit": (WORKS, WORKS, WORKS, WORKS, WORKS),
    "audit": (WORKS, WORKS, WORKS, WORKS, WORKS),
    "rabbitmq": (WORKS, WORKS, WORKS, WORKS, WORKS),
    "redis": (WORKS, WORKS, WORKS, WORKS, WORKS),
}
# Without these the audit trail may be late; without any other it goes on.
AUDIT_LATE = {"postgres-audit", "audit", "rabbitmq"}
# Without these no profile is changed; without any other it is.
PROFILE_GONE = {"postgres-profile", "profile"}
HOW = {"stopped": ("stop", "start"), "stalled": ("pause", "continue")}
# Of two at once a cell is the worse of the two. Identity and session both away leave nobody to sign a token.
PAIRS = [
    ("postgres-identity", "redis"),
    ("postgres-identity", "postgres-session"),
    ("postgres-session", "rabbitmq"),
    ("session", "redis"),
    ("session", "postgres-identity"),
    ("rabbitmq", "redis"),
    ("postgres-audit", "rabbitmq"),
]


def promises(causes):
    return [max(cells, key=WORSE.index) for cells in zip(*(CONTRACT[cause] for cause in causes))]


def registrations(suite, users):
    """How many records of their registration the audit trail has of each of the users; those without one are left out."""
    try:
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"], connect_timeout=3) as connection:
            return dict(
                connection.execute(
                    "SELECT target_id, count(*) FROM audit_records"
                    " WHERE target_id = ANY(%s) AND action = 'identity.user.registered' GROUP BY 1",
                    (users,),
                ).fetchall()
            )
    except psycopg.OperationalError:  # still starting
        return {}


def check(promise, call, what):
    start = time.monotonic()
    answer = call()
    took = time.monotonic() - start
    if promise == REFUSED:
        assert answer.status_code == 503, f"{what}: {answer.status_code} {answer.text}"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] in (503001, 503003)
    else:
        assert answer.status_code in (200, 201), f"{what}: {answer.status_code} {answer.text}"
    assert took < 2.5, f"{what} took {took:.1f} s"
    return answer


def same_token(one, other):
    """Of the same session, generation and expiry: a token that was given back says so, and is the same otherwise."""
    head = lambda token: base64.urlsafe_b64decode(token.removeprefix("art_")[:60])[9:37]
    return head(one) == head(other)


def keep_successor(tokens, answer):
    """A refresh token is for one use: the next refresh takes the successor."""
    if answer.status_code == 200:
        tokens["refresh_token"] = answer.json()["data"].get("refresh_token") or tokens["refresh_token"]
    return answer


def heals(call, what):
    """Answers 200 again soon, with both tokens; until then 503 or the degraded answer, and nothing else."""

    def works():
        answer = call()
        assert answer.status_code in (200, 503), f"{what} does not heal: {answer.status_code} {answer.text}"
        return answer.status_code == 200 and answer.json()["data"].get("refresh_token")

    until(works, seconds=15, saying=f"{what} heals")


def audited_once(suite, users, seconds):
    """Every registration, and no other, has its one record."""
    until(
        lambda: set(registrations(suite, users)) == set(users), seconds=seconds,
        saying="the audit trail has every registration",
    )  # fmt: skip
    assert set(registrations(suite, users).values()) == {1}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("cause", CONTRACT)
def test_what_works_without(cause, how, suite, http, make_account):
    without([cause], how, suite, http, make_account)


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_what_works_without_two_at_once(pair, suite, http, make_account):
    without(pair, "stopped", suite, http, make_account)


def test_with_identity_and_session_both_gone_nobody_signs_and_everybody_verifies(suite, http, make_account):
    account = make_account()
    tokens = account.login()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    login = lambda: http.post(
        "/identity/api/v1/auth/login", json={"identity": account.email, "password": account.password}
    )
    refresh = lambda: keep_successor(tokens, account.refresh(tokens["refresh_token"]))
    try:
        suite.authms("stop", "identity")
        suite.authms("stop", "session")
        until(lambda: login().status_code == 503, seconds=2.5, saying="login degrades")
        check(REFUSED, login, "login")
        check(REFUSED, refresh, "refresh")
        check(WORKS, lambda: http.get("/audit/api/v1/auth/me/audit-logs", headers=bearer), "verify")
    finally:
        suite.authms("start", "identity")
        suite.authms("start", "session")
    heals(login, "login")
    heals(refresh, "refresh")
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")


def without(causes, how, suite, http, make_account):
    promised_verify, promised_refresh, promised_login, promised_register, promised_factor = promises(causes)
    name = f"{' and '.join(causes)} {how}"
    account = make_account()
    tokens = account.login()
    careful = SecondFactorUser(make_account()).enable_totp()
    registered = [account.id, careful.account.id]
    # What a database that is gone had not yet handed over comes when it is back; that is not what is asked here.
    audited_once(suite, registered, seconds=10)
    numbers = itertools.count()
    unique = time.time_ns()
    refresh = lambda: keep_successor(tokens, account.refresh(tokens["refresh_token"]))
    login = lambda: http.post(
        "/identity/api/v1/auth/login", json={"identity": account.email, "password": account.password}
    )

    def register():
        email = f"degraded-{unique}-{next(numbers)}@example.org"
        answer = http.post("/identity/api/v1/auth/register", json={"email": email, "password": account.password})
        if answer.status_code == 201:
            registered.append(answer.json()["data"]["user_id"])
        return answer

    def profile():
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return http.put(f"/profile/api/v1/profiles/{account.id}", json={"nickname": f"n{next(numbers)}"}, headers=bearer)

    promised_profile = REFUSED if PROFILE_GONE & set(causes) else WORKS
    breaks, mends = HOW[how]
    broken = []
    try:
        for cause in causes:
            suite.authms(breaks, cause)
            broken.append(cause)
        # The first calls may find connections that died a moment ago: two seconds to notice are allowed.
        if promised_login == REFUSED:
            until(lambda: login().status_code == 503, seconds=2.5, saying="login degrades")
        if promised_profile == REFUSED:
            until(lambda: profile().status_code == 503, seconds=2.5, saying="the profile degrades")
        assert http.get("/.well-known/jwks.json").status_code == 200
        # A service that the cause leaves alone accepts the token, without asking anybody
        path = "/audit/api/v1/auth/me/audit-logs" if not AUDIT_LATE & set(causes) else "/identity/api/v1/auth/me"
        if path.startswith("/audit"):
            answer = http.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"})
            assert answer.status_code == 200, answer.text
        path = "/session/api/v1/sessions" if any("identity" in cause for cause in causes) else "/identity/api/v1/auth/me"
        verify = lambda: http.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        if not any("session" in cause for cause in causes) or not path.startswith("/session"):
            check(promised_verify, verify, f"verify without {name}")
        for _ in range(3):
            unrotated = tokens["refresh_token"]
            answer = check(promised_refresh, refresh, f"refresh without {name}")
            if promised_refresh == SHORT:
                data = answer.json()["data"]
                assert data["expires_in"] == 300
                assert not data.get("refresh_token") or same_token(data["refresh_token"], unrotated)
            answer = check(promised_login, login, f"login without {name}")
            if promised_login == TOKEN_ONLY:
                data = answer.json()["data"]
                assert data["access_token"] and not data.get("refresh_token")
            check(promised_register, register, f"register without {name}")
            check(promised_profile, profile, f"profile without {name}")
        answer = check(promised_factor, careful.password, f"login with a second factor without {name}")
        if promised_factor != REFUSED:
            token = answer.json()["data"]["challenge_token"]
            complete = lambda: careful.answer(token, careful.codes.pop(), "backup_code")
            data = check(promised_factor, complete, f"second factor without {name}").json()["data"]
            assert data["access_token"] and bool(data.get("refresh_token")) == (promised_factor == WORKS)
        if not AUDIT_LATE & set(causes):
            audited_once(suite, registered, seconds=10)
    finally:
        for cause in broken:
            suite.authms(mends, cause)
    heals(login, "login")
    # With the token that the outage left them: no session is lost, and none is taken for stolen.
    heals(refresh, "refresh")
    until(lambda: profile().status_code == 200, seconds=15, saying="profiles heal")
    # The next test begins with a second factor, by way of the gateway and of identity.
    count = lambda: careful.call("GET", "/mfa/api/v1/mfa/backup-codes/count")
    until(lambda: count().status_code == 200, seconds=15, saying="second factors heal")
    until(lambda: careful.password().status_code == 200, seconds=15, saying="the login with a second factor heals")
    audited_once(suite, registered, seconds=20)
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")
