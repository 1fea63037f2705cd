"""A small world in which keys roll over, for searching through everything that may happen in it.

Rule: the program in it is the program's own functions (``Rules``), and everything else does its worst: servers lag, or
fall silent and come back with an older set, caches keep each set for twice its TTL after it was last given out, daemons
reload late, writes are lost or leave no receipt, runs die after any effect, the CA issues from another key, somebody
takes a record out at the primary. What no rule could help against is not done: a set comes back only if a cache may
have it still, or it covers what is served.
Time goes in ticks; moments are relative to now, and what differs only in a past that no longer matters is one state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dnsbroker import rolling
from dnsbroker.rolling import Act, Answer, Change, Look, Memory, Move, Site, Situation, View
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Tlsa
from rolling_notes import Notes, older, plain
from rolling_state import NONE, Cached, Chain, Owner, Remembered, State, accepts, covers, present

EE, TA, EE_512 = Kind(3, 1, 1), Kind(2, 1, 1), Kind(3, 1, 2)

T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """What the program does by; another value in any field is another program."""

    memory: Callable[[tuple[View, ...], dict[Tlsa, float], bool], Memory] = Memory
    look: Callable[[Memory, Look, float, float], Memory] = lambda memory, look, until, remembered: memory.after(
        look, until, remembered=remembered
    )
    about_to: Callable[[Memory, frozenset[Tlsa], int, float], Memory] = Memory.about_to
    wanted: Callable[[Sequence[Kind], Sequence[Presented]], frozenset[Tlsa]] = rolling.wanted
    change: Callable[..., Change] = rolling.change
    move: Callable[[Situation], Move] = rolling.move
    is_verified: Callable[[Sequence[Chain], Chain], bool] = lambda served, live: all(
        chain.key == live.key for chain in served
    )
    is_kept: Callable[[State, float], bool] = lambda state, grace: not grace <= state.verified != NONE


@dataclass(frozen=True)
class World:
    """How large it is, and what may go wrong. Times are in ticks, ``faults`` how often something does.

    ``is_found``: records were there before the program's first look, and its journal tells nothing of them.
    """

    kinds: tuple[Kind, ...] = (EE,)
    owners: int = 1
    servers: int = 2
    addresses: int = 1
    issuers: int = 1
    ttl: int = 1
    min_wait: int = 1
    grace: int = 1
    remembered: int = 3
    rolls: int = 1
    faults: int = 1
    is_lagging: bool = False
    wishes: tuple[str, ...] = ("asked",)
    can_hide: bool = False
    is_found: bool = False
    can_take: bool = False
    rules: Rules = field(default_factory=Rules)
    notes: Notes = field(default_factory=Notes, compare=False, repr=False)

    def start(self) -> State:
        """A key is served, and nothing is published; or somebody has just published the next key too, and every CA."""
        nothing: frozenset[Tlsa] = frozenset()
        first, key = Chain(0, 0), Chain(1, NONE) if self.is_found else None
        before = rolling.wanted(self.kinds, [present(first)]) if key else nothing
        issued = [present(Chain(0, issuer)) for issuer in range(self.issuers)]
        found = rolling.wanted(self.kinds, [*issued, present(key)]) if key else nothing
        cached = (Cached(before, 0),) if key else ()
        unknown = self.notes.number(Remembered())
        owner = Owner((found,) * self.servers, ((),) * self.servers, False, cached, unknown, found)
        return State((owner,) * self.owners, (first,) * self.addresses, first, next=key.key if key else NONE)

    def after(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that may follow, with what happened."""
        yield "tick", self._tick(state)
        for what, following in (*self._elsewhere(state), *self._wishes(state), *self.run(state)):
            yield what, self._clocked(following)

    def undisturbed(self, state: State) -> State:
        """Once all that was on its way has come, and the program did all that it could at this moment."""
        state = state._replace(served=(state.live,) * self.addresses, is_hidden=False)
        for _ in range(20):
            owners = tuple(self._calm(owner) for owner in state.owners)
            effects = dict(self.run(self._clocked(state._replace(owners=owners))))
            state = effects.pop("looks")
            effects.pop("a write is lost", None)
            if not effects:
                break
            state = self._clocked(effects.popitem()[1])
            state = state._replace(served=(state.live,) * self.addresses)
        return state

    def _calm(self, owner: Owner) -> Owner:
        for server in range(self.servers):
            while owner.coming[server]:
                owner = self._gives(owner, server, owner.coming[server][0], owner.coming[server][1:])
        return owner._replace(is_silent=False)

    def later(self, state: State) -> State:
        """A tick on."""
        return self._tick(state)

    def is_at_rest(self, state: State) -> bool:
        """Whether nothing is left to move, and nothing that was asked for is left to do."""
        return self.rules.move(self.situation(state)).is_over and not (state.is_asked or state.is_due)

    def _tick(self, state: State) -> State:
        owners = tuple(self._aged(owner) for owner in state.owners)
        verified = state.verified if state.verified == NONE else min(state.verified + 1, self.grace)
        is_back = (
            state.is_loud
            and not any(any(owner.coming) for owner in state.owners)
            and all(covers(records, chain) for records, served in self.met(state) for chain in (served, state.live))
        )
        outage = NONE if is_back or state.outage == NONE else min(state.outage + 1, 2 * self.ttl)
        is_loud = state.is_loud and not is_back
        shown = state.shown if state.shown == NONE else min(state.shown + 1, self.grace)
        return state._replace(owners=owners, verified=verified, shown=shown, is_loud=is_loud, outage=outage)

    def met(self, state: State) -> set[tuple[frozenset[Tlsa], Chain]]:
        """Every set that a cache may have, with every chain that is served."""
        sets = {
            records
            for owner in state.owners
            for records in (*owner.gives, *(each.records for each in owner.cached if each.age < 2 * self.ttl))
        }
        return {(records, chain) for records in sets for chain in state.served}

    def _clocked(self, state: State) -> State:
        """With the true clocks of the next key and of what is served, which the program can only guess."""
        is_shown = all(chain.key == state.live.key for chain in state.served)
        state = state._replace(shown=max(state.shown, 0) if is_shown else NONE)
        if state.next == NONE:
            return state._replace(owners=tuple(owner._replace(stood=NONE) for owner in state.owners))
        key = self._records(state.next)
        owners = []
        for owner in state.owners:
            stood = max(owner.stood, 0) if key else self.min_wait
            stands = all(key <= given for given in owner.gives)
            owners.append(owner._replace(stood=stood if stands else NONE))
        return state._replace(owners=tuple(owners))

    def _records(self, key: int) -> frozenset[Tlsa]:
        return self.notes.once((key,), lambda: rolling.wanted(self.kinds, [present(Chain(key, NONE))]))

    def _aged(self, owner: Owner) -> Owner:
        oldest = max(2 * self.ttl, self.remembered)
        cached = tuple(Cached(each.records, each.age + 1) for each in owner.cached if each.age + 1 < oldest)
        stood = owner.stood if owner.stood == NONE else min(owner.stood + 1, self.min_wait)
        return owner._replace(cached=cached, memory=self._shifted(owner.memory), stood=stood)

    # what others do

    def _elsewhere(self, state: State) -> Iterator[tuple[str, State]]:
        for address, chain in enumerate(state.served):
            if chain != state.live:
                yield f"address {address} reloads", state._replace(served=_with(state.served, address, state.live))
        for number, owner in enumerate(state.owners):
            for what, following in self._at_servers(state, owner):
                spent = state.faults + (what in ("falls silent", "goes back"))
                if spent <= self.faults:
                    owners = _with(state.owners, number, following)
                    yield f"owner {number}: a server {what}", state._replace(owners=owners, faults=spent)
        if self.can_take and state.faults < self.faults:
            yield from self._taken(state)
        if self.can_hide and (state.is_hidden or state.faults < self.faults):
            faults = state.faults + (not state.is_hidden)
            yield "an address hides or comes back", state._replace(is_hidden=not state.is_hidden, faults=faults)

    def _taken(self, state: State) -> Iterator[tuple[str, State]]:
        """At the primary, which has it at once; what was not seen at every server is as if it had not been written."""
        for number, owner in enumerate(state.owners):
            for record in sorted(owner.ours & owner.truth & self.real(owner.memory).everywhere):
                left = owner.truth - {record}
                is_harm = not all(covers(left, chain) for chain in (*state.served, state.live))
                owners = _with(state.owners, number, self._sent(owner, left))
                taken = state.taken | {record} if is_harm else state.taken
                following = state._replace(owners=owners, faults=state.faults + 1, taken=taken)
                yield f"owner {number}: somebody takes {str(record)[:14]} out", following

    def _at_servers(self, state: State, owner: Owner) -> Iterator[tuple[str, Owner]]:
        last = self.servers - 1
        for server, coming in enumerate(owner.coming):
            if coming:
                yield "follows", self._gives(owner, server, coming[0], coming[1:])
        if owner.is_silent:
            yield "answers again", owner._replace(is_silent=False)
        elif self.servers > 1:
            yield "falls silent", owner._replace(is_silent=True)
        if owner.is_silent and not self.notes.memories[owner.memory].is_whole:
            for old in owner.cached:
                if old.age < 2 * self.ttl or all(covers(old.records, chain) for chain in (*state.served, state.live)):
                    yield "goes back", self._gives(owner, last, old.records, (owner.truth,))

    def _gives(self, owner: Owner, server: int, records: frozenset[Tlsa], coming: tuple[frozenset[Tlsa], ...]) -> Owner:
        gives = _with(owner.gives, server, records)
        cached = {each.records: each.age for each in owner.cached} | {owner.gives[server]: 0}
        kept = sorted((Cached(each, age) for each, age in cached.items() if each not in gives), key=_order)
        return owner._replace(gives=gives, coming=_with(owner.coming, server, coming), cached=tuple(kept))

    def _wishes(self, state: State) -> Iterator[tuple[str, State]]:
        if state.rolled < self.rolls:
            if "due" in self.wishes and not state.is_due:
                yield "a renewal is due", state._replace(is_due=True)
            if "asked" in self.wishes and not state.is_asked:
                yield "a roll-over is asked for", state._replace(is_asked=True)
            if "emergency" in self.wishes and not state.is_emergency:
                yield "an emergency", state._replace(is_emergency=True)
        if "pressing" in self.wishes and state.is_due and not state.is_pressing:
            yield "the end comes near", state._replace(is_pressing=True)

    # what the program does

    def run(self, state: State) -> Iterator[tuple[str, State]]:
        """One run looks, and has one effect, or dies before it; runs that have more are runs that follow at once."""
        looked = self.looked(state)
        changes = [self._change(looked, owner) for owner in looked.owners]
        is_left = any(
            not (change.add or covers(owner.truth, state.live))
            for owner, change in zip(looked.owners, changes, strict=True)
        )
        yield "looks", looked._replace(wrong="what is live is refused, and no record is written" if is_left else "")
        for number, (owner, change) in enumerate(zip(looked.owners, changes, strict=True)):
            if change.add or change.remove:
                yield from self._written(looked, number, (owner.truth | change.add) - change.remove, change)
        yield from self._acted(looked)

    def looked(self, state: State) -> State:
        """What is kept of a look at everything."""
        owners = tuple(owner._replace(memory=self._look(owner)) for owner in state.owners)
        seen = not state.is_hidden and self.rules.is_verified(state.served, state.live)
        return state._replace(owners=owners, verified=max(state.verified, 0) if seen else NONE)

    def _look(self, owner: Owner) -> int:
        silent = (self.servers - 1,) if owner.is_silent else ()
        key = (owner.memory, owner.gives, silent)
        return self.notes.once(key, lambda: self._kept(*key))

    def _kept(self, memory: int, gives: tuple[frozenset[Tlsa], ...], silent: tuple[int, ...]) -> int:
        answers = {
            str(server): Answer(records, self.ttl if records else 0, 1.0 if records else None)
            for server, records in enumerate(gives)
            if server not in silent
        }
        look = Look(0.0, answers, frozenset(map(str, silent)))
        return self._plain(self.rules.look(self.real(memory), look, 0.0, float(self.remembered)))

    def _change(self, state: State, owner: Owner) -> Change:
        its = (state.live, state.next, state.held, state.served, state.is_hidden, state.verified)
        return self.notes.once((owner.memory, owner.ours, owner.truth, its), lambda: self._changed(state, owner))

    def _changed(self, state: State, owner: Owner) -> Change:
        wanted = self.rules.wanted(self.kinds, [present(chain) for chain in _own(state)])
        old = owner.ours - wanted
        keep = old if self.rules.is_kept(state, self.grace) else frozenset()
        served = tuple(dict.fromkeys(map(present, state.served)))
        unseen = ("an address",) if state.is_hidden else ()
        memory, live = self.real(owner.memory), [present(state.live)]

        def decided(there: frozenset[Tlsa]) -> Change:
            passing = memory.passing
            return self.rules.change(wanted, owner.ours, there, served, unseen, keep=keep, live=live, passing=passing)

        seen = decided(memory.anywhere)
        is_right = wanted <= memory.common and seen == Change()
        return seen if is_right else decided(owner.truth)

    def _written(
        self, state: State, number: int, records: frozenset[Tlsa], change: Change
    ) -> Iterator[tuple[str, State]]:
        owner = state.owners[number]
        key = (owner.memory, records)
        memory = self.notes.once(
            key, lambda: self._plain(self.rules.about_to(self.real(owner.memory), records, self.ttl, 0.0))
        )
        owner = owner._replace(memory=memory, ours=owner.ours | change.add)
        if state.faults < self.faults:
            lost = _with(state.owners, number, owner)
            yield "a write is lost", state._replace(owners=lost, faults=state.faults + 1)
        written = self._sent(owner, records)
        written = written._replace(ours=written.ours - change.remove)
        is_early = state.is_hidden or state.shown < self.grace
        wrong = "old records go before the new key was seen for long enough" if change.remove and is_early else ""
        yield "writes", state._replace(wrong=wrong, owners=_with(state.owners, number, written))

    def _sent(self, owner: Owner, records: frozenset[Tlsa]) -> Owner:
        sent = owner._replace(coming=tuple((*coming, records) for coming in owner.coming))
        return sent if self.is_lagging else self._gives(sent, 0, records, ())

    def situation(self, state: State) -> Situation:
        """What the program knows after a look."""
        sites = tuple(
            Site(f"owner-{number}", self.kinds, self.real(owner.memory), float(self.min_wait))
            for number, owner in enumerate(state.owners)
        )
        wanted = self.rules.wanted(self.kinds, [present(chain) for chain in _own(state)])
        return Situation(
            0.0,
            present(state.live),
            next=None if state.next == NONE else present(Chain(state.next, NONE)),
            held=state.held and present(state.held),
            is_due=state.is_due,
            is_new_key_wanted=True,
            is_asked=state.is_asked,
            is_emergency=state.is_emergency,
            is_pressing=state.is_pressing,
            served=tuple(map(present, state.served)),
            unseen=("an address",) if state.is_hidden else (),
            verified_since=None if state.verified == NONE else -float(state.verified),
            has_old_records=any((owner.ours & owner.truth) - wanted for owner in state.owners),
            grace=float(self.grace),
            sites=sites,
        )

    def _acted(self, state: State) -> Iterator[tuple[str, State]]:
        known = (tuple((owner.memory, owner.ours, owner.truth) for owner in state.owners), state[1:-3])
        act = self.notes.once(known, lambda: self.rules.move(self.situation(state)).act)
        if act is Act.STAGE:
            yield "stages a key", state._replace(next=state.live.key + 1)
        if act in (Act.ORDER_NEXT, Act.ORDER_PRESENT):
            key = state.next if act is Act.ORDER_NEXT else state.live.key
            is_early = act is Act.ORDER_NEXT and any(owner.stood < self.min_wait for owner in state.owners)
            wrong = "the next key is ordered for before its time" if is_early and not state.is_emergency else ""
            for issuer in range(self.issuers):
                yield f"orders for key {key}", state._replace(held=Chain(key, issuer), wrong=wrong)
        if act in (Act.GO_LIVE, Act.GO_LIVE_LOUDLY) and state.held:
            yield act.value, self._live(state, state.held, is_loud=act is Act.GO_LIVE_LOUDLY)
        if act is Act.DISCARD:
            yield "discards", state._replace(held=None)

    def _live(self, state: State, held: Chain, *, is_loud: bool) -> State:
        is_new = held.key != state.live.key
        is_forced = is_loud and state.is_emergency
        is_outage = is_forced and not all(accepts(records, held) for records, _ in self.met(state))
        return state._replace(
            live=held,
            held=None,
            next=NONE if held.key == state.next else state.next,
            is_due=False,
            is_asked=state.is_asked and not is_new,
            is_pressing=False,
            is_emergency=state.is_emergency and not is_new,
            is_loud=state.is_loud or is_loud,
            outage=0 if is_outage else state.outage,
            verified=NONE,
            rolled=state.rolled + 1,
        )

    # memories, so that equal ones are equal

    def real(self, number: int) -> Memory:
        """As the program has it."""
        memory = self.notes.memories[number]
        return self.rules.memory(memory.views, dict(memory.since), memory.is_whole)

    def _shifted(self, number: int) -> int:
        return self.notes.once(number, lambda: self._plain(older(self.notes.memories[number])))

    def _plain(self, memory: Memory) -> int:
        return self.notes.number(plain(memory, self.ttl, self.min_wait, self.remembered))


def _own(state: State) -> list[Chain]:
    chains = [state.live, Chain(state.next, NONE) if state.next != NONE else None, state.held]
    return [chain for chain in chains if chain]


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _order(cached: Cached) -> tuple[list[Tlsa], int]:
    return sorted(cached.records), cached.age
