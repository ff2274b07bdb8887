"""A key ring that changes while everything runs: every process takes it up, and no token that was good is refused."""

import json
import pathlib
import secrets
import time
import uuid

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from test_tokens import OWN_PATHS, es256, parts_of
from waiting import until


class Ring:
    """The suite's ring on disk, changed as an operator's tool would: the index is written last."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.index = self.directory / "ring.json"
        self.published = self.directory / "jwks.json"
        self.before = {path: path.read_bytes() for path in (self.index, self.published)}

    def write(self, entries):
        keys = [key for key in json.loads(self.before[self.published])["keys"]]
        for entry in entries:
            if entry["use"] == "access" and entry["kid"] not in {key["kid"] for key in keys}:
                private = serialization.load_pem_private_key((self.directory / entry["file"]).read_bytes(), None)
                public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
                keys.append({**public, "kid": entry["kid"], "alg": "ES256", "use": "sig"})
        for path, value in ((self.published, {"keys": keys}), (self.index, entries)):
            self.put(path, json.dumps(value))

    @staticmethod
    def put(path, text):
        """All at once: nobody reads half of it."""
        new = path.with_suffix(".new")
        new.write_text(text)
        new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)

    def restore(self):
        for path, data in self.before.items():
            path.write_bytes(data)


@pytest.fixture
def ring(suite, account):
    ring = Ring(suite.env()["KEYS_DIRECTORY"])
    yield ring
    old = parts_of(account.login()["access_token"])[0]["kid"]
    ring.restore()
    [active] = [key["kid"] for key in json.loads(ring.before[ring.index]) if key["use"] == "access"]
    if old != active:
        until(lambda: parts_of(account.login()["access_token"])[0]["kid"] == active, seconds=20, saying="the old ring")


def refusals(suite, service):
    """How often a service has said that it does not take up a ring."""
    return (suite.home / "log" / f"{service}.log").read_text().count("the changed keys cannot be used")


def everywhere(suite, account, token):
    """What each service, asked directly, and the gateway answer to the token."""
    answers = {}
    for service, path in OWN_PATHS.items():
        path = path.format(id=account.id)
        for url in (f"{suite.gateway}/{service}{path}", f"{suite.service_url(service)}{path}"):
            answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=15)
            answers[url] = answer.status_code
    return answers


def test_a_rotated_key_is_taken_up_by_every_process_without_a_restart(suite, account, ring):
    old = account.login()
    header, claims, _ = parts_of(old["access_token"])
    entries = json.loads(ring.before[ring.index])
    own = ec.generate_private_key(ec.SECP256R1())
    entry = {
        "kid": f"es-{secrets.token_hex(8)}", "use": "access", "alg": "ES256", "state": "pending",
        "file": f"access-{secrets.token_hex(4)}.pem", "created_at": int(time.time()),
    }  # fmt: skip
    pem = ring.directory / entry["file"]
    pem.write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    pem.chmod(0o600)
    token = es256(own, {**header, "kid": entry["kid"]}, {**claims, "jti": str(uuid.uuid4())})
    assert set(everywhere(suite, account, token).values()) == {401}, "nobody knows the key yet"

    # Published first: every verifier learns it before the first token under it appears.
    ring.write([*entries, entry])
    until(
        lambda: set(everywhere(suite, account, token).values()) == {200}, seconds=20, every=0.25,
        saying="every process verifies with the pending key",
    )
    assert parts_of(account.login()["access_token"])[0]["kid"] == header["kid"], "it does not sign yet"

    retiring = [{**key, "state": "retiring"} if key["use"] == "access" else key for key in entries]
    ring.write([*retiring, {**entry, "state": "active"}])
    new = until(
        lambda: parts_of((tokens := account.login())["access_token"])[0]["kid"] == entry["kid"] and tokens,
        seconds=20, every=0.25, saying="identity signs with the new key",
    )
    until(
        lambda: parts_of(account.refresh(account.login()["refresh_token"]).json()["data"]["access_token"])[0]["kid"]
        == entry["kid"],
        seconds=20, every=0.25, saying="session signs with the new key",
    )
    for tokens in (old, new):
        assert set(everywhere(suite, account, tokens["access_token"]).values()) == {200}
    assert account.refresh(old["refresh_token"]).status_code == 200
    published = {key["kid"] for key in httpx.get(f"{suite.gateway}/.well-known/jwks.json").json()["keys"]}
    assert {header["kid"], entry["kid"]} <= published

    # A ring that is half written, or that nobody could sign with, is not taken up.
    for rubbish in ("[", json.dumps(retiring)):
        before = {service: refusals(suite, service) for service in ("identity", "session")}
        ring.put(ring.index, rubbish)
        for service, count in before.items():
            until(lambda: refusals(suite, service) > count, saying=f"{service} refuses the ring")
        tokens = account.login()
        assert parts_of(tokens["access_token"])[0]["kid"] == entry["kid"]
        assert account.refresh(tokens["refresh_token"]).status_code == 200
