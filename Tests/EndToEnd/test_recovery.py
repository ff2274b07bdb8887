"""Forgotten passwords and unverified addresses: a code by mail, single use, and nobody learns who exists."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mailbox import code, mail, mails
from waiting import until

AUTH = "/identity/api/v1/auth"
NEW = "another horse battery staple"


def stripped(answer):
    body = answer.json()
    return answer.status_code, {k: v for k, v in body.items() if k not in ("request_id", "timestamp")}


def forgot(http, identity):
    return http.post(f"{AUTH}/forgot-password", json={"identity": identity})


def test_a_forgotten_password_is_reset_with_a_code_that_came_by_mail(suite, http, make_account):
    account = make_account()
    before = account.login()
    assert forgot(http, account.email).status_code == 200
    sent = code(suite, account.email, "reset your password")
    check = {"identity": account.email, "code": sent}
    assert http.post(f"{AUTH}/verify-reset-code", json=check).json()["data"] == {"valid": True}
    done = http.post(f"{AUTH}/reset-password", json={**check, "new_password": NEW})
    assert done.status_code == 200, done.text

    # The old password and everything that was signed in with it are gone.
    old = http.post(f"{AUTH}/login", json={"identity": account.email, "password": account.password})
    assert old.status_code == 401
    until(lambda: account.me(before["access_token"]).status_code == 401, saying="the old token is refused everywhere")
    assert account.me(before["access_token"]).json()["code"] == 401003
    assert account.refresh(before["refresh_token"]).status_code == 401
    account.password = NEW
    assert account.login()["user"]["email_verified"] is True
    again = http.post(f"{AUTH}/reset-password", json={**check, "new_password": NEW + "!"})
    assert (again.status_code, again.json()["code"]) == (400, 400003)
    assert "changed" in mail(suite, account.email, "password was changed")["text"]


def test_of_fifty_parallel_uses_of_a_reset_code_one_wins(suite, http, make_account):
    account = make_account()
    forgot(http, account.email)
    sent = code(suite, account.email, "reset your password")

    def use(number):
        body = {"identity": account.email, "code": sent, "new_password": f"{NEW} {number}"}
        return http.post(f"{AUTH}/reset-password", json=body).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(use, range(50)))
    assert statuses.count(200) == 1, statuses
    assert set(statuses) <= {200, 400, 429, 503}, statuses


def test_an_address_is_verified_with_the_code_that_came_at_registration(suite, http, make_account):
    account = make_account()
    assert account.login()["user"]["email_verified"] is False
    sent = code(suite, account.email, "Verify your e-mail")
    answer = http.post(f"{AUTH}/verify-email", json={"email": account.email, "code": sent.lower()})
    assert answer.json()["data"] == {"verified": True}, answer.text
    assert account.login()["user"]["email_verified"] is True
    count = len(mails(suite, account.email))
    assert http.post(f"{AUTH}/send-verification-email", json={"email": account.email}).status_code == 200
    # The next mail shows that the one before, which there should not be, would have been sent by now.
    forgot(http, account.email)
    mail(suite, account.email, "reset your password")
    assert len(mails(suite, account.email)) == count + 1


@pytest.mark.parametrize("path", ["forgot-password", "send-verification-email", "verify-reset-code", "verify-email"])
def test_known_and_unknown_get_the_same_answer(http, account, path):
    known, unknown = (
        http.post(f"{AUTH}/{path}", json={"identity": identity, "code": "ABCD-2345"})
        for identity in (account.email, "nobody-at-all@example.org")
    )
    assert stripped(known) == stripped(unknown)


@pytest.mark.parametrize(
    "path, body, field",
    [
        ("forgot-password", {}, "identity"),
        ("forgot-password", {"identity": 7}, "identity"),
        ("verify-reset-code", {"identity": "a@example.org"}, "code"),
        ("reset-password", {"identity": "a@example.org", "code": "x"}, "new_password"),
        ("reset-password", {"identity": "a@example.org", "code": "x", "new_password": "short"}, "new_password"),
        ("verify-email", {"email": "a@example.org", "code": ["x"]}, "code"),
        ("send-verification-email", {"email": "a@example.org", "tenant_id": 1}, "tenant_id"),
    ],
)
def test_bad_input_names_the_field(http, path, body, field):
    answer = http.post(f"{AUTH}/{path}", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert field in {violation["field"] for violation in answer.json()["violations"]}, answer.text


def test_the_mail_is_a_message_with_two_parts_that_say_the_same(suite, http, make_account):
    import email
    import email.policy

    account = make_account()
    mail(suite, account.email, "Verify your e-mail")
    raw = suite.authms("mail", "show", "--to", account.email, "--raw").stdout
    message = email.message_from_string(raw, policy=email.policy.default)
    plain = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert message["to"].strip("<>") == account.email and message["auto-submitted"] == "auto-generated"
    assert message["date"].datetime and message["message-id"]
    assert not message.defects
    found = [line.strip() for line in plain.splitlines() if line.startswith("    ")]
    assert len(found) == 1 and found[0] in html
