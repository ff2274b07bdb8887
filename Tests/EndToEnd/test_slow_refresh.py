"""A refresh whose body comes late, or in chunks: how a client sends it decides nothing about what it gets."""

import json
import socket
import time
import urllib.parse

import httpx
import pytest

from waiting import until

pytestmark = pytest.mark.alone
PATH = "/identity/api/v1/auth/refresh"


def refresh_slowly(suite, token, pause):
    """The status and the body of the answer to a refresh whose body ends so many seconds after its head."""
    gateway = urllib.parse.urlsplit(suite.gateway)
    body = json.dumps({"refresh_token": token}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {gateway.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((gateway.hostname, gateway.port), timeout=15) as connection:
        connection.sendall(head.encode() + body[:-5])
        time.sleep(pause)
        connection.sendall(body[-5:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content)


def in_chunks(suite, token):
    body = json.dumps({"refresh_token": token}).encode()
    headers = {"Content-Type": "application/json"}
    return httpx.post(f"{suite.gateway}{PATH}", content=iter([body[:9], body[9:]]), headers=headers, timeout=15)


# Around the time that session is given, which a body that came just before its end once left it without.
@pytest.mark.parametrize("pause", [0.99, 1.02, 1.04, 1.3, 2.5])
def test_a_slow_client_gets_what_a_quick_one_gets(pause, suite, account):
    status, answer = refresh_slowly(suite, account.login()["refresh_token"], pause)
    assert status == 200, answer
    assert answer["data"]["expires_in"] != 300, "the refresh is degraded, and nothing is wrong"


def test_a_used_token_is_found_out_however_slowly_it_is_sent(suite, account):
    token = account.login()["refresh_token"]
    successor = account.refresh(token).json()["data"]["refresh_token"]
    time.sleep(10.5)  # The grace period is over.
    status, answer = refresh_slowly(suite, token, 1.02)
    assert status == 401, answer
    assert account.refresh(successor).status_code == 401, "the family has ended"


def test_a_refresh_in_chunks_goes_on_without_session(suite, account):
    token = account.login()["refresh_token"]
    suite.authms("stop", "session")
    try:
        answer = in_chunks(suite, token)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["expires_in"] == 300
    finally:
        suite.authms("start", "session")
    until(suite.is_ready, seconds=30, every=0.2, saying="the suite is healthy again")
    answer = in_chunks(suite, data["refresh_token"])
    assert answer.status_code == 200, answer.text
