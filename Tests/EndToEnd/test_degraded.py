"""The degraded-mode contract, cell by cell: each cause is made, what is promised is tried, and then it must heal.

`works` means 2xx within two seconds. `refused` means 503 with Retry-After within two seconds: fast, clear, and never a 500.
"""

import time

import pytest

from waiting import until

WORKS, REFUSED, TOKEN_ONLY = "works", "refused", "access token only"
SHORT = "access token of five minutes, no rotation"

# cause: (verify, refresh, login, register)
CONTRACT = {
    "postgres-identity": (WORKS, WORKS, REFUSED, REFUSED),
    "identity": (WORKS, WORKS, REFUSED, REFUSED),
    "postgres-session": (WORKS, SHORT, TOKEN_ONLY, WORKS),
    "session": (WORKS, REFUSED, TOKEN_ONLY, WORKS),
    "postgres-mfa": (WORKS, WORKS, WORKS, WORKS),
    "postgres-profile": (WORKS, WORKS, WORKS, WORKS),
    "postgres-audit": (WORKS, WORKS, WORKS, WORKS),
    "audit": (WORKS, WORKS, WORKS, WORKS),
    "rabbitmq": (WORKS, WORKS, WORKS, WORKS),
    "redis": (WORKS, WORKS, WORKS, WORKS),
}


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


@pytest.mark.parametrize("cause", CONTRACT)
def test_what_works_without(cause, suite, http, make_account):
    promised_verify, promised_refresh, promised_login, promised_register = CONTRACT[cause]
    account = make_account()
    tokens = account.login()
    suite.authms("stop", cause)
    try:
        refresh = lambda: keep_successor(tokens, account.refresh(tokens["refresh_token"]))
        login = lambda: http.post(
            "/identity/api/v1/auth/login", json={"identity": account.email, "password": account.password}
        )
        register = lambda: http.post(
            "/identity/api/v1/auth/register",
            json={"email": f"degraded-{time.time_ns()}@example.org", "password": account.password},
        )
        # The first call may find connections that died a moment ago: two seconds to notice are allowed.
        if promised_login == REFUSED:
            until(lambda: login().status_code == 503, seconds=2.5, saying="login degrades")
        assert http.get("/.well-known/jwks.json").status_code == 200
        # A service that the cause leaves alone accepts the token, without asking anybody
        path = "/session/api/v1/sessions" if "identity" in cause else "/identity/api/v1/auth/me"
        verify = lambda: http.get(path, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        check(promised_verify, verify, f"verify without {cause}")
        for _ in range(3):
            unrotated = tokens["refresh_token"]
            answer = check(promised_refresh, refresh, f"refresh without {cause}")
            if promised_refresh == SHORT:
                data = answer.json()["data"]
                assert data["expires_in"] == 300
                assert data.get("refresh_token") in (None, unrotated)
            answer = check(promised_login, login, f"login without {cause}")
            if promised_login == TOKEN_ONLY:
                data = answer.json()["data"]
                assert data["access_token"] and not data.get("refresh_token")
            check(promised_register, register, f"register without {cause}")
    finally:
        suite.authms("start", cause)
    heals(login, "login")
    heals(refresh, "refresh")
    until(suite.is_ready, seconds=30, saying="the suite is healthy again")
