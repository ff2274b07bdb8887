"""Property-based requests, made from the API's document by schemathesis and sent through the gateway."""

import collections
import secrets
import time

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

CHECKED = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance",
]
# It stays open for minutes.
NEVER = {"GET /audit/api/v1/admin/audit/stream"}
# Put back as they were after each change: where no password is long enough, nobody could go on.
POLICIES = ["/identity/api/v1/admin/password-policy", "/identity/api/v1/admin/mfa/policy"]
# A refusal of everything for lack of a dependency is documented, and must not be what a healthy suite answers.
UNWANTED = {503, 504}


class Actor:
    """Somebody who asks: signs in again when an operation has ended their session, or when that is too old to give power."""

    def __init__(self, gateway, make):
        self.gateway, self.make, self.token, self.signed_in_at = gateway, make, None, 0

    def headers(self):
        if self.token is None or time.monotonic() - self.signed_in_at > 120:
            self.token, self.signed_in_at = self.make(), time.monotonic()
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def saw(self, response):
        if response.status_code == 401 and self.token:
            self.token = None


def member(gateway):
    def make():
        account = {"email": f"fuzz-{secrets.token_hex(8)}@example.org", "password": "correct horse battery staple"}
        made = httpx.post(f"{gateway}/identity/api/v1/auth/register", json=account, timeout=15)
        assert made.status_code == 201, (made.status_code, made.text)
        login = {"identity": account["email"], "password": account["password"]}
        answer = httpx.post(f"{gateway}/identity/api/v1/auth/login", json=login, timeout=15)
        return answer.raise_for_status().json()["data"]["access_token"]

    return Actor(gateway, make)


def administrator(gateway, email, password):
    def make():
        answer = httpx.post(
            f"{gateway}/identity/api/v1/auth/login", json={"identity": email, "password": password}, timeout=15
        )
        return answer.raise_for_status().json()["data"]["access_token"]

    return Actor(gateway, make)


class Fuzzer:
    """Sends `requests` in all, an equal share to each operation, and collects what is wrong."""

    def __init__(self, gateway, actors, requests, random_seed):
        self.gateway, self.actors, self.requests, self.seed = gateway, actors, requests, random_seed
        self.statuses = collections.Counter()
        self.wrong = {}

    def run(self):
        document = httpx.get(f"{self.gateway}/docs/openapi.json").json()
        # The page, the documents and the metrics are no API.
        document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith(("/docs", "/metrics"))}
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=self.gateway)
        operations = [result.ok() for result in schema.get_all_operations()]
        operations = [one for one in operations if f"{one.method.upper()} {one.path}" not in NEVER]
        share = -(-self.requests // (len(operations) * len(self.actors) * 2))
        with httpx.Client(base_url=self.gateway) as self.client:
            administrator = self.actors[0].headers()
            self.policies = {path: self.client.get(path, headers=administrator).raise_for_status().json()["data"] for path in POLICIES}
            for operation in operations:
                for actor in self.actors:
                    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                        self.operation(operation, actor, mode, share)
        return self.wrong

    def operation(self, operation, actor, mode, share):
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(self.seed)
        @settings(
            max_examples=share, deadline=None, database=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def send(case):
            self.send(case, actor)

        try:
            send()
        except BaseExceptionGroup as error:
            raise error.exceptions[0]
        except Exception as error:
            # An operation without anything that could be wrong has no negative cases.
            if type(error).__name__ not in ("Unsatisfiable", "Unsatisfied"):
                raise

    def send(self, case, actor):
        response = case.call(headers=actor.headers(), timeout=20)
        actor.saw(response)
        if case.operation.path in self.policies and case.operation.method.upper() == "PUT" and response.status_code < 300:
            policy = self.policies[case.operation.path]
            self.client.put(case.operation.path, json=policy, headers=actor.headers()).raise_for_status()
        name = f"{case.operation.method.upper()} {case.operation.path}"
        self.statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=[CHECKS.get_one(check) for check in CHECKED])
            assert response.status_code not in UNWANTED, f"{response.status_code}: {response.text[:300]}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            what = f"{type(error).__name__} {response.status_code}"
            self.wrong.setdefault((name, what), str(error)[:2_500])
