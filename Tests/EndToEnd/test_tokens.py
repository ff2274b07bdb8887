"""PyJWT, which knows nothing of us, verifies our tokens from the published key set; and ours refuses what is forged."""

import base64
import hashlib
import hmac
import json
import pathlib
import time
import uuid

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWKClient

AUDIENCE = "authms"
ISSUER = "https://authms.local"


def segment(value):
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts_of(token):
    head, body, signature = token.split(".")
    pad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return json.loads(pad(head)), json.loads(pad(body)), signature


def test_pyjwt_verifies_an_access_token_from_the_published_key_set(suite, account):
    token = account.login()["access_token"]
    key = PyJWKClient(f"{suite.gateway}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key.key,
        algorithms=["ES256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
    )
    assert claims["sub"] == account.id
    assert claims["exp"] - claims["iat"] == 1800
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    for name in ("tenant_id", "roles", "sid", "auth_time", "amr"):
        assert name in claims, f"{name} is missing from the access token"


def test_a_client_that_only_discovers_finds_the_keys_and_the_issuer(suite, account):
    token = account.login()["access_token"]
    found = httpx.get(f"{suite.gateway}/.well-known/openid-configuration").json()
    assert found["jwks_uri"].startswith(f"{suite.gateway}/"), found
    key = PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
    algorithms = found["id_token_signing_alg_values_supported"]
    claims = jwt.decode(token, key.key, algorithms=algorithms, audience=AUDIENCE, issuer=found["issuer"])
    assert claims["sub"] == account.id and claims["iss"] == found["issuer"] == ISSUER


def test_the_key_set_holds_public_keys_only(http):
    answer = http.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert "max-age" in answer.headers["cache-control"]
    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        assert key["kty"] == "EC" and key["crv"] == "P-256" and key["alg"] == "ES256" and key["use"] == "sig"
        assert "d" not in key and "k" not in key


def test_a_real_token_is_accepted(account):
    answer = account.me(account.login()["access_token"])
    assert answer.status_code == 200
    assert answer.json()["data"]["id"] == account.id


# What each service answers to whoever has signed in: {id} is the caller's own.
OWN_PATHS = {
    "identity": "/api/v1/auth/me",
    "session": "/api/v1/sessions",
    "profile": "/api/v1/profiles/{id}",
    "audit": "/api/v1/auth/me/audit-logs",
}


@pytest.fixture(scope="module")
def signing_key(suite):
    """The private key that the suite signs with: what an attacker does not have, so that each check can be tried alone."""
    directory = pathlib.Path(suite.env()["KEYS_DIRECTORY"])
    ring = json.loads((directory / "ring.json").read_text())
    [active] = [key for key in ring if key["use"] == "access" and key["state"] == "active"]
    return serialization.load_pem_private_key((directory / active["file"]).read_bytes(), None)


def es256(key, header, claims):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return jwt.encode(claims, pem, algorithm="ES256", headers=header)


def ill_signed(real, http):
    """Tokens whose signature, or the key that it is checked with, is wrong."""
    header, claims, signature = parts_of(real)
    own = ec.generate_private_key(ec.SECP256R1())
    published = http.get("/.well-known/jwks.json").json()["keys"][0]
    public_pem = jwt.PyJWK(published).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def hs256(secret):
        head = {**header, "alg": "HS256"}
        signing_input = f"{segment(head)}.{segment(claims)}"
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        return f"{signing_input}.{segment(mac)}"

    real_head, real_body, _ = real.split(".")
    own_jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key())), "kid": header["kid"]}
    return {
        "alg none, no signature": f"{segment({**header, 'alg': 'none'})}.{real_body}.",
        "alg None, old signature": f"{segment({**header, 'alg': 'None'})}.{real_body}.{signature}",
        "HS256 under the public key in PEM": hs256(public_pem),
        "HS256 under the JWK's text": hs256(json.dumps(published).encode()),
        "HS256 under the empty key": hs256(b""),
        "a key of the attacker's own under a known kid": es256(own, header, claims),
        "a jwk in the header, and its signature": es256(own, {**header, "jwk": own_jwk}, claims),
        "cut in the signature": real[:-10],
        "cut after the body": f"{real_head}.{real_body}",
        "a changed role": f"{real_head}.{segment({**claims, 'roles': ['owner']})}.{signature}",
        "a longer life": f"{real_head}.{segment({**claims, 'exp': claims['exp'] + 86400})}.{signature}",
        "a trailing segment": real + ".AAAA",
        "64 KiB of token": real + "A" * 65536,
        "no token at all": "not-a-token",
    }


def well_signed(real, signing_key):
    """Tokens that carry a good signature of the suite's own key, and are wrong in one other thing."""
    header, claims, _ = parts_of(real)
    now = int(time.time())
    without = lambda name: {key: value for key, value in claims.items() if key != name}
    own_jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signing_key.public_key())), "kid": header["kid"]}
    headers = {
        "an unknown kid": {"kid": str(uuid.uuid4())},
        "a kid that is a path": {"kid": "../../../../dev/null"},
        "a kid that is SQL": {"kid": "' UNION SELECT 'key' --"},
        "a jwk in the header": {"jwk": own_jwk},
        "a jku in the header": {"jku": "http://127.0.0.1:9/jwks.json"},
        "an x5u in the header": {"x5u": "http://127.0.0.1:9/cert.pem"},
        "typ JWT": {"typ": "JWT"},
        "the type of a checkpoint": {"typ": "authms-checkpoint+jwt"},
    }
    bodies = {
        "another issuer": {**claims, "iss": "https://evil.example"},
        "no issuer": without("iss"),
        "another audience": {**claims, "aud": "somebody-else"},
        "no audience": without("aud"),
        "expired": {**claims, "iat": now - 7200, "exp": now - 3600},
        "no end": without("exp"),
        "not yet valid": {**claims, "nbf": now + 3600},
        "issued in the future": {**claims, "iat": now + 3600, "exp": now + 7200},
        "no session": without("sid"),
        "no tenant": without("tenant_id"),
        "roles that are no list": {**claims, "roles": "owner"},
        "a subject that is no id": {**claims, "sub": "' OR 1=1 --"},
    }
    return {
        **{name: es256(signing_key, {**header, **change}, claims) for name, change in headers.items()},
        **{name: es256(signing_key, header, body) for name, body in bodies.items()},
    }


def ask(url, token):
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=15)


def test_a_token_that_the_test_signs_itself_is_good_where_nothing_is_wrong_with_it(suite, account, signing_key):
    """Else the forgeries below would prove nothing."""
    header, claims, _ = parts_of(account.login()["access_token"])
    token = es256(signing_key, header, {**claims, "jti": str(uuid.uuid4())})
    for service, path in OWN_PATHS.items():
        path = path.format(id=account.id)
        for url in (f"{suite.gateway}/{service}{path}", f"{suite.service_url(service)}{path}"):
            answer = ask(url, token)
            assert answer.status_code == 200, (url, answer.text)


def test_every_forgery_is_refused_with_401_by_the_gateway(suite, http, account, signing_key):
    real = account.login()["access_token"]
    accepted = []
    for name, token in {**ill_signed(real, http), **well_signed(real, signing_key)}.items():
        try:
            answer = http.get("/identity/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        except httpx.RemoteProtocolError:
            continue  # the gateway closed the connection on an absurd header: refused too
        expected = {401} if len(token) < 8192 else {400, 401, 431}
        if answer.status_code not in expected:
            accepted.append(f"{name}: {answer.status_code} {answer.text[:120]}")
    assert not accepted, accepted
    assert account.me(real).status_code == 200, "the attacks must not have spoilt the real token"


@pytest.mark.parametrize("service", OWN_PATHS)
def test_every_service_verifies_by_itself_too(suite, account, http, signing_key, service):
    """The gateway is not the only guard: each service, asked directly, refuses the same forgeries."""
    real = account.login()["access_token"]
    url = f"{suite.service_url(service)}{OWN_PATHS[service].format(id=account.id)}"
    wrong = []
    for name, token in {**ill_signed(real, http), **well_signed(real, signing_key)}.items():
        if len(token) > 8192:
            continue
        answer = ask(url, token)
        if answer.status_code != 401:
            wrong.append(f"{name}: {answer.status_code}")
    assert not wrong, wrong
    assert ask(url, real).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/identity/api/v1/internal/bootstrap",
        "/identity/api/v1//internal/bootstrap",
        "/identity/api/v1/%69nternal/bootstrap",
        "/identity/api/v1/auth/../internal/bootstrap",
        "/identity/api/v1/auth/%2e%2e/internal/bootstrap",
        "/IDENTITY/api/v1/INTERNAL/bootstrap",
        "/bff/session/api/v1/internal/sessions",
        "/session-service/api/v1/internal/revocations",
    ],
)
def test_the_gateway_never_routes_internal_paths(http, path):
    request = http.build_request("POST", http.base_url, json={})
    request.url = request.url.copy_with(raw_path=path.encode())
    assert http.send(request).status_code in (400, 401, 404)
