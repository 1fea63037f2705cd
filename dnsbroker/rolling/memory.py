"""What caches may hold of one owner name's TLSA records: every RRset that a server may have given out lately.

Rule: a server that was seen with one set and then with another may have given out the first one until it was seen with
the second, and whatever was seen elsewhere or written in between as well. One that does not answer may be giving out
any set that it ever had. So all that was alive at the look before lives until this one, unless that look found one and
the same set everywhere; and a look that finds a server silent brings back all that is remembered.
Moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dnsbroker.tlsa.records import Tlsa

#: How long a set is remembered that nobody was seen to give out (seconds): as long as signatures may last that a server
#: still has which comes back from a long silence.
REMEMBERED = 30 * 86400.0

#: Stands for the servers of a View that nobody saw; no address looks like it.
UNKNOWN = "?"


@dataclass(frozen=True)
class Answer:
    """What one address of one authoritative server had: the whole RRset, empty where there is none.

    ``ttl`` is the longest of the RRset and of the aliases that led to it (seconds); ``expires`` the moment at which the
    signature ends, None for an RRset that is not there, or not signed.
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

    @property
    def settled(self) -> frozenset[Tlsa] | None:
        """The one RRset that every address had; None where they differ, or one was silent."""
        sets = {answer.records for answer in self.answers.values()}
        return sets.pop() if self.is_whole and len(sets) == 1 else None

    def relied_on_until(self, min_wait: float) -> float:
        """How long its signatures have to hold: as long as a record that is found now is waited for."""
        ttl = max((answer.ttl for answer in self.answers.values()), default=0)
        return self.at + max(2.0 * ttl, min_wait)


@dataclass(frozen=True)
class View:
    """An RRset that ``server`` (an address; empty: what was about to be written) gave out from ``first`` to ``last``.

    ``is_current``: it had it at the last look, or has not been heard of since; for what was about to be written: it was
    not seen everywhere yet, nor anything that was written later. Where ``server`` is ``UNKNOWN``, the view stands for
    all that was given out before the first look: nobody knows more of its records than those that were found then.
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

    @property
    def is_given(self) -> bool:
        """Whether ``server`` is one, and has it now as far as is known."""
        return self.is_current and bool(self.server)

    @property
    def is_unknown(self) -> bool:
        """Whether its records are those that were found, and others may have been there just before."""
        return self.server == UNKNOWN

    def is_of(self, answer: Answer) -> bool:
        """Whether ``answer`` has this RRset, to be kept as long."""
        return (self.records, self.ttl) == (answer.records, answer.ttl)


@dataclass(frozen=True)
class Memory:
    """What is remembered of one owner name.

    ``since`` holds, for each record that every address had at the last look, when it was first seen so without a gap;
    nothing where one was silent. ``is_whole``: none was.
    """

    views: tuple[View, ...] = ()
    since: Mapping[Tlsa, float] = field(default_factory=dict)
    is_whole: bool = False

    def after(self, look: Look, relied_on_until: float = 0.0, *, remembered: float = REMEMBERED) -> Memory:
        """This memory after ``look``.

        A record whose signature ends before ``relied_on_until`` at some address does not count as being everywhere.
        What nobody gave out for ``remembered`` seconds, and no cache has, is forgotten; what was about to be written,
        once something that was to follow it is everywhere. A moment ahead of the look becomes that of the look.
        """
        known = self._not_after(look.at)
        kept = tuple(known._aged(view, look) for view in known.views)
        lasting = (view for view in kept if view.is_current or view.lapses(remembered) > look.at)
        views = (*lasting, *known._new(look), *known._unknown(look))
        return replace(known, views=views, since=known._clocks(look, relied_on_until), is_whole=look.is_whole)

    def about_to(self, records: frozenset[Tlsa], ttl: int, now: float) -> Memory:
        """This memory once it is possible that some server gives out ``records``, which are about to be written."""
        return replace(self, views=(*self.views, View("", records, ttl, now, now)))

    def unheard(self, now: float) -> Memory:
        """This memory at ``now`` where no server can be found: as it was, for as long as old signatures may last."""
        views = tuple(view for view in self.views if view.lapses(REMEMBERED) > now)
        return Memory(views, {}, is_whole=False)

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        """The views that a cache may have at ``now`` or get from then on; empty RRsets, which accept all, included.

        What was about to be written and did not turn up in all that time was not written.
        """
        return tuple(view for view in self.views if view.is_given or view.lapses(min_wait) > now)

    @property
    def everywhere(self) -> frozenset[Tlsa]:
        """The records that every address had at the last look; none where one of them was silent."""
        return frozenset(self.since)

    @property
    def anywhere(self) -> frozenset[Tlsa]:
        """The records that some address has, as far as is known."""
        return frozenset[Tlsa]().union(*self.given)

    @property
    def common(self) -> frozenset[Tlsa]:
        """The records that every address has, as far as is known: one that is silent what it had."""
        return frozenset.intersection(*self.given) if self.given else frozenset()

    @property
    def given(self) -> frozenset[frozenset[Tlsa]]:
        """The RRsets that servers give out, as far as is known."""
        return frozenset(view.records for view in self.views if view.is_given)

    @property
    def passing(self) -> frozenset[frozenset[Tlsa]]:
        """The RRsets that some server has, or may yet come to have on its way.

        What was announced last and nobody has is none of them: it was not written, or is there for all to come to.
        """
        looked = max((view.last for view in self.views if view.server), default=0.0)
        announced = [view for view in self.views if view.is_current and not view.server]
        late = [view for view in announced[:-1] if view.lapses(0.0) > looked]
        found = [view for view in self.views if view.server and (view.is_given or self._was_alive(view))]
        last = {view.records for view in announced[-1:]}
        return frozenset(view.records for view in found) | ({view.records for view in late} - last)

    @property
    def is_settled(self) -> bool:
        """Whether every address answered at the last look, with one and the same RRset."""
        return self.is_whole and len(self.given) == 1

    def _not_after(self, moment: float) -> Memory:
        """What lies ahead of ``moment`` was noted while the clock was ahead: it was at ``moment`` at the latest."""
        views = (replace(one, first=min(one.first, moment), last=min(one.last, moment)) for one in self.views)
        since = {record: min(begun, moment) for record, begun in self.since.items()}
        return replace(self, views=tuple(views), since=since)

    def _aged(self, view: View, look: Look) -> View:
        if view.is_current and not view.server:
            return self._awaited(view, look)
        answer = look.answers.get(view.server)
        if view.is_current and answer is not None and view.is_of(answer):
            return replace(view, last=look.at)
        if not look.is_whole:
            return replace(view, last=look.at, is_current=view.is_current and view.server in look.silent)
        return replace(view, last=look.at, is_current=False) if self._is_alive(view) else view

    def _is_alive(self, view: View) -> bool:
        """Whether it may have been given out after the look before: it was current, or servers were on their way."""
        return view.is_current or self._was_alive(view)

    def _was_alive(self, view: View) -> bool:
        looked = max((other.last for other in self.views if other.server), default=view.last)
        return not self.is_settled and view.last >= looked

    def _awaited(self, view: View, look: Look) -> View:
        """What was about to be written: over once it is everywhere, or something that was to follow it is."""
        if look.settled is None:
            return replace(view, last=look.at)
        is_over = any(
            other.records == look.settled and other.first >= view.first
            for other in self.views
            if other.is_current and not other.server
        )
        return replace(view, last=look.at, is_current=False) if is_over else view

    def _new(self, look: Look) -> tuple[View, ...]:
        """The RRsets that a server has and had not."""
        return tuple(
            View(server, answer.records, answer.ttl, look.at, look.at)
            for server, answer in sorted(look.answers.items())
            if not any(view.server == server and view.is_current and view.is_of(answer) for view in self.views)
        )

    def _unknown(self, look: Look) -> tuple[View, ...]:
        """What caches may have from before, where records are found that nobody saw come."""
        seen = [view for view in self.views if view.server]
        found = [answer for answer in look.answers.values() if answer.records]
        is_new = not {view.server for view in seen} >= {*look.answers, *look.silent}
        if not found or not is_new or any(view.records for view in seen):
            return ()
        records = frozenset[Tlsa]().union(*(answer.records for answer in found))
        return (View(UNKNOWN, records, max(answer.ttl for answer in found), look.at, look.at, is_current=False),)

    def _clocks(self, look: Look, relied_on_until: float) -> dict[Tlsa, float]:
        """No clock outlives a silence, in which a record may have vanished and come back."""
        if not look.is_whole:
            return {}
        lasting = [
            answer.records if answer.expires is not None and answer.expires >= relied_on_until else frozenset()
            for answer in look.answers.values()
        ]
        return {record: self.since.get(record, look.at) for record in sorted(frozenset.intersection(*lasting))}
