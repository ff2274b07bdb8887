"""Mails over SMTP to a server that we did not write (aiosmtpd): every way to talk to it, and everything it may refuse.

A suite of its own, whose identity service is stopped: another one takes its place, configured for the server of each test.
"""

import contextlib
import json
import re
import secrets
import signal
import socketserver
import subprocess
import threading

import httpx
import pytest

from mail_server import Authority, MailServer, only, stopped
from suite import Suite, let_in
from test_failures import serve
from waiting import until

pytestmark = pytest.mark.quiet

# How often an event is tried before it is put aside, and how often it is put aside.
TRIES, ROUNDS = 3, 2


@pytest.fixture(scope="module")
def place(repository, tmp_path_factory):
    home = tmp_path_factory.mktemp("smtp")
    let_in(home)
    running = Suite(repository, home)
    try:
        running.start()
        running.authms("stop", "identity")
        yield running
    finally:
        running.stop()


def letters(place):
    listed = json.loads(place.authms("dlq", "list", "--json").stdout)
    return [letter for letter in listed if letter["queue"] == "authms.notifications"]


@pytest.fixture(autouse=True)
def no_letters(place):
    """What a test that failed has left is no other's, nor its own when it is tried once more."""
    for letter in letters(place):
        place.authms("dlq", "discard", letter["id"], "--reason", "a test left it")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


class Identity:
    """An identity service that sends its mails by SMTP, where the suite's own one would be."""

    def __init__(self, place, **settings):
        self.place = place
        self.port = 11001 + place.offset
        self.url = f"http://127.0.0.1:{self.port}"
        self.is_killed = False
        self.environment = {
            **place.environment, **serve(place, "identity", None), "HTTP_PORT": str(self.port),
            "MESSAGING_RETRY_DELAYS": ",".join(["1s"] * ROUNDS), **settings,
        }  # fmt: skip

    def __enter__(self):
        self.log = (self.place.home / "identity-smtp.log").open("ab")
        self.process = subprocess.Popen(
            [self.place.binary, "serve", "identity"], cwd=self.place.repository, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        try:
            until(self.is_ready, seconds=30, every=0.1, saying=f"identity is ready (see {self.log.name})")
        except BaseException:
            self.process.kill()
            raise
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"it has ended: see {self.log.name}"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200

    def __exit__(self, *_):
        ends = -signal.SIGKILL if self.is_killed else 0
        self.process.terminate()
        try:
            assert self.process.wait(30) == ends, f"it did not end in order: see {self.log.name}"
        finally:
            self.process.kill()
            self.log.close()

    def kill(self):
        """Asked to end, it would go on for ten seconds with what it has in hand and cannot send."""
        self.process.kill()
        self.is_killed = True

    def register(self, address=None):
        """Somebody new, who gets one mail."""
        address = address or somebody()
        body = {"email": address, "password": "correct horse battery staple"}
        answer = httpx.post(f"{self.url}/api/v1/auth/register", json=body, timeout=15)
        assert answer.status_code == 201, answer.text
        return address

    def metric(self, name):
        lines = httpx.get(f"{self.url}/metrics", timeout=5).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


@contextlib.contextmanager
def unwelcoming(port, greeting):
    """A server that sends everybody away with these words."""

    class Greeter(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(f"{greeting}\r\n".encode())
            self.rfile.readline()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with Server(("127.0.0.1", port), Greeter) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)


def somebody():
    return f"{secrets.token_hex(6)}@example.org"


def plain(server):
    return {"SMTP_URL": f"smtp://127.0.0.1:{server.port}", "SMTP_STARTTLS": "off"}


def encrypted(server, authority, scheme="smtp", **more):
    return {"SMTP_URL": f"{scheme}://127.0.0.1:{server.port}", "SMTP_CA_FILE": str(authority.file), **more}


def arrives_once(server, address, identity, seconds=20):
    """The mail is there, and still the only one when a later one to somebody else is there, too."""
    until(lambda: server.mails(address), seconds=seconds, saying=f"the mail to {address} is at the server")
    later = identity.register()
    until(lambda: server.mails(later), seconds=20, saying="the next mail is there as well")
    assert len(server.mails(address)) == 1 and len(server.mails(later)) == 1
    (mail,) = server.mails(address)
    assert mail["To"].addresses[0].addr_spec == address and mail["Message-ID"] and mail["Date"]
    text = mail.get_body(("plain",)).get_content()
    code = re.search(r"^ {4}([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", text, re.MULTILINE).group(1)
    assert code in mail.get_body(("html",)).get_content()


@pytest.mark.parametrize("way", ["plain", "starttls", "smtps", "auth"])
def test_a_mail_arrives_once(place, authority, way):
    context = authority.context
    options = {
        "plain": {}, "starttls": {"tls_context": context, "require_starttls": True}, "smtps": {"ssl_context": context},
        "auth": {
            "tls_context": context, "require_starttls": True, "auth_required": True,
            "authenticator": only("authms", "a password"),
        },
    }[way]  # fmt: skip
    with MailServer(**options) as server:
        settings = {
            "plain": plain(server), "starttls": encrypted(server, authority),
            "smtps": encrypted(server, authority, scheme="smtps"),
            "auth": encrypted(server, authority, SMTP_USERNAME="authms", SMTP_PASSWORD="a password"),
        }[way]  # fmt: skip
        with Identity(place, **settings) as identity:
            address = identity.register()
            arrives_once(server, address, identity)
            assert identity.metric("authms_mails_failed_total") == 0
        assert server.circumstances(address) == [(way != "plain", "authms" if way == "auth" else None)]


@pytest.mark.parametrize("what", ["no TLS where it is required", "a certificate of nobody's", "a wrong password"])
def test_nothing_is_handed_over_where_something_is_amiss_and_nothing_is_lost_by_it(place, authority, what):
    options = {"tls_context": authority.context, "require_starttls": True}
    if "no TLS" in what:
        options = {}
    elif "password" in what:
        options |= {"auth_required": True, "authenticator": only("authms", "a password")}
    with MailServer(**options) as server:
        right = encrypted(server, authority)
        if "no TLS" in what:
            wrong, right = encrypted(server, authority), plain(server)
        elif "certificate" in what:
            wrong = {"SMTP_URL": right["SMTP_URL"]}
        else:
            right |= {"SMTP_USERNAME": "authms", "SMTP_PASSWORD": "a password"}
            wrong = {**right, "SMTP_PASSWORD": "another password"}
        with Identity(place, **wrong) as identity:
            address = identity.register()
            # More often than an event that is at fault itself would be tried at once.
            until(
                lambda: identity.metric("authms_mails_failed_total") > TRIES, seconds=40, saying="it fails again and again"
            )
            assert identity.metric("authms_events_put_aside_total") == 0
            assert server.count(address) == 0, "the server has been told of the mail"
            identity.kill()
        assert not letters(place)
        # Mended, it goes out.
        with Identity(place, **right) as identity:
            arrives_once(server, address, identity)


def test_what_is_refused_for_now_is_tried_again_and_holds_up_nobody(place):
    with MailServer() as server, Identity(place, **plain(server)) as identity:
        patient = somebody()
        server.refuse(patient, *["451 4.7.1 greylisted, come again"] * (TRIES + 1))
        identity.register(patient)
        until(lambda: server.count(patient) >= TRIES, saying="it is refused at first")
        other = identity.register()
        until(lambda: server.mails(other), saying="somebody else's mail is there meanwhile")
        arrives_once(server, patient, identity)
        assert server.count(patient) == TRIES + 2
        assert identity.metric("authms_events_put_aside_total") == 1
    assert not letters(place)


@pytest.mark.parametrize("at, reply", [("RCPT", "550 5.1.1 no such user"), ("DATA", "554 5.6.0 not such a mail")])
def test_what_is_refused_for_good_is_a_dead_letter_at_once_that_names_the_reply_and_nobody_s_address(place, at, reply):
    with MailServer() as server, Identity(place, **plain(server)) as identity:
        address = somebody()
        server.refuse(address, reply, at=at, for_ever=True)
        identity.register(address)
        other = identity.register()
        (letter,) = until(lambda: letters(place), seconds=30, every=0.3, saying="it is given up")
        assert letter["last_error"] == f"the mail server answered {reply[:3]}" and letter["attempts"] == 1
        assert identity.metric("authms_events_put_aside_total") == 0
        # Where it came together with another event, that was one try more.
        assert 1 <= server.count(address) <= 2 and not server.mails(address)
        assert address not in place.authms("dlq", "show", letter["id"]).stdout
        until(lambda: server.mails(other), saying="somebody else's mail is there")
        # The mailbox has been made since.
        server.refuse(address, at=at)
        place.authms("dlq", "retry", letter["id"])
        arrives_once(server, address, identity)
    assert not letters(place)


def test_what_is_refused_for_now_to_the_end_is_a_dead_letter_in_the_end(place):
    with MailServer() as server, Identity(place, **plain(server)) as identity:
        address = somebody()
        server.refuse(address, "452 4.2.2 the mailbox is full", for_ever=True)
        identity.register(address)
        (letter,) = until(lambda: letters(place), seconds=30, every=0.3, saying="it is given up")
        assert letter["last_error"] == "the mail server answered 452" and letter["attempts"] == TRIES * (1 + ROUNDS)
        assert TRIES <= server.count(address) / (1 + ROUNDS) <= TRIES + 1 and not server.mails(address)
        place.authms("dlq", "discard", letter["id"], "--reason", "a test sent it")
    assert not letters(place)


@pytest.mark.parametrize("reply", ["554 5.7.1 nobody from there", "421 4.3.2 come again"])
def test_a_server_that_lets_nobody_in_is_one_that_is_away(place, reply):
    with contextlib.ExitStack() as stack:
        server = MailServer()
        with Identity(place, **plain(server)) as identity:
            with unwelcoming(server.port, reply):
                address = identity.register()
                until(lambda: identity.metric("authms_mails_failed_total") > TRIES, seconds=40, saying="it fails again")
                assert identity.metric("authms_events_put_aside_total") == 0 and not letters(place)
            stack.enter_context(server)
            arrives_once(server, address, identity, seconds=40)
    assert not letters(place)


def test_a_server_that_was_away_gets_each_mail_once(place):
    with MailServer() as server, Identity(place, **plain(server)) as identity:
        first = identity.register()
        until(lambda: server.mails(first), saying="the server takes mails")
        with stopped(server):
            missed = [identity.register() for _ in range(3)]
            until(lambda: identity.metric("authms_mails_failed_total") > 1, seconds=30, saying="it is noticed")
        for address in missed:
            until(lambda: server.mails(address), seconds=30, saying=f"the mail to {address} is at the server")
        arrives_once(server, missed[-1], identity)
        assert all(len(server.mails(address)) == 1 for address in [first, *missed])
    assert not letters(place)
