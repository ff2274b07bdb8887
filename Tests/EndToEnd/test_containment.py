"""One service's trouble stays its own: a stalled profile database, asked by many, takes nothing from logins."""

import concurrent.futures
import threading
import time

import httpx
import pytest

from waiting import until

pytestmark = pytest.mark.alone


def test_many_reads_of_a_stalled_profile_database_do_not_slow_a_login(suite, make_account):
    account = make_account()
    tokens = account.login()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    stopping = threading.Event()
    reads = []

    def read():
        with httpx.Client(base_url=suite.gateway, timeout=15) as http:
            while not stopping.is_set():
                start = time.monotonic()
                answer = http.get(f"/profile/api/v1/profiles/{account.id}", headers=bearer)
                reads.append((answer.status_code, "retry-after" in answer.headers, time.monotonic() - start))
                stopping.wait(0.02)  # a client's own pace

    with httpx.Client(base_url=suite.gateway, timeout=15) as http:
        body = {"identity": account.email, "password": account.password}

        def login():
            start = time.monotonic()
            answer = http.post("/identity/api/v1/auth/login", json=body)
            return answer.status_code, time.monotonic() - start

        suite.authms("pause", "postgres-profile")
        try:
            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                for _ in range(40):
                    pool.submit(read)
                # The first that is given up has waited its time: behind it the others have piled up.
                until(lambda: any(read[0] == 503 for read in list(reads)), saying="the stall is felt")
                logins = [login() for _ in range(20)]
                stopping.set()
        finally:
            stopping.set()
            suite.authms("continue", "postgres-profile")
    assert {status for status, _ in logins} == {200}
    assert sorted(took for _, took in logins)[-2] < 1.5, logins
    # Each read is told so in time, by the service or, once the service has too much to do, by the gateway.
    assert len(reads) > 40
    assert {(status, may_retry) for status, may_retry, _ in reads if status != 200} == {(503, True)}
    assert max(took for _, _, took in reads) < 4, max(took for _, _, took in reads)
