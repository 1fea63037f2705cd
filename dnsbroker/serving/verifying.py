"""Does each address serve this certificate, and when not, what does it serve?

Rule: daemons take their time to reload, so an address is looked at again until it serves the certificate or the
deadline passes; what is told is what was seen last.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dnsbroker import keys
from dnsbroker.clock import Deadline
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import PemInvalid, ServiceUnreachable
from dnsbroker.names import is_within, owner
from dnsbroker.serving.leaf import LOOK, Algorithm, leaf_served
from dnsbroker.tasks import together

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 2.0
_SHORTEST_LOOK = 1.0

State = Literal["serves", "another", "unreachable", "untested"]


@dataclass(frozen=True)
class Seen:
    """What ``address`` of ``endpoint`` was last seen to serve.

    ``state`` is ``serves`` (the certificate meant), ``another`` (which one, ``serial``, in lower-case hex, and
    ``not_after`` say), ``unreachable`` (``reason`` says why) or ``untested``: this host has no way to that address
    family, which says nothing about the service.
    """

    endpoint: Endpoint
    address: str
    state: State
    serial: str = ""
    not_after: datetime | None = None
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.endpoint.shown()} at {self.address} {self._told()}"

    def _told(self) -> str:
        if self.state == "serves":
            return "serves the certificate"
        if self.state == "another":
            which = f"with serial {self.serial}, valid until {self.not_after:%Y-%m-%d}" if self.serial else self.reason
            return f"serves another certificate, {which}"
        return f"{'cannot be tested from here' if self.state == 'untested' else 'cannot be seen'}: {self.reason}"


async def verify(
    endpoint: Endpoint, addresses: Iterable[str], certificate_pem: str, deadline: Deadline
) -> tuple[Seen, ...]:
    """Whether each of ``addresses`` (IPs, with a port where it is another one) serves the first certificate of the PEM.

    Every address is looked at once at least, and again until it serves the certificate or ``deadline`` has passed. Of a
    service with a certificate for each algorithm the one for this certificate's counts.
    Raises PemInvalid where the PEM has no certificate, ValueError where an address is none.
    """
    wanted = _Wanted.read(keys.read_chain(certificate_pem)[0])
    return tuple(await together(_watched(endpoint, address, wanted, deadline) for address in addresses))


@dataclass(frozen=True)
class _Wanted:
    """The certificate looked for: its octets, its algorithm where a service may have another one too, its names."""

    der: bytes
    algorithm: Algorithm | None
    names: tuple[str, ...]

    @classmethod
    def read(cls, pem: str) -> _Wanted:
        leaf = keys.describe(pem)
        return cls(ssl.PEM_cert_to_DER_cert(pem), _algorithm(leaf), leaf.names)

    def domains(self, endpoint: Endpoint) -> tuple[str, ...]:
        """What an XMPP stream may be for: the host, or a domain whose service it is (RFC 6120 section 3.2.1)."""
        if not endpoint.scheme.startswith("xmpp-"):
            return (endpoint.host,)
        host = owner(endpoint.host)
        return (endpoint.host, *(name for name in self.names if host != owner(name) and is_within(host, owner(name))))


async def _watched(endpoint: Endpoint, address: str, wanted: _Wanted, deadline: Deadline) -> Seen:
    wait = _FIRST_WAIT
    while True:
        seen = await _seen(endpoint, address, wanted, min(LOOK, max(_SHORTEST_LOOK, deadline.left())))
        if seen.state in ("serves", "untested") or deadline.left() <= wait:
            return seen
        await deadline.clock.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


async def _seen(endpoint: Endpoint, address: str, wanted: _Wanted, seconds: float) -> Seen:
    try:
        der = await _presented(endpoint, address, wanted, seconds)
        return Seen(endpoint, address, "serves" if der == wanted.der else "another", *_facts(der))
    except ServiceUnreachable as error:
        return Seen(endpoint, address, "untested" if error.untested else "unreachable", reason=error.reason)
    except PemInvalid as error:
        return Seen(endpoint, address, "another", reason=f"which cannot be read: {error.reason}")


async def _presented(endpoint: Endpoint, address: str, wanted: _Wanted, seconds: float) -> bytes:
    """The certificate meant where the service has it; else the one that it prefers. Raises ServiceUnreachable."""
    refused: ServiceUnreachable | None = None
    for domain in wanted.domains(endpoint):
        try:
            der = await leaf_served(endpoint, address, domain=domain, seconds=seconds)
        except ServiceUnreachable as error:
            refused = refused or error
            continue
        return der if der == wanted.der else await _beside(der, endpoint, address, domain, wanted, seconds)
    assert refused is not None  # noqa: S101 - for the type checker: there is a domain at least
    raise refused


async def _beside(der: bytes, endpoint: Endpoint, address: str, domain: str, wanted: _Wanted, seconds: float) -> bytes:
    """The certificate meant, if the service has it beside ``der``, which is for another algorithm; else ``der``."""
    if wanted.algorithm is None or _algorithm(_leaf(der)) == wanted.algorithm:
        return der
    try:
        other = await leaf_served(endpoint, address, domain=domain, algorithm=wanted.algorithm, seconds=seconds)
    except ServiceUnreachable:  # it has none for that algorithm
        return der
    return other if other == wanted.der else der


def _algorithm(leaf: keys.Leaf) -> Algorithm | None:
    if leaf.key_type.startswith("ecdsa"):
        return "ecdsa"
    return "rsa" if leaf.key_type.startswith("rsa") else None


def _facts(der: bytes) -> tuple[str, datetime]:
    leaf = _leaf(der)
    return format(leaf.serial, "x"), leaf.not_after


def _leaf(der: bytes) -> keys.Leaf:
    return keys.describe(ssl.DER_cert_to_PEM_cert(der))
