"""What administrators and other programs do with sessions and tokens, and what users say of their devices."""

import datetime
import secrets

import pytest

import tenancy
from waiting import until


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.fixture
def admin(http, auditor):
    """The first administrator, at the session service."""

    def call(method, path, **options):
        return http.request(
            method, f"/session/api/v1{path}", headers={"Authorization": auditor.headers["Authorization"]}, **options
        )

    return call


def test_a_session_tells_where_it_was_opened_and_whether_it_is_valid(http, account, make_account):
    tokens = account.login()
    session = http.get("/session/api/v1/sessions", headers=bearer(tokens)).json()["items"][0]
    assert session["is_current"] and session["device"] and session["network"] == "127.0.0.0/24"
    before = session["last_used_at"]
    tokens = {**tokens, **account.refresh(tokens["refresh_token"]).json()["data"]}
    one = http.get(f"/session/api/v1/sessions/{session['id']}", headers=bearer(tokens)).json()["data"]
    assert one["last_used_at"] > before and one["last_ip"] == "127.0.0.1"
    url = f"/session/api/v1/sessions/{session['id']}/validate"
    assert http.post(url, headers=bearer(tokens)).json()["data"]["valid"] is True
    assert http.post(url, headers=bearer(make_account().login())).status_code == 404
    other = account.login()
    assert http.delete(f"/session/api/v1/sessions/{session['id']}", headers=bearer(other)).status_code == 200
    ended = http.post(url, headers=bearer(other)).json()["data"]
    assert ended["valid"] is False and ended["reason"] == "revoked_by_user"


def test_an_administrator_finds_counts_and_ends_sessions_of_the_tenant(http, admin, account, make_account):
    tokens, other, stranger = account.login(), account.login(), make_account()
    theirs = stranger.login()
    listed = admin("GET", "/admin/sessions", params={"user_id": account.id}).json()
    assert listed["total"] == 2 and {item["status"] for item in listed["items"]} == {"active"}
    counted = admin("GET", "/admin/sessions/active-count").json()["data"]
    assert counted["active_sessions"] >= 3 and counted["active_users"] >= 2
    stats = admin("GET", "/admin/sessions/stats").json()["data"]
    assert sum(stats["by_device"].values()) == stats["active_sessions"] and stats["opened_24h"] >= 3
    ids = [item["id"] for item in listed["items"]]
    assert admin("DELETE", f"/admin/sessions/{ids[0]}").json()["data"] == {"revoked": 1}
    assert admin("DELETE", f"/admin/sessions/{ids[0]}").status_code == 404
    assert admin("POST", "/admin/sessions/bulk", json={"session_ids": ids}).json()["data"] == {"revoked": 1}
    for gone in (tokens, other):
        until(lambda: account.me(gone["access_token"]).status_code == 401, saying="the ended session is refused")
        assert account.refresh(gone["refresh_token"]).status_code == 401
    revoked = admin("GET", "/admin/sessions", params={"user_id": account.id, "status": "revoked"}).json()
    assert {item["revoked_reason"] for item in revoked["items"]} == {"administrator"} and revoked["total"] == 2
    assert stranger.me(theirs["access_token"]).status_code == 200
    again = account.login()
    assert admin("DELETE", f"/admin/sessions/users/{account.id}").json()["data"] == {"revoked": 1}
    until(lambda: account.me(again["access_token"]).status_code == 401, saying="everything of the user is refused")
    assert account.me(account.login()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "params, field", [({"status": "dead"}, "status"), ({"user_id": "x"}, "user_id"), ({"ip": "1" * 46}, "ip"), ({"page": "0"}, "page")]
)
def test_a_wrong_filter_is_named(admin, params, field):
    answer = admin("GET", "/admin/sessions", params=params)
    assert answer.status_code == 422 and answer.json()["violations"][0]["field"] == field, answer.text


def test_a_member_administers_nothing(http, account):
    headers = bearer(account.login())
    for method, path in (
        ("GET", "/admin/sessions"), ("GET", "/admin/sessions/active-count"), ("GET", "/admin/sessions/stats"),
        ("POST", "/admin/sessions/bulk"), ("DELETE", f"/admin/sessions/users/{account.id}"),
        ("POST", "/admin/tokens/introspect"), ("POST", "/admin/tokens/revoke-all"), ("GET", "/admin/tokens/blacklist"),
    ):
        answer = http.request(method, f"/session/api/v1{path}", headers=headers)
        assert answer.status_code == 403 and answer.json()["code"] == 403001, (method, path, answer.text)


def test_introspection_says_of_active_tokens_what_they_are_and_of_others_nothing(http, admin, account):
    tokens = account.login()

    def introspect(token):
        # As the standard has it: a form.
        return admin("POST", "/admin/tokens/introspect", data={"token": token, "token_type_hint": "access_token"}).json()

    access, refresh = introspect(tokens["access_token"]), introspect(tokens["refresh_token"])
    assert access["active"] and access["sub"] == account.id and access["token_type"] == "Bearer"
    assert refresh["active"] and refresh["sub"] == account.id and refresh["sid"] == access["sid"]
    assert isinstance(access["exp"], int) and access["exp"] > access["iat"]
    by_json = admin("POST", "/admin/tokens/introspect", json={"token": tokens["access_token"]}).json()
    assert by_json == access
    for rubbish in ("x", tokens["access_token"][:-2], tokens["refresh_token"] + "A", ""):
        assert introspect(rubbish) == {"active": False}
    http.post("/identity/api/v1/auth/logout", headers=bearer(tokens))
    until(lambda: introspect(tokens["access_token"]) == {"active": False}, saying="a signed-out token is not active")
    assert introspect(tokens["refresh_token"]) == {"active": False}


def test_a_token_that_is_good_for_one_thing_alone_is_not_active_and_can_be_ended(http, administrator):
    tenant, owner = tenancy.make_tenant(administrator)
    email = f"bob-{secrets.token_hex(4)}@example.org"
    made = owner.post("/admin/users", json={"email": email}).json()["data"]
    login = {"identity": email, "password": made["one_time_password"], "tenant_id": tenant["id"]}
    tokens = http.post("/identity/api/v1/auth/login", json=login).json()["data"]
    assert tokens["must_change_password"] is True
    confined = {"token": tokens["access_token"]}
    introspect = "/admin/tokens/introspect"
    assert owner.post(introspect, service="session", data=confined).json() == {"active": False}
    assert owner.post(introspect, service="session", data={"token": owner.access_token}).json()["active"] is True
    # Where it was found it can be ended all the same, with the session that it is of.
    assert owner.post("/admin/tokens/blacklist", service="session", json=confined).status_code == 201
    refreshed = http.post("/session/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401, refreshed.text


def test_the_tokens_of_somebody_deleted_are_not_active(administrator):
    tenant, owner = tenancy.make_tenant(administrator)
    ann = tenancy.Person(owner.http, tenant["id"])

    def active(token):
        return owner.post("/admin/tokens/introspect", service="session", data={"token": token}).json()["active"]

    assert active(ann.access_token) and active(ann.refresh_token)
    assert owner.delete(f"/admin/users/{ann.id}").status_code == 204
    for token in (ann.access_token, ann.refresh_token):
        until(lambda: not active(token), saying="a token of somebody deleted is not active")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_whoever_has_a_token_may_revoke_it_and_rubbish_is_as_good_as_revoked(http, account, kind):
    tokens = account.login()
    answer = http.post("/session/api/v1/tokens/revoke", data={"token": tokens[kind], "token_type_hint": kind})
    assert answer.status_code == 200 and answer.content == b""
    until(lambda: account.me(tokens["access_token"]).status_code == 401, saying="the access token is refused")
    assert account.refresh(tokens["refresh_token"]).status_code == 401
    for rubbish in (tokens[kind], "rubbish"):
        assert http.post("/session/api/v1/tokens/revoke", data={"token": rubbish}).status_code == 200
    missing = http.post("/session/api/v1/tokens/revoke", data={"other": "x"})
    assert missing.status_code == 422 and missing.json()["violations"][0]["field"] == "token"


def test_a_found_token_is_blacklisted_and_listed(http, admin, account):
    tokens = account.login()
    sid = admin("POST", "/admin/tokens/introspect", json={"token": tokens["access_token"]}).json()["sid"]
    assert admin("POST", "/admin/tokens/blacklist", json={"token": tokens["access_token"]}).status_code == 201
    until(lambda: account.me(tokens["access_token"]).status_code == 401, saying="the token is refused")
    listed = admin("GET", "/admin/tokens/blacklist", params={"page_size": 200}).json()["items"]
    assert {"session": sid}.items() <= {item["kind"]: item["subject_id"] for item in listed if item["subject_id"] == sid}.items()
    again = admin("POST", "/admin/tokens/blacklist", json={"token": tokens["access_token"]})
    assert again.status_code == 422


def test_all_tokens_of_a_user_are_revoked_and_another_tenant_is_out_of_reach(admin, account):
    tokens = account.login()
    assert admin("POST", "/admin/tokens/revoke-all", json={"user_id": account.id}).json()["data"]["revoked"] == 1
    until(lambda: account.me(tokens["access_token"]).status_code == 401, saying="the token is refused")
    for body, status in (({}, 422), ({"tenant_id": "01900000-0000-7000-8000-00000000dead"}, 403), ({"user_id": 7}, 422)):
        assert admin("POST", "/admin/tokens/revoke-all", json=body).status_code == status, body


def test_a_trusted_device_is_known_until_it_is_forgotten(suite, http, account, make_account):
    headers = bearer(account.login())
    added = http.post("/session/api/v1/trusted-devices", json={"name": "my laptop"}, headers=headers)
    assert added.status_code == 201, added.text
    device = added.json()["data"]
    assert device["device_token"].startswith("atd_") and device["name"] == "my laptop"
    listed = http.get("/session/api/v1/trusted-devices", headers=headers)
    assert [item["id"] for item in listed.json()["items"]] == [device["id"]]
    assert device["device_token"] not in listed.text
    stranger = bearer(make_account().login())
    assert http.get("/session/api/v1/trusted-devices", headers=stranger).json()["total"] == 0
    assert http.delete(f"/session/api/v1/trusted-devices/{device['id']}", headers=stranger).status_code == 404
    assert http.post("/session/api/v1/trusted-devices", json={"name": " "}, headers=headers).status_code == 422
    assert http.delete(f"/session/api/v1/trusted-devices/{device['id']}", headers=headers).json()["data"] == {"forgotten": 1}
    assert http.post("/session/api/v1/trusted-devices", json={}, headers=headers).status_code == 201
    assert http.delete("/session/api/v1/trusted-devices", headers=headers).json()["data"] == {"forgotten": 1}


def test_a_change_of_password_forgets_every_trusted_device(http, account):
    headers = bearer(account.login())
    assert http.post("/session/api/v1/trusted-devices", json={"name": secrets.token_hex(4)}, headers=headers).status_code == 201
    change = {"old_password": account.password, "new_password": "an altogether different phrase"}
    assert http.put("/identity/api/v1/auth/me/password", json=change, headers=headers).status_code == 200
    until(
        lambda: http.get("/session/api/v1/trusted-devices", headers=headers).json()["total"] == 0, seconds=15,
        saying="no device is trusted any more",
    )


@pytest.mark.alone
def test_sessions_are_refused_soon_without_their_database_and_tokens_still_introspected(suite, admin, account):
    tokens = account.login()
    suite.authms("stop", "postgres-session")
    try:
        listed = admin("GET", "/admin/sessions")
        assert listed.status_code == 503 and int(listed.headers["retry-after"]) >= 1
        assert listed.elapsed.total_seconds() < 2.5
        said = admin("POST", "/admin/tokens/introspect", json={"token": tokens["access_token"]})
        assert said.json()["active"] is True
    finally:
        suite.authms("start", "postgres-session")
    until(lambda: admin("GET", "/admin/sessions").status_code == 200, seconds=20, saying="sessions are listed again")


def in_tenant_with(http, auditor, policy):
    """Somebody of a new tenant with this session policy; every login is another session."""
    owner = tenancy.Person.__new__(tenancy.Person)
    owner.http, owner.access_token = http, auditor.headers["Authorization"].removeprefix("Bearer ")
    tenant, _ = tenancy.make_tenant(owner, session_policy=policy)
    return tenancy.Person(http, tenant["id"])


def test_one_session_more_than_the_tenant_allows_ends_the_oldest(http, auditor):
    person = in_tenant_with(http, auditor, {"max_sessions": 2, "at_limit": "end_oldest"})
    tokens = [{"access_token": person.access_token, "refresh_token": person.refresh_token}]
    for _ in range(2):
        person.login()
        tokens.append({"access_token": person.access_token, "refresh_token": person.refresh_token})
    assert http.get("/session/api/v1/sessions", headers=bearer(tokens[2])).json()["total"] == 2
    me = "/identity/api/v1/auth/me"
    until(lambda: http.get(me, headers=bearer(tokens[0])).status_code == 401, saying="the oldest session is refused")
    refresh = [http.post("/identity/api/v1/auth/refresh", json={"refresh_token": one["refresh_token"]}) for one in tokens]
    assert [answer.status_code for answer in refresh] == [401, 200, 200]


def test_where_the_tenant_would_rather_refuse_a_login_too_many_is_a_conflict(http, auditor):
    person = in_tenant_with(http, auditor, {"max_sessions": 1, "at_limit": "refuse"})
    body = {"identity": person.email, "password": tenancy.PASSWORD, **person.tenant}
    refused = http.post("/identity/api/v1/auth/login", json=body)
    assert refused.status_code == 409 and refused.json()["error"] == "session_limit_reached", refused.text
    assert person.get("/auth/me").status_code == 200
    assert person.post("/auth/logout").status_code == 200
    assert http.post("/identity/api/v1/auth/login", json=body).status_code == 200


def test_a_tenant_s_idle_time_is_in_its_sessions(http, auditor):
    person = in_tenant_with(http, auditor, {"idle_timeout_s": 600})
    session = http.get("/session/api/v1/sessions", headers={"Authorization": f"Bearer {person.access_token}"}).json()["items"][0]
    begun, ends = (datetime.datetime.fromisoformat(session[name]) for name in ("last_used_at", "expires_at"))
    assert 598 <= (ends - begun).total_seconds() <= 600


def test_ending_a_whole_tenant_refuses_everybody_in_it_and_nobody_elsewhere(http, auditor, account):
    person = in_tenant_with(http, auditor, {})
    here = account.login()
    owner = tenancy.Person.__new__(tenancy.Person)
    owner.http, owner.access_token = http, auditor.headers["Authorization"].removeprefix("Bearer ")
    tenant, head = tenancy.make_tenant(owner)
    member = tenancy.Person(http, tenant["id"])
    answer = head.call("POST", "/admin/tokens/revoke-all", service="session", json={"tenant_id": tenant["id"]})
    assert answer.status_code == 200 and answer.json()["data"]["revoked"] == 2, answer.text
    for gone in (member, head):
        until(lambda: gone.get("/auth/me").status_code == 401, saying="everybody of the tenant is refused")
        assert gone.refresh().status_code == 401
    assert person.get("/auth/me").status_code == 200 and account.me(here["access_token"]).status_code == 200
    assert member.login().get("/auth/me").status_code == 200
