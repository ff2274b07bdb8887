"""`authms users`, `tenants` and `roles` on a running suite, as its operator uses them."""

import json
import secrets

from waiting import until


def test_a_tenant_its_people_and_roles_by_the_command_line(suite, http, auditor):
    slug, email = f"cli-{secrets.token_hex(4)}", f"ann-{secrets.token_hex(4)}@example.org"
    made = json.loads(suite.authms("tenants", "create", slug, "--name", "By hand", "--json").stdout)
    assert made["slug"] == slug and made["owner_invitation_code"]
    assert slug in suite.authms("tenants", "list", "--limit", "200").stdout
    created = suite.authms("users", "create", "--tenant", slug, "--email", email, "--name", "Ann").stdout
    password = created.split()[-1]
    login = {"identity": email, "password": password, "tenant_id": made["id"]}
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 200
    table = suite.authms("users", "list", "--tenant", slug, email[:8]).stdout.splitlines()
    assert table[0].startswith("ID") and email in table[1] and len(table) == 2
    suite.authms("roles", "create", "editor", "documents:write", "users:read", "--tenant", slug)
    granted = json.loads(suite.authms("roles", "grant", "editor", email, "--tenant", slug, "--json").stdout)
    assert granted["roles"] == ["editor", "member"]
    assert "documents:write,users:read" in suite.authms("roles", "list", "--tenant", slug).stdout
    assert "editor" not in suite.authms("roles", "list").stdout
    suite.authms("users", "disable", email, "--tenant", slug)
    assert http.post("/identity/api/v1/auth/login", json=login).status_code == 403
    refused = suite.authms("users", "delete", email, "--tenant", slug, check=False)
    assert refused.returncode != 0 and "--yes" in refused.stderr
    suite.authms("users", "delete", email, "--tenant", slug, "--yes")
    gone = suite.authms("users", "show", email, "--tenant", slug, check=False)
    assert gone.returncode == 64 and gone.stderr.strip() == f"authms: There is no user {email}."


def test_what_an_operator_does_is_in_the_trail(suite, auditor):
    suite.authms("users", "list")

    def recorded():
        answer = auditor.get("/admin/audit/logs", params={"action": "identity.operator.admitted"})
        return answer.json().get("items")

    assert until(recorded, seconds=15, saying="the admission is in the trail")[0]["metadata"]


def test_an_administrator_elsewhere_brings_a_token(suite, auditor, account):
    token = account.login()["access_token"]
    for value, says in [(token, "users:read"), ("rubbish", "token")]:
        suite.environment["AUTHMS_TOKEN"] = value
        try:
            refused = suite.authms("users", "list", "--gateway", suite.gateway, check=False)
        finally:
            del suite.environment["AUTHMS_TOKEN"]
        assert refused.returncode != 0 and says in refused.stderr, refused.stderr
    assert suite.authms("users", "list", "--gateway", suite.gateway, check=False).returncode == 64


def test_shells_complete_the_commands(suite):
    for shell in ("bash", "zsh", "fish"):
        script = suite.authms("--generate-completion-script", shell).stdout
        assert "tenants" in script and "reset-password" in script
