"""The way from a challenge name to where its record stands: is every alias, and every cut, the same on all servers?

Rule: at the challenge name only the records that are known to stand there are asked for, so that no server learns a
denial; where the way ends, nobody is asked. What makes a way end nowhere is told from the error that said so.
"""

from __future__ import annotations

from collections.abc import Collection

from dnsbroker.errors import BrokerError
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place


async def delegation(
    place: Place, finder: Finder, exchange: Exchange, *, ignore: Collection[str] = ()
) -> tuple[Finding, ...]:
    """What is wrong with the way to ``place``; the servers in ``ignore`` (owner names, IP addresses) are left out."""
    return ()


def broken(name: str, error: BrokerError) -> Finding:
    """The finding for an ``error`` of looking for the place of ``name``, an owner name, or for who writes there."""
    return Finding("no-zone", Severity.ERROR, name, error.message, error.hint)
