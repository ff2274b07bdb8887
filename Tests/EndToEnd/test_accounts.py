"""Proving oneself again, moving to another address, taking one's data along, leaving for good."""

import json
import secrets
import threading

import httpx
import psycopg
import pytest

from mailbox import code, mail
from tenancy import Person, make_tenant
from waiting import until

ME = "/identity/api/v1/auth/me"
AUTH = "/identity/api/v1/auth"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def fresh(http, account, token):
    answer = http.post(f"{AUTH}/re-authenticate", json={"password": account.password}, headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return bearer(answer.json()["data"]["access_token"])


def test_re_authentication_gives_a_fresh_token_for_the_right_password_alone(http, make_account):
    account = make_account()
    token = account.login()["access_token"]
    wrong = http.post(f"{AUTH}/re-authenticate", json={"password": "not the password"}, headers=bearer(token))
    assert wrong.status_code == 401 and wrong.json()["code"] == 401001
    assert http.get(ME, headers=fresh(http, account, token)).status_code == 200


def test_an_address_moves_with_a_code_to_the_new_one_and_a_notice_to_the_old_one(suite, http, make_account):
    account = make_account()
    headers = fresh(http, account, account.login()["access_token"])
    new = f"moved-{secrets.token_hex(6)}@example.org"
    asked = http.put(f"{ME}/email", json={"email": new}, headers=headers)
    assert asked.status_code == 202, asked.text
    assert http.get(ME, headers=headers).json()["data"]["email"] == account.email
    sent = code(suite, new, "Confirm your new")
    wrong = http.post(f"{ME}/email/confirm", json={"code": "AAAA-AAAA"}, headers=headers)
    assert wrong.status_code == 400 and wrong.json()["code"] == 400003
    assert http.post(f"{ME}/email/confirm", json={"code": sent}, headers=headers).status_code == 200
    me = http.get(ME, headers=headers).json()["data"]
    assert me["email"] == new and me["email_verified"] is True
    assert "was changed" in mail(suite, account.email, "e-mail address was changed")["text"]
    old = http.post(f"{AUTH}/login", json={"identity": account.email, "password": account.password})
    assert old.status_code == 401
    account.email = new
    account.login()


def test_an_address_that_an_administrator_replaces_gets_a_last_mail(suite, http, administrator):
    tenant, owner = make_tenant(administrator)
    ann = Person(http, tenant["id"])
    changed = owner.put(f"/admin/users/{ann.id}", json={"email": f"new-{secrets.token_hex(6)}@example.org"})
    assert changed.status_code == 200, changed.text
    assert "was changed" in mail(suite, ann.email, "e-mail address was changed")["text"]


def test_data_is_given_out_by_every_service(suite, http, make_account):
    account = make_account()
    headers = fresh(http, account, account.login()["access_token"])
    asked = http.post(f"{ME}/export-data", headers=headers)
    assert asked.status_code == 202, asked.text
    path = f"{ME}/export-data/{asked.json()['data']['export_id']}"
    until(lambda: http.get(path, headers=headers).status_code == 200, seconds=30, saying="the export is ready")
    bundle = http.get(path, headers=headers).json()
    assert bundle["user_id"] == account.id
    services = bundle["services"]
    assert set(services) == {"identity", "session", "profile", "mfa", "audit"}
    assert services["identity"]["account"]["email"] == account.email
    assert len(services["session"]["sessions"]) == 1
    assert "password" not in json.dumps(services["identity"]).replace("password_changed_at", "")
    stranger = bearer(make_account().login()["access_token"])
    assert http.get(path, headers=stranger).status_code == 404
    mail(suite, account.email, "Your data is ready")


def rows_about(suite, user_id, email):
    """Every row of every table of the five databases that still holds the id or the address, but for what must stay."""
    stays = {
        "users", "hot_keys", "deletions", "erased_users", "outbox", "stream_events", "revocations", "sent_mails",
        "audit_records", "audit_stream_ahead",
    }
    env, found = suite.env(), []
    for service in ("identity", "session", "profile", "mfa", "audit"):
        with psycopg.connect(env[f"{service.upper()}_DATABASE_SUPERUSER_URL"]) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                for needle in (user_id, email):
                    if needle == user_id and (table in stays or table.startswith("audit_records")):
                        continue
                    count = connection.execute(
                        f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", (f"%{needle}%",)
                    ).fetchone()[0]
                    if count:
                        found.append((service, table, needle, count))
    return found


def wait_until_forgotten(suite, user_id, email):
    """What was under way at the moment of a deletion is swept up within ten seconds."""
    left = []

    def is_forgotten():
        left[:] = rows_about(suite, user_id, email)
        return not left

    try:
        until(is_forgotten, seconds=25, every=1)
    except AssertionError:
        raise AssertionError(f"still there: {left}") from None


def test_a_deleted_account_leaves_nothing_behind_even_while_it_refreshes(suite, http, make_account):
    account = make_account()
    session = account.login()
    headers = fresh(http, account, session["access_token"])
    stop, seen = threading.Event(), []

    def refresh():
        token, logins = session["refresh_token"], 0
        with httpx.Client(base_url=suite.gateway, timeout=15) as own:
            while not stop.is_set():
                answer = own.post(f"{AUTH}/refresh", json={"refresh_token": token})
                seen.append(answer.status_code)
                if answer.status_code == 200:
                    token = answer.json()["data"]["refresh_token"] or token
                elif logins < 2:  # a third failure would hold up the one that is looked at below
                    logins += 1
                    own.post(f"{AUTH}/login", json={"identity": account.email, "password": account.password})
                else:
                    stop.wait(0.1)

    thread = threading.Thread(target=refresh)
    thread.start()
    try:
        until(lambda: seen.count(200) > 3, saying="refreshing is under way")
        gone = http.post(f"{ME}/delete-account", headers=headers)
        assert gone.status_code == 202, gone.text
        deletion = gone.json()["data"]
        path = f"/identity/api/v1/public/deletions/{deletion['deletion_id']}"
        until(lambda: http.get(path).json()["data"]["status"] == "complete", seconds=30, saying="all have erased")
    finally:
        stop.set()
        thread.join()
    assert all(http.get(path).json()["data"]["services"].values())
    assert http.get(ME, headers=headers).status_code == 401
    assert account.refresh(session["refresh_token"]).status_code == 401
    login = http.post(f"{AUTH}/login", json={"identity": account.email, "password": account.password})
    assert login.status_code == 401
    mail(suite, account.email, "Your account is deleted")
    wait_until_forgotten(suite, account.id, account.email)
    # The address is free again.
    answer = http.post(f"{AUTH}/register", json={"email": account.email, "password": account.password})
    assert answer.status_code == 201 and answer.json()["data"]["user_id"] != account.id


def test_an_account_that_an_administrator_deletes_leaves_nothing_behind_either(suite, http, administrator):
    tenant, owner = make_tenant(administrator)
    ann = Person(http, tenant["id"])
    until(
        lambda: ann.put(f"/profiles/{ann.id}", service="profile", json={"nickname": "Ann"}).status_code == 200,
        saying="the profile is there",
    )
    assert owner.delete(f"/admin/users/{ann.id}").status_code == 204
    until(lambda: ann.refresh().status_code == 401, seconds=10, saying="the session is over")

    def complete():
        with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
            row = connection.execute(
                "SELECT completed_at IS NOT NULL FROM deletions WHERE user_id = %s", (ann.id,)
            ).fetchone()
        return row == (True,)

    until(complete, seconds=30, saying="every service has erased")
    mail(suite, ann.email, "Your account is deleted")
    wait_until_forgotten(suite, ann.id, ann.email)
    # The address is free again.
    assert Person(http, tenant["id"], email=ann.email).id != ann.id


def test_a_deletion_that_never_was_is_not_found(http):
    assert http.get("/identity/api/v1/public/deletions/01900000-0000-7000-8000-000000000000").status_code == 404
    assert http.get("/identity/api/v1/public/deletions/x").status_code == 404


@pytest.mark.parametrize(
    "password, acceptable, common",
    [
        ("password1", False, True),
        ("PASSWORD1", False, True),
        ("short", False, False),
        ("correct horse battery staple", True, False),
        ("x" * 2_000, False, False),
        ("ünïcödé pässwörter für jede Gelegenheit " * 4, True, False),
    ],
)
def test_the_strength_of_a_password_is_told(http, password, acceptable, common):
    answer = http.post("/identity/api/v1/public/password-strength", json={"password": password})
    data = answer.json()["data"]
    assert (data["acceptable"], data["common"]) == (acceptable, common), data
    assert (data["score"] > 0) == acceptable


def test_a_password_that_attackers_try_first_cannot_be_chosen(http):
    body = {"email": f"user-{secrets.token_hex(6)}@example.org", "password": "qwertyuiop"}
    answer = http.post(f"{AUTH}/register", json=body)
    assert answer.status_code == 422
    assert [v["field"] for v in answer.json()["violations"]] == ["password"]


def test_a_long_password_is_taken_whole(http, make_account):
    account = make_account(password="a sentence that is much longer than most, " * 6)
    account.login()
    cut = http.post(f"{AUTH}/login", json={"identity": account.email, "password": account.password[:-1]})
    assert cut.status_code == 401
