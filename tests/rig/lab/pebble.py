"""Pebble, the ACME test server, with a listener certificate from a CA of its own.

Rule: it is as unkind as the caller says (nonces refused, authorizations re-used), and by default only as unkind as the
protocol allows a CA to be in every run. Refused: http-01 and tls-alpn-01; nothing listens for them here.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.processes import Server, with_environment

PRIVATE_PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Pebble(Server):
    """An ACME server at https://localhost:PORT/dir whose answers from DNS come from ``resolver``.

    ``nonce_reject`` and ``authorization_reuse`` in per cent; ``mac_keys``: with some (base64url, by their identifier)
    an account has to be bound to one of them; ``environment``: further variables of Pebble's; ``configuration``:
    further keys of its configuration.
    """

    def __init__(
        self,
        directory: Path,
        *,
        resolver: str = "127.0.0.53:53",
        address: str = "127.0.0.1",
        port: int = 14000,
        management_port: int = 15000,
        nonce_reject: int = 0,
        authorization_reuse: int = 0,
        mac_keys: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        configuration: Mapping[str, object] | None = None,
        name: str = "pebble",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.resolver = resolver
        self.management_port = management_port
        self.environment = {
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_NONCEREJECT": str(nonce_reject),
            "PEBBLE_AUTHZREUSE": str(authorization_reuse),
        } | dict(environment or {})
        bound = {"externalAccountBindingRequired": True, "externalAccountMACKeys": dict(mac_keys)} if mac_keys else {}
        self.configuration = {**bound, **(configuration or {})}

    @property
    def url(self) -> str:
        """The ACME directory's URL."""
        return f"https://localhost:{self.port}/dir"

    @property
    def ca_file(self) -> Path:
        """Trust for the listener's TLS (not for issued certificates)."""
        return self.directory / "ca.pem"

    def write_files(self) -> None:
        """The listener's certificate and the configuration."""
        if not self.ca_file.exists():
            write_listener_certificate(self.directory)
        configuration = {
            "listenAddress": f"{self.address}:{self.port}",
            "managementListenAddress": f"{self.address}:{self.management_port}",
            "certificate": str(self.directory / "listener.pem"),
            "privateKey": str(self.directory / "listener.key"),
            "httpPort": 5002,
            "tlsPort": 5001,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        } | self.configuration
        (self.directory / "pebble.json").write_text(json.dumps({"pebble": configuration}, indent=2))

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        program: list[str | Path] = ["pebble", "-config", self.directory / "pebble.json", "-dnsserver", self.resolver]
        return with_environment(self.environment, program)

    def is_ready(self) -> bool:
        """It shows its directory."""
        try:
            return "newOrder" in json.loads(self.get(self.url))
        except OSError:
            return False

    def get(self, url: str) -> str:
        """What one of its URLs shows, over TLS that the lab's CA file vouches for; OSError if it does not."""
        return fetch(url, ssl.create_default_context(cafile=str(self.ca_file)))

    def root(self, number: int = 0) -> str:
        """The root certificate (PEM) above the certificates that it issues; another one after every start."""
        return self.get(f"https://localhost:{self.management_port}/roots/{number}")

    def status(self, serial: int) -> Mapping[str, object]:
        """What it says of the certificate with that number: ``Status`` is Valid or Revoked, then with ``Reason``."""
        found: Mapping[str, object] = json.loads(
            self.get(f"https://localhost:{self.management_port}/cert-status-by-serial/{serial:x}")
        )
        return found


def fetch(url: str, trust: ssl.SSLContext) -> str:
    """What an https URL shows, never through a proxy; OSError if it shows nothing or is not trusted."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    with direct.open(url, timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def write_listener_certificate(directory: Path) -> None:
    """Write ca.pem, listener.pem and listener.key for localhost, valid for a week."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test lab CA")])
    ca_identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage),
            critical=True,
        )
        .add_extension(ca_identifier, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1"))]
    listener = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), ca_name, key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (directory / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (directory / "listener.pem").write_bytes(listener.public_bytes(serialization.Encoding.PEM))
    (directory / "listener.key").write_bytes(key.private_bytes(*PRIVATE_PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=7))
    )
