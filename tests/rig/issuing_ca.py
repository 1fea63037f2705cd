"""The small ACME server with an authority behind it: what it issues is for the key that was asked for.

Rule: it signs at the moment of the clock that it is given. ``wrong_key`` has it sign for that key instead, as no CA
should.
"""

from __future__ import annotations

import ssl

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from josepy import json_util

from authority import Authority
from dnsbroker.keys import read_chain
from dnsbroker.testing import FakeClock
from fake_ca import FakeCA, Post
from loopback import Response


class IssuingCA(FakeCA):
    """``authority`` may be changed for another one between two orders."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.authority = Authority()
        self.wrong_key = ""
        self.chains: dict[int, str] = {}

    def _told(self, path: str, post: Post) -> Response:
        reply = super()._told(path, post)
        place, _, number = path.partition("/")
        if place == "finalize" and reply.status == 200:
            self.chains[int(number)] = self._signed(post)
        return Response(200, body=self.chains[int(number)].encode()) if place == "cert" else reply

    def _signed(self, post: Post) -> str:
        request = x509.load_der_x509_csr(json_util.decode_b64jose(post.json()["csr"]))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = request.public_key()
        if self.wrong_key:
            other = serialization.load_pem_private_key(self.wrong_key.encode(), password=None)
            assert isinstance(other, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
            key = other.public_key()
        known = names.get_values_for_type(x509.DNSName)
        serial = 0xB0000001 + len(self.chains)  # no two alike, whichever authority signs
        chain = self.authority.sign(key, known, serial=serial, not_before=self.clock.now())
        self.issued[ssl.PEM_cert_to_DER_cert(read_chain(chain)[0])] = post.protected["kid"]
        return chain
