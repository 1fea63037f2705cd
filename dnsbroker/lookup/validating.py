"""What a recursive resolver thinks of a zone's signatures; only data that is there is asked for, so nothing is denied.

An AD bit is told as it came; whether it is to be believed depends on the way to the resolver, and on who asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.edns
import dns.flags

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Exchange, Silent


@dataclass(frozen=True)
class Opinion:
    """Of one resolver about one RRset. ``rcode`` is empty where it gave no answer, ``reason`` then says why.

    ``has_data``: the RRset came; ``is_validated``: with AD; ``explained`` are its own words (RFC 8914).
    """

    rcode: str
    reason: str = ""
    has_data: bool = False
    is_validated: bool = False
    explained: tuple[str, ...] = ()


async def opinion(exchange: Exchange, resolver: Address, name: str, type: str, *, unchecked: bool = False) -> Opinion:
    """What ``resolver`` answers about an RRset that exists; ``unchecked``: without validating (CD)."""
    try:
        answer = await exchange.ask(resolver, name, type, dnssec=True, recursion=True, unchecked=unchecked)
    except Silent as error:
        return Opinion("", error.reason)
    return Opinion(
        answer.rcode,
        has_data=bool(answer.values(name, type)),
        is_validated=bool(answer.message.flags & dns.flags.AD),
        explained=tuple(
            option.to_text() for option in answer.message.options if isinstance(option, dns.edns.EDEOption)
        ),
    )
