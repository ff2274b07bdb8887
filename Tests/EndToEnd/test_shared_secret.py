"""A suite that signs with a shared secret, and under an issuer and an audience of its own, is a suite like any other."""

import pathlib
import tempfile

import httpx
import jwt

from conftest import REPOSITORY, Account
from suite import Suite

SECRET = "a shared secret of more than thirty-two bytes"
ISSUER, AUDIENCE = "https://id.example.org", "example"


def test_every_service_takes_tokens_under_the_shared_secret_and_the_demo_succeeds():
    with tempfile.TemporaryDirectory(prefix="authms-e2e-hs256-") as home:
        settings = {"JWT_SECRET": SECRET, "TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE}
        suite = Suite(REPOSITORY, pathlib.Path(home), **settings)
        try:
            suite.start()
            # The operator's other terminal knows nothing of what the suite was started with.
            for name in settings:
                del suite.environment[name]
            with httpx.Client(base_url=suite.gateway, timeout=15) as http:
                account = Account(http)
                token = account.login()["access_token"]
                claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
                assert claims["sub"] == account.id
                for path in (
                    "/identity/api/v1/auth/me",
                    "/session/api/v1/sessions",
                    "/audit/api/v1/auth/me/audit-logs",
                    f"/profile/api/v1/profiles/{account.id}",
                ):
                    answer = http.get(path, headers={"Authorization": f"Bearer {token}"})
                    # Who has no profile yet is told so.
                    assert answer.status_code in ((200, 404) if "profiles" in path else (200,)), (path, answer.text)
                    assert http.get(path, headers={"Authorization": f"Bearer {token[:-4]}AAAA"}).status_code == 401
            done = suite.authms("demo", "--outage", "3", check=False, timeout=90)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "HS256 signature" in done.stdout
        finally:
            suite.stop()
