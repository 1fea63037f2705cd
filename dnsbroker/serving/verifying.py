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
from dnsbroker.serving.leaf import LOOK, leaf_served
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

    Every address is looked at once at least, and again until it serves the certificate or ``deadline`` has passed.
    Raises PemInvalid where the PEM has no certificate, ValueError where an address is none.
    """
    wanted = ssl.PEM_cert_to_DER_cert(keys.read_chain(certificate_pem)[0])
    return tuple(await together(_watched(endpoint, address, wanted, deadline) for address in addresses))


async def _watched(endpoint: Endpoint, address: str, wanted: bytes, deadline: Deadline) -> Seen:
    wait = _FIRST_WAIT
    while True:
        seen = await _seen(endpoint, address, wanted, min(LOOK, max(_SHORTEST_LOOK, deadline.left())))
        if seen.state in ("serves", "untested") or deadline.left() <= wait:
            return seen
        await deadline.clock.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


async def _seen(endpoint: Endpoint, address: str, wanted: bytes, seconds: float) -> Seen:
    try:
        der = await leaf_served(endpoint, address, seconds=seconds)
    except ServiceUnreachable as error:
        return Seen(endpoint, address, "untested" if error.untested else "unreachable", reason=error.reason)
    if der == wanted:
        return Seen(endpoint, address, "serves", *_facts(der))
    try:
        return Seen(endpoint, address, "another", *_facts(der))
    except PemInvalid as error:
        return Seen(endpoint, address, "another", reason=error.reason)


def _facts(der: bytes) -> tuple[str, datetime]:
    leaf = keys.describe(ssl.DER_cert_to_PEM_cert(der))
    return format(leaf.serial, "x"), leaf.not_after
