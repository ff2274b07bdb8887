"""PyJWT, which knows nothing of us, verifies our tokens from the published key set; and ours refuses what is forged."""

import base64
import hashlib
import hmac
import json
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


def forged(real, http):
    """Each attack by name: a token made from a real one that must not be accepted."""
    header, claims, signature = parts_of(real)
    own = ec.generate_private_key(ec.SECP256R1())
    own_pem = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    published = http.get("/.well-known/jwks.json").json()["keys"][0]
    public_pem = jwt.PyJWK(published).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own_jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))
    own_jwk["kid"] = header["kid"]

    def signed(changed_header=None, changed_claims=None):
        head = {**header, **(changed_header or {})}
        return jwt.encode({**claims, **(changed_claims or {})}, own_pem, algorithm="ES256", headers=head)

    def hs256(secret):
        head = {**header, "alg": "HS256"}
        signing_input = f"{segment(head)}.{segment(claims)}"
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        return f"{signing_input}.{segment(mac)}"

    real_head, real_body, _ = real.split(".")
    now = int(time.time())
    return {
        "alg none, no signature": f"{segment({**header, 'alg': 'none'})}.{real_body}.",
        "alg None, old signature": f"{segment({**header, 'alg': 'None'})}.{real_body}.{signature}",
        "HS256 under the public key in PEM": hs256(public_pem),
        "HS256 under the JWK's text": hs256(json.dumps(published).encode()),
        "HS256 under the empty key": hs256(b""),
        "a key of the attacker's own under a known kid": signed(),
        "an unknown kid": signed({"kid": str(uuid.uuid4())}),
        "a kid that is a path": signed({"kid": "../../../../dev/null"}),
        "a kid that is SQL": signed({"kid": "' UNION SELECT 'key' --"}),
        "a jwk in the header": signed({"jwk": own_jwk}),
        "a jku in the header": signed({"jku": "http://127.0.0.1:9/jwks.json"}),
        "an x5u in the header": signed({"x5u": "http://127.0.0.1:9/cert.pem"}),
        "another issuer": signed(None, {"iss": "https://evil.example"}),
        "another audience": signed(None, {"aud": "somebody-else"}),
        "typ JWT": signed({"typ": "JWT"}),
        "expired": signed(None, {"exp": now - 3600}),
        "not yet valid": signed(None, {"nbf": now + 3600, "iat": now + 3600}),
        "cut in the signature": real[:-10],
        "cut after the body": f"{real_head}.{real_body}",
        "a changed role": f"{real_head}.{segment({**claims, 'roles': ['owner']})}.{signature}",
        "a longer life": f"{real_head}.{segment({**claims, 'exp': claims['exp'] + 86400})}.{signature}",
        "a trailing segment": real + ".AAAA",
        "64 KiB of token": real + "A" * 65536,
        "no token at all": "not-a-token",
    }


def test_every_forgery_is_refused_with_401(http, account):
    real = account.login()["access_token"]
    accepted = []
    for name, token in forged(real, http).items():
        try:
            answer = http.get("/identity/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        except httpx.RemoteProtocolError:
            continue  # the gateway closed the connection on an absurd header: refused too
        expected = {401} if len(token) < 8192 else {400, 401, 431}
        if answer.status_code not in expected:
            accepted.append(f"{name}: {answer.status_code} {answer.text[:120]}")
    assert not accepted, accepted
    assert account.me(real).status_code == 200, "the attacks must not have spoilt the real token"


def test_a_service_verifies_by_itself_too(suite, account, http):
    """The gateway is not the only guard: the identity service, asked directly, refuses the same forgeries."""
    real = account.login()["access_token"]
    wrong = []
    for name, token in forged(real, http).items():
        if len(token) > 8192:
            continue
        answer = httpx.get(
            f"{suite.service_url('identity')}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}
        )
        if answer.status_code != 401:
            wrong.append(f"{name}: {answer.status_code}")
    assert not wrong, wrong


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
