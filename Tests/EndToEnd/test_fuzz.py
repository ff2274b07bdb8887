"""Whatever the document allows, and much that it does not, gets an answer that the document has: no 5xx, no undocumented
status, no body of another shape. `make fuzz` sends 10,000 requests; FUZZ_REQUESTS and FUZZ_SEED change it."""

import os
import pathlib
import tempfile

import httpx
import pytest

from conftest import PASSWORD, REPOSITORY
from fuzz import Fuzzer, administrator, member
from suite import Suite, started
from waiting import until

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def own_suite():
    """Its own: what is sent at random signs people out and changes what others rely on."""
    with tempfile.TemporaryDirectory(prefix="authms-fuzz-") as home:
        with started(Suite(REPOSITORY, pathlib.Path(home))) as running:
            yield running


def with_a_password_of_their_own(suite):
    # The first administrator is made when the suite is ready, not before.
    env = until(lambda: (env := suite.env()).get("ADMIN_EMAIL") and env, seconds=30, saying="there is an administrator")
    login = {"identity": env["ADMIN_EMAIL"], "password": env["ADMIN_PASSWORD"]}
    token = httpx.post(f"{suite.gateway}/identity/api/v1/auth/login", json=login).json()["data"]["access_token"]
    change = {"old_password": env["ADMIN_PASSWORD"], "new_password": "a " + PASSWORD}
    answer = httpx.put(
        f"{suite.gateway}/identity/api/v1/auth/me/password", json=change, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200, answer.text
    return env["ADMIN_EMAIL"], change["new_password"]


def test_no_request_at_random_gets_an_answer_that_the_document_does_not_have(own_suite):
    gateway = own_suite.gateway
    actors = [administrator(gateway, *with_a_password_of_their_own(own_suite)), member(gateway)]
    requests = int(os.environ.get("FUZZ_REQUESTS", "600"))
    fuzzer = Fuzzer(gateway, actors, requests, int(os.environ.get("FUZZ_SEED", "1")))
    wrong = fuzzer.run()
    told = "\n\n".join(f"{name}: {what}\n{text}" for (name, what), text in wrong.items())
    assert not wrong, f"{len(wrong)} kinds of answers that no document has:\n\n{told}"
    # It went past the door: most requests reached the operations.
    assert sum(fuzzer.statuses.values()) >= requests * 0.7, fuzzer.statuses
    assert fuzzer.statuses[200] > requests * 0.05 and fuzzer.statuses[422] > 0, fuzzer.statuses
    assert fuzzer.statuses[401] < requests * 0.3, fuzzer.statuses
