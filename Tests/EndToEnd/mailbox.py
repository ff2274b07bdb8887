"""The mails of the private suite, which has no mail server: read through the command line, as a developer would."""

import json
import re

from waiting import until


def mails(suite, address):
    """Those to an address, the newest first."""
    return json.loads(suite.authms("mail", "list", "--to", address, "--limit", "50", "--json").stdout)


def mail(suite, address, subject, seconds=20):
    """The newest to an address under a subject, once it is there."""
    return until(
        lambda: next((m for m in mails(suite, address) if subject in m["subject"]), None),
        seconds=seconds,
        every=0.2,
        saying=f"a mail about {subject!r} to {address}",
    )


def code_in(text):
    return re.search(r"^ {4}([A-Z0-9]{4}-[A-Z0-9]{4})$", text, re.MULTILINE).group(1)


def code(suite, address, subject):
    return code_in(mail(suite, address, subject)["text"])


def verify_address(suite, http, address, **more):
    """With the code that came at registration; `more` names the tenant where it is another than the default one."""
    body = {"email": address, "code": code(suite, address, "Verify your e-mail"), **more}
    answer = http.post("/identity/api/v1/auth/verify-email", json=body)
    assert answer.status_code == 200, answer.text
