"""Every operation of every service is reached through `/…`, `/…-service`, `/bff/…` and `/bff/…-service` alike."""

import re

import pytest

METHODS = ("get", "put", "post", "delete", "patch")
# It would stay open.
OPEN_ENDED = "/admin/audit/stream"


def operations(document):
    for path, item in document["paths"].items():
        match = re.fullmatch(r"/(identity|session|profile|mfa|audit)(/api/v1/.*)", path)
        if match:
            for method in METHODS:
                if method in item:
                    yield match[1], match[2], method, item[method]


def addresses(service, path):
    """The path under each of its names, with an id that nobody has where one is needed."""
    path = re.sub(r"\{[^}]*\}", "01900000-0000-7000-8000-0000000000ff", path)
    return [f"{prefix}/{name}{path}" for prefix in ("", "/bff") for name in (service, f"{service}-service")]


def test_without_a_token_every_secured_operation_is_refused_under_each_of_its_names(http, contract):
    seen = 0
    for service, path, method, operation in operations(contract.document):
        security = operation.get("security", contract.document["security"])
        if not security or {} in security:
            continue
        seen += 1
        for address in addresses(service, path):
            answer = http.request(method, address)
            assert answer.status_code == 401 and answer.json()["code"] == 401002, (method, address, answer.text)
    assert seen > 50


def test_public_operations_answer_alike_under_each_of_their_names(http, contract):
    seen = 0
    for service, path, method, operation in operations(contract.document):
        security = operation.get("security", contract.document["security"])
        if security and {} not in security:
            continue
        seen += 1
        body = {"json": {}} if "requestBody" in operation else {}
        statuses = {http.request(method, address, **body).status_code for address in addresses(service, path)}
        # Who asks too often is told so, whatever name they use.
        assert len(statuses - {429}) <= 1 and not statuses & {401, 404, 405} - {int(code) for code in operation["responses"]}, (
            method, path, statuses,
        )
    assert seen > 10


@pytest.mark.parametrize("service", ["identity", "session", "profile", "mfa", "audit"])
def test_a_member_reads_alike_under_each_name(http, contract, account, service):
    headers = {"Authorization": f"Bearer {account.login()['access_token']}"}
    for owner, path, method, operation in operations(contract.document):
        if owner != service or method != "get" or path.endswith(OPEN_ENDED) or not operation.get("security", True):
            continue
        answers = [http.get(address, headers=headers) for address in addresses(service, path)]
        assert len({answer.status_code for answer in answers}) == 1, (path, [answer.text for answer in answers])
        assert len({tuple(sorted(answer.json())) for answer in answers if answer.content}) <= 1, path
