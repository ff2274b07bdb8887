"""What a user has, may do and leaves behind in a tenant that is not their own."""

import base64

import psycopg
import pytest

from mailbox import code
from second_factor import Authenticator
from tenancy import PASSWORD, Person, claims, make_tenant
from test_accounts import wait_until_forgotten
from test_avatars import picture
from waiting import until


class Guest:
    """A user at home, in the default tenant, and the same user in a tenant that invited them."""

    def __init__(self, http, administrator, roles=()):
        self.tenant, self.owner = make_tenant(administrator)
        self.home = Person(http)
        invitation = self.owner.post("/admin/invitations", json={"roles": list(roles)}).json()["data"]
        body = {"invitation_code": invitation["invitation_code"]}
        assert self.home.post("/auth/me/invitations/accept", json=body).status_code == 201
        self.id = self.home.id
        self.there = self.switch()

    def switch(self):
        """Signs in to the other tenant."""
        switched = self.home.post("/auth/me/switch-tenant", json={"tenant_id": self.tenant["id"]})
        assert switched.status_code == 200, switched.text
        return self.home.beside(switched.json()["data"])


@pytest.fixture
def guest(http, administrator):
    return Guest(http, administrator)


def test_a_guest_has_a_profile_in_each_tenant(guest):
    path = f"/profiles/{guest.id}"
    for person, name in ((guest.there, "Guest"), (guest.home, "Ann")):
        written = person.put(path, service="profile", json={"nickname": name})
        assert written.status_code == 200, written.text
    for person, name in ((guest.there, "Guest"), (guest.home, "Ann")):
        assert person.get(path, service="profile").json()["data"]["nickname"] == name
    seen = guest.owner.get(f"{path}/public", service="profile")
    assert seen.json()["data"] == {"user_id": guest.id, "nickname": "Guest"}
    assert guest.there.delete(path, service="profile").status_code == 200
    assert guest.home.get(path, service="profile").json()["data"]["nickname"] == "Ann"


def test_a_deleted_account_leaves_nothing_behind_where_it_was_a_guest(suite, http, guest):
    for person, name in ((guest.home, "Ann"), (guest.there, "Guest")):
        written = person.put(f"/profiles/{guest.id}", service="profile", json={"nickname": name})
        assert written.status_code == 200, written.text
        kept = person.post("/trusted-devices", service="session", json={"name": "laptop"})
        assert kept.status_code == 201, kept.text
        pictured = person.call(
            "POST", f"/profiles/{guest.id}/avatar/upload", service="profile",
            files={"file": ("me.png", picture("PNG"), "image/png")},
        )
        assert pictured.status_code == 201, pictured.text
    assert len({tenant for (tenant,) in rows_of(suite, "session", "sessions", guest.id)}) == 2
    logs = "/auth/me/audit-logs"
    until(lambda: guest.there.get(logs, service="audit").json().get("items"), seconds=15, saying="the trail there knows")

    asked = guest.home.post("/auth/me/export-data")
    assert asked.status_code == 202, asked.text
    path = f"/auth/me/export-data/{asked.json()['data']['export_id']}"
    until(lambda: guest.home.get(path).status_code == 200, seconds=30, saying="the export is ready")
    services = guest.home.get(path).json()["services"]
    both = {guest.home.tenant_id, guest.tenant["id"]}
    for service, part in (
        ("session", "sessions"), ("session", "trusted_devices"), ("profile", "profiles"), ("profile", "avatars"),
        ("audit", "records"), ("identity", "memberships"),
    ):
        assert {item["tenant_id"] for item in services[service][part]} == both, (service, part)
    for kept in services["profile"]["avatars"]:
        assert base64.b64decode(kept["content_base64"])[:4] == b"\x89PNG"
    counts = services["audit"]["records_given"]
    assert counts["given"] == counts["total"] == len(services["audit"]["records"])

    gone = guest.home.post("/auth/me/delete-account")
    assert gone.status_code == 202, gone.text
    path = f"/identity/api/v1/public/deletions/{gone.json()['data']['deletion_id']}"
    until(lambda: http.get(path).json()["data"]["status"] == "complete", seconds=30, saying="all have erased")
    wait_until_forgotten(suite, guest.id, guest.home.email)


def test_what_a_tenant_takes_from_a_guest_ends_nothing_at_home(http, administrator):
    guest = Guest(http, administrator, roles=["auditor"])
    # A role less, then the membership: each refuses the tokens there, and the token at home is the same all the while.
    assert guest.owner.delete(f"/admin/users/{guest.id}/roles/auditor").status_code == 200
    until(lambda: guest.there.get("/auth/me").status_code == 401, saying="the token with the role is refused")
    assert guest.home.get("/auth/me").status_code == 200
    again = guest.switch()
    assert again.get("/auth/me").status_code == 200
    assert guest.owner.put(f"/admin/users/{guest.id}/status", json={"status": "disabled"}).status_code == 200
    until(lambda: again.get("/auth/me").status_code == 401, saying="the token there is refused")
    assert guest.home.get("/auth/me").status_code == 200
    assert guest.home.get(f"/profiles/{guest.id}", service="profile").status_code == 200


def test_whoever_was_shut_out_does_not_come_in_again_by_leaving(guest):
    path = f"/auth/me/tenants/{guest.tenant['id']}"
    assert guest.owner.put(f"/admin/users/{guest.id}/status", json={"status": "disabled"}).status_code == 200
    left = guest.home.delete(path)
    assert left.status_code == 403 and left.json()["error"] == "account_disabled", left.text
    invitation = guest.owner.post("/admin/invitations", json={}).json()["data"]
    body = {"invitation_code": invitation["invitation_code"]}
    assert guest.home.post("/auth/me/invitations/accept", json=body).status_code == 422
    # Let in again they leave as they like; and what is shut out the host may end.
    assert guest.owner.put(f"/admin/users/{guest.id}/status", json={"status": "active"}).status_code == 200
    assert guest.home.delete(path).status_code == 204 and guest.home.delete(path).status_code == 404
    assert guest.home.post("/auth/me/invitations/accept", json=body).status_code == 201
    assert guest.owner.put(f"/admin/users/{guest.id}/status", json={"status": "disabled"}).status_code == 200
    assert guest.owner.delete(f"/admin/users/{guest.id}").status_code == 204
    assert guest.home.delete(path).status_code == 404


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("PUT", "/auth/me/password", {"current_password": PASSWORD, "new_password": "another horse battery staple"}),
        ("PUT", "/auth/me/email", {"email": "elsewhere@example.org"}), ("DELETE", "/auth/me", None),
        ("POST", "/auth/me/email/confirm", {"code": "AAAA-AAAA"}), ("POST", "/auth/me/delete-account", None),
        ("POST", "/auth/me/export-data", None),
    ],
)
def test_a_guest_is_sent_home_for_what_concerns_the_account(guest, method, path, body):
    again = guest.there.post("/auth/re-authenticate", json={"password": PASSWORD})
    assert again.status_code == 200, again.text
    fresh = guest.there.beside({**again.json()["data"], "refresh_token": None})
    answer = fresh.call(method, path, json=body)
    assert answer.status_code == 403 and answer.json()["error"] == "home_tenant_required", answer.text
    assert "home tenant" in answer.json()["message"]
    assert guest.home.get("/auth/me").json()["data"]["email"] == guest.home.email
    guest.home.login()


def test_a_guest_proves_who_they_are_as_home_wants_it(http, administrator):
    guest = Guest(http, administrator)
    hashed = guest.owner.put("/admin/password-policy", json={"password_transmission": "hash"})
    assert hashed.status_code == 200, hashed.text
    again = guest.there.post("/auth/re-authenticate", json={"password": PASSWORD})
    assert again.status_code == 200, again.text
    assert guest.there.post("/auth/re-authenticate", json={"password": "wrong horse"}).status_code == 401


def test_a_guest_owes_the_second_factor_of_home_whatever_the_host_asks(http, administrator):
    guest = Guest(http, administrator)
    off = guest.owner.put("/admin/mfa/policy", service="mfa", json={"mode": "off", "roles": []})
    assert off.status_code == 200, off.text
    setup = guest.home.post("/mfa/totp/setup", service="mfa")
    assert setup.status_code == 200, setup.text
    now = Authenticator(setup.json()["data"]["qr_code_url"]).code()
    enabled = guest.home.post("/mfa/totp/verify", service="mfa", json={"code": now})
    assert enabled.status_code == 200, enabled.text
    back = {"tenant_id": guest.home.tenant_id}
    for path, body in (("/auth/re-authenticate", {"password": PASSWORD}), ("/auth/me/switch-tenant", back)):
        refused = guest.there.post(path, json=body)
        assert refused.status_code == 403 and refused.json()["error"] == "step_up_required", refused.text
    body = {"code": enabled.json()["data"]["backup_codes"][0], "mfa_method": "backup_code"}
    proven = guest.there.post("/mfa/step-up", service="mfa", json=body)
    assert proven.status_code == 200, proven.text
    fresh = guest.there.beside({**proven.json()["data"], "refresh_token": None})
    assert claims(fresh)["tenant_id"] == guest.tenant["id"] and "mfa" in claims(fresh)["amr"]
    entered = fresh.post("/auth/me/switch-tenant", json=back)
    assert entered.status_code == 200, entered.text
    assert "mfa" in claims(guest.home.beside(entered.json()["data"]))["amr"]


def test_no_administrator_at_home_takes_over_who_holds_more_elsewhere(suite, http, administrator):
    home, owner = make_tenant(administrator)
    there, host = make_tenant(administrator)
    ann = Person(http, home["id"])
    invitation = host.post("/admin/invitations", json={"roles": ["owner"]}).json()["data"]
    accepted = ann.post("/auth/me/invitations/accept", json={"invitation_code": invitation["invitation_code"]})
    assert accepted.status_code == 201, accepted.text
    for method, path, body, service in (
        ("POST", f"/admin/users/{ann.id}/password-resets", None, "identity"),
        ("PUT", f"/admin/users/{ann.id}", {"email": "mine@example.org"}, "identity"),
        ("POST", f"/admin/mfa/reset/{ann.id}", None, "mfa"),
    ):
        refused = owner.call(method, path, service=service, **({"json": body} if body else {}))
        assert refused.status_code == 403 and refused.json()["error"] == "permission_denied", refused.text
        assert "another tenant" in refused.json()["message"]
        assert there["id"] not in refused.text and there["slug"] not in refused.text
    # What gives nobody the account stays, the user's own way back is open, and an operator helps.
    assert owner.put(f"/admin/users/{ann.id}", json={"name": "Ann"}).status_code == 200
    body = {"identity": ann.email, **ann.tenant}
    assert http.post("/identity/api/v1/auth/forgot-password", json=body).status_code == 200
    body |= {"code": code(suite, ann.email, "reset your password"), "new_password": "another horse battery staple"}
    done = http.post("/identity/api/v1/auth/reset-password", json=body)
    assert done.status_code == 200, done.text
    assert suite.authms("users", "reset-password", ann.email, "--tenant", home["slug"]).stdout.strip()
    # Once they are no more than a member there, their own tenant helps again.
    assert host.put(f"/admin/users/{ann.id}/roles", json={"roles": ["member"]}).status_code == 200
    assert owner.post(f"/admin/users/{ann.id}/password-resets").status_code == 201


def rows_of(suite, service, table, user_id):
    """The tenants of a user's rows."""
    with psycopg.connect(suite.env()[f"{service.upper()}_DATABASE_SUPERUSER_URL"]) as connection:
        return connection.execute(f"SELECT tenant_id FROM {table} WHERE user_id = %s", (user_id,)).fetchall()
