"""Guessing passwords gets slow, strangers lock nobody out, and counting goes on without Redis."""

import re
import secrets

import httpx
import pytest

from mailbox import code, mail
from waiting import until

pytestmark = pytest.mark.alone

LOGIN = "/identity/api/v1/auth/login"


def attempt(http, account, password="not the password", **headers):
    return http.post(LOGIN, json={"identity": account.email, "password": password}, headers=headers)


def guess_until_slow(http, account, limit=8):
    for number in range(limit):
        answer = attempt(http, account)
        if answer.status_code == 429:
            return number, answer
        assert answer.status_code == 401, answer.text
    raise AssertionError(f"{limit} guesses were not slowed down")


def stranger():
    """An address that nobody has come from yet, of those that are set aside for measurements (RFC 2544)."""
    return f"198.{18 + secrets.randbelow(2)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def device_token(answer):
    return re.search(r"authms_device=([^;]+)", answer.headers["set-cookie"]).group(1)


def test_after_five_free_guesses_an_identity_waits_and_its_known_device_does_not(http, make_account):
    account = make_account()
    token = device_token(attempt(http, account, account.password))
    number, slow = guess_until_slow(http, account)
    assert number == 6
    assert slow.json()["code"] == 429001
    assert 1 <= int(slow.headers["retry-after"]) <= 900
    # Not even the right password is looked at from a device that is not known.
    assert attempt(http, account, account.password).status_code == 429
    assert attempt(http, account, account.password, **{"X-Device-Token": token}).status_code == 200
    until(lambda: attempt(http, account, account.password).status_code == 200, seconds=5, saying="the wait is over")


DEVICE_TOKENS = {
    "empty": b"", "blanks and commas": b",, \t ,", "long": b"x" * 8_000, "many": b"a," * 4_000, "no ASCII": "café ☕".encode(),
    "no UTF-8": bytes(range(0x80, 0x100)), "of another kind": b"atd_" + b"0" * 64, "as long as one": b"atd_" + b"\xc3\xa9" * 32,
    "several": b"atd_, atd_" + b"f" * 64 + b", AAAA",
}  # fmt: skip


@pytest.mark.parametrize("token", DEVICE_TOKENS.values(), ids=DEVICE_TOKENS.keys())
def test_a_device_token_that_is_none_is_the_same_as_none(http, account, token):
    shown = {b"X-Device-Token": token}
    login = {"identity": account.email, "password": account.password}
    assert http.post(LOGIN, json=login, headers=shown).status_code == 200
    challenge = {"challenge_token": "x", "mfa_method": "totp", "code": "123456"}
    path = "/identity/api/v1/auth/mfa/verify-challenge"
    assert http.post(path, json=challenge, headers=shown).json()["code"] == http.post(path, json=challenge).json()["code"]


def test_a_header_without_a_token_does_not_hide_the_cookie(http, make_account):
    account = make_account()
    token = device_token(attempt(http, account, account.password))
    guess_until_slow(http, account)
    shown = {"Cookie": f"authms_device={token}", "X-Device-Token": ", ,"}
    assert attempt(http, account, account.password, **shown).status_code == 200


def test_registering_again_is_a_guess_at_the_password_as_a_login_is(http, make_account):
    account = make_account()

    def register(password):
        answer = http.post("/identity/api/v1/auth/register", json={"email": account.email, "password": password})
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["user_id"]

    assert register(account.password) == account.id
    for _ in range(6):
        assert register("yet another horse battery") != account.id
    # The right one is not looked at, and nobody is told so.
    assert register(account.password) != account.id
    assert attempt(http, account, account.password).status_code == 429


def test_an_unknown_identity_waits_as_a_known_one_does(http, make_account):
    class Nobody:
        email = f"nobody-{secrets.token_hex(8)}@example.org"

    known, unknown = guess_until_slow(http, make_account()), guess_until_slow(http, Nobody())
    assert known[0] == unknown[0]
    same = [{k: v for k, v in a.json().items() if k not in ("request_id", "timestamp")} for _, a in (known, unknown)]
    assert same[0] == same[1]


def test_an_administrator_opens_an_account_again_and_both_are_on_record(suite, http, make_account, auditor):
    account = make_account()
    guess_until_slow(http, account)
    unlock = lambda headers: http.post(
        "/identity/api/v1/admin/account-unlocks", json={"user_id": account.id}, headers=headers
    )
    assert unlock({"Authorization": f"Bearer {make_account().login()['access_token']}"}).status_code == 403
    assert unlock({"Authorization": auditor.headers["authorization"]}).status_code == 200
    assert attempt(http, account, account.password).status_code == 200
    assert mail(suite, account.email, "open again")


def test_failures_of_one_address_add_up_whomever_it_tries(suite):
    """Asked directly, where the address can be told; the gateway tells it by itself."""
    with httpx.Client(base_url=suite.service_url("identity"), timeout=15) as http:

        def guess(number, address):
            body = {"identity": f"victim-{number}@example.org", "password": "not the password"}
            return http.post("/api/v1/auth/login", json=body, headers={"X-Forwarded-For": address}).status_code

        address = stranger()
        statuses = [guess(number, address) for number in range(104)]
        assert 429 in statuses[100:] and set(statuses[:100]) == {401}
        assert guess(1_000, stranger()) == 401


def test_a_stranger_s_guesses_at_a_reset_code_hold_up_the_stranger_alone(suite, http, make_account):
    account = make_account()
    http.post("/identity/api/v1/auth/forgot-password", json={"identity": account.email})
    sent = code(suite, account.email, "reset your password")
    with httpx.Client(base_url=suite.service_url("identity"), timeout=15) as direct:

        def guess(identity, typed, address):
            body = {"identity": identity, "code": typed}
            return direct.post("/api/v1/auth/verify-reset-code", json=body, headers={"X-Forwarded-For": address})

        for identity in (account.email, f"nobody-{account.id}@example.org"):
            answers = []
            while len(answers) < 10 and (not answers or answers[-1].status_code == 400):
                answers.append(guess(identity, "AAAA-AAAA", "203.0.113.80"))
            assert len(answers) == 7, [answer.status_code for answer in answers]
            assert answers[-1].json()["code"] == 429001 and int(answers[-1].headers["retry-after"]) >= 1
        assert guess(account.email, sent, "203.0.113.81").status_code == 200


def test_an_address_has_a_budget_of_calls_without_a_token(suite):
    with httpx.Client(base_url=suite.service_url("identity"), timeout=15) as http:

        def ask(address):
            body = {"password": "correct horse battery staple"}
            return http.post("/api/v1/public/password-strength", json=body, headers={"X-Forwarded-For": address})

        address = stranger()
        answers = [ask(address) for _ in range(200)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert all(answer.status_code == 200 for answer in answers[:60]) and refused
        assert {answer.status_code for answer in refused} == {429}
        assert refused[0].json()["code"] == 429001 and int(refused[0].headers["retry-after"]) >= 1
        assert ask(stranger()).status_code == 200


@pytest.mark.parametrize("end", ["stop", "pause"])
def test_counting_goes_on_without_redis(suite, http, make_account, end):
    account = make_account()
    token = device_token(attempt(http, account, account.password))
    suite.authms(end, "redis")
    try:
        number, slow = guess_until_slow(http, account)
        assert number == 6 and int(slow.headers["retry-after"]) >= 1
        assert attempt(http, account, account.password, **{"X-Device-Token": f"atd_{'A' * 64}, {token}"}).status_code == 200
    finally:
        suite.authms("start" if end == "stop" else "continue", "redis")
    until(
        lambda: attempt(http, account, account.password).status_code == 200, seconds=40, every=0.5,
        saying="the account is open again",
    )
