"""Two tenants on one suite: whatever one of them asks, of whichever service, it sees and changes nothing of the other."""

import json
import re
import secrets
import uuid

import httpx
import psycopg
import pytest

from conftest import PASSWORD
from waiting import until


class Tenant:
    """A tenant with a plain member and one user for each role that may do more."""

    def __init__(self, suite, http, identifier=None):
        self.suite, self.http = suite, http
        self.id = identifier or str(uuid.uuid4())
        self.marker = f"mark-{secrets.token_hex(8)}"
        with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
            connection.execute(
                "INSERT INTO tenants (id, slug, name, display_name) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (self.id, self.marker, self.marker, self.marker),
            )
        self.users = {role: self.user(role) for role in ("member", "owner", "admin", "auditor")}

    def user(self, role):
        """Somebody new who has the role."""
        email = f"{role}-{secrets.token_hex(4)}-{self.marker}@example.org"
        who = {"email": email, "password": PASSWORD, "name": self.marker, "tenant_id": self.id}
        answer = self.http.post("/identity/api/v1/auth/register", json=who)
        assert answer.status_code == 201, answer.text
        user = answer.json()["data"]["user_id"]
        with psycopg.connect(self.suite.env()["IDENTITY_DATABASE_URL"]) as connection:
            connection.execute(
                "INSERT INTO user_roles (user_id, tenant_id, role) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (user, self.id, role),
            )
        return {"id": user, "email": email, **self.login(email)}

    def login(self, email):
        who = {"identity": email, "password": PASSWORD, "tenant_id": self.id}
        answer = self.http.post("/identity/api/v1/auth/login", json=who)
        assert answer.status_code == 200, answer.text
        tokens = answer.json()["data"]
        session = self.call("GET", "/session/api/v1/sessions", tokens["access_token"]).json()["items"]
        current = next(item["id"] for item in session if item["is_current"])
        return {"token": tokens["access_token"], "refresh": tokens["refresh_token"], "session": current}

    def call(self, method, path, token, **options):
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    @property
    def traces(self):
        """What must not appear in an answer to anybody else."""
        found = {self.id, self.marker}
        for user in self.users.values():
            found |= {user["id"], user["email"], user["session"]}
        return found

    def state(self):
        """What others might have changed, as its own people see it."""
        member = self.users["member"]
        get = lambda path: self.call("GET", path, member["token"])
        owner = lambda path: self.call("GET", path, self.users["owner"]["token"])
        answers = {
            "me": get("/identity/api/v1/auth/me"),
            "profile": get(f"/profile/api/v1/profiles/{member['id']}/export"),
            "users": owner("/identity/api/v1/admin/users?page_size=100"),
            "sessions": get("/session/api/v1/sessions"),
        }
        for name, answer in answers.items():
            assert answer.status_code == 200, f"{name}: {answer.text}"
        bodies = {name: answer.json() for name, answer in answers.items()}
        for body in bodies.values():
            body.pop("timestamp", None)
        return json.loads(json.dumps(bodies))


@pytest.fixture(scope="module")
def tenants(suite, http):
    """The tenant that is looked for, with something of everything in it, and the one that looks."""
    victim, other = Tenant(suite, http), Tenant(suite, http)
    member = victim.users["member"]
    changed = victim.call(
        "PUT", f"/profile/api/v1/profiles/{member['id']}", member["token"],
        json={"nickname": victim.marker, "bio": victim.marker},
    )
    assert changed.status_code == 200, changed.text
    shown = victim.call(
        "PUT", f"/profile/api/v1/profiles/{member['id']}/privacy", member["token"], json={"bio": "tenant"}
    )
    assert shown.status_code == 200, shown.text
    return victim, other


@pytest.fixture(scope="module")
def record(tenants):
    """An audit record of the first tenant, found by its own auditor; and its trail is signed for."""
    victim, _ = tenants
    auditor = victim.users["auditor"]["token"]

    def recorded():
        logs = victim.call("GET", "/audit/api/v1/admin/audit/logs?action=profile.updated", auditor)
        root = victim.call("GET", "/audit/api/v1/admin/audit/merkle-root", auditor)
        return logs.json()["items"] and root.status_code == 200 and logs.json()["items"][0]

    return until(recorded, seconds=30, saying="the first tenant's trail is recorded and signed")


def everything(victim, record):
    """Each endpoint, asked for what is the first tenant's: method, path, body."""
    member, owner = victim.users["member"], victim.users["owner"]
    user, session = member["id"], member["session"]
    identity, sessions = "/identity/api/v1", "/session/api/v1"
    profile, audit = f"/profile/api/v1/profiles/{user}", "/audit/api/v1/admin/audit"
    of = {"X-Tenant-ID": victim.id}
    yield from (("GET", f"{identity}{path}", None) for path in ("/auth/me", "/auth/me/permissions"))
    yield "PUT", f"{identity}/auth/me", {"username": f"u{secrets.token_hex(6)}", "tenant_id": victim.id}
    yield "POST", f"{identity}/auth/check-permission", {"permission": "users:read", "resource": victim.id}
    yield "GET", f"{identity}/admin/users?page_size=100", None
    yield "GET", f"{identity}/admin/users?page_size=100&tenant_id={victim.id}", None
    for target in (user, owner["id"]):
        yield "GET", f"{identity}/admin/users/{target}", None
        yield "PUT", f"{identity}/admin/users/{target}/status", {"status": "disabled"}
    for base in (f"{sessions}/sessions", f"{identity}/auth/me/sessions"):
        yield "GET", base, None
        yield "GET", f"{base}/{session}", None
        yield "DELETE", f"{base}/{session}", None
        yield "DELETE", base, None
    yield "GET", profile, None
    yield "PUT", profile, {"nickname": "taken over"}
    yield "DELETE", profile, None
    for part in ("preferences", "privacy", "public", "export"):
        yield "GET", f"{profile}/{part}", None
    for part, body in (("preferences", {"theme": "theirs"}), ("privacy", {"bio": "private"})):
        yield "PUT", f"{profile}/{part}", body
    yield "GET", f"/profile/api/v1/admin/profiles?q={victim.marker}", None
    yield "GET", f"/profile/api/v1/admin/profiles?q=&tenant_id={victim.id}", None
    yield "GET", "/audit/api/v1/auth/me/audit-logs?page_size=100", None
    yield "GET", f"/audit/api/v1/auth/me/audit-logs?user_id={user}&tenant_id={victim.id}", None
    yield "GET", f"{audit}/logs?page_size=100", None
    yield "GET", f"{audit}/logs?tenant_id={victim.id}", None
    yield "GET", f"{audit}/logs?user_id={user}", None
    yield "GET", f"{audit}/logs/{record['id']}", None
    yield "GET", f"{audit}/stats?tenant_id={victim.id}", None
    yield "GET", f"{audit}/streams", None
    yield "GET", f"{audit}/hashchain/{victim.id}", None
    yield "POST", f"{audit}/verifications", {"tenant_id": victim.id}
    yield "GET", f"{audit}/merkle-root?tenant_id={victim.id}", None
    yield "GET", f"{audit}/merkle-proof?record_id={record['id']}", None
    yield "GET", f"{audit}/merkle-proof?first=1&tenant_id={victim.id}", None
    for format in ("ndjson", "csv"):
        yield "POST", f"{audit}/export?format={format}", None
        yield "POST", f"{audit}/export?format={format}&tenant_id={victim.id}", None
    letters = "/audit/api/v1/admin/dead-letters"
    yield "GET", letters, None
    yield "POST", f"{letters}/retry", None
    yield "GET", f"{letters}/{record['id']}", None
    yield "POST", f"{letters}/{record['id']}/retry", None
    yield "POST", f"{letters}/{record['id']}/discard", {"reason": "not theirs to discard"}


@pytest.mark.parametrize("role", ["member", "owner", "admin", "auditor"])
def test_no_endpoint_shows_or_changes_anything_of_another_tenant(tenants, record, role):
    victim, other = tenants
    before = victim.state()
    # Ends sessions of its own on the way: somebody of its own for each role.
    stranger = other.login(other.users[role]["email"])
    leaks = []
    for method, path, body in everything(victim, record):
        # Neither a header nor a parameter is trusted over the token.
        answer = other.call(method, path, stranger["token"], json=body, headers={"X-Tenant-ID": victim.id})
        # A refusal may name what it refuses; an answer may not.
        sent = path + json.dumps(body) if answer.status_code >= 400 else ""
        leaked = [trace for trace in victim.traces if trace in answer.text and trace not in sent]
        if leaked or answer.status_code >= 500:
            leaks.append(f"{method} {path}: {answer.status_code} {leaked} {answer.text[:200]}")
    assert not leaks, "\n".join(leaks)
    assert victim.state() == before


def documented(http, victim, record):
    """Every operation of the API's document that takes a token, asked for what is the first tenant's wherever it can be named."""
    member = victim.users["member"]
    named = {
        "user_id": member["id"], "session_id": member["session"], "tenant_id": victim.id, "record_id": record["id"],
    }  # fmt: skip
    body = {
        **named, "user_ids": [member["id"]], "identity": member["email"],
        "status": "disabled", "reason": "not theirs to change", "roles": ["owner"], "role": "owner",
        "permission": "users:read", "nickname": "taken over", "name": "taken over",
    }  # fmt: skip
    # The same address may be somebody in each tenant, and would then be in answers by right.
    body["email"] = f"walk-{secrets.token_hex(6)}@example.org"
    # Whoever has a token may end it (RFC 7009): theirs are given only to those who would tell something about it.
    telling = ("/introspect", "/tokens/blacklist")
    for path, item in http.get("/docs/openapi.json").json()["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "put", "post", "patch", "delete") or operation.get("security") == []:
                continue
            if path.endswith("/stream"):  # goes on for minutes; it has a test of its own
                continue
            of_session = "/sessions" in path
            fill = lambda match: named.get(match[1]) or (member["session"] if of_session else record["id"])
            token = member["token"] if path.endswith(telling) else "not a token"
            sent = {**body, "token": token, "refresh_token": token}
            yield method.upper(), re.sub(r"\{([^}]*)\}", fill, path), sent if "requestBody" in operation else None


@pytest.mark.parametrize("role", ["member", "owner", "admin"])
def test_no_documented_operation_shows_or_changes_anything_of_another_tenant(http, tenants, record, role):
    """Whatever is added to the API is asked as well, without being listed here."""
    victim, other = tenants
    before = victim.state()
    stranger, leaks, answered = other.user(role), [], 0
    for method, path, body in documented(http, victim, record):
        answer = other.call(method, path, stranger["token"], json=body)
        if answer.status_code == 401:  # it has ended its own session, or itself, on the way
            stranger = other.user(role)
            answer = other.call(method, path, stranger["token"], json=body)
        answered += answer.status_code < 300
        sent = path + json.dumps(body) if answer.status_code >= 400 else ""
        leaked = [trace for trace in victim.traces if trace in answer.text and trace not in sent]
        if leaked or answer.status_code >= 500:
            leaks.append(f"{method} {path}: {answer.status_code} {leaked} {answer.text[:200]}")
    assert not leaks, "\n".join(leaks)
    assert answered > 10, "hardly anything was answered at all"
    assert victim.state() == before


@pytest.mark.parametrize("role", ["member", "owner", "admin", "auditor"])
def test_what_is_named_outright_is_unknown_or_forbidden_to_another_tenant(tenants, record, role):
    victim, other = tenants
    stranger = other.login(other.users[role]["email"])
    named = victim.traces | {record["id"]}
    tried = 0
    for method, path, body in everything(victim, record):
        if any(f"/{trace}" in path or f"record_id={trace}" in path for trace in named):
            answer = other.call(method, path, stranger["token"], json=body)
            assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code} {answer.text}"
            tried += 1
    assert tried > 15


@pytest.mark.parametrize("role", ["owner", "admin", "auditor"])
def test_what_is_the_whole_suite_s_is_for_operators_alone(tenants, auditor, role):
    """How complete the streams of all services are, and dead letters: not for other tenants, whatever their role."""
    _, other = tenants
    token = other.login(other.users[role]["email"])["token"]
    for path in ("/audit/api/v1/admin/audit/streams", "/audit/api/v1/admin/dead-letters"):
        answer = other.call("GET", path, token)
        assert answer.status_code == 403 and answer.json()["code"] == 403001, answer.text
    assert auditor.get("/admin/audit/streams").status_code == 200


def test_the_live_stream_carries_its_own_tenant_s_records_and_no_other(suite, tenants):
    victim, other = tenants
    token = other.login(other.users["auditor"]["email"])["token"]
    headers = {"Authorization": f"Bearer {token}", "X-Tenant-ID": victim.id}
    url = f"{suite.gateway}/audit/api/v1/admin/audit/stream"
    assert httpx.get(f"{url}?tenant_id={victim.id}", headers=headers, timeout=10).status_code == 403
    seen = []
    with httpx.stream("GET", url, headers=headers, timeout=20) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(lines).startswith(": listening")
        victim.login(victim.users["member"]["email"])  # first, so that it would come first
        other.login(other.users["member"]["email"])
        for line in lines:
            seen.append(line)
            # The auditor's own login may come to the trail as late as this.
            if "identity.login.succeeded" in line and other.users["member"]["id"] in line:
                break
    text = "\n".join(seen)
    assert other.users["member"]["id"] in text
    assert not [trace for trace in victim.traces if trace in text], text


def test_one_e_mail_is_two_users_in_two_tenants(suite, http, tenants):
    """Their password, their tokens and their disabling are their own."""
    victim, other = tenants
    email = f"both-{secrets.token_hex(6)}@example.org"
    for tenant, password in ((victim, "a " + PASSWORD), (other, "b " + PASSWORD)):
        who = {"email": email, "password": password, "tenant_id": tenant.id}
        assert http.post("/identity/api/v1/auth/register", json=who).status_code == 201

    def status(tenant, password):
        who = {"identity": email, "password": password, "tenant_id": tenant.id}
        return http.post("/identity/api/v1/auth/login", json=who).status_code

    assert status(victim, "a " + PASSWORD) == 200 and status(other, "b " + PASSWORD) == 200
    assert status(victim, "b " + PASSWORD) == 401 and status(other, "a " + PASSWORD) == 401
    assert http.post(
        "/identity/api/v1/auth/login", json={"identity": email, "password": "a " + PASSWORD}
    ).status_code == 401, "the default tenant does not know them"


def test_a_refresh_token_keeps_its_tenant(http, tenants):
    """It says itself whose it is: what the client sends along changes nothing."""
    victim, other = tenants
    mine = other.login(other.users["member"]["email"])
    answer = http.post(
        "/identity/api/v1/auth/refresh", json={"refresh_token": mine["refresh"], "tenant_id": victim.id},
        headers={"X-Tenant-ID": victim.id},
    )
    assert answer.status_code == 200 and answer.json()["data"]["user"]["tenant_id"] == other.id
