"""Who signs in with a device, or from a network, that they have not used before is told so by mail; others are not.

An address that nobody has verified may be a stranger's, and is told nothing.
"""

import psycopg
import pytest

from mailbox import mail, mails, verify_address
from second_factor import SecondFactorUser
from tenancy import PASSWORD, make_tenant
from test_throttle import device_token
from waiting import until

SUBJECT = "New sign-in"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"


@pytest.fixture
def make_verified(suite, http, make_account):
    """Makes accounts whose address is verified."""

    def make():
        account = make_account()
        verify_address(suite, http, account.email)
        return account

    return make


@pytest.fixture
def verified(make_verified):
    return make_verified()


def login(http, account, user_agent, **more):
    headers = {"User-Agent": user_agent, **more.pop("headers", {})}
    body = {"identity": account.email, "password": account.password, **more}
    answer = http.post("/identity/api/v1/auth/login", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def notices(suite, address):
    return [found for found in mails(suite, address) if SUBJECT in found["subject"]]


def settle(suite, http, address, **more):
    """What was to be mailed until now has been: a later mail to the same address is there."""
    seen = {found["id"] for found in mails(suite, address)}
    answer = http.post("/identity/api/v1/auth/forgot-password", json={"identity": address, **more})
    assert answer.status_code < 300, answer.text
    until(
        lambda: any(found["id"] not in seen and SUBJECT not in found["subject"] for found in mails(suite, address)),
        seconds=20, every=0.2, saying="a later mail is there",
    )  # fmt: skip


def told(suite, account):
    """Whether session has published that the device is new: how often."""
    with psycopg.connect(suite.env()["SESSION_DATABASE_URL"]) as connection:
        return connection.execute(
            """
            SELECT count(*) FROM (SELECT type, subject FROM outbox UNION ALL SELECT type, subject FROM stream_events) e
            WHERE type = 'session.device.new' AND subject = %s
            """,
            (account.id,),
        ).fetchone()[0]


def recorded(suite, account):
    """Whether it has been to the broker, and from there to the trail as to every other queue: how often."""
    with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
        return connection.execute(
            "SELECT count(*) FROM audit_records WHERE action = 'session.device.new' AND operator_id = %s", (account.id,)
        ).fetchone()[0]


def test_the_first_device_is_no_news_and_each_further_one_is_once(suite, http, verified):
    login(http, verified, FIREFOX)
    login(http, verified, FIREFOX.replace("140.0", "141.0"))
    assert told(suite, verified) == 0
    login(http, verified, SAFARI)
    notice = mail(suite, verified.email, SUBJECT)
    assert "Safari on iPhone" in notice["text"] and "127.0.0.1" in notice["text"], notice["text"]
    login(http, verified, SAFARI)
    login(http, verified, FIREFOX)
    assert told(suite, verified) == 1
    settle(suite, http, verified.email)
    assert len(notices(suite, verified.email)) == 1


def test_an_address_that_is_not_verified_is_told_nothing_until_it_is(suite, http, account):
    login(http, account, FIREFOX)
    login(http, account, SAFARI)
    assert told(suite, account) == 1
    until(lambda: recorded(suite, account), seconds=15, saying="the trail tells of the new device")
    settle(suite, http, account.email)
    assert not notices(suite, account.email)
    verify_address(suite, http, account.email)
    login(http, account, "other/1.0")
    mail(suite, account.email, SUBJECT)
    assert len(notices(suite, account.email)) == 1


def test_a_name_that_a_client_made_up_is_in_no_mail(suite, http, verified):
    login(http, verified, FIREFOX)
    login(http, verified, "buy-at-evil.example/1.0")
    assert "evil" not in mail(suite, verified.email, SUBJECT)["text"]


def test_a_device_that_shows_its_cookie_is_known_wherever_it_is_and_whatever_it_is_called(suite, http, verified):
    given = device_token(login(http, verified, FIREFOX))
    login(http, verified, SAFARI, headers={"X-Device-Token": given})
    assert told(suite, verified) == 0
    # One that was tampered with is worth nothing.
    login(http, verified, "other/1.0", headers={"X-Device-Token": given[:-4] + "AAAA"})
    assert told(suite, verified) == 1
    mail(suite, verified.email, SUBJECT)


def test_a_device_that_its_user_trusts_is_known_to_them_alone_until_they_forget_it(http, suite, make_verified):
    ann, bob = make_verified(), make_verified()
    tokens = login(http, ann, FIREFOX).json()["data"]
    login(http, bob, FIREFOX)
    mine = {"Authorization": f"Bearer {tokens['access_token']}"}
    added = http.post("/session/api/v1/trusted-devices", json={"name": "my phone"}, headers=mine)
    assert added.status_code == 201, added.text
    device = added.json()["data"]
    shown = {"X-Device-Token": device["device_token"]}
    login(http, ann, SAFARI, headers=shown)
    login(http, bob, SAFARI, headers=shown)
    assert told(suite, ann) == 0 and told(suite, bob) == 1
    (listed,) = http.get("/session/api/v1/trusted-devices", headers=mine).json()["items"]
    assert listed["last_used_at"]
    assert http.delete(f"/session/api/v1/trusted-devices/{device['id']}", headers=mine).status_code == 200
    login(http, ann, "other/1.0", headers=shown)
    assert told(suite, ann) == 1


def test_the_second_half_of_a_login_says_it_the_password_alone_does_not(suite, make_verified):
    user = SecondFactorUser(make_verified())
    user.enable_totp()
    # The cookie that the password alone buys vouches for nobody.
    given = device_token(login(user.http, user.account, SAFARI))
    answer = login(user.http, user.account, SAFARI, headers={"X-Device-Token": given}).json()["data"]
    assert answer["requires_mfa"] and told(suite, user.account) == 0
    body = {"challenge_token": answer["challenge_token"], "mfa_method": "totp", "code": user.app.code()}
    done = user.http.post(
        "/identity/api/v1/auth/mfa/verify-challenge", json=body, headers={"User-Agent": SAFARI}
    )
    assert done.status_code == 200, done.text
    assert told(suite, user.account) == 1
    mail(suite, user.account.email, SUBJECT)


def test_a_tenant_may_do_without_these_mails_and_the_trail_has_it_all_the_same(suite, administrator):
    tenant, owner = make_tenant(administrator)
    verify_address(suite, owner.http, owner.email, tenant_id=tenant["id"])
    assert tenant["new_device_mail"] is True
    changed = owner.put(f"/admin/tenants/{tenant['id']}", json={"new_device_mail": False})
    assert changed.status_code == 200 and changed.json()["data"]["new_device_mail"] is False, changed.text
    body = {"identity": owner.email, "password": PASSWORD, "tenant_id": tenant["id"]}
    answer = owner.http.post("/identity/api/v1/auth/login", json=body, headers={"User-Agent": SAFARI})
    assert answer.status_code == 200, answer.text

    def recorded():
        logs = owner.call("GET", "/admin/audit/logs", service="audit", params={"action": "session.device.new"})
        return logs.json().get("items")

    (record,) = until(recorded, seconds=15, saying="the trail tells of the new device")
    assert record["operator_id"] == owner.id and record["ip"] == "127.0.0.1"
    settle(suite, owner.http, owner.email, tenant_id=tenant["id"])
    assert not notices(suite, owner.email)
    owner.put(f"/admin/tenants/{tenant['id']}", json={"new_device_mail": True})
    answer = owner.http.post("/identity/api/v1/auth/login", json=body, headers={"User-Agent": FIREFOX})
    assert answer.status_code == 200, answer.text
    assert "Firefox on Linux" in mail(suite, owner.email, SUBJECT)["text"]
    assert len(notices(suite, owner.email)) == 1
