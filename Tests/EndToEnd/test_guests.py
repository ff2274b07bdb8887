"""What a user has, may do and leaves behind in a tenant that is not their own."""

import pytest

from tenancy import Person, make_tenant


class Guest:
    """A user at home, in the default tenant, and the same user in a tenant that invited them."""

    def __init__(self, http, administrator, roles=()):
        self.tenant, self.owner = make_tenant(administrator)
        self.home = Person(http)
        invitation = self.owner.post("/admin/invitations", json={"roles": list(roles)}).json()["data"]
        body = {"invitation_code": invitation["invitation_code"]}
        assert self.home.post("/auth/me/invitations/accept", json=body).status_code == 201
        self.id = self.home.id
        self.there = self.switch()

    def switch(self):
        """Signs in to the other tenant."""
        switched = self.home.post("/auth/me/switch-tenant", json={"tenant_id": self.tenant["id"]})
        assert switched.status_code == 200, switched.text
        return self.home.beside(switched.json()["data"])


@pytest.fixture
def guest(http, administrator):
    return Guest(http, administrator)


def test_a_guest_has_a_profile_in_each_tenant(guest):
    path = f"/profiles/{guest.id}"
    for person, name in ((guest.there, "Guest"), (guest.home, "Ann")):
        written = person.put(path, service="profile", json={"nickname": name})
        assert written.status_code == 200, written.text
    for person, name in ((guest.there, "Guest"), (guest.home, "Ann")):
        assert person.get(path, service="profile").json()["data"]["nickname"] == name
    seen = guest.owner.get(f"{path}/public", service="profile")
    assert seen.json()["data"] == {"user_id": guest.id, "nickname": "Guest"}
    assert guest.there.delete(path, service="profile").status_code == 200
    assert guest.home.get(path, service="profile").json()["data"]["nickname"] == "Ann"
