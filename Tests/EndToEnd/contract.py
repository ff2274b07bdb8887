"""The API's document as a judge: every answer that a test gets is held against it."""

import re
import urllib.parse

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

# What the gateway says to what it knows nothing of.
UNKNOWN = {400, 401, 404, 405, 408, 413, 503}


class Contract:
    def __init__(self, document):
        self.document = document
        registry = Registry().with_resource("urn:authms", Resource(contents=document, specification=DRAFT202012))
        self.formats = jsonschema.FormatChecker()
        self.registry = registry
        self.validators = {}
        # Fixed segments before parameters: /sessions/refresh is not a session called "refresh".
        self.paths = sorted(
            ((self.pattern(path), path) for path in document["paths"]), key=lambda entry: entry[1].count("{")
        )

    @staticmethod
    def pattern(path):
        return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", path)))

    @staticmethod
    def normal(path):
        """/bff/identity-service/… and /identity/… are one."""
        path = path.removeprefix("/bff") if path.startswith("/bff/") else path
        return re.sub(r"^/(identity|session|profile|mfa|audit)-service/", r"/\1/", path)

    def find(self, method, path):
        """The path's template and operation; None for either where there is none."""
        path = self.normal(path)
        # What the gateway hands to another service than the path names (`overrides` in its routes) is in that one's document.
        for other in ("", "session", "mfa", "audit", "identity"):
            found = self.look_up(method, re.sub(r"^/[a-z]+/api", f"/{other}/api", path) if other else path)
            if found != (None, None):
                return found
        return None, None

    def look_up(self, method, path):
        for pattern, template in self.paths:
            if pattern.fullmatch(path):
                item = self.document["paths"][template]
                if method.lower() in item:
                    return template, item[method.lower()]
        return None, None

    def resolved(self, node):
        while "$ref" in node:
            target = self.document
            for name in node["$ref"][2:].split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def check(self, response):
        """Fails when the answer is one that the document does not have."""
        request = response.request
        path = urllib.parse.urlsplit(str(request.url)).path
        status = response.status_code
        template, operation = self.find(request.method, path)
        saying = f"{request.method} {path} → {status}"
        if operation is None:
            known = request.method in ("HEAD", "OPTIONS") or status in UNKNOWN
            assert known, f"{saying}: no document has this operation (configs/openapi)"
            return
        assert str(status) in operation["responses"], f"{saying}: {template} does not document this status: {response.text[:400]}"
        content = self.resolved(operation["responses"][str(status)]).get("content")
        if content is None:
            return
        media = response.headers.get("content-type", "").split(";")[0].strip()
        assert media in content, f"{saying}: {template} does not document {media}"
        if media.endswith("json") and media != "application/x-ndjson":
            self.validate(response.json(), template, request.method.lower(), str(status), media, saying)

    def validate(self, body, template, method, status, media, saying):
        node = self.document["paths"][template][method]["responses"][status]
        schema = self.resolved(node)["content"][media]["schema"]
        key = (template, method, status, media)
        if key not in self.validators:
            # References are within the document, so the schema is read as a part of it.
            rooted = self.absolute(schema)
            self.validators[key] = jsonschema.Draft202012Validator(
                rooted, registry=self.registry, format_checker=self.formats
            )
        error = jsonschema.exceptions.best_match(self.validators[key].iter_errors(body))
        assert error is None, f"{saying}: {error.json_path}: {error.message} (schema of {template})"

    def absolute(self, node):
        if isinstance(node, list):
            return [self.absolute(element) for element in node]
        if not isinstance(node, dict):
            return node
        return {
            name: "urn:authms" + value if name == "$ref" else self.absolute(value) for name, value in node.items()
        }

    def hook(self, response):
        """For httpx's `event_hooks`."""
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.read()
            self.check(response)
