"""A look at what an endpoint serves after a deployment, at each of its addresses.

Rule: what cannot be seen from this host at all is told, and is no failure of the service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dnsbroker import endpoints
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import BrokerError
from dnsbroker.serving import Seen, verify
from dnsbroker.store import Lineage

Addresses = Callable[[str], Awaitable[tuple[str, ...]]]

#: Seconds that a service has to come back with its new certificate.
PATIENCE = 10.0

_RELOAD = "the program behind it reads a new certificate when it is reloaded: name its unit in reload, or a command in "
_HINTS = {
    "another": _RELOAD + "deploy_hooks",
    "nowhere": "correct the endpoint in verify, or give its host an address",
    "unreachable": "see whether the program runs, and whether this host may connect to it there",
}


@dataclass(frozen=True)
class Look:
    """What was ``seen`` of an endpoint; ``error`` and ``hint`` where it does not serve the certificate everywhere."""

    seen: tuple[Seen, ...]
    error: str = ""
    hint: str = ""


async def look(endpoint: str, lineage: Lineage, addresses: Addresses, clock: Clock) -> Look:
    """Whether ``endpoint`` serves ``lineage`` at each address within PATIENCE seconds; raises nothing."""
    place = endpoints.parse(endpoint)
    try:
        found = await addresses(place.host)
    except BrokerError as error:
        return Look((), error.message, _HINTS["nowhere"])
    try:
        seen = await verify(place, found, lineage.fullchain, Deadline.after(clock, PATIENCE))
    except BrokerError as error:
        return Look((), error.message, error.hint)
    wrong = [item for item in seen if item.state in _HINTS]
    if wrong:
        return Look(seen, "; ".join(str(item) for item in wrong), _HINTS[wrong[0].state])
    return Look(seen)
