"""Second factors through the gateway, with clients that we did not write: pyotp's codes, zbar's eyes."""

import base64
import concurrent.futures
import io
import time

import jwt
import psycopg
import pytest
from PIL import Image
from pyzbar import pyzbar

from second_factor import SecondFactorUser
from tenancy import Person, make_tenant
from waiting import until


@pytest.fixture
def user(make_account):
    return SecondFactorUser(make_account())


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def at_once(count, call):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_a_login_with_pyotps_code_says_so_in_its_token(user):
    assert claims(user.tokens["access_token"])["amr"] == ["pwd"]
    before = time.time()
    user.enable_totp()
    assert len(user.codes) == 10
    challenge = user.challenge()
    assert challenge["required_mfa_methods"] == ["totp", "backup_code"]
    tokens = user.login()
    token = claims(tokens["access_token"])
    assert token["amr"] == ["pwd", "otp", "mfa"] and token["auth_time"] >= int(before)
    assert token["roles"] == ["member"]
    refreshed = user.account.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert claims(refreshed.json()["data"]["access_token"])["amr"] == ["pwd", "otp", "mfa"]


def test_zbar_reads_the_qr_code(user):
    user.enable_totp()
    kind, data = user.setup["qr_code"].split(",", 1)
    assert kind == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.format == "PNG"
    (symbol,) = pyzbar.decode(picture)
    assert symbol.data.decode() == user.setup["qr_code_url"]
    assert user.app.totp.secret == user.setup["secret"]
    assert user.app.totp.name == user.account.email and user.app.totp.issuer == "authms"


def test_wrong_used_and_foreign_codes_and_challenges_are_refused(user, make_account):
    user.enable_totp()
    challenge = user.challenge()["challenge_token"]
    wrong = user.answer(challenge, "000000")
    assert wrong.status_code == 401 and wrong.json()["code"] == 401010
    code = user.app.code()
    assert user.answer(challenge, code).status_code == 200
    # With a recovery code, which is as good and need not be waited for as the app's third code would.
    again = user.answer(challenge, user.codes[0], "backup_code")
    assert again.status_code == 401 and again.json()["code"] == 401011, "a challenge is for one use"
    replayed = user.answer(user.challenge()["challenge_token"], code)
    assert replayed.status_code == 401 and replayed.json()["code"] == 401010, "so is a code"
    # Tokens of other kinds, and changed ones, are no challenges.
    for forged in (user.tokens["access_token"], user.tokens["refresh_token"], challenge[:-4] + "AAAA", "", "x"):
        refused = user.answer(forged, "123456")
        assert refused.status_code == 401 and refused.json()["code"] == 401011, forged
    # And a challenge is no access token.
    assert user.http.get("/identity/api/v1/auth/me", headers=user.bearer(challenge)).status_code == 401


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "mfa_method"),
        ({"challenge_token": "x", "mfa_method": "totp"}, "code"),
        ({"challenge_token": "x", "mfa_method": "sms", "code": "1"}, "mfa_method"),
        ({"challenge_token": "x", "mfa_method": "webauthn"}, "credential"),
        ({"mfa_method": "totp", "code": "123456"}, "challenge_token"),
        ({"challenge_token": "x", "mfa_method": "totp", "code": 123456}, "code"),
    ],
)
def test_bad_input_names_the_field(http, body, field):
    answer = http.post("/identity/api/v1/auth/mfa/verify-challenge", json=body)
    assert answer.status_code == 422, answer.text
    assert [violation["field"] for violation in answer.json()["violations"]] == [field]


def test_of_fifty_parallel_uses_of_one_totp_step_one_wins(user):
    user.enable_totp()
    challenges = [user.challenge()["challenge_token"] for _ in range(50)]
    code = user.app.code()
    answers = at_once(50, lambda number: user.answer(challenges[number], code).status_code)
    assert answers.count(200) == 1 and set(answers) <= {200, 401, 429}, answers


def test_of_fifty_parallel_uses_of_one_recovery_code_one_wins(user):
    user.enable_totp()
    challenges = [user.challenge()["challenge_token"] for _ in range(50)]
    answers = at_once(50, lambda number: user.answer(challenges[number], user.codes[0], "backup_code").status_code)
    assert answers.count(200) == 1 and answers.count(401) == 49, answers
    count = user.call("GET", "/mfa/api/v1/mfa/backup-codes/count").json()["data"]["count"]
    assert count == 9


def test_recovery_codes_are_renewed_only_after_proving_oneself_anew(user):
    user.enable_totp()
    used = user.codes[0]
    path = "/mfa/api/v1/mfa/backup-codes/generate"
    refused = user.call("POST", path)
    assert refused.status_code == 403 and refused.json()["error"] == "step_up_required"
    token = user.step_up()
    stepped_up = claims(token)
    assert stepped_up["amr"] == ["pwd", "otp", "mfa"]
    assert stepped_up["sid"] == claims(user.tokens["access_token"])["sid"]
    fresh = user.call("POST", path, token=token)
    assert fresh.status_code == 201 and len(fresh.json()["data"]["backup_codes"]) == 10
    challenge = user.challenge()["challenge_token"]
    assert user.answer(challenge, used, "backup_code").status_code == 401
    typed = fresh.json()["data"]["backup_codes"][0].upper().replace("-", " ")
    assert user.answer(challenge, typed, "backup_code").status_code == 200


def test_guessing_is_held_up_and_a_recovery_code_gets_in_all_the_same(user):
    user.enable_totp()
    challenge = user.challenge()["challenge_token"]
    statuses = [user.answer(challenge, f"{number:06}").status_code for number in range(5)]
    assert statuses == [401] * 5
    code = user.app.code()
    over = user.answer(challenge, code)
    assert over.status_code in (401, 429)
    held = user.answer(user.challenge()["challenge_token"], code)
    assert held.status_code == 429 and 0 < int(held.headers["retry-after"]) <= 30, held.text
    assert user.login("backup_code")["access_token"]
    # A right code of any kind ends the hold, and what was not looked at meanwhile is not used up.
    assert user.answer(user.challenge()["challenge_token"], code).status_code == 200


def test_disabling_needs_the_factor_itself_and_then_the_password_is_enough_again(user):
    user.enable_totp()
    assert user.call("GET", "/identity/api/v1/auth/me/mfa-methods").json()["data"]["mfa_enabled"] is True
    refused = user.call("POST", "/mfa/api/v1/mfa/totp/disable")
    assert refused.status_code == 403 and refused.json()["error"] == "step_up_required"
    done = user.call("POST", "/mfa/api/v1/mfa/totp/disable", token=user.step_up())
    assert done.status_code == 200 and done.json()["data"] == {
        "mfa_enabled": False,
        "methods": [],
        "backup_codes_remaining": 0,
    }
    until(lambda: user.password().json()["data"].get("access_token"), saying="nothing more is asked for")


def test_who_has_no_second_factor_cannot_step_up_by_one(user):
    begun = user.call("POST", "/mfa/api/v1/mfa/step-up/begin")
    assert begun.status_code == 409 and begun.json()["error"] == "conflict", begun.text
    done = user.call("POST", "/mfa/api/v1/mfa/step-up", {"mfa_method": "totp", "code": "123456"})
    assert done.status_code == 409, done.text
    user.enable_totp()
    assert user.call("POST", "/mfa/api/v1/mfa/step-up/begin").status_code == 200


def test_a_second_secret_is_proposed_only_to_who_has_none(user):
    user.enable_totp()
    refused = user.call("POST", "/mfa/api/v1/mfa/totp/setup")
    assert refused.status_code == 403 and refused.json()["error"] == "step_up_required"
    conflict = user.call("POST", "/mfa/api/v1/mfa/totp/setup", token=user.step_up())
    assert conflict.status_code == 409


def test_the_database_holds_no_secret_and_no_code_and_the_trail_neither(user, suite):
    user.enable_totp()
    user.login("backup_code")
    secret = base64.b32decode(user.setup["secret"])
    env = suite.env()
    with psycopg.connect(env["MFA_DATABASE_URL"]) as database:
        (stored,) = database.execute(
            "SELECT secret FROM totp_secrets WHERE user_id = %s", (user.account.id,)
        ).fetchone()
        assert secret not in stored and len(stored) == len(secret) + 28
        hashes = database.execute("SELECT hash FROM recovery_codes WHERE user_id = %s", (user.account.id,)).fetchall()
        assert len(hashes) == 10 and all(len(hash) == 32 for (hash,) in hashes)

    def recorded():
        with psycopg.connect(env["AUDIT_DATABASE_URL"]) as trail:
            rows = trail.execute(
                "SELECT action, row_to_json(audit_records)::text FROM audit_records WHERE target_id = %s",
                (user.account.id,),
            ).fetchall()
        actions = [action for action, _ in rows]
        wanted = {
            "mfa.totp.enabled",
            "mfa.recovery_codes.generated",
            "mfa.recovery_code.used",
            "mfa.challenge.verified",
        }
        return rows if wanted <= set(actions) else None

    text = "".join(row for _, row in until(recorded, seconds=10, saying="the trail has it"))
    assert user.setup["secret"] not in text
    assert not any(code in text for code in user.codes)


@pytest.mark.alone
def test_without_mfa_whoever_has_a_second_factor_gets_503_and_everybody_else_signs_in(user, make_account, suite):
    """The cells of the contract, stopped and stalled; test_degraded.py has the rest of the row."""
    user.enable_totp()
    plain = make_account()
    challenge = user.challenge()["challenge_token"]
    for cause, (breaks, mends) in [
        (cause, how)
        for cause in ("mfa", "postgres-mfa")
        for how in (("stop", "start"), ("pause", "continue"))
    ]:
        try:
            suite.authms(breaks, cause)
            until(lambda: user.password().status_code == 503, seconds=2.5, saying=f"{cause} {breaks}: refused")
            for call in (user.password, lambda: user.answer(challenge, "123456")):
                start = time.monotonic()
                refused = call()
                assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1, refused.text
                assert time.monotonic() - start < 2.5
            assert plain.login()["refresh_token"]
        finally:
            suite.authms(mends, cause)
        until(lambda: user.password().status_code == 200, seconds=15, saying=f"{cause} heals")
    user.login("backup_code")
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")


@pytest.mark.alone
def test_a_second_factor_is_enabled_only_when_identity_knows(make_account, suite):
    user = SecondFactorUser(make_account())
    setup = user.call("POST", "/mfa/api/v1/mfa/totp/setup").json()["data"]
    from second_factor import Authenticator

    app = Authenticator(setup["qr_code_url"])
    try:
        suite.authms("stop", "postgres-identity")
        refused = user.call("POST", "/mfa/api/v1/mfa/totp/verify", {"code": app.code()})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1, refused.text
    finally:
        suite.authms("start", "postgres-identity")
    # What was not acknowledged comes true by itself as soon as identity can be told.
    until(lambda: "requires_mfa" in user.password().json().get("data", {}), seconds=20, saying="identity knows")
    user.app = app
    assert user.answer(user.challenge()["challenge_token"], app.code()).status_code == 200
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")


def test_identity_set_back_to_before_an_enrolment_hears_of_it_again(user, suite):
    """What a restore of its database does to what identity knows, done to these two tables alone."""
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as database:
        (before,) = database.execute("SELECT last FROM second_factor_reports").fetchone()
    user.enable_totp()
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as database:
        database.execute("DELETE FROM second_factors WHERE user_id = %s", (user.account.id,))
        database.execute("UPDATE second_factor_reports SET last = %s", (before,))
    until(lambda: "requires_mfa" in user.password().json()["data"], seconds=30, saying="identity knows again")
    assert user.login()["refresh_token"]


# -- what tenants demand, and administrators do --------------------------------------------------------------------------


@pytest.fixture
def policy(suite, http, auditor):
    """Sets the default tenant's policy for the time of a test."""
    headers = auditor.headers
    path = f"{suite.gateway}/mfa/api/v1/admin/mfa/policy"
    before = auditor.get(path).json()["data"]

    def change(mode, roles=(), **more):
        answer = auditor.put(path, json={"mode": mode, "roles": list(roles), **more}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    yield change
    change(**before)


def test_where_a_second_factor_is_required_one_is_set_up_first_and_nothing_else_works(user, policy):
    policy("required_for_roles", ["member"])
    answer = user.password()
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["requires_mfa_setup"] is True and "refresh_token" not in data
    token = data["access_token"]
    assert claims(token)["roles"] == [] and claims(token)["scope"] == "mfa:setup"
    assert jwt.get_unverified_header(token)["typ"] == "confined+jwt", "nobody elsewhere takes it for an access token"
    for path in ("/identity/api/v1/auth/me", "/session/api/v1/sessions", "/audit/api/v1/auth/me/audit-logs"):
        refused = user.http.get(path, headers=user.bearer(token))
        assert refused.status_code == 403 and refused.json()["error"] == "mfa_setup_required", path
    user.enable_totp(token=token)
    assert user.login()["refresh_token"]


def test_a_policy_of_off_asks_nobody_and_lets_nobody_set_one_up(user, make_account, policy):
    user.enable_totp()
    policy("off")
    assert user.password().json()["data"]["access_token"]
    other = SecondFactorUser(make_account())
    refused = other.call("POST", "/mfa/api/v1/mfa/totp/setup")
    assert refused.status_code == 403 and refused.json()["error"] == "mfa_off"
    passkey = user.http.post("/identity/api/v1/auth/webauthn/login/begin", json={})
    assert passkey.status_code == 403 and passkey.json()["error"] == "mfa_off"
    config = "/identity/api/v1/public/auth-config/default"
    assert user.http.get(config).json()["data"]["passkey_enabled"] is False
    policy("optional")
    assert user.http.get(config).json()["data"]["passkey_enabled"] is True


@pytest.mark.parametrize(
    "body, field",
    [({}, "mode"), ({"mode": "maybe"}, "mode"), ({"mode": "required_for_roles"}, "roles"), ({"mode": "off", "remember_days": 91}, "remember_days")],
)
def test_a_policy_that_makes_no_sense_is_refused(suite, auditor, body, field):
    answer = auditor.put(f"{suite.gateway}/mfa/api/v1/admin/mfa/policy", json=body)
    assert answer.status_code == 422 and [v["field"] for v in answer.json()["violations"]] == [field], answer.text


def test_an_administrator_gives_somebody_who_lost_everything_a_new_start(user, suite, auditor):
    user.enable_totp()
    path = f"/mfa/api/v1/admin/mfa/reset/{user.account.id}"
    assert user.call("POST", path, token=user.step_up()).status_code == 403
    assert auditor.post(f"{suite.gateway}{path}").status_code == 200
    until(lambda: user.password().json()["data"].get("access_token"), saying="nothing more is asked for")
    assert auditor.post(f"{suite.gateway}/mfa/api/v1/admin/mfa/reset/{'0' * 8}-0000-7000-8000-{'0' * 12}").status_code == 404

    def recorded():
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as trail:
            return trail.execute(
                "SELECT 1 FROM audit_records WHERE target_id = %s AND action = 'mfa.reset'", (user.account.id,)
            ).fetchone()

    until(recorded, seconds=10, saying="the trail has the reset")


def test_second_factors_are_not_reset_upwards_nor_for_oneself(suite, http, make_account, administrator, auditor):
    tenant, owner = make_tenant(administrator)
    ann = Person(http, tenant["id"])
    assert owner.put(f"/admin/users/{ann.id}/roles", json={"roles": ["admin"]}).status_code == 200
    until(lambda: (ann.refresh(), "admin" in claims(ann.access_token)["roles"])[1], saying="ann is an administrator")
    upwards = ann.post(f"/admin/mfa/reset/{owner.id}", service="mfa")
    assert upwards.status_code == 403 and upwards.json()["error"] == "permission_denied", upwards.text
    own = owner.post(f"/admin/mfa/reset/{owner.id}", service="mfa")
    assert own.status_code == 422 and [v["field"] for v in own.json()["violations"]] == ["user_id"], own.text
    # Allowed, and there is nothing.
    assert owner.post(f"/admin/mfa/reset/{ann.id}", service="mfa").status_code == 404
    elsewhere = make_account()
    assert owner.post(f"/admin/mfa/reset/{elsewhere.id}", service="mfa").status_code == 404


def remember(user):
    """The token of a device on which the factor of a user was proven just now."""
    done = user.answer(user.challenge()["challenge_token"], user.codes.pop(), "backup_code", remember_device=True)
    assert done.status_code == 200, done.text
    user.tokens = done.json()["data"]
    return user.tokens["device_token"]


def is_asked(user, device):
    """Whether a login from a device is asked for the second factor."""
    body = {"identity": user.account.email, "password": user.account.password, "device_token": device}
    answer = user.http.post("/identity/api/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"].get("requires_mfa") is True


def test_a_remembered_device_is_of_no_use_to_another_user_nor_once_its_time_is_over(user, suite, make_account):
    other = SecondFactorUser(make_account()).enable_totp()
    user.enable_totp()
    device = remember(user)
    assert not is_asked(user, device) and is_asked(other, device)
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as identity:
        identity.execute("UPDATE remembered_devices SET expires_at = now() WHERE user_id = %s", (user.account.id,))
    assert is_asked(user, device)


def test_a_policy_that_remembers_no_device_asks_on_those_that_were_remembered_before(user, policy):
    user.enable_totp()
    device = remember(user)
    policy("optional", remember_days=0)
    assert is_asked(user, device)
    done = user.answer(user.challenge()["challenge_token"], user.codes.pop(), "backup_code", remember_device=True)
    assert done.status_code == 200 and "device_token" not in done.json()["data"], done.text
    policy("optional", remember_days=30)
    assert not is_asked(user, device)


def test_whoever_begins_anew_with_second_factors_is_asked_on_every_device(user, suite, auditor):
    user.enable_totp()
    device = remember(user)
    assert auditor.post(f"{suite.gateway}/mfa/api/v1/admin/mfa/reset/{user.account.id}").status_code == 200
    until(lambda: user.password().json()["data"].get("access_token"), saying="nothing is asked for")
    user.tokens = user.password().json()["data"]
    user.enable_totp()
    assert is_asked(user, device)


def test_a_remembered_device_is_not_asked_again_until_it_is_forgotten(user):
    user.enable_totp()
    done = user.answer(user.challenge()["challenge_token"], user.app.code(), remember_device=True)
    assert done.status_code == 200, done.text
    user.tokens = done.json()["data"]
    device = user.tokens["device_token"]

    def login(token=device):
        body = {"identity": user.account.email, "password": user.account.password, "device_token": token}
        return user.http.post("/identity/api/v1/auth/login", json=body).json()["data"]

    # It stands in for the factor at the login, and is no proof of it.
    assert claims(login()["access_token"])["amr"] == ["pwd"]
    assert login(user.tokens["access_token"])["requires_mfa"] is True
    path = "/identity/api/v1/auth/me/remembered-devices"
    (listed,) = user.call("GET", path).json()["items"]
    assert user.call("DELETE", f"{path}/{listed['id']}").status_code == 204
    assert login()["requires_mfa"] is True
