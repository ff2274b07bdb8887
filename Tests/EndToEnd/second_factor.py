"""A user's side of second factors: an authenticator app (pyotp) whose clock can be set forward, and the calls."""

import time

import pyotp

from waiting import until

PERIOD = 30


class Authenticator:
    """An app that never shows the same code twice: past the present one it shows the next, which clocks ahead show, too."""

    def __init__(self, uri):
        self.totp = pyotp.parse_uri(uri)
        self.last = 0

    def code(self):
        """A code that has not been shown yet; waits for the clock where it must."""
        self.last = until(self.unused_step, seconds=2 * PERIOD, saying="the app may show another code")
        return self.totp.at(self.last * PERIOD)

    def unused_step(self):
        """The first step without a shown code, or none as long as it is further ahead than the next."""
        now = int(time.time()) // PERIOD
        step = max(self.last + 1, now)
        return step if step <= now + 1 else None


class SecondFactorUser:
    """An account with its tokens, and everything it does about second factors."""

    def __init__(self, account):
        self.account = account
        self.http = account.http
        self.tokens = account.login()
        self.app = None
        self.codes = []

    def bearer(self, token=None):
        return {"Authorization": f"Bearer {token or self.tokens['access_token']}"}

    def call(self, method, path, json=None, token=None):
        return self.http.request(method, path, json=json, headers=self.bearer(token))

    def enable_totp(self, token=None):
        setup = self.call("POST", "/mfa/api/v1/mfa/totp/setup", token=token)
        assert setup.status_code == 200, setup.text
        self.setup = setup.json()["data"]
        self.app = Authenticator(self.setup["qr_code_url"])
        answer = self.call("POST", "/mfa/api/v1/mfa/totp/verify", {"code": self.app.code()}, token=token)
        assert answer.status_code == 200, answer.text
        self.codes = answer.json()["data"]["backup_codes"]
        return self

    def password(self):
        return self.http.post(
            "/identity/api/v1/auth/login",
            json={"identity": self.account.email, "password": self.account.password},
        )

    def challenge(self):
        answer = self.password()
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["requires_mfa"] is True and "access_token" not in data and "refresh_token" not in data
        return data

    def answer(self, token, code=None, method="totp", **more):
        body = {"challenge_token": token, "code": code, "mfa_method": method, **more}
        return self.http.post("/identity/api/v1/auth/mfa/verify-challenge", json=body)

    def login(self, method="totp"):
        code = self.app.code() if method == "totp" else self.codes.pop()
        answer = self.answer(self.challenge()["challenge_token"], code, method)
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()["data"]
        return self.tokens

    def step_up(self, method="totp"):
        code = self.app.code() if method == "totp" else self.codes.pop()
        answer = self.call("POST", "/mfa/api/v1/mfa/step-up", {"code": code, "mfa_method": method})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["access_token"]
