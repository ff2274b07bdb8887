"""The document of the events, held to the events that a stock client receives."""

import json

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from test_events import collect, subscription  # noqa: F401: a fixture


@pytest.fixture(scope="module")
def document(http):
    return http.get("/docs/asyncapi.json").json()


def test_the_document_names_the_exchange_and_leads_nowhere_into_the_void(document):
    assert document["asyncapi"] == "3.0.0"
    channel = document["channels"]["events"]
    assert channel["address"] == channel["bindings"]["amqp"]["exchange"]["name"] == "authms.events"

    def references(node):
        if isinstance(node, dict):
            if "$ref" in node:
                yield node["$ref"]
            node = list(node.values())
        for child in node if isinstance(node, list) else []:
            yield from references(child)

    for reference in references(document):
        target = document
        for name in reference[2:].split("/"):
            target = target[name]


def test_what_is_received_is_as_the_document_says(document, subscription, http, account):  # noqa: F811
    tokens = account.login()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    account.refresh(tokens["refresh_token"])
    http.put(f"/profile/api/v1/profiles/{account.id}", json={"nickname": "Ann"}, headers=headers)
    http.post("/session/api/v1/trusted-devices", json={}, headers=headers)
    http.post("/identity/api/v1/auth/logout", headers=headers)
    messages = collect(subscription, lambda event: event["type"] == "session.revoked" and account.id in json.dumps(event))
    messages += collect(subscription, lambda event: event["type"] == "profile.updated") if not any(
        key == "profile.updated" for key, _, _ in messages
    ) else []
    registry = Registry().with_resource("urn:events", Resource(contents=document, specification=DRAFT202012))
    seen = set()
    for key, _, body in messages:
        seen.add(key)
        assert key in document["channels"]["events"]["messages"], f"{key}: configs/openapi/asyncapi/events.yaml"
        schema = {"$ref": f"urn:events#/components/messages/{key}/payload"}
        validator = jsonschema.Draft202012Validator(schema, registry=registry, format_checker=jsonschema.FormatChecker())
        error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(body)))
        assert error is None, f"{key}: {error.json_path}: {error.message}"
    assert {"session.created", "session.refreshed", "session.revoked", "profile.updated"} <= seen
