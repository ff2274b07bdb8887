"""Refresh, reuse, sign-out and revocation, as an impatient client and as a thief."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from waiting import until


def test_refresh_gives_a_successor_and_a_token_that_works(account):
    first = account.login()
    answer = account.refresh(first["refresh_token"])
    assert answer.status_code == 200, answer.text
    second = answer.json()["data"]
    assert second["refresh_token"] != first["refresh_token"]
    assert second["token_type"] == "Bearer" and second["user"]["id"] == account.id
    assert account.me(second["access_token"]).status_code == 200


def test_a_client_that_lost_the_answer_gets_the_same_successor(account):
    first = account.login()["refresh_token"]
    once = account.refresh(first).json()["data"]["refresh_token"]
    again = account.refresh(first).json()["data"]["refresh_token"]
    assert once == again


def test_fifty_concurrent_refreshes_of_one_token_yield_exactly_one_successor(suite, account):
    token = account.login()["refresh_token"]

    def use(_):
        return httpx.post(
            f"{suite.gateway}/identity/api/v1/auth/refresh", json={"refresh_token": token}, timeout=20
        )

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(use, range(50)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers][:3]
    assert len({answer.json()["data"]["refresh_token"] for answer in answers}) == 1


def test_a_reused_refresh_token_revokes_its_whole_family(account):
    first = account.login()
    second = account.refresh(first["refresh_token"]).json()["data"]
    third = account.refresh(second["refresh_token"]).json()["data"]
    stolen = account.refresh(first["refresh_token"])
    assert stolen.status_code == 401
    assert stolen.json()["code"] == 400002 and stolen.json()["error"] == "refresh_token_reused"
    assert account.refresh(third["refresh_token"]).status_code == 401
    until(lambda: account.me(third["access_token"]).status_code == 401, saying="the family's access token is refused")


def test_rubbish_refresh_tokens_are_refused(account):
    good = account.login()["refresh_token"]
    for bad in ["", "x", "art_", good[:-2], good + "A", good[:10] + ("B" if good[10] == "A" else "A") + good[11:], "é" * 40, "A" * 100_000]:
        answer = account.refresh(bad)
        assert 400 <= answer.status_code < 500, (bad[:20], answer.status_code)
    assert account.refresh(good).status_code == 200


def test_after_sign_out_neither_token_is_accepted(account):
    tokens = account.login()
    answer = account.http.post(
        "/identity/api/v1/auth/logout",
        json={"refresh_token": tokens["refresh_token"]},
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    assert answer.status_code in (200, 204), answer.text
    assert account.refresh(tokens["refresh_token"]).status_code == 401
    refused = until(
        lambda: (answer := account.me(tokens["access_token"])).status_code == 401 and answer,
        saying="the signed-out access token is refused",
    )
    assert refused.json()["code"] == 401003


def test_a_user_sees_and_ends_their_sessions_and_nobody_else_s(account, make_account):
    mine, other = account.login(), make_account()
    theirs = other.login()
    listed = account.http.get(
        "/identity/api/v1/auth/me/sessions", headers={"Authorization": f"Bearer {mine['access_token']}"}
    )
    assert listed.status_code == 200, listed.text
    sessions = listed.json()["items"]
    assert len(sessions) == 1
    stolen = account.http.delete(
        f"/identity/api/v1/auth/me/sessions/{sessions[0]['id']}",
        headers={"Authorization": f"Bearer {theirs['access_token']}"},
    )
    assert stolen.status_code in (403, 404)
    assert account.me(mine["access_token"]).status_code == 200
    ended = account.http.delete(
        f"/identity/api/v1/auth/me/sessions/{sessions[0]['id']}",
        headers={"Authorization": f"Bearer {mine['access_token']}"},
    )
    assert ended.status_code in (200, 204), ended.text
    until(lambda: account.me(mine["access_token"]).status_code == 401, saying="the ended session is refused")


def test_a_password_change_ends_every_other_session_but_this_one(account):
    here, elsewhere = account.login(), account.login()
    answer = account.http.put(
        "/identity/api/v1/auth/me/password",
        json={"current_password": account.password, "new_password": "an altogether different phrase"},
        headers={"Authorization": f"Bearer {here['access_token']}"},
    )
    assert answer.status_code in (200, 204), answer.text
    until(lambda: account.refresh(elsewhere["refresh_token"]).status_code == 401, saying="the other session ended")
    until(lambda: account.me(elsewhere["access_token"]).status_code == 401, saying="its access token is refused")
    assert account.refresh(here["refresh_token"]).status_code == 200
    old = account.http.post(
        "/identity/api/v1/auth/login", json={"identity": account.email, "password": account.password}
    )
    assert old.status_code == 401


def test_a_gateway_that_starts_again_takes_no_token_that_was_signed_out_before(suite, http, make_account):
    """Asked from its first moment on: the signed-out token must never be taken, not even while it still learns."""
    account = make_account()
    tokens = account.login()
    account.login()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert http.post("/identity/api/v1/auth/logout", headers=headers).status_code == 200
    until(lambda: account.me(tokens["access_token"]).status_code == 401, saying="the token is refused")
    suite.authms("kill", "gateway")
    seen = set()

    def answered():
        try:
            seen.add(httpx.get(f"{suite.gateway}/profile/api/v1/profiles/none", headers=headers, timeout=5).status_code)
        except httpx.HTTPError:
            return False
        return True

    until(answered, seconds=20, every=0.005, saying="the gateway is back")
    for _ in range(50):
        answered()
    assert seen == {401}, seen
