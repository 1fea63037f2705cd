"""A zone's name servers: does each address answer for the zone, by UDP and TCP, and do all have the same serial?

Rule: every address of every server is asked for the SOA alone, which no cache holds against anybody. A serial that lags
is looked at again for some seconds before it counts, for a transfer may be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from dnsbroker.clock import Clock
from dnsbroker.findings import Finding
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.zone import Zone

#: Seconds between the looks at a server whose serial lags.
PAUSES = (0.5, 1.5, 3.0, 5.0)


async def servers(
    zone: Zone,
    exchange: Exchange,
    clock: Clock,
    *,
    ignore: Collection[str] = (),
    require: Literal["all-reachable", "all", "resolvers", "none"] = "all-reachable",
    written: int | None = None,
    pauses: Sequence[float] = PAUSES,
) -> tuple[Finding, ...]:
    """What is wrong with the servers of ``zone``.

    ``ignore`` and ``require`` as in ``[propagation]``: the former are named, not judged; the latter says whether one
    that does not answer fails a wait. ``written`` is the serial that the service itself has, where it tells one.
    """
    return ()
