"""Names that live only by a wildcard, and would vanish once a record is written below them (RFC 4592 section 2.2.2).

Rule: one server is asked, never all of them and never a resolver; a random name first, which tells that there is no
wildcard at all where, as nearly always, there is none.
"""

from __future__ import annotations

from collections.abc import Collection

from dnsbroker.findings import Finding
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place


async def shadowing(place: Place, finder: Finder, *, extra: Collection[str] = ()) -> tuple[Finding, ...]:
    """What would vanish with a record at ``place``, or at one of the ``extra`` owner names (``_25._tcp.…``)."""
    return ()
