"""``[[dane]]``: which endpoints have TLSA records, for which certificates, and of which kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnsbroker.settings import Duration, key

Issuer = Literal["top", "issuing", "both"]


@dataclass(frozen=True)
class DaneConfig:
    """One ``[[dane]]`` table. Endpoints are as ``dnsbroker.endpoints`` writes them; kinds such as ``3 1 1``.

    ``certificate`` holds certificate names, absolute paths of another client's lineage directory, or of PEM files.
    """

    endpoint: tuple[str, ...] = key(
        doc="The services, one or a list: scheme://host or scheme://host:port.",
        example='["smtp://mail.example.org"]',
    )
    certificate: tuple[str, ...] = key(
        doc="Whose key they serve: a certificate's name, the directory of another client's certificate, a PEM file "
        "(leaf first), or a list of these.",
        example='"example.org"',
    )
    records: tuple[str, ...] = key(
        ("3 1 1", "2 1 1"), doc="The kinds of records: usage, selector and matching type of each."
    )
    ttl: Duration = key(3600.0, doc="The TTL of the records in a new RRset.")
    min_wait: Duration = key(
        3600.0,
        doc="How long to wait from the moment at which every server has a record until it is relied on: this, or twice "
        "what may be cached, whichever is longer.",
    )
    issuer: Issuer = key(
        "top",
        doc='The CA key that 2 1 1 names: "top", that of the highest CA certificate which is sent along, "issuing", '
        'that of the one which issued the certificate, or "both".',
    )
    ta_pool: tuple[str, ...] = key(
        (),
        doc="Further CA keys to publish as 2 1 1: SHA-256 of their SubjectPublicKeyInfo, in hexadecimal.",
        example='["b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc"]',
    )
    addresses: tuple[str, ...] = key(
        (),
        doc="Those of the endpoint's addresses that serve this certificate, by default all; what the others serve has "
        "to be covered too.",
        example='["192.0.2.25"]',
    )
    connect: str = key(
        "",
        doc="Where to reach the service for looking at it, instead of at its addresses (NAT, a blocked port 25).",
        example='"127.0.0.1:25"',
    )
    allow: tuple[str, ...] = key((), doc="Checks of `tlsa compute` that these records may fail.", example='["pkix"]')
