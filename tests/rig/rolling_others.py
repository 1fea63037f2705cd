"""What happens around the program in a ``rolling_world``: time, name servers, caches, daemons and people.

Rule: it does its worst. What no rule of a program could help against is not done: a set comes back only if a cache may
have it still, or it covers what is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from dnsbroker import rolling
from dnsbroker.rolling import Memory
from dnsbroker.tlsa.records import Kind, Tlsa
from rolling_notes import Notes, older, plain
from rolling_state import NONE, Cached, Chain, Owner, State, covers, present

EE, TA, EE_512 = Kind(3, 1, 1), Kind(2, 1, 1), Kind(3, 1, 2)

T = TypeVar("T")


@dataclass(frozen=True)
class Surroundings:
    """How large it is, and what may go wrong. Times are in ticks, ``faults`` how often something does.

    ``is_found``: records were there before the program's first look, and its journal tells nothing of them.
    ``can_die``: a daemon dies of a new certificate. ``signed``: in how many ticks signatures may end that a server
    gives out beside those that last.
    """

    kinds: tuple[Kind, ...] = (EE,)
    owners: int = 1
    servers: int = 2
    addresses: int = 1
    issuers: int = 1
    ttl: int = 1
    min_wait: int = 1
    remembered: int = 3
    rolls: int = 1
    faults: int = 1
    is_lagging: bool = False
    wishes: tuple[str, ...] = ("asked",)
    can_hide: bool = False
    is_found: bool = False
    can_take: bool = False
    can_die: bool = False
    signed: tuple[int, ...] = ()
    notes: Notes = field(default_factory=Notes, compare=False, repr=False)

    def tick(self, state: State) -> State:
        """A tick on."""
        owners = tuple(self._aged(owner) for owner in state.owners)
        seen = tuple(each._replace(age=min(each.age + 1, self.min_wait)) for each in state.seen)
        is_back = (
            state.is_loud
            and not any(any(owner.coming) for owner in state.owners)
            and all(covers(records, chain) for records, chain in self.met(state, state.live))
        )
        outage = NONE if is_back or state.outage == NONE else min(state.outage + 1, 2 * self.ttl)
        is_loud = state.is_loud and not is_back
        shown = state.shown if state.shown == NONE else min(state.shown + 1, self.min_wait)
        return state._replace(owners=owners, seen=seen, shown=shown, is_loud=is_loud, outage=outage)

    def met(self, state: State, *others: Chain) -> set[tuple[frozenset[Tlsa], Chain]]:
        """Every set that a cache may have, with every chain that is served, and ``others``."""
        sets = {
            records
            for owner in state.owners
            for records in (*owner.given, *(each.records for each in owner.cached if each.age < 2 * self.ttl))
        }
        return {(records, chain) for records in sets for chain in (*state.served, *others) if chain is not None}

    def clocked(self, state: State) -> State:
        """With the true clocks of the next key and of what is served, which the program can only guess."""
        is_shown = all(chain is None or chain.key == state.live.key for chain in state.served)
        state = state._replace(shown=max(state.shown, 0) if is_shown else NONE)
        if state.next == NONE:
            return state._replace(owners=tuple(owner._replace(stood=NONE) for owner in state.owners))
        key = self._records(state.next)
        owners = []
        for owner in state.owners:
            stood = max(owner.stood, 0) if key else self.min_wait
            stands = all(key <= given for given in owner.gives) and (0 not in owner.ends or stood >= self.min_wait)
            owners.append(owner._replace(stood=stood if stands else NONE))
        return state._replace(owners=tuple(owners))

    def _records(self, key: int) -> frozenset[Tlsa]:
        return self.notes.once((key,), lambda: rolling.wanted(self.kinds, [present(Chain(key, NONE))]))

    def _aged(self, owner: Owner) -> Owner:
        oldest = max(2 * self.ttl, self.remembered)
        cached = tuple(Cached(each.records, each.age + 1) for each in owner.cached if each.age + 1 < oldest)
        stood = owner.stood if owner.stood == NONE else min(owner.stood + 1, self.min_wait)
        owner = owner._replace(cached=cached, memory=self._shifted(owner.memory), stood=stood)
        return self._signed_less(owner) if any(end > 0 for end in owner.ends) else owner

    def _signed_less(self, owner: Owner) -> Owner:
        """With signatures a tick nearer to their end; what had one until now is cached."""
        ends = tuple(max(end - 1, min(end, 0)) for end in owner.ends)
        over = [each for each, was, end in zip(owner.gives, owner.ends, ends, strict=True) if was > 0 == end]
        return _cached(owner._replace(ends=ends), over)

    def elsewhere(self, state: State) -> Iterator[tuple[str, State]]:
        """What daemons, servers and people may do."""
        for address, chain in enumerate(state.served):
            if chain != state.live:
                yield f"address {address} reloads", state._replace(served=replaced(state.served, address, state.live))
                if self.can_die and chain and state.faults < self.faults:
                    dead = replaced(state.served, address, None)
                    yield f"address {address} dies", state._replace(served=dead, faults=state.faults + 1)
        for number, owner in enumerate(state.owners):
            for what, cost, following in self._at_servers(state, owner):
                spent = state.faults + cost
                if spent <= self.faults:
                    owners = replaced(state.owners, number, following)
                    yield f"owner {number}: a server {what}", state._replace(owners=owners, faults=spent)
        if self.can_take and state.faults < self.faults:
            yield from self._taken(state)
        if self.can_hide and (state.is_hidden or state.faults < self.faults):
            faults = state.faults + (not state.is_hidden)
            yield "an address hides or comes back", state._replace(is_hidden=not state.is_hidden, faults=faults)

    def _taken(self, state: State) -> Iterator[tuple[str, State]]:
        """At the primary, which has it at once; what was not seen at every server is as if it had not been written."""
        for number, owner in enumerate(state.owners):
            everywhere = {record for record, _ in self.notes.memories[owner.memory].since}
            for record in sorted(owner.ours & owner.truth & everywhere):
                left = owner.truth - {record}
                is_harm = not all(covers(left, chain) for chain in _served(state))
                owners = replaced(state.owners, number, self.sent(owner, left))
                taken = state.taken | {record} if is_harm else state.taken
                following = state._replace(owners=owners, faults=state.faults + 1, taken=taken)
                yield f"owner {number}: somebody takes {str(record)[:14]} out", following

    def sent(self, owner: Owner, records: frozenset[Tlsa]) -> Owner:
        """With ``records`` written at the primary."""
        sent = owner._replace(coming=tuple((*coming, records) for coming in owner.coming))
        return sent if self.is_lagging else self.gives(sent, 0, records, ())

    def _at_servers(self, state: State, owner: Owner) -> Iterator[tuple[str, int, Owner]]:
        """What may happen at its servers, and how many faults that is."""
        yield from self._at_work(owner)
        if owner.is_silent:
            yield "answers again", 0, owner._replace(is_silent=False)
        elif self.servers > 1:
            yield "falls silent", 1, owner._replace(is_silent=True)
        if owner.is_silent and not self.notes.memories[owner.memory].is_whole:
            yield from self._back(state, owner)

    def _back(self, state: State, owner: Owner) -> Iterator[tuple[str, int, Owner]]:
        """An older set from the last server, where some cache has it still, or it does no harm."""
        last = self.servers - 1
        for old in owner.cached:
            if old.age >= 2 * self.ttl and not all(covers(old.records, chain) for chain in _served(state)):
                continue
            back = self.gives(owner, last, old.records, (owner.truth,))
            if not self.signed:
                yield "goes back", 1, back
            for end in self.signed if old.records else ():
                yield f"goes back, signed for {end}", 0, back._replace(ends=replaced(back.ends, last, end))

    def _at_work(self, owner: Owner) -> Iterator[tuple[str, int, Owner]]:
        for server, coming in enumerate(owner.coming):
            if coming:
                given = self.gives(owner, server, coming[0], coming[1:])
                yield "follows", 0, given
                for end in self.signed if coming[0] else ():
                    yield f"follows, signed for {end}", 1, given._replace(ends=replaced(given.ends, server, end))
            elif owner.ends and owner.ends[server] != NONE:
                yield "signs anew", 0, _cached(owner._replace(ends=replaced(owner.ends, server, NONE)), ())

    def gives(self, owner: Owner, server: int, records: frozenset[Tlsa], coming: tuple[frozenset[Tlsa], ...]) -> Owner:
        """With a server that gives out ``records`` from now on, and has ``coming`` yet to come."""
        gives, coming_to = replaced(owner.gives, server, records), replaced(owner.coming, server, coming)
        before = (owner.gives[server],) if not owner.ends or owner.ends[server] else ()
        ends = replaced(owner.ends, server, NONE) if owner.ends else ()
        return _cached(owner._replace(gives=gives, coming=coming_to, ends=ends), before)

    def wished(self, state: State) -> Iterator[tuple[str, State]]:
        """What a person, or the calendar, may ask for."""
        if state.rolled < self.rolls:
            if "due" in self.wishes and not state.is_due:
                yield "a renewal is due", state._replace(is_due=True)
            if "asked" in self.wishes and not state.is_asked:
                yield "a roll-over is asked for", state._replace(is_asked=True)
            if "emergency" in self.wishes and not state.is_emergency:
                yield "an emergency", state._replace(is_emergency=True)
        if "pressing" in self.wishes and state.is_due and not state.is_pressing:
            yield "the end comes near", state._replace(is_pressing=True)

    def calm(self, owner: Owner) -> Owner:
        """With all there that was on its way."""
        for server in range(self.servers):
            while owner.coming[server]:
                owner = self.gives(owner, server, owner.coming[server][0], owner.coming[server][1:])
        return owner._replace(is_silent=False, ends=(NONE,) * len(owner.ends))

    # memories, so that equal ones are equal

    def _shifted(self, number: int) -> int:
        return self.notes.once(number, lambda: self.number_of(older(self.notes.memories[number])))

    def number_of(self, memory: Memory) -> int:
        """The number of ``memory``."""
        return self.notes.number(plain(memory, self.ttl, self.min_wait, self.remembered))


def _served(state: State) -> list[Chain]:
    return [chain for chain in (*state.served, state.live) if chain]


def _cached(owner: Owner, before: Iterable[frozenset[Tlsa]]) -> Owner:
    """With what was given out until now in caches, and nothing there that still is."""
    given = owner.given
    cached = {each.records: each.age for each in owner.cached} | dict.fromkeys(before, 0)
    kept = sorted((Cached(each, age) for each, age in cached.items() if each not in given), key=_order)
    return owner._replace(cached=tuple(kept))


def replaced(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """``values`` with another one at ``index``."""
    return (*values[:index], value, *values[index + 1 :])


def _order(cached: Cached) -> tuple[list[Tlsa], int]:
    return sorted(cached.records), cached.age
