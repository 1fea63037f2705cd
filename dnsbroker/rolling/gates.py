"""May this key be ordered for, may this chain be served? And if not yet, when, and what is missing.

Rule: it may when every view that a cache may hold covers it, and the records it relies on have been everywhere for the
least time that is configured; nothing is relied on while an address is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Tlsa

if TYPE_CHECKING:
    from dnsbroker.rolling.table import Site


@dataclass(frozen=True)
class Gate:
    """Whether the way is open, and if not, why.

    ``opens_at`` (seconds since the epoch) is when it will be if nothing else changes, None where time alone does not
    open it. ``reason`` is a sentence for people, empty where it is open. ``missing`` are records to publish, with
    the owner name of each.
    """

    is_open: bool
    reason: str = ""
    opens_at: float | None = None
    missing: tuple[tuple[str, Tlsa], ...] = ()


def uncovered(records: frozenset[Tlsa], chain: Presented, *, leaf_only: bool = False) -> tuple[Kind, ...]:
    """The kinds of which usable ``records`` are there and none names ``chain`` (RFC 7671 section 8.1), sorted.

    ``leaf_only``: only kinds that name the leaf, for a key that has no chain yet. No records: nothing is uncovered.
    """
    raise NotImplementedError


def for_key(key: Presented, sites: Sequence[Site], now: float) -> Gate:
    """May an order be made for a key (a Presented without authorities)? Only kinds that name the leaf are looked at."""
    raise NotImplementedError


def for_chain(chain: Presented, sites: Sequence[Site], now: float, *, leaf_only: bool = False) -> Gate:
    """May ``chain`` be served? ``leaf_only`` is for when time runs out: conforming clients accept a match of one kind.

    Then only kinds that name the leaf have to be covered, and each view that has none of those has to be covered whole.
    """
    raise NotImplementedError
