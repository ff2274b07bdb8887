"""People of several tenants, and what it takes to act for them."""

import secrets

import jwt

PASSWORD = "correct horse battery staple"


class Person:
    """Somebody who is signed in, in one tenant."""

    def __init__(self, http, tenant_id=None, email=None, **registration):
        self.http = http
        self.email = email or f"person-{secrets.token_hex(6)}@example.org"
        self.tenant = {"tenant_id": tenant_id} if tenant_id else {}
        body = {"email": self.email, "password": PASSWORD, **self.tenant, **registration}
        answer = http.post("/identity/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["data"]["user_id"]
        self.login()

    def login(self):
        body = {"identity": self.email, "password": PASSWORD, **self.tenant}
        answer = self.http.post("/identity/api/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.take(answer.json()["data"])
        return self

    def take(self, data):
        self.access_token, self.refresh_token = data["access_token"], data["refresh_token"]

    def beside(self, data):
        """The same person with other tokens."""
        other = object.__new__(Person)
        other.__dict__.update(self.__dict__)
        other.take(data)
        return other

    def refresh(self):
        answer = self.http.post("/identity/api/v1/auth/refresh", json={"refresh_token": self.refresh_token})
        if answer.status_code == 200:
            self.take(answer.json()["data"])
        return answer

    @property
    def tenant_id(self):
        return claims(self)["tenant_id"]

    def call(self, method, path, service="identity", **options):
        headers = {"Authorization": f"Bearer {self.access_token}"}
        return self.http.request(method, f"/{service}/api/v1{path}", headers=headers, **options)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, **options):
        return self.call("POST", path, **options)

    def put(self, path, **options):
        return self.call("PUT", path, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)


def claims(person):
    return jwt.decode(person.access_token, options={"verify_signature": False})


def make_tenant(administrator, **fields):
    """A tenant with its owner, signed in."""
    slug = f"t-{secrets.token_hex(5)}"
    answer = administrator.post("/admin/tenants", json={"slug": slug, "name": slug, **fields})
    assert answer.status_code == 201, answer.text
    tenant = answer.json()["data"]
    owner = Person(
        administrator.http, tenant["id"], email=f"owner@{slug}.example.org",
        invitation_code=tenant["owner_invitation_code"],
    )
    return tenant, owner
