"""Profiles through the gateway: their owner's use of them, strangers' attempts, and races."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from waiting import until


class Owner:
    """A user with a token, at their own profile unless told otherwise."""

    def __init__(self, http, account):
        self.http, self.id = http, account.id
        self.token = {"Authorization": f"Bearer {account.login()['access_token']}"}

    def call(self, method, path="", of=None, headers=None, **options):
        url = f"/profile/api/v1/profiles/{of or self.id}{path}"
        return self.http.request(method, url, headers={**self.token, **(headers or {})}, **options)


@pytest.fixture
def owner(http, account):
    return Owner(http, account)


@pytest.fixture
def stranger(http, make_account):
    return Owner(http, make_account())


def test_a_profile_begins_empty_and_keeps_what_its_owner_writes(owner):
    empty = owner.call("GET")
    assert empty.status_code == 200 and empty.json()["data"] == {"user_id": owner.id}
    fields = {
        "nickname": "Ann", "birthdate": "1990-12-31", "language": "pt-BR", "timezone": "Europe/Berlin",
        "country": "DE", "website": "https://example.org/ann", "social_links": {"code": "https://example.org/c"},
        "custom_fields": {"team": "blue", "desk": 7, "remote": True},
    }
    written = owner.call("PUT", json=fields)
    assert written.status_code == 200, written.text
    assert written.json()["data"] == {"user_id": owner.id, **fields}
    read = owner.call("GET")
    assert read.json()["data"] == written.json()["data"]
    assert read.headers["etag"] == written.headers["etag"] != empty.headers["etag"]
    cleared = owner.call("PUT", json={"country": None}).json()["data"]
    assert "country" not in cleared and cleared["nickname"] == "Ann"


@pytest.mark.parametrize(
    "field, value",
    [
        ("birthdate", "1990-02-30"), ("birthdate", "2999-01-01"), ("birthdate", 7), ("language", "e"),
        ("timezone", "Mars/Base"), ("country", "XX"), ("country", "de"), ("website", "javascript:alert(1)"),
        ("avatar_url", "//example.org"), ("nickname", "x" * 101), ("nickname", ["x"]), ("nickname", "a\0b"),
        ("social_links", {"code": "ftp://example.org"}), ("custom_fields", {"deep": {"er": 1}}),
        ("custom_fields", {str(n): n for n in range(51)}),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(owner, field, value):
    answer = owner.call("PUT", json={field: value, "bio": "not kept"})
    # A NUL is refused before the fields are looked at, as everywhere: 400.
    expected = 400 if "\0" in str(value) else 422
    assert answer.status_code == expected, answer.text
    assert answer.json()["violations"][0]["field"].split(".")[0] == field, answer.text
    assert owner.call("GET").json()["data"] == {"user_id": owner.id}


def test_a_stale_etag_changes_nothing(owner):
    stale = owner.call("GET").headers["etag"]
    assert owner.call("PUT", json={"nickname": "one"}, headers={"If-Match": stale}).status_code == 200
    for method, options in (("PUT", {"json": {"nickname": "two"}}), ("DELETE", {})):
        for tag in (stale, '"rubbish"'):
            answer = owner.call(method, headers={"If-Match": tag}, **options)
            assert answer.status_code == 412 and answer.json()["error"] == "precondition_failed", answer.text
    assert owner.call("GET").json()["data"]["nickname"] == "one"


def test_an_etag_of_before_a_deletion_never_fits_again(owner):
    first = owner.call("GET").headers["etag"]
    owner.call("PUT", json={"nickname": "one"})
    assert owner.call("DELETE").status_code == 200
    assert owner.call("GET").json()["data"] == {"user_id": owner.id}
    assert owner.call("PUT", json={"nickname": "two"}, headers={"If-Match": first}).status_code == 412


def test_of_fifty_parallel_changes_with_one_etag_exactly_one_wins(suite, owner):
    tag = owner.call("GET").headers["etag"]

    def change(n):
        url = f"{suite.gateway}/profile/api/v1/profiles/{owner.id}"
        return httpx.put(
            url, json={"nickname": f"n{n}"}, headers={**owner.token, "If-Match": tag}, timeout=20
        ).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(change, range(50)))
    assert statuses.count(200) == 1 and set(statuses) <= {200, 412, 503}, statuses


def test_a_stranger_sees_only_what_privacy_allows_and_changes_nothing(owner, stranger):
    secret = secrets.token_hex(8)
    owner.call("PUT", json={"nickname": "Ann", "bio": secret, "city": "Bonn"})
    for method in ("GET", "PUT", "DELETE"):
        for path in ("", "/preferences", "/privacy", "/export"):
            if method == "DELETE" and path:
                continue
            options = {"json": {"nickname": "Eve"}} if method == "PUT" else {}
            answer = stranger.call(method, path, of=owner.id, **options)
            assert answer.status_code in (404, 405), (method, path, answer.text)
            assert secret not in answer.text
    seen = stranger.call("GET", "/public", of=owner.id).json()["data"]
    assert seen == {"user_id": owner.id, "nickname": "Ann"}
    changed = owner.call("PUT", "/privacy", json={"city": "tenant", "nickname": "private"})
    assert changed.status_code == 200, changed.text
    assert stranger.call("GET", "/public", of=owner.id).json()["data"] == {"user_id": owner.id, "city": "Bonn"}
    wrong = owner.call("PUT", "/privacy", json={"city": "everybody"})
    assert wrong.status_code == 422 and "city" in wrong.text
    search = owner.http.get("/profile/api/v1/admin/profiles", headers=stranger.token)
    assert search.status_code == 403


def test_preferences_are_kept_and_everything_is_exported(owner):
    assert owner.call("PUT", "/preferences", json={"theme": "dark", "rows": 50, "old": True}).status_code == 200
    kept = owner.call("PUT", "/preferences", json={"old": None}).json()["data"]["preferences"]
    assert kept == {"theme": "dark", "rows": 50}
    owner.call("PUT", json={"nickname": "Ann"})
    exported = owner.call("GET", "/export")
    assert exported.json()["data"]["preferences"] == kept and exported.json()["data"]["nickname"] == "Ann"
    assert exported.json()["data"]["privacy"]["bio"] == "private"


def test_an_administrator_finds_profiles_and_the_trail_tells_of_fields_but_not_of_values(owner, auditor, http):
    secret = secrets.token_hex(8)
    owner.call("PUT", json={"nickname": secret})
    found = http.get(
        "/profile/api/v1/admin/profiles", params={"q": secret.upper()},
        headers={"Authorization": auditor.headers["Authorization"]},
    )
    assert [item["user_id"] for item in found.json()["items"]] == [owner.id], found.text

    def recorded():
        answer = auditor.get("/admin/audit/logs", params={"action": "profile.updated", "user_id": owner.id})
        return answer.json().get("items") and answer

    trail = until(recorded, seconds=15, saying="the change reaches the audit trail")
    assert "nickname" in trail.text and secret not in trail.text


@pytest.mark.alone
def test_without_its_database_a_profile_is_refused_soon_and_comes_back(suite, owner):
    owner.call("PUT", json={"nickname": "Ann"})
    suite.authms("stop", "postgres-profile")
    try:
        for method, options in (("GET", {}), ("PUT", {"json": {"nickname": "Bob"}})):
            answer = owner.call(method, **options)
            assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1, answer.text
            assert answer.elapsed.total_seconds() < 2
    finally:
        suite.authms("start", "postgres-profile")
    back = until(lambda: (read := owner.call("GET")).status_code == 200 and read, saying="profiles are served again")
    assert back.json()["data"]["nickname"] == "Ann"
