"""What a stolen access token, or a code by mail, must not be enough for."""

import time

import pytest

from mailbox import code
from second_factor import SecondFactorUser
from test_tokens import es256, parts_of, signing_key  # noqa: F401 (a fixture)
from waiting import until

AUTH = "/identity/api/v1/auth"
ME = f"{AUTH}/me"
MFA = "/mfa/api/v1/mfa"
NEW = "another horse battery staple"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def aged(token, key, seconds=1_000):
    """The same token, had its owner signed in longer ago: no test can wait for that, so the suite's own key signs it."""
    header, claims, _ = parts_of(token)
    return es256(key, header, {**claims, "auth_time": int(time.time()) - seconds})


@pytest.mark.parametrize(
    "method, path, body, error",
    [
        ("PUT", f"{ME}/email", {"email": "thief@example.org"}, "reauthentication_required"),
        ("PUT", ME, {"username": "thief"}, "reauthentication_required"),
        ("POST", f"{ME}/delete-account", None, "reauthentication_required"),
        ("DELETE", ME, None, "reauthentication_required"),
        ("POST", f"{ME}/export-data", None, "reauthentication_required"),
        ("POST", f"{MFA}/totp/setup", None, "step_up_required"),
        ("POST", f"{MFA}/webauthn/credentials/register", None, "step_up_required"),
        ("POST", f"{MFA}/totp/disable", None, "step_up_required"),
        ("POST", f"{MFA}/backup-codes/generate", None, "step_up_required"),
    ],
)
def test_an_old_token_cannot_do_what_would_lose_somebody_the_account(
    http, account, signing_key, method, path, body, error  # noqa: F811
):
    token = account.login()["access_token"]
    refused = http.request(method, path, json=body, headers=bearer(aged(token, signing_key)))
    assert refused.status_code == 403 and refused.json()["error"] == error, refused.text
    assert http.request(method, path, json=body).status_code == 401
    # A token of the same age is good for everything else, and nothing was changed.
    assert http.put(ME, json={"name": "Ann"}, headers=bearer(aged(token, signing_key))).status_code == 200
    me = account.me(token).json()["data"]
    assert me["email"] == account.email and me["username"] is None


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "/identity/api/v1/admin/users/{ann}/password-resets", None),
        ("PUT", "/identity/api/v1/admin/users/{ann}", {"email": "thief@example.org"}),
        ("PUT", "/identity/api/v1/admin/users/{ann}/roles", {"roles": ["owner"]}),
        ("PUT", "/identity/api/v1/admin/users/{ann}/roles/owner", None),
        ("DELETE", "/identity/api/v1/admin/users/{ann}/roles/member", None),
        ("POST", "/identity/api/v1/admin/roles", {"name": "thief", "permissions": ["users:read"]}),
        ("POST", "/identity/api/v1/admin/users", {"email": "thief@example.org", "roles": ["owner"]}),
        ("POST", "/identity/api/v1/admin/users/batch", {"users": [{"email": "thief@example.org", "roles": ["owner"]}]}),
        ("POST", "/identity/api/v1/admin/invitations", {"roles": ["owner"]}),
        ("POST", "/mfa/api/v1/admin/mfa/reset/{ann}", None),
        ("PUT", "/mfa/api/v1/admin/mfa/policy", {"mode": "off"}),
        ("POST", "/identity/api/v1/admin/tenants", {"slug": "thief", "name": "thief"}),
        ("PUT", "/identity/api/v1/admin/tenants/{tenant}", {"requires_verified_email": False}),
        ("PUT", "/identity/api/v1/admin/tenants/{tenant}/status", {"status": "suspended"}),
        ("DELETE", "/identity/api/v1/admin/users/{ann}", None),
        ("PUT", "/identity/api/v1/admin/password-policy", {"min_length": 8}),
    ],
)
def test_an_administrator_s_old_token_gives_nobody_power_and_takes_no_account_over(
    administrator, account, signing_key, method, path, body  # noqa: F811
):
    http, path = administrator.http, path.format(ann=account.id, tenant=administrator.tenant_id)
    old = bearer(aged(administrator.access_token, signing_key))
    refused = http.request(method, path, json=body, headers=old)
    assert refused.status_code == 403 and refused.json()["error"] == "step_up_required", refused.text
    # What an administrator does all day needs nothing more.
    users = "/identity/api/v1/admin/users"
    assert http.get(users, headers=old).status_code == 200
    renamed = http.put(f"{users}/{account.id}", json={"name": "Ann"}, headers=old)
    assert renamed.status_code == 200 and renamed.json()["data"]["email"] == account.email


def test_the_username_changes_soon_after_a_sign_in(http, account):
    name = f"ann-{account.id[-12:]}"
    changed = http.put(ME, json={"username": name}, headers=bearer(account.login()["access_token"]))
    assert changed.status_code == 200 and changed.json()["data"]["username"] == name, changed.text


def test_a_name_of_null_is_cleared_and_one_that_is_not_there_stays(http, account):
    headers = bearer(account.login()["access_token"])
    for body, name in (
        ({"name": "Ann"}, "Ann"), ({"username": f"anna-{account.id[-12:]}"}, "Ann"), ({"name": None}, None),
    ):
        changed = http.put(ME, json=body, headers=headers)
        assert changed.status_code == 200 and changed.json()["data"].get("name") == name, changed.text
    for body in ({}, {"name": " "}, {"username": None}):
        refused = http.put(ME, json=body, headers=headers)
        assert refused.status_code == 422 and refused.json()["violations"][0]["field"] == "name", refused.text


def test_a_password_does_not_prove_who_has_a_second_factor_anew(make_account):
    user = SecondFactorUser(make_account())
    user.enable_totp()
    user.login()
    body = {"password": user.account.password}
    refused = user.call("POST", f"{AUTH}/re-authenticate", body)
    assert refused.status_code == 403 and refused.json()["error"] == "step_up_required", refused.text
    assert user.call("PUT", f"{ME}/email", {"email": user.account.email}, token=user.step_up("backup_code")).status_code != 403


def test_guessing_the_present_password_is_held_up_and_its_owner_is_not(http, account):
    stolen, own = account.login()["access_token"], account.login()["access_token"]

    def change(token, current):
        body = {"current_password": current, "new_password": NEW}
        return http.put(f"{ME}/password", json=body, headers=bearer(token))

    answers = []
    while len(answers) < 12 and (not answers or answers[-1].status_code != 429):
        answers.append(change(stolen, f"guess {len(answers)}"))
    assert answers[-1].status_code == 429 and 1 <= int(answers[-1].headers["retry-after"]) <= 900
    assert {answer.status_code for answer in answers[:-1]} == {422} and len(answers) >= 6
    assert change(stolen, account.password).status_code == 429, "not even the right one is looked at"
    account.login()
    assert change(own, account.password).status_code == 200


def test_a_reset_password_does_not_get_around_a_second_factor(suite, http, make_account):
    user = SecondFactorUser(make_account())
    user.enable_totp()
    done = user.answer(user.challenge()["challenge_token"], user.app.code(), remember_device=True)
    device = done.json()["data"]["device_token"]
    assert http.post(f"{AUTH}/forgot-password", json={"identity": user.account.email}).status_code == 200
    sent = code(suite, user.account.email, "reset your password")
    reset = {"identity": user.account.email, "code": sent, "new_password": NEW}
    answer = http.post(f"{AUTH}/reset-password", json=reset)
    assert answer.status_code == 200 and "access_token" not in answer.text, "a code by mail signs nobody in"
    # Not even where the factor was remembered.
    login = {"identity": user.account.email, "password": NEW, "device_token": device}
    asked = http.post(f"{AUTH}/login", json=login).json()["data"]
    assert asked["requires_mfa"] is True and "access_token" not in asked


def test_after_a_factor_was_added_every_other_session_can_be_ended(make_account):
    user = SecondFactorUser(make_account())
    elsewhere = user.account.login()
    user.enable_totp()
    ended = user.call("DELETE", "/session/api/v1/sessions")
    assert ended.status_code == 200 and ended.json()["data"] == {"revoked": 1}, ended.text
    until(lambda: user.account.me(elsewhere["access_token"]).status_code == 401, saying="the other session is refused")
    assert user.account.refresh(elsewhere["refresh_token"]).status_code == 401
    assert user.account.me(user.tokens["access_token"]).status_code == 200


def test_nobody_sets_fields_that_are_not_theirs_to_set(http, account):
    theirs = {"roles": ["owner"], "status": "disabled", "email_verified": True, "email": "thief@example.org"}
    body = {"email": f"eve-{account.id[-12:]}@example.org", "password": account.password}
    made = http.post(f"{AUTH}/register", json={**theirs, **body, "user_id": account.id, "permissions": ["users:read"]})
    assert made.status_code in (201, 422), made.text
    if made.status_code == 201:
        assert made.json()["data"]["user_id"] != account.id
        user = http.post(f"{AUTH}/login", json={"identity": body["email"], "password": account.password}).json()["data"]["user"]
        assert user["roles"] == ["member"] and user["status"] == "active" and user["email_verified"] is False
    token = account.login()["access_token"]
    before = account.me(token).json()["data"]
    changed = http.put(ME, json={**theirs, "id": account.email, "tenant_id": account.id, "name": "Ann"}, headers=bearer(token))
    assert changed.status_code in (200, 422), changed.text
    after = account.me(token).json()["data"]
    assert {**after, "name": None} == before


def test_a_password_of_the_installation_s_own_words_cannot_be_chosen(http):
    for number, password in enumerate(("Authms-2026!", "authmsauthms", "1authms!123")):
        body = {"email": f"words-{number}@example.org", "password": password}
        refused = http.post(f"{AUTH}/register", json=body)
        assert refused.status_code == 422, password
        assert [violation["field"] for violation in refused.json()["violations"]] == ["password"]
