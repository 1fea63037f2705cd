"""TLSA records as values: four fields, what they name, and why no client could use one.

Rule: octets are compared as they stand in the certificate, nothing is encoded anew. A record that no client can use is
still a value: who reads DNS sees such, and what follows from it is for the reader to say. Text that is no TLSA value at
all is refused by ``dnsbroker.records``.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dnsbroker import keys
from dnsbroker.records import checked_tlsa

#: Certificate usages (RFC 6698 section 2.1.1, by their names in RFC 7218): a CA or the leaf, judged by local roots too.
PKIX_TA, PKIX_EE = 0, 1
#: And a CA or the leaf by the record's word alone.
DANE_TA, DANE_EE = 2, 3
#: Selectors (RFC 6698 section 2.1.2): the whole certificate, or its SubjectPublicKeyInfo.
CERT, SPKI = 0, 1
#: Matching types (RFC 6698 section 2.1.3): the octets themselves, or a digest of them.
FULL, SHA256, SHA512 = 0, 1, 2

_DIGESTS: Mapping[int, Callable[[bytes], bytes]] = {
    SHA256: lambda octets: hashlib.sha256(octets).digest(),
    SHA512: lambda octets: hashlib.sha512(octets).digest(),
}
_DIGEST_OCTETS = {SHA256: 32, SHA512: 64}
_NOTHING = frozenset(digest(b"") for digest in _DIGESTS.values())


@dataclass(frozen=True, order=True)
class Kind:
    """The first three fields of a TLSA record, each an octet: what a client does with the fourth."""

    usage: int
    selector: int
    matching: int

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching}"

    @property
    def is_of_leaf(self) -> bool:
        """Whether it speaks of the leaf."""
        return self.usage in (PKIX_EE, DANE_EE)

    @property
    def is_of_authority(self) -> bool:
        """Whether it speaks of a CA of the chain."""
        return self.usage in (PKIX_TA, DANE_TA)

    @property
    def unknown(self) -> str:
        """Which of its fields no standard has; empty where all is known (RFC 6698 section 7)."""
        if not (self.is_of_leaf or self.is_of_authority):
            return f"usage {self.usage} is unknown"
        if self.selector not in (CERT, SPKI):
            return f"selector {self.selector} is unknown"
        return "" if self.matching in (FULL, *_DIGESTS) else f"matching type {self.matching} is unknown"


@dataclass(frozen=True)
class Subject:
    """A certificate as TLSA records see it: the whole of it, and its SubjectPublicKeyInfo, both in DER.

    ``certificate`` is empty where there is only a key yet.
    """

    certificate: bytes
    public_key: bytes


@dataclass(frozen=True, order=True)
class Tlsa:
    """A TLSA value (RFC 6698 section 2.1): its kind, and the certificate association data in octets."""

    kind: Kind
    data: bytes

    def __str__(self) -> str:
        """As ``dnsbroker.records`` keeps it: ``3 1 1 hex``."""
        return f"{self.kind} {self.data.hex()}"

    @property
    def unusable(self) -> str:
        """Why no client can use it (RFC 6698 section 4.1); empty where one can, be it right or wrong."""
        if self.kind.unknown:
            return self.kind.unknown
        if self.kind.matching == FULL:
            return "" if _is_one_sequence(self.data) else "its data is no DER"
        wanted = _DIGEST_OCTETS[self.kind.matching]
        return "" if len(self.data) == wanted else f"its digest has {len(self.data)} octets instead of {wanted}"

    @property
    def is_of_nothing(self) -> bool:
        """Whether its data is the digest of no octets at all: who made it read an empty file."""
        return self.data in _NOTHING

    def names(self, subject: Subject) -> bool:
        """Whether ``subject`` is the certificate or the key that it speaks of. One that is unusable names nothing."""
        return not self.kind.unknown and bool(_selected(self.kind, subject)) and self == made(self.kind, subject)


def parse(text: str) -> Tlsa:
    """The record, usable or not, whose text is ``usage selector type hex`` (RFC 6698 section 2.2).

    Raises NameInvalid.
    """
    usage, selector, matching, data = checked_tlsa(text).split()
    return Tlsa(Kind(int(usage), int(selector), int(matching)), bytes.fromhex(data))


def made(kind: Kind, subject: Subject) -> Tlsa:
    """The record of that kind for ``subject``. ValueError where no client knows the kind."""
    if kind.unknown:
        raise ValueError(kind.unknown)
    octets = _selected(kind, subject)
    return Tlsa(kind, octets if kind.matching == FULL else _DIGESTS[kind.matching](octets))


def subjects(chain_pem: str) -> tuple[Subject, ...]:
    """Each certificate of a chain, leaf first. Raises PemInvalid."""
    chain = keys.read_chain(chain_pem)
    return tuple(Subject(ssl.PEM_cert_to_DER_cert(pem), keys.public_key_in(pem)) for pem in chain)


def _selected(kind: Kind, subject: Subject) -> bytes:
    return subject.certificate if kind.selector == CERT else subject.public_key


def _is_one_sequence(data: bytes) -> bool:
    """Whether the octets are one SEQUENCE and nothing after it, as certificates and public keys are (X.690 8.1)."""
    if len(data) < 2 or data[0] != 0x30:
        return False
    if data[1] < 0x80:
        return len(data) == 2 + data[1]
    content = 2 + data[1] - 0x80
    return len(data) == content + int.from_bytes(data[2:content])
