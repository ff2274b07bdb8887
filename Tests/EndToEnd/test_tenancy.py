"""Tenants, members, invitations and switching, through the gateway."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from mailbox import code, mail, mails
from tenancy import PASSWORD, Person, claims, make_tenant
from waiting import until


def test_an_owner_comes_in_by_the_code_and_rules_the_tenant_alone(administrator):
    tenant, owner = make_tenant(administrator)
    assert claims(owner)["tenant_id"] == tenant["id"] and "owner" in claims(owner)["roles"]
    own = owner.get("/admin/tenants").json()
    assert [item["id"] for item in own["items"]] == [tenant["id"]]
    assert owner.get(f"/admin/tenants/{administrator.tenant_id}").status_code == 404
    assert owner.post("/admin/tenants", json={"slug": "mine", "name": "mine"}).status_code == 403
    assert owner.put(f"/admin/tenants/{tenant['id']}/status", json={"status": "suspended"}).status_code == 403
    changed = owner.put(f"/admin/tenants/{tenant['id']}", json={"display_name": "New", "session_policy": {"max_sessions": 5}})
    assert changed.status_code == 200, changed.text
    assert changed.json()["data"]["display_name"] == "New"
    assert changed.json()["data"]["session_policy"]["max_sessions"] == 5


def test_the_header_names_the_tenant_where_the_body_does_not(http, administrator):
    tenant, owner = make_tenant(administrator)
    body = {"email": f"h-{tenant['slug']}@example.org", "password": PASSWORD}
    login = {"identity": body["email"], "password": PASSWORD}
    here, there = {"X-Tenant-ID": tenant["id"]}, {"X-Tenant-ID": administrator.tenant_id}

    def post(path, json, headers):
        return http.post(f"/identity/api/v1{path}", json=json, headers=headers)

    assert post("/auth/register", body, here).status_code == 201
    signed_in = post("/auth/login", login, here)
    assert signed_in.json()["data"]["user"]["tenant_id"] == tenant["id"], signed_in.text
    assert post("/auth/login", login, {}).status_code == 401, "without either it is the default tenant"
    assert post("/auth/login", login, there).status_code == 401
    assert post("/auth/login", {**login, "tenant_id": tenant["id"]}, there).status_code == 200, "the body wins"
    token = {"Authorization": f"Bearer {signed_in.json()['data']['access_token']}", **there}
    me = http.get("/identity/api/v1/auth/me", headers=token)
    assert me.json()["data"]["tenant_id"] == tenant["id"], "whoever has a token is in its tenant"

    identity = {"identity": body["email"]}
    attempt = {**identity, "code": "ABCD-2345"}
    for path, json in [
        ("/auth/register", body), ("/auth/login", login), ("/auth/forgot-password", identity),
        ("/auth/verify-reset-code", attempt), ("/auth/reset-password", {**attempt, "new_password": PASSWORD}),
        ("/auth/send-verification-email", identity), ("/auth/verify-email", attempt),
        ("/public/password-strength", {"password": PASSWORD}), ("/auth/webauthn/login/begin", {}),
    ]:
        refused = post(path, json, {"X-Tenant-ID": "acme"})
        assert refused.status_code == 422, f"{path}: {refused.text}"
        assert [violation["field"] for violation in refused.json()["violations"]] == ["X-Tenant-ID"], path


def test_bad_fields_of_a_tenant_are_named(administrator):
    for body, field in [
        ({"slug": "A", "name": "x"}, "slug"), ({"slug": "ok-1"}, "name"),
        ({"slug": "ok-1", "name": "x", "membership": "closed"}, "membership"),
        ({"slug": "ok-1", "name": "x", "password_policy": {"min_length": 4}}, "password_policy.min_length"),
        ({"slug": "ok-1", "name": "x", "password_policy": {"history": 25}}, "password_policy.history"),
        ({"slug": "ok-1", "name": "x", "password_policy": {"max_age_days": -1}}, "password_policy.max_age_days"),
        ({"slug": "ok-1", "name": "x", "session_policy": {"idle_timeout_s": 1}}, "session_policy.idle_timeout_s"),
        ({"slug": "ok-1", "name": "x", "login_methods": ["fax"]}, "login_methods"),
    ]:
        answer = administrator.post("/admin/tenants", json=body)
        assert answer.status_code == 422, answer.text
        assert field in [violation["field"] for violation in answer.json()["violations"]], answer.text
    taken = administrator.post("/admin/tenants", json={"slug": "default", "name": "x"})
    assert taken.status_code == 409 and taken.json()["violations"][0]["field"] == "slug"


def test_a_tenant_s_password_policy_is_set_by_its_owner_and_holds(suite, http, administrator):
    tenant, owner = make_tenant(administrator)
    policy = {"history": 3, "max_age_days": 90, "refuse_common": False, "min_length": 8}
    changed = owner.put("/admin/password-policy", json=policy)
    assert changed.status_code == 200, changed.text
    assert policy.items() <= changed.json()["data"].items()
    read = owner.get(f"/admin/tenants/{tenant['id']}").json()["data"]
    assert policy.items() <= read["password_policy"].items()
    assert read["registration_discloses"] is False and read["requires_verified_email"] is False
    # What is not named stays.
    kept = owner.put("/admin/password-policy", json={"history": 2}).json()["data"]
    assert kept == changed.json()["data"] | {"history": 2}
    # Common ones may be chosen here, and the last two not again.
    first, second = "password1", "sunshine1"
    body = {"email": f"p-{tenant['slug']}@example.org", "password": first, "tenant_id": tenant["id"]}
    assert http.post("/identity/api/v1/auth/register", json=body).status_code == 201
    login = {"identity": body["email"], "password": first, "tenant_id": tenant["id"]}
    token = http.post("/identity/api/v1/auth/login", json=login).json()["data"]["access_token"]

    def change(old, new):
        return http.put(
            "/identity/api/v1/auth/me/password", json={"old_password": old, "new_password": new},
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip

    done = change(first, second)
    assert done.status_code == 200, done.text
    token = done.json()["data"].get("access_token", token)
    refused = change(second, first)
    assert refused.status_code == 422 and "one of your last 2" in refused.text, refused.text
    login["password"] = second
    assert not http.post("/identity/api/v1/auth/login", json=login).json()["data"].get("must_change_password")
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE passwords SET changed_at = now() - interval '91 days' WHERE tenant_id = %s", (tenant["id"],)
        )
    assert http.post("/identity/api/v1/auth/login", json=login).json()["data"]["must_change_password"] is True


def test_a_tenant_may_tell_whoever_registers_that_an_address_is_taken_and_want_it_verified(http, administrator):
    tenant, owner = make_tenant(administrator, registration_discloses=True)
    assert tenant["registration_discloses"] is True
    body = {"email": f"d-{tenant['slug']}@example.org", "password": PASSWORD, "tenant_id": tenant["id"]}
    assert http.post("/identity/api/v1/auth/register", json=body).status_code == 201
    assert http.post("/identity/api/v1/auth/register", json=body).status_code == 409
    login = {"identity": body["email"], "password": PASSWORD, "tenant_id": tenant["id"]}
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
    path = f"/admin/tenants/{tenant['id']}"
    assert owner.put(path, json={"requires_verified_email": True}).json()["data"]["requires_verified_email"] is True
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 401
    owner.put(path, json={"requires_verified_email": False, "registration_discloses": False})
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
    assert http.post("/identity/api/v1/auth/register", json=body).status_code == 201


def test_of_fifty_parallel_uses_of_an_invitation_exactly_one_wins(suite, administrator):
    tenant, owner = make_tenant(administrator)
    code = owner.post("/admin/invitations", json={"roles": ["auditor"]}).json()["data"]["invitation_code"]

    def use(n):
        body = {
            "email": f"guest{n}@example.org", "password": PASSWORD, "tenant_id": tenant["id"], "invitation_code": code,
        }
        return httpx.post(f"{suite.gateway}/identity/api/v1/auth/register", json=body, timeout=30).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(use, range(50)))
    assert statuses.count(201) == 1 and set(statuses) <= {201, 422, 503}, statuses
    found = owner.get("/admin/users", params={"q": "guest", "role": "auditor"}).json()
    assert found["total"] == 1


def test_an_invitation_only_tenant_wants_a_code_and_a_revoked_one_is_none(http, administrator):
    tenant, owner = make_tenant(administrator, membership="invitation")
    body = {"email": "x@example.org", "password": PASSWORD, "tenant_id": tenant["id"]}
    closed = http.post("/identity/api/v1/auth/register", json=body)
    assert closed.status_code == 422 and closed.json()["violations"][0]["field"] == "invitation_code"
    made = owner.post("/admin/invitations", json={}).json()["data"]
    assert owner.delete(f"/admin/invitations/{made['id']}").status_code == 204
    revoked = http.post("/identity/api/v1/auth/register", json={**body, "invitation_code": made["invitation_code"]})
    assert revoked.status_code == 422 and revoked.json()["violations"][0]["field"] == "invitation_code"
    listed = owner.get("/admin/invitations").json()["items"]
    assert {item["status"] for item in listed} == {"revoked", "used"}
    assert "invitation_code" not in listed[0]


def test_an_invitation_of_an_address_is_mailed_there_and_what_the_mail_says_is_enough_to_come_in(suite, http, administrator):
    tenant, owner = make_tenant(administrator, membership="invitation")
    address = f"invited-{secrets.token_hex(6)}@example.org"
    made = owner.post("/admin/invitations", json={"email": address, "roles": ["auditor"]})
    assert made.status_code == 201 and "will be mailed" in made.json()["message"], made.text
    invitation = made.json()["data"]
    text = mail(suite, address, "You are invited")["text"]
    sent = re.search(r"^ {4}([a-z2-7]{32})$", text, re.MULTILINE).group(1)
    assert sent == invitation["invitation_code"] and tenant["slug"] in text
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
        told = connection.execute(
            """
            SELECT data::text FROM (SELECT type, subject, data::text FROM outbox
                UNION ALL SELECT type, subject, data::text FROM stream_events) e
            WHERE type = 'identity.invitation.created' AND subject = %s
            """,
            (invitation["id"],),
        ).fetchall()
        kept = connection.execute("SELECT i::text FROM invitations i WHERE id = %s", (invitation["id"],)).fetchone()
    assert told and sent not in str(told) and address not in str(told)
    assert sent not in str(kept)

    body = {"email": address, "password": PASSWORD, "tenant_id": tenant["id"], "invitation_code": sent}
    assert http.post("/identity/api/v1/auth/register", json={**body, "email": f"not-{address}"}).status_code == 422
    assert http.post("/identity/api/v1/auth/register", json=body).status_code == 201
    assert [found["subject"] for found in mails(suite, address)].count("You are invited") == 1
    # Past its own limit, the tenant is told so.
    for _ in range(2):
        assert "will be mailed" in owner.post("/admin/invitations", json={"email": address}).json()["message"]
    beyond = owner.post("/admin/invitations", json={"email": address})
    assert beyond.status_code == 201 and "is not mailed" in beyond.json()["message"], beyond.text


def test_who_waits_for_approval_cannot_sign_in_until_let_in(http, administrator):
    tenant, owner = make_tenant(administrator, membership="approval")
    body = {"email": "ann@example.org", "password": PASSWORD, "tenant_id": tenant["id"]}
    registered = http.post("/identity/api/v1/auth/register", json=body).json()["data"]
    assert registered["membership_status"] == "pending"
    login = {"identity": "ann@example.org", "password": PASSWORD, "tenant_id": tenant["id"]}
    refused = http.post("/identity/api/v1/auth/login", json=login)
    assert refused.status_code == 403 and refused.json()["error"] == "membership_pending"
    wrong = http.post("/identity/api/v1/auth/login", json={**login, "password": "not the password"})
    assert wrong.status_code == 401
    waiting = owner.get("/admin/users", params={"status": "pending"}).json()["items"]
    assert [item["id"] for item in waiting] == [registered["user_id"]]
    assert owner.post(f"/admin/users/{registered['user_id']}/approval").status_code == 204
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
    assert owner.post(f"/admin/users/{registered['user_id']}/approval").status_code == 404


def test_a_guest_switches_between_tenants_until_shut_out(http, administrator):
    tenant, owner = make_tenant(administrator)
    ann = Person(http)
    assert ann.post("/auth/me/switch-tenant", json={"tenant_id": tenant["id"]}).status_code == 404
    code = owner.post("/admin/invitations", json={"roles": ["auditor"]}).json()["data"]["invitation_code"]
    accepted = ann.post("/auth/me/invitations/accept", json={"invitation_code": code})
    assert accepted.status_code == 201, accepted.text
    held = ann.get("/auth/me/tenants").json()["items"]
    assert [(item["is_home"], item["is_current"]) for item in held] == [(True, True), (False, False)]
    switched = ann.post("/auth/me/switch-tenant", json={"tenant_id": tenant["id"]})
    assert switched.status_code == 200, switched.text
    there = ann.beside(switched.json()["data"])
    assert claims(there)["tenant_id"] == tenant["id"] and "auditor" in claims(there)["roles"]
    assert claims(there)["sub"] == ann.id and claims(ann)["tenant_id"] != tenant["id"]
    assert there.get("/auth/me").json()["data"]["tenant_id"] == tenant["id"]
    assert there.get("/admin/users").status_code == 200 and ann.get("/admin/users").status_code == 403
    assert there.refresh().status_code == 200
    # Shut out: what was given there is refused within moments, and the home tenant's goes on.
    assert owner.put(f"/admin/users/{ann.id}/status", json={"status": "disabled"}).status_code == 200
    until(lambda: there.refresh().status_code == 401, saying="the guest's session there is over")
    until(lambda: (ann.refresh(), ann.get("/auth/me").status_code == 200)[1], saying="the own tenant's session goes on")
    assert ann.post("/auth/me/switch-tenant", json={"tenant_id": tenant["id"]}).status_code == 403


def test_disabling_the_account_at_home_ends_the_session_elsewhere(http, administrator):
    tenant, owner = make_tenant(administrator)
    ann = Person(http)
    code = owner.post("/admin/invitations", json={}).json()["data"]["invitation_code"]
    assert ann.post("/auth/me/invitations/accept", json={"invitation_code": code}).status_code == 201
    there = ann.beside(ann.post("/auth/me/switch-tenant", json={"tenant_id": tenant["id"]}).json()["data"])
    assert administrator.put(f"/admin/users/{ann.id}/status", json={"status": "disabled"}).status_code == 200
    until(lambda: there.get("/auth/me").status_code == 401, saying="the token elsewhere is refused")
    until(lambda: there.refresh().status_code == 401, saying="the session elsewhere is over")


def test_a_suspended_tenant_lets_nobody_in(http, administrator):
    tenant, owner = make_tenant(administrator)
    path = f"/admin/tenants/{tenant['id']}/status"
    assert administrator.put(path, json={"status": "suspended"}).status_code == 200
    login = {"identity": owner.email, "password": PASSWORD, "tenant_id": tenant["id"]}
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 403
    until(lambda: owner.get("/auth/me").status_code == 401, saying="what was given there is refused")
    assert owner.refresh().status_code == 401
    assert administrator.put(path, json={"status": "active"}).status_code == 200
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
    own = administrator.put(f"/admin/tenants/{administrator.tenant_id}/status", json={"status": "suspended"})
    assert own.status_code == 422


def test_the_first_owner_s_code_works_once(http, administrator):
    slug = f"t-{secrets.token_hex(4)}"
    made = administrator.post("/admin/tenants", json={"slug": slug, "name": slug}).json()["data"]
    body = {"password": PASSWORD, "tenant_id": made["id"], "invitation_code": made["owner_invitation_code"]}
    first = http.post("/identity/api/v1/auth/register", json={**body, "email": "one@example.org"})
    second = http.post("/identity/api/v1/auth/register", json={**body, "email": "two@example.org"})
    assert (first.status_code, second.status_code) == (201, 422)
    listed = administrator.get("/admin/tenants", params={"page_size": 200}).json()["items"]
    assert all("owner_invitation_code" not in item for item in listed) and made["id"] in [t["id"] for t in listed]


def test_where_addresses_must_be_verified_nothing_tells_whether_one_is_taken(suite, http, administrator):
    tenant, owner = make_tenant(administrator)
    path = f"/admin/tenants/{tenant['id']}"
    assert tenant["requires_verified_email"] is False
    taken = Person(http, tenant["id"])
    changed = owner.put(path, json={"requires_verified_email": True})
    assert changed.status_code == 200 and changed.json()["data"]["requires_verified_email"] is True, changed.text
    other = owner.put(path, json={"display_name": "New"})
    assert other.json()["data"]["requires_verified_email"] is True, "what is not named stays"

    def try_out(email):
        """What somebody sees who registers an address that may be another's, and signs in."""
        body = {"email": email, "password": "a wholly other horse", "tenant_id": tenant["id"]}
        registered = http.post("/identity/api/v1/auth/register", json=body)
        login = {"identity": email, "password": body["password"], "tenant_id": tenant["id"]}
        answer = http.post("/identity/api/v1/auth/login", json=login)
        return registered.status_code, registered.json()["message"], answer.status_code, answer.json()["error"]

    free = f"free-{secrets.token_hex(6)}@example.org"
    assert try_out(free) == try_out(taken.email)
    assert try_out(free)[2] == 401
    sent = code(suite, free, "Verify your e-mail")
    verified = http.post(
        "/identity/api/v1/auth/verify-email", json={"email": free, "code": sent, "tenant_id": tenant["id"]}
    )
    assert verified.status_code == 200, verified.text
    login = {"identity": free, "password": "a wholly other horse", "tenant_id": tenant["id"]}
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
