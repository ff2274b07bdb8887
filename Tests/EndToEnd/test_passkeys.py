"""Passkeys through the gateway, made by python-fido2: registered, used beside a password and alone, and what is refused."""

import concurrent.futures

import jwt
import psycopg
import pytest

from second_factor import SecondFactorUser
from software_authenticator import SoftwareAuthenticator

CREDENTIALS = "/mfa/api/v1/mfa/webauthn/credentials"
BEGIN, COMPLETE = (f"/identity/api/v1/auth/webauthn/login/{step}" for step in ("begin", "complete"))


class PasskeyUser(SecondFactorUser):
    def __init__(self, account):
        super().__init__(account)
        self.device = SoftwareAuthenticator()

    def begin(self, token=None):
        answer = self.call("POST", f"{CREDENTIALS}/register", json={}, token=token)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["publicKey"]

    def finish(self, credential, name="My key", token=None):
        body = {"credential": credential, "name": name}
        return self.call("POST", f"{CREDENTIALS}/register/verify", json=body, token=token)

    def register(self, token=None, **how):
        answer = self.finish(self.device.create(self.begin(token), **how), token=token)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    def passkey_login(self, **how):
        """Alone."""
        begun = self.http.post(BEGIN, json={}).json()["data"]
        assert begun["webauthn_options"]["userVerification"] == "required"
        credential = self.device.get(begun["webauthn_options"], **how)
        return self.http.post(
            COMPLETE, json={"challenge_token": begun["challenge_token"], "credential": credential}
        )


@pytest.fixture
def user(make_account):
    return PasskeyUser(make_account())


def amr(token):
    return jwt.decode(token, options={"verify_signature": False})["amr"]


@pytest.mark.parametrize("algorithm", [-7, -8, -257], ids=["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("attestation", ["none", "packed-self", "packed"])
def test_a_passkey_registers_and_signs_in_beside_a_password_and_alone(user, attestation, algorithm):
    made = user.register(attestation=attestation, algorithm=algorithm)
    assert made["name"] == "My key" and len(made["backup_codes"]) == 10
    assert made["attestation"] == attestation.removesuffix("-self")
    challenge = user.challenge()
    assert challenge["required_mfa_methods"] == ["webauthn", "backup_code"]
    credential = user.device.get(challenge["webauthn_options"], verified=False)
    answer = user.answer(challenge["challenge_token"], method="webauthn", credential=credential)
    assert answer.status_code == 200, answer.text
    assert amr(answer.json()["data"]["access_token"]) == ["pwd", "hwk", "user", "mfa"]
    alone = user.passkey_login()
    assert alone.status_code == 200, alone.text
    tokens = alone.json()["data"]
    assert amr(tokens["access_token"]) == ["hwk", "user", "mfa"] and tokens["user_id"] == user.account.id
    assert user.account.refresh(tokens["refresh_token"]).status_code == 200


def test_an_old_security_key_registers_with_fido_u2f_attestation(user):
    assert user.register(attestation="fido-u2f", verified=False)["attestation"] == "fido-u2f"


def test_a_passkey_that_is_copied_between_devices_says_so(user):
    assert user.register(synced=True)["synced"] is True
    assert amr(user.passkey_login().json()["data"]["access_token"]) == ["swk", "user", "mfa"]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"type": "webauthn.get"}, "wrong_ceremony"),
        ({"origin": "https://evil.example"}, "wrong_origin"),
        ({"origin": "http://localhost.evil.example"}, "wrong_origin"),
        ({"rp_id": "evil.example"}, "wrong_relying_party"),
        ({"flags": 0x40}, "user_not_present"),
        ({"signature": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])}, "bad_attestation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_registration_that_is_not_for_us_is_refused_and_says_why(user, change, reason):
    refused = user.finish(user.device.create(user.begin(), attestation="packed", change=change))
    assert refused.status_code == 422, refused.text
    assert refused.json()["violations"] == [{"field": "credential", "message": f"is refused: {reason}"}]
    assert user.password().json()["data"]["access_token"], "and nothing is asked for at the login"


def test_a_registration_is_for_one_use_and_its_user(user, make_account):
    options = user.begin()
    credential = user.device.create(options)
    other = PasskeyUser(make_account())
    assert other.finish(credential).status_code == 401
    assert user.finish(credential).status_code == 201
    user.login("backup_code") if user.codes else None
    again = user.finish(credential)
    assert again.status_code in (401, 403)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "webauthn.create"},
        {"origin": "https://evil.example"},
        {"cross_origin": True},
        {"rp_id": "evil.example"},
        {"flags": 0x04},
        {"flags": 0x01},
        {"challenge": bytes(32)},
        {"signature": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1])},
        {"user_handle": bytes(16)},
        {"user_handle": None},
    ],
    ids=lambda change: "-".join(f"{name}" for name in change),
)
def test_a_signature_that_is_not_for_us_does_not_sign_in(user, change):
    user.register()
    refused = user.passkey_login(change=change)
    assert refused.status_code == 401 and refused.json()["code"] == 401010, refused.text
    assert user.passkey_login().status_code == 200


def test_somebody_elses_passkey_does_not_complete_a_login(user, make_account):
    user.register()
    thief = PasskeyUser(make_account())
    thief.register()
    challenge = user.challenge()
    options = {**challenge["webauthn_options"], "allowCredentials": []}
    refused = user.answer(
        challenge["challenge_token"], method="webauthn", credential=thief.device.get(options)
    )
    assert refused.status_code == 401 and refused.json()["code"] == 401010


def test_a_counter_that_falls_is_refused_and_audited(user, suite):
    made = user.register()
    assert user.passkey_login(counter=5).status_code == 200
    assert user.passkey_login(counter=0).status_code == 401, "the same counter again"
    assert user.passkey_login(counter=-3).status_code == 401, "a lower one"
    with psycopg.connect(suite.env()["MFA_DATABASE_URL"]) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM (SELECT type, subject FROM outbox UNION ALL SELECT type, subject FROM stream_events) e"
            " WHERE type = 'mfa.passkey.suspected' AND subject = %s",
            (user.account.id,),
        ).fetchone()
    assert count == 2
    assert user.passkey_login(counter=10).status_code == 200, made


def test_of_twenty_parallel_uses_of_one_signature_one_wins(user):
    user.register()
    begun = user.http.post(BEGIN, json={}).json()["data"]
    body = {
        "challenge_token": begun["challenge_token"],
        "credential": user.device.get(begun["webauthn_options"]),
    }
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: user.http.post(COMPLETE, json=body).status_code, range(20)))
    assert statuses.count(200) == 1 and set(statuses) == {200, 401}


def test_passkeys_are_listed_renamed_and_removed_by_their_owner_alone(user, make_account):
    made = user.register()
    other = PasskeyUser(make_account())
    path = f"{CREDENTIALS}/{made['id']}"
    assert [key["id"] for key in user.call("GET", CREDENTIALS).json()["items"]] == [made["id"]]
    assert other.call("GET", CREDENTIALS).json()["items"] == []
    assert other.call("PUT", path, json={"name": "mine now"}).status_code == 404
    assert user.call("PUT", path, json={"name": "   "}).status_code == 422
    assert user.call("PUT", path, json={"name": "Ann's phone"}).json()["data"]["name"] == "Ann's phone"
    assert user.call("DELETE", path).status_code == 403
    tokens = user.passkey_login().json()["data"]
    assert other.call("DELETE", path).status_code == 403
    assert user.call("DELETE", path, token=tokens["access_token"]).status_code == 204
    assert user.password().json()["data"]["access_token"]
    assert user.passkey_login().status_code == 401


def test_stepping_up_with_a_passkey_needs_a_challenge(user):
    user.register()
    begun = user.call("POST", "/mfa/api/v1/mfa/step-up/begin").json()["data"]
    credential = user.device.get(begun["webauthn_options"], verified=False)
    body = {"challenge_token": begun["challenge_token"], "mfa_method": "webauthn", "credential": credential}
    answer = user.call("POST", "/mfa/api/v1/mfa/step-up", json=body)
    assert answer.status_code == 200, answer.text
    assert amr(answer.json()["data"]["access_token"]) == ["pwd", "hwk", "user", "mfa"]
