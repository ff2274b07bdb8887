"""A refresh that session did and nobody was told of: no session is lost for it while the broker takes nothing, and theft is still found."""

import time

import psycopg
import pytest

from test_broker import full
from waiting import until

pytestmark = pytest.mark.alone


def exchange_for_nobody(suite, accounts):
    """What a session service leaves that is killed between its commit and its answer, eight seconds ago."""
    with psycopg.connect(suite.env()["SESSION_DATABASE_URL"]) as connection:
        changed = connection.execute(
            "UPDATE sessions SET generation = generation + 1, rotated_at = now() - interval '8 s' WHERE user_id = ANY(%s)",
            ([account.id for account in accounts],),
        ).rowcount
    assert changed == len(accounts)
    return time.monotonic() - 8


def whole(account, token):
    """The answer to a refresh once it is whole; until then 503 or five minutes, and nothing else."""

    def refreshed():
        answer = account.refresh(token)
        assert answer.status_code in (200, 503), f"the session is lost: {answer.status_code} {answer.text}"
        data = answer.json().get("data") or {}
        return data if answer.status_code == 200 and data["expires_in"] != 300 else None

    return until(refreshed, seconds=30, saying="the refresh is whole again")


def test_a_session_whose_exchange_was_answered_by_nobody_goes_on_without_the_broker(suite, make_account):
    answered, unanswered, bystander = make_account(), make_account(), make_account()
    tokens = {account: account.login()["refresh_token"] for account in (answered, unanswered, bystander)}
    with full(suite, "memory"):
        suite.authms("stop", "session")
        try:
            until(lambda: bystander.refresh(tokens[bystander]).status_code == 200, saying="refresh degrades")
            exchanged = exchange_for_nobody(suite, [answered, unanswered])
            answer = answered.refresh(tokens[answered])
            assert answer.status_code == 200 and answer.json()["data"]["expires_in"] == 300, answer.text
            given_back = answer.json()["data"]["refresh_token"]
            # This one's answer is lost as well: they come back with the token that they had.
            assert unanswered.refresh(tokens[unanswered]).status_code == 200
        finally:
            suite.authms("start", "session")
        until(lambda: time.monotonic() > exchanged + 10.5, seconds=15, saying="the grace period is over")
        assert whole(answered, given_back)["refresh_token"] != given_back
        whole(unanswered, tokens[unanswered])
        # It has been answered now: once the grace period is over it is theft, and the family ends.
        until(lambda: answered.refresh(given_back).status_code == 401, seconds=20, every=0.5, saying="reuse is refused")
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")
