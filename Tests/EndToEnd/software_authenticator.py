"""A passkey authenticator in software, from python-fido2's building blocks and `cryptography`'s keys: what a browser and a
security key do together. Its answers are what `credential.toJSON()` gives."""

import datetime
import hashlib
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from fido2 import cose
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

AAGUID = bytes.fromhex("f8a011f38c0a4d15800617111f9edc7d")


class Passkey:
    """One credential: its key, its counter, and for whom it is."""

    def __init__(self, algorithm, rp_id, user_handle):
        self.algorithm = algorithm
        self.rp_id = rp_id
        self.user_handle = user_handle
        self.id = secrets.token_bytes(32)
        self.counter = 0
        if algorithm == -7:
            self.key = ec.generate_private_key(ec.SECP256R1())
            self.public = cose.ES256.from_cryptography_key(self.key.public_key())
        elif algorithm == -8:
            self.key = ed25519.Ed25519PrivateKey.generate()
            self.public = cose.EdDSA.from_cryptography_key(self.key.public_key())
        else:
            self.key = rsa.generate_private_key(65537, 2048)
            self.public = cose.RS256.from_cryptography_key(self.key.public_key())

    def sign(self, message):
        return sign(self.key, message)


def sign(key, message):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def certificate(key):
    """An attestation certificate (Web Authentication, section 8.2.1), self-signed."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Example key"),
        ]
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.DER)


class SoftwareAuthenticator:
    """`change` alters what is about to be signed or sent, for those who cheat."""

    def __init__(self, origin="http://localhost:8080"):
        self.origin = origin
        self.passkeys = []

    def flags(self, verified, attested=False, synced=False):
        flag = AuthenticatorData.FLAG
        flags = flag.UP | (flag.UV if verified else 0) | (flag.AT if attested else 0)
        return flags | (flag.BE | flag.BS if synced else 0)

    def create(self, options, attestation="none", algorithm=None, verified=True, synced=False, change=None):
        """navigator.credentials.create"""
        known = {parameter["alg"] for parameter in options["pubKeyCredParams"]}
        assert algorithm is None or algorithm in known
        passkey = Passkey(algorithm or -7, options["rp"]["id"], websafe_decode(options["user"]["id"]))
        parts = {
            "type": "webauthn.create",
            "challenge": websafe_decode(options["challenge"]),
            "origin": self.origin,
            "rp_id": passkey.rp_id,
            "flags": self.flags(verified, attested=True, synced=synced),
            "signature": lambda signature: signature,
        }
        parts.update(change or {})
        client_data = CollectedClientData.create(parts["type"], parts["challenge"], parts["origin"])
        u2f = attestation == "fido-u2f"
        attested = AttestedCredentialData.create(
            Aaguid(bytes(16) if u2f else AAGUID), passkey.id, passkey.public
        )
        rp_hash = hashlib.sha256(parts["rp_id"].encode()).digest()
        data = AuthenticatorData.create(rp_hash, parts["flags"], passkey.counter, attested)
        message = bytes(data) + client_data.hash
        if attestation == "none":
            statement = {}
        elif attestation == "packed-self":
            statement = {"alg": passkey.algorithm, "sig": parts["signature"](passkey.sign(message))}
        else:
            maker = ec.generate_private_key(ec.SECP256R1())
            if u2f:
                point = passkey.key.public_key().public_bytes(
                    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
                )
                message = b"\0" + rp_hash + client_data.hash + passkey.id + point
            statement = {"sig": parts["signature"](sign(maker, message)), "x5c": [certificate(maker)]}
            if not u2f:
                statement["alg"] = -7
        form = "packed" if attestation.startswith("packed") else attestation
        attestation_object = AttestationObject.create(form, data, statement)
        self.passkeys.append(passkey)
        return {
            "id": websafe_encode(passkey.id),
            "rawId": websafe_encode(passkey.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": websafe_encode(bytes(client_data)),
                "attestationObject": websafe_encode(bytes(attestation_object)),
                "transports": ["internal", "hybrid"],
            },
            "clientExtensionResults": {},
        }

    def get(self, options, verified=True, counter=1, change=None):
        """navigator.credentials.get"""
        allowed = {entry["id"] for entry in options.get("allowCredentials", [])}
        passkey = next(
            key
            for key in reversed(self.passkeys)
            if key.rp_id == options["rpId"] and (not allowed or websafe_encode(key.id) in allowed)
        )
        passkey.counter += counter
        parts = {
            "type": "webauthn.get",
            "challenge": websafe_decode(options["challenge"]),
            "origin": self.origin,
            "rp_id": passkey.rp_id,
            "flags": self.flags(verified),
            "cross_origin": False,
            "signature": lambda signature: signature,
            "user_handle": passkey.user_handle,
        }
        parts.update(change or {})
        client_data = CollectedClientData.create(
            parts["type"], parts["challenge"], parts["origin"], parts["cross_origin"]
        )
        rp_hash = hashlib.sha256(parts["rp_id"].encode()).digest()
        data = AuthenticatorData.create(rp_hash, parts["flags"], passkey.counter)
        signature = parts["signature"](passkey.sign(bytes(data) + client_data.hash))
        return {
            "id": websafe_encode(passkey.id),
            "rawId": websafe_encode(passkey.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": websafe_encode(bytes(client_data)),
                "authenticatorData": websafe_encode(bytes(data)),
                "signature": websafe_encode(signature),
                "userHandle": parts["user_handle"] and websafe_encode(parts["user_handle"]),
            },
            "clientExtensionResults": {},
        }
