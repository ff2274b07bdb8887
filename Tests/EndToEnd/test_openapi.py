"""The API's documents: valid, complete, the same from every side, and there with services down."""

import re

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from waiting import until

SERVICES = ("identity", "session", "profile", "mfa", "audit")


@pytest.fixture(scope="module")
def whole(http):
    return http.get("/docs/openapi.json").json()


def test_the_document_of_everything_is_valid_openapi_3_1(whole):
    assert whole["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(whole).iter_errors()) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_serves_the_document_that_the_gateway_has_of_it(http, whole, service):
    spec = http.get(f"/docs/specs/{service}")
    assert spec.status_code == 200 and list(OpenAPIV31SpecValidator(spec.json()).iter_errors()) == []
    for prefix in ("", "/bff"):
        own = http.get(f"{prefix}/{service}/api/v1/openapi.json")
        assert own.status_code == 200, own.text
        assert {**own.json(), "servers": None} == {**spec.json(), "servers": None}
    assert all(f"/{service}/api/v1{path}" in whole["paths"] for path in spec.json()["paths"])


def test_every_code_of_the_catalogue_is_in_the_description(whole):
    rows = re.findall(r"^\| (\d{6}) \| `(\w+)` \| (\d{3}) \|", whole["info"]["description"], re.M)
    assert ("400002", "refresh_token_reused", "401") in rows and ("503003", "dependency_unavailable", "503") in rows
    assert len(rows) == len(set(code for code, _, _ in rows)) >= 24


def test_the_page_is_self_contained(http):
    page = http.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    linked = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert {"/docs/page.js", "/docs/page.css"} <= set(linked)
    for link in linked:
        assert link.startswith(("/docs", "data:")), link
        if link.startswith("/"):
            assert http.get(link).status_code == 200, link
    for name in ("page.js", "page.css"):
        assert "//cdn" not in http.get(f"/docs/{name}").text


def test_the_documents_are_there_with_a_service_down(suite):
    suite.authms("stop", "mfa")
    try:
        assert httpx.get(f"{suite.gateway}/docs/specs/mfa").status_code == 200
        assert httpx.get(f"{suite.gateway}/docs/openapi.json").status_code == 200
    finally:
        suite.authms("start", "mfa")
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")


def test_an_answer_that_the_document_does_not_have_is_noticed(contract):
    """The judge itself: it must be able to fail."""
    request = httpx.Request("GET", "http://gateway/identity/api/v1/auth/me")

    def answer(status, **options):
        return httpx.Response(status, request=request, **options)

    for wrong in (answer(418, json={}), answer(200, json={"code": 0}), answer(200, text="x"), answer(500, json={})):
        with pytest.raises(AssertionError):
            contract.check(wrong)
