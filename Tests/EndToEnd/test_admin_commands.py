"""`authms users`, `tenants` and `roles` on a running suite, as its operator uses them."""

import json
import secrets
import subprocess
import uuid

import psycopg

from mailbox import mails
from second_factor import SecondFactorUser
from tenancy import make_tenant
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
    assert gone.returncode == 1 and gone.stderr.strip() == f"authms: There is no user {email}."


def test_a_list_says_where_its_counting_ended(suite, administrator):
    tenant, owner = make_tenant(administrator)
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"], autocommit=True) as connection:
        try:
            connection.execute(
                """
                INSERT INTO users (id, tenant_id, username, username_key)
                SELECT gen_random_uuid(), %s, name, name
                FROM (SELECT 'many-' || n AS name FROM generate_series(1, 1100) AS n) AS names
                """,
                (tenant["id"],),
            )
            first = owner.get("/admin/users", params={"page_size": 50}).json()
            assert first["total"] == 1050 and first["pagination"]["total_is_exact"] is False, first["pagination"]
            later = owner.get("/admin/users", params={"page_size": 50, "page": 3}).json()
            assert later["total"] == 1101 and later["pagination"]["total_is_exact"] is True, later["pagination"]
            listed = suite.authms("users", "list", "--tenant", tenant["slug"], "--limit", "50").stdout
            assert listed.splitlines()[-1].startswith("50 of 1050+: "), listed[-200:]
            listed = suite.authms("users", "list", "--tenant", tenant["slug"], "--limit", "50", "--page", "3").stdout
            assert listed.splitlines()[-1].startswith("50 of 1101: "), listed[-200:]
        finally:
            connection.execute("DELETE FROM users WHERE tenant_id = %s AND username LIKE 'many-%%'", (tenant["id"],))


def test_a_user_is_found_by_a_whole_name_however_many_begin_like_it(suite):
    slug, email = f"cli-{secrets.token_hex(4)}", f"ann-{secrets.token_hex(4)}@example.org"
    tenant = json.loads(suite.authms("tenants", "create", slug, "--json").stdout)["id"]
    made = json.loads(suite.authms("users", "create", "--tenant", slug, "--email", email, "--json").stdout)["user_id"]
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_SUPERUSER_URL"], dbname="authms_identity") as connection:
        connection.execute(
            """INSERT INTO users (id, tenant_id, email, email_key)
               SELECT gen_random_uuid(), %s, mail, mail
               FROM generate_series(1, 250) AS n, LATERAL (SELECT %s::text || n::text || '.example' AS mail) AS mails""",
            (tenant, email),
        )
    shown = json.loads(suite.authms("users", "show", email.upper(), "--tenant", slug, "--json").stdout)
    assert (shown["id"], shown["email"]) == (made, email)
    part = suite.authms("users", "show", email[:-1], "--tenant", slug, check=False)
    assert part.returncode == 1 and f"There is no user {email[:-1]}. `authms users list" in part.stderr


def test_the_first_administrator_is_made_once(suite, http):
    email, second = (f"owner-{secrets.token_hex(4)}@example.org" for _ in range(2))
    refused = suite.authms("bootstrap", "--email", email, check=False)
    assert refused.returncode == 1 and not refused.stdout and "has an owner already" in refused.stderr
    told = suite.authms("bootstrap", "--email", email, "--json", check=False)
    assert told.returncode == 1 and json.loads(told.stdout)["created"] is False

    default = "01900000-0000-7000-8000-000000000001"
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"], autocommit=True) as connection:
        # The suite that is shared gets its owner back.
        owners = connection.execute(
            "DELETE FROM user_roles WHERE tenant_id = %s AND role = 'owner' RETURNING user_id", (default,)
        ).fetchall()
        try:
            made = json.loads(suite.authms("bootstrap", "--email", email, "--json").stdout)
            assert made["created"] is True and made["email"] == email
            again = suite.authms("bootstrap", "--email", second, check=False)
            assert again.returncode == 1, again.stdout
            login = {"identity": email, "password": made["one_time_password"]}
            answer = http.post("/identity/api/v1/auth/login", json=login)
            assert answer.status_code == 200 and answer.json()["data"]["must_change_password"] is True, answer.text
            assert http.post("/identity/api/v1/auth/login", json={**login, "identity": second}).status_code == 401
        finally:
            connection.execute("DELETE FROM user_roles WHERE tenant_id = %s AND role = 'owner'", (default,))
            for (user,) in owners:
                connection.execute(
                    "INSERT INTO user_roles (user_id, tenant_id, role) VALUES (%s, %s, 'owner')", (user, default)
                )


def test_elsewhere_bootstrap_goes_where_the_environment_says(suite):
    environment = {"SERVICES_IDENTITY_URL": "http://127.0.0.1:9", "INTERNAL_SECRET": "s" * 32}
    nobody = subprocess.run(
        [suite.binary, "bootstrap"], cwd=suite.repository, env={**suite.environment, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert nobody.returncode == 69 and "http://127.0.0.1:9 does not answer" in nobody.stderr
    refused = suite.authms("bootstrap", "--url", "http://127.0.0.1:9", check=False)
    assert refused.returncode == 64 and "INTERNAL_SECRET" in refused.stderr


def test_a_tenant_s_policies_by_the_command_line(suite):
    slug = f"cli-{secrets.token_hex(4)}"
    suite.authms("tenants", "create", slug)
    changed = suite.authms(
        "tenants", "set", slug, "--password-history", "5", "--password-max-age-days", "1",
        "--refuse-common-passwords", "false", "--new-device-mail", "false", "--require-verified-email", "true", "--json",
    )  # fmt: skip
    data = json.loads(changed.stdout)
    assert data["password_policy"]["history"] == 5 and data["password_policy"]["refuse_common"] is False
    assert data["new_device_mail"] is False and data["requires_verified_email"] is True
    shown = suite.authms("tenants", "show", slug).stdout
    assert "history=5" in shown and "max_age_days=1 " in shown and "refuse_common=no" in shown
    refused = suite.authms("tenants", "set", slug, "--password-history", "99", check=False)
    assert refused.returncode == 1 and "password_policy.history must be 0 to 24" in refused.stderr


def test_sessions_are_listed_shown_and_ended_by_the_command_line(suite, http, make_account):
    account = make_account()
    first, second = account.login(), account.login()
    listed = json.loads(suite.authms("sessions", "list", account.email, "--json").stdout)
    assert len(listed) == 2 and all(session["user_id"] == account.id for session in listed)
    table = suite.authms("sessions", "list", account.id).stdout.splitlines()
    assert table[0].startswith("ID") and len(table) == 3 and all(account.id in line for line in table[1:])
    youngest = listed[0]["id"]
    assert youngest in suite.authms("sessions", "show", youngest).stdout
    assert suite.authms("sessions", "revoke", youngest).stdout.strip() == "1 session has ended."
    assert len(suite.authms("sessions", "list", account.email).stdout.splitlines()) == 2
    assert "revoked" in suite.authms("sessions", "list", account.email, "--all").stdout
    assert account.refresh(second["refresh_token"]).status_code == 401
    assert json.loads(suite.authms("sessions", "revoke", "--user", account.email, "--json").stdout) == {"revoked": 1}
    assert account.refresh(first["refresh_token"]).status_code == 401
    assert suite.authms("sessions", "list", account.email).stdout.strip() == "There is no such session."
    for wrong in ([], ["--all", "--user", account.email]):
        assert suite.authms("sessions", "revoke", *wrong, check=False).returncode == 64
    assert suite.authms("sessions", "show", str(uuid.uuid4()), check=False).returncode == 1


def test_all_sessions_of_a_tenant_are_ended_and_those_of_no_other(suite, administrator, account):
    tenant, owner = make_tenant(administrator)
    elsewhere = account.login()
    listed = json.loads(suite.authms("sessions", "list", "--tenant", tenant["slug"], "--json").stdout)
    assert [session["user_id"] for session in listed] == [owner.id]
    assert "1 session has ended." in suite.authms("sessions", "revoke", "--all", "--tenant", tenant["slug"]).stdout
    assert owner.refresh().status_code == 401
    assert account.refresh(elsewhere["refresh_token"]).status_code == 200


def test_second_factors_are_shown_and_taken_away_with_a_reason_and_the_user_is_told(suite, make_account, auditor):
    user = SecondFactorUser(make_account())
    email = user.account.email
    assert suite.authms("mfa", "status", email).stdout.strip() == f"{email} has no second factor."
    user.enable_totp()
    shown = suite.authms("mfa", "status", email).stdout
    assert "totp" in shown and "10 recovery codes are left." in shown
    assert json.loads(suite.authms("mfa", "status", email, "--json").stdout)["mfa_enabled"] is True
    for wrong in ([], ["--reason", "x"]):
        assert suite.authms("mfa", "reset", email, *wrong, check=False).returncode == 64
    suite.authms("mfa", "reset", email, "--reason", "lost the phone, seen in person")
    assert suite.authms("mfa", "status", email).stdout.strip() == f"{email} has no second factor."
    until(lambda: user.password().json()["data"].get("access_token"), saying="nothing more is asked for")

    def told():
        return next((m for m in mails(suite, email) if "removed all second factors" in m["text"]), None)

    until(told, seconds=20, every=0.2, saying="the user is told by mail")

    def recorded():
        logs = auditor.get("/admin/audit/logs", params={"action": "mfa.reset", "page_size": 100}).json()["items"]
        return next((record for record in logs if record["target_id"] == user.account.id), None)

    record = until(recorded, seconds=15, saying="the trail has the reset")
    assert "seen in person" in json.dumps(record["metadata"])


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
        assert refused.returncode == 1 and says in refused.stderr, refused.stderr
    assert suite.authms("users", "list", "--gateway", suite.gateway, check=False).returncode == 64
    suite.environment["AUTHMS_TOKEN"] = token
    try:
        nobody = suite.authms("users", "list", "--gateway", "http://127.0.0.1:9", check=False)
    finally:
        del suite.environment["AUTHMS_TOKEN"]
    assert nobody.returncode == 69 and "http://127.0.0.1:9 does not answer" in nobody.stderr


def test_shells_complete_the_commands(suite):
    for shell in ("bash", "zsh", "fish"):
        script = suite.authms("--generate-completion-script", shell).stdout
        assert "tenants" in script and "reset-password" in script and "sessions" in script


def test_the_names_of_processes_are_completed(suite):
    # As the scripts ask for them: which argument, which word of the line, where in it, and the line.
    answer = suite.authms("---completion", "stop", "--", "positional@0", "2", "0", "authms", "stop", "", check=False)
    assert {"identity", "postgres-identity", "rabbitmq"} <= set(answer.stdout.split()), answer
