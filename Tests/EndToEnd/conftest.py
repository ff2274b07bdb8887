"""A private suite for the tests: started from the built binary, on ports and in a directory of its own."""

import os
import pathlib
import secrets
import tempfile
import time

import httpx
import pytest

from contract import Contract
from suite import Suite, started
from tenancy import Person

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def suite():
    with tempfile.TemporaryDirectory(prefix="authms-e2e-") as home:
        with started(Suite(REPOSITORY, pathlib.Path(home))) as running:
            yield running


@pytest.fixture(scope="session")
def contract(suite):
    """What every answer is held against."""
    return Contract(httpx.get(f"{suite.gateway}/docs/openapi.json").json())


@pytest.fixture(scope="session")
def http(suite, contract):
    hooks = {"response": [contract.hook]}
    with httpx.Client(base_url=suite.gateway, timeout=15, event_hooks=hooks) as client:
        yield client


class Account:
    """A user who has registered, and what it takes to act for them."""

    def __init__(self, http, email=None, password=PASSWORD):
        self.http = http
        self.email = email or f"user-{secrets.token_hex(8)}@example.org"
        self.password = password
        answer = http.post(
            "/identity/api/v1/auth/register", json={"email": self.email, "password": password}
        )
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["data"]["user_id"]

    def login(self):
        answer = self.http.post(
            "/identity/api/v1/auth/login", json={"identity": self.email, "password": self.password}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def refresh(self, refresh_token):
        return self.http.post("/identity/api/v1/auth/refresh", json={"refresh_token": refresh_token})

    def me(self, access_token):
        return self.http.get("/identity/api/v1/auth/me", headers={"Authorization": f"Bearer {access_token}"})


@pytest.fixture
def account(http):
    return Account(http)


@pytest.fixture
def make_account(http):
    return lambda **options: Account(http, **options)


@pytest.fixture(scope="session")
def auditor(suite, http, contract):
    """The first administrator, who may read the trail. Signed in anew now and then: `fresh_auditor`."""
    env = suite.env()
    login = lambda password: http.post(
        "/identity/api/v1/auth/login", json={"identity": env["ADMIN_EMAIL"], "password": password}
    )
    answer = login(env["ADMIN_PASSWORD"])
    if answer.status_code == 401:
        # Changed already by an attempt that failed afterwards.
        answer = login("a " + PASSWORD)
    data = answer.json()["data"]
    if data.get("must_change_password"):
        # The one-time password is for one time.
        token = {"Authorization": f"Bearer {data['access_token']}"}
        change = {"old_password": env["ADMIN_PASSWORD"], "new_password": "a " + PASSWORD}
        assert http.put("/identity/api/v1/auth/me/password", json=change, headers=token).status_code == 200
        data = login("a " + PASSWORD).json()["data"]
    headers = {"Authorization": f"Bearer {data['access_token']}"}
    base, hooks = f"{suite.gateway}/audit/api/v1", {"response": [contract.hook]}
    with httpx.Client(base_url=base, headers=headers, timeout=15, event_hooks=hooks) as client:
        client.signed_in_at = time.monotonic()
        yield client


@pytest.fixture(autouse=True)
def fresh_auditor(request):
    """What gives power needs a sign-in of the last five minutes, and the suite of tests takes longer."""
    if "auditor" not in request.fixturenames:
        return
    client = request.getfixturevalue("auditor")
    if time.monotonic() - client.signed_in_at < 120:
        return
    http, env = request.getfixturevalue("http"), request.getfixturevalue("suite").env()
    answer = http.post(
        "/identity/api/v1/auth/login", json={"identity": env["ADMIN_EMAIL"], "password": "a " + PASSWORD}
    )
    # Where a test has left the suite without something, it is not this that fails.
    if answer.status_code == 200 and "access_token" in answer.json()["data"]:
        client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"
        client.signed_in_at = time.monotonic()


@pytest.fixture
def administrator(auditor, http):
    """The same administrator, at every service."""
    person = object.__new__(Person)
    person.http, person.access_token = http, auditor.headers["Authorization"].removeprefix("Bearer ")
    return person


# Minutes each, and judged by time: `make heavy` runs them, on a machine that does nothing else.
HEAVY = ("test_rolling.py", "test_fuzz.py", "test_enumeration.py", "test_warmup.py")


def pytest_collection_modifyitems(items):
    if "AUTHMS_HEAVY" in os.environ:
        return
    for item in items:
        if item.path.name in HEAVY or "no_documented_operation" in item.name:
            item.add_marker(pytest.mark.skip(reason="takes minutes: make heavy"))
