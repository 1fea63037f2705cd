"""What caches may hold of one owner name's TLSA records: every RRset that a server may have given out lately.

Rule: a server that was seen with one set and then with another may have given out the first one until it was seen with
the second; one that does not answer may be giving out whatever it had. So a look prolongs what was current at the look
before, and a set is forgotten only when no cache can have it any more. Moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dnsbroker.tlsa.records import Tlsa


@dataclass(frozen=True)
class Answer:
    """What one address of one authoritative server had: the whole RRset, empty where there is none.

    ``ttl`` is the longest of the RRset and of the aliases that led to it (seconds); ``expires`` the moment at which the
    signature ends, None for an RRset that is not there.
    """

    records: frozenset[Tlsa]
    ttl: int = 0
    expires: float | None = None


@dataclass(frozen=True)
class Look:
    """One round of questions to every authoritative address, over at ``at``.

    ``answers`` has each that answered as it should, ``silent`` those that did not: no answer, a lame one, SERVFAIL,
    signatures that do not hold.
    """

    at: float
    answers: Mapping[str, Answer]
    silent: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether every address answered."""
        return bool(self.answers) and not self.silent


@dataclass(frozen=True)
class View:
    """An RRset that ``server`` (an address; empty: what was about to be written) gave out from ``first`` to ``last``.

    ``is_current``: it had it at the last look, or has not been heard of since.
    """

    server: str
    records: frozenset[Tlsa]
    ttl: int
    first: float
    last: float
    is_current: bool = True

    def lapses(self, min_wait: float) -> float:
        """From when on no cache has it: twice its TTL after it was last given out, ``min_wait`` at the least.

        Twice, for caches before caches and those that stretch a TTL (RFC 7671 section 8.1).
        """
        return self.last + max(2.0 * self.ttl, min_wait)


@dataclass(frozen=True)
class Memory:
    """What is remembered of one owner name.

    ``since`` holds, for each record that every address had at the last look, when it was first seen so without a gap.
    """

    views: tuple[View, ...] = ()
    since: Mapping[Tlsa, float] = field(default_factory=dict)
    is_whole: bool = False

    def after(self, look: Look, relied_on_until: float = 0.0) -> Memory:
        """This memory after ``look``.

        A record whose signature ends before ``relied_on_until`` at some address does not count as being everywhere.
        """
        raise NotImplementedError

    def about_to(self, records: frozenset[Tlsa], ttl: int, now: float) -> Memory:
        """This memory once it is possible that some server gives out ``records``, which are about to be written."""
        raise NotImplementedError

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        """The views that a cache may have at ``now`` or get from then on; empty RRsets, which accept all, included."""
        raise NotImplementedError

    @property
    def everywhere(self) -> frozenset[Tlsa]:
        """The records that every address had at the last look; none where one of them was silent."""
        return frozenset(self.since) if self.is_whole else frozenset()

    @property
    def anywhere(self) -> frozenset[Tlsa]:
        """The records that some address has, as far as is known."""
        return frozenset(record for view in self.views if view.is_current and view.server for record in view.records)
