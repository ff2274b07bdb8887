"""A key ring that changes while everything runs: every process takes it up, and no token that was good is refused."""

import json
import pathlib
import uuid

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from test_tokens import OWN_PATHS, es256, parts_of
from waiting import until


class Ring:
    """The suite's ring on disk, and the commands that change it."""

    def __init__(self, suite):
        self.suite = suite
        self.directory = pathlib.Path(suite.env()["KEYS_DIRECTORY"])
        self.index = self.directory / "ring.json"
        self.published = self.directory / "jwks.json"
        self.before = {path: path.read_bytes() for path in self.directory.iterdir()}

    def keys(self, *arguments, check=True):
        """What `authms keys …` answers as JSON, or the command itself where it may fail."""
        done = self.suite.authms("keys", *arguments, "--json", check=check)
        return json.loads(done.stdout) if check else done

    def private(self, kid):
        [entry] = [entry for entry in json.loads(self.index.read_text()) if entry["kid"] == kid]
        pem = self.directory / entry["file"]
        assert pem.stat().st_mode & 0o777 == 0o600
        return serialization.load_pem_private_key(pem.read_bytes(), None)

    @staticmethod
    def put(path, data):
        """All at once: nobody reads half of it."""
        new = path.with_suffix(".test")
        new.write_bytes(data)
        new.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o600)
        new.replace(path)

    def restore(self):
        # Those that the index names are there before it is.
        for path in sorted(self.before, key=lambda path: path in (self.index, self.published)):
            self.put(path, self.before[path])
        for path in set(self.directory.iterdir()) - set(self.before):
            path.unlink()


@pytest.fixture
def ring(suite, account):
    ring = Ring(suite)
    yield ring
    ring.restore()
    active = [key for key in json.loads(ring.before[ring.index]) if key["state"] == "active"]
    [active] = [key["kid"] for key in active if key["use"] == "access"]
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


def signs_with(account, kid):
    """Waits until identity and session sign with the key; gives tokens under it."""
    new = until(
        lambda: parts_of((tokens := account.login())["access_token"])[0]["kid"] == kid and tokens,
        seconds=20, every=0.25, saying="identity signs with the key",
    )  # fmt: skip
    until(
        lambda: parts_of(account.refresh(account.login()["refresh_token"]).json()["data"]["access_token"])[0]["kid"]
        == kid,
        seconds=20, every=0.25, saying="session signs with the key",
    )  # fmt: skip
    return new


def test_a_rotated_key_is_taken_up_by_every_process_without_a_restart(suite, account, ring):
    old = account.login()
    header, claims, _ = parts_of(old["access_token"])

    # Published first: every verifier learns it before the first token under it appears.
    added = ring.keys("add")
    assert added["state"] == "pending" and added["use"] == "access" and added["published"] is True
    token = es256(ring.private(added["kid"]), {**header, "kid": added["kid"]}, {**claims, "jti": str(uuid.uuid4())})
    until(
        lambda: set(everywhere(suite, account, token).values()) == {200}, seconds=20, every=0.25,
        saying="every process verifies with the pending key",
    )
    assert parts_of(account.login()["access_token"])[0]["kid"] == header["kid"], "it does not sign yet"

    assert ring.keys("promote", added["kid"]) == {"active": added["kid"], "retiring": header["kid"]}
    new = signs_with(account, added["kid"])
    for tokens in (old, new):
        assert set(everywhere(suite, account, tokens["access_token"]).values()) == {200}
    assert account.refresh(old["refresh_token"]).status_code == 200
    published = {key["kid"] for key in httpx.get(f"{suite.gateway}/.well-known/jwks.json").json()["keys"]}
    assert {header["kid"], added["kid"]} <= published
    assert {key["kid"] for key in ring.keys("publish")} == published

    # A ring that is half written, or that nobody could sign with, is not taken up.
    good = ring.index.read_bytes()
    for rubbish in (b"[", good.replace(b'"active"', b'"retiring"')):
        before = {service: refusals(suite, service) for service in ("identity", "session")}
        ring.put(ring.index, rubbish)
        for service, count in before.items():
            until(lambda: refusals(suite, service) > count, saying=f"{service} refuses the ring")
        tokens = account.login()
        assert parts_of(tokens["access_token"])[0]["kid"] == added["kid"]
        assert account.refresh(tokens["refresh_token"]).status_code == 200


def test_what_a_stolen_key_signs_is_refused_by_every_process(suite, account, ring):
    mine = account.login()
    header, claims, _ = parts_of(mine["access_token"])
    stolen = ring.keys("add")["kid"]
    private = ring.private(stolen)
    ring.keys("promote", stolen)
    new = signs_with(account, stolen)
    forged = es256(private, {**header, "kid": stolen}, {**claims, "jti": str(uuid.uuid4())})
    until(
        lambda: set(everywhere(suite, account, forged).values()) == {200}, seconds=20, every=0.25,
        saying="the thief is believed",
    )  # fmt: skip

    # Not while it signs, and then not without saying what it costs.
    refused = ring.keys("remove", stolen, "--refuse-its-tokens", check=False)
    assert refused.returncode == 64 and "signs now" in refused.stderr
    ring.keys("promote", header["kid"])
    refused = ring.keys("remove", stolen, check=False)
    assert refused.returncode == 64 and "--refuse-its-tokens" in refused.stderr and "remembered devices" in refused.stderr
    assert set(everywhere(suite, account, forged).values()) == {200}

    assert ring.keys("remove", stolen, "--refuse-its-tokens") == {"removed": stolen}
    until(
        lambda: set(everywhere(suite, account, forged).values()) == {401}, seconds=20, every=0.25,
        saying="every process refuses what the stolen key signed",
    )  # fmt: skip
    assert set(everywhere(suite, account, new["access_token"]).values()) == {401}
    assert set(everywhere(suite, account, mine["access_token"]).values()) == {200}
    # Their owners have lost nothing but the access token.
    assert account.refresh(new["refresh_token"]).status_code == 200
    assert stolen not in {key["kid"] for key in ring.keys("list")}
    assert stolen not in suite.authms("keys").stdout and header["kid"] in suite.authms("keys").stdout
