"""A mail server that we did not write (aiosmtpd), with certificates of its own, that can be told what to refuse."""

import contextlib
import datetime
import email
import email.policy
import ipaddress
import socket
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MailServer:
    """Listens on one port, whenever it is started; keeps what it has taken, and counts who came."""

    def __init__(self, **options):
        self.port = free_port()
        self.options = options
        self.lock = threading.Lock()
        self.taken = []  # (recipients, message, whether the connection was encrypted, who had signed in)
        self.asked = {}  # recipient -> how often somebody had a mail for them
        # (command, recipient) -> the replies to the next of their mails; the last one stays where it is "for ever"
        self.refusals = {}
        self.controller = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self):
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10, **self.options)
        self.controller.start()
        return self

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- what a test asks for -----------------------------------------------------------------------------------------

    def refuse(self, address, *replies, at="RCPT", for_ever=False):
        """Answers the next mails to the address with these replies, one each; at "DATA", once it has the whole mail."""
        with self.lock:
            self.refusals[at, address] = (list(replies), for_ever)

    def refusal(self, at, address):
        replies, for_ever = self.refusals.get((at, address), ([], False))
        if replies:
            return replies[0] if for_ever and len(replies) == 1 else replies.pop(0)

    def mails(self, address):
        """What it has taken for an address."""
        with self.lock:
            return [mail for recipients, mail, _, _ in self.taken if address in recipients]

    def circumstances(self, address):
        """Whether each of these mails came encrypted, and who had signed in."""
        with self.lock:
            return [(encrypted, who) for recipients, _, encrypted, who in self.taken if address in recipients]

    def count(self, address):
        with self.lock:
            return self.asked.get(address, 0)

    # -- what aiosmtpd calls ------------------------------------------------------------------------------------------

    async def handle_RCPT(self, server, session, envelope, address, options):
        with self.lock:
            self.asked[address] = self.asked.get(address, 0) + 1
            if refusal := self.refusal("RCPT", address):
                return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        with self.lock:
            if refusal := next(filter(None, (self.refusal("DATA", address) for address in envelope.rcpt_tos)), None):
                return refusal
            self.taken.append((list(envelope.rcpt_tos), mail, encrypted, session.auth_data))
        return "250 OK"


def only(login, password):
    """An authenticator that lets one user in."""

    def authenticate(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (login.encode(), password.encode())
        return AuthResult(success=good, handled=False, auth_data=login if good else None)

    return authenticate


class Authority:
    """A certificate authority of one server: 127.0.0.1."""

    def __init__(self, directory):
        key, name = ec.generate_private_key(ec.SECP256R1()), self.name("authms test authority")
        now = datetime.datetime.now(datetime.timezone.utc)
        authority = (
            self.builder(name, name, key, now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        server_key = ec.generate_private_key(ec.SECP256R1())
        server = (
            self.builder(self.name("127.0.0.1"), name, server_key, now)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.file, chain, private = directory / "ca.pem", directory / "server.pem", directory / "server.key"
        self.file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        chain.write_bytes(server.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(chain, private)

    @staticmethod
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    @staticmethod
    def builder(subject, issuer, key, now):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


@contextlib.contextmanager
def stopped(server):
    """While it is away."""
    server.stop()
    try:
        yield
    finally:
        server.start()
