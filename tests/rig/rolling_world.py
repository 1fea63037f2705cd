"""A small world in which keys roll over, for searching through everything that may happen in it.

Rule: the program in it is the program's own functions (``Rules``), its own ``Scene`` among them, and everything else
does its worst: servers lag, or fall silent and come back with an older set, with signatures that soon end; caches keep
each set for twice its TTL after it was last given out; daemons reload late, or die of what they are given; writes are
lost or leave no receipt, runs die after any effect, the CA issues from another key, somebody takes a record out at the
primary.
Time goes in ticks; moments are relative to now, and what differs only in a past that no longer matters is one state.
What the program does one by one is done here as it does it: bringing (``_changed``), and acting (``_moved``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dnsbroker import rolling
from dnsbroker.dane.scenes import Scene
from dnsbroker.rolling import Act, Answer, Change, Look, Memory, Move, Situation, Step, View
from dnsbroker.tlsa.records import Tlsa
from rolling_others import EE, EE_512, TA, Surroundings, replaced
from rolling_scene import posts, scene, situation
from rolling_state import NONE, Cached, Chain, Owner, Remembered, Seen, State, accepts, covers, present

__all__ = ["EE", "EE_512", "TA", "Rules", "World"]

#: When signatures end that do not matter.
_LASTING = 1e9


@dataclass(frozen=True)
class Rules:
    """What the program does by; another value in any field is another program."""

    memory: Callable[[tuple[View, ...], dict[Tlsa, float], bool], Memory] = Memory
    look: Callable[[Memory, Look, float, float], Memory] = lambda memory, look, until, remembered: memory.after(
        look, until, remembered=remembered
    )
    about_to: Callable[[Memory, frozenset[Tlsa], int, float], Memory] = Memory.about_to
    scene: type[Scene] = Scene
    change: Callable[..., Change] = rolling.change
    move: Callable[[Situation], Move] = rolling.move


@dataclass(frozen=True)
class World(Surroundings):
    """How large it is, what may go wrong, and what the program in it does by."""

    rules: Rules = field(default_factory=Rules)

    def start(self) -> State:
        """A key is served, and nothing is published; or somebody has just published the next key too, and every CA."""
        nothing: frozenset[Tlsa] = frozenset()
        first, key = Chain(0, 0), Chain(1, NONE) if self.is_found else None
        before = rolling.wanted(self.kinds, [present(first)]) if key else nothing
        issued = [present(Chain(0, issuer)) for issuer in range(self.issuers)]
        found = rolling.wanted(self.kinds, [*issued, present(key)]) if key else nothing
        cached = (Cached(before, 0),) if key else ()
        unknown = self.notes.number(Remembered())
        ends = (NONE,) * self.servers if self.signed else ()
        owner = Owner((found,) * self.servers, ((),) * self.servers, False, cached, unknown, found, ends=ends)
        seen = (Seen(),) * self.addresses
        return State((owner,) * self.owners, (first,) * self.addresses, first, seen, next=key.key if key else NONE)

    def after(self, state: State) -> Iterator[tuple[str, State]]:
        """Every state that may follow, with what happened."""
        yield "tick", self.tick(state)
        for what, following in (*self.elsewhere(state), *self.wished(state), *self.run(state)):
            yield what, self.clocked(following)

    def undisturbed(self, state: State) -> State:
        """Once all that was on its way has come, and the program did all that it could at this moment."""
        state = state._replace(served=(state.live,) * self.addresses, is_hidden=False)
        for _ in range(20):
            owners = tuple(self.calm(owner) for owner in state.owners)
            effects = dict(self.run(self.clocked(state._replace(owners=owners))))
            state = effects.pop("looks")
            effects.pop("a write is lost", None)
            if not effects:
                break
            state = self.clocked(effects.popitem()[1])
            state = state._replace(served=(state.live,) * self.addresses)
        return state

    def is_at_rest(self, state: State) -> bool:
        """Whether nothing is left to move, and nothing that was asked for is left to do."""
        move = self.rules.move(self.situation(state, self._way_back(state)))
        is_over = move.is_over or (move.step is Step.STUCK and move.act is Act.REST)
        return is_over and not (state.is_asked or state.is_due)

    # what the program does

    def run(self, state: State) -> Iterator[tuple[str, State]]:
        """One run looks, and has one effect, or dies before it; runs that have more are runs that follow at once."""
        looked = self.looked(state)
        changes = [self._change(looked, number) for number in range(self.owners)]
        is_left = any(
            not (change.add or covers(owner.truth, state.live))
            for owner, change in zip(looked.owners, changes, strict=True)
        )
        wrong = "what is live is refused, and no record is written" if is_left else self._neglected(looked)
        yield "looks", looked._replace(wrong=wrong)
        for number, (owner, change) in enumerate(zip(looked.owners, changes, strict=True)):
            if change.add or change.remove:
                yield from self._written(looked, number, (owner.truth | change.add) - change.remove, change)
        yield from self._acted(looked)

    def looked(self, state: State) -> State:
        """What is kept of a look at everything."""
        owners = tuple(owner._replace(memory=self._look(owner)) for owner in state.owners)
        seen = tuple(
            each if chain is None or (state.is_hidden and not address) else self._saw(each, chain.key)
            for address, (each, chain) in enumerate(zip(state.seen, state.served, strict=True))
        )
        return state._replace(owners=owners, seen=seen)

    def _saw(self, seen: Seen, key: int) -> Seen:
        if seen.key == key:
            return seen
        return Seen(key, 0, seen.before | {seen.key} - {key, NONE} if self.can_die else seen.before)

    def _look(self, owner: Owner) -> int:
        key = (owner.memory, owner.gives, self._silent(owner), owner.ends)
        return self.notes.once(key, lambda: self._kept(*key))

    def _silent(self, owner: Owner) -> tuple[int, ...]:
        """The servers that give no answer to build on."""
        silent = {self.servers - 1} if owner.is_silent else set()
        return tuple(sorted(silent | {server for server, end in enumerate(owner.ends) if end == 0}))

    def _kept(
        self, memory: int, gives: tuple[frozenset[Tlsa], ...], silent: tuple[int, ...], ends: tuple[int, ...]
    ) -> int:
        until = [_LASTING if end == NONE else float(end) for end in ends] or [_LASTING] * len(gives)
        answers = {
            str(server): Answer(records, self.ttl if records else 0, until[server] if records else None)
            for server, records in enumerate(gives)
            if server not in silent
        }
        look = Look(0.0, answers, frozenset(map(str, silent)))
        relied_on = look.relied_on_until(float(self.min_wait))
        return self.number_of(self.rules.look(self.real(memory), look, relied_on, float(self.remembered)))

    def scene(self, state: State) -> Scene:
        """What the program sees."""
        at = posts(self.owners, self.kinds, self.min_wait)
        memories = [self.real(owner.memory) for owner in state.owners]
        silent = [dict.fromkeys(map(str, self._silent(owner)), "no answer") for owner in state.owners]
        return scene(state, at, memories, silent, self.rules.scene)

    def _change(self, state: State, number: int) -> Change:
        owner = state.owners[number]
        its = (state.live, state.next, state.held, state.served, state.is_hidden, state.seen)
        key = (owner.memory, owner.ours, owner.truth, its, state.is_emergency, state.refused)
        return self.notes.once(key, lambda: self._changed(state, number))

    def _changed(self, state: State, number: int) -> Change:
        """As ``dane.bringing`` has it."""
        owner, seen = state.owners[number], self.scene(state)
        post = seen.posts[number]
        memory, wanted, (served, unseen) = seen.memories[post.owner], seen.wanted(post), seen.presented(post)
        keep, live, passing = seen.kept(post), seen.live(post), memory.passing

        def decided(there: frozenset[Tlsa]) -> Change:
            return self.rules.change(wanted, owner.ours, there, served, unseen, keep=keep, live=live, passing=passing)

        first = decided(memory.anywhere)
        is_right = wanted <= memory.common and first == Change()
        return first if is_right else decided(owner.truth)

    def _written(
        self, state: State, number: int, records: frozenset[Tlsa], change: Change
    ) -> Iterator[tuple[str, State]]:
        owner = state.owners[number]
        key = (owner.memory, records)
        memory = self.notes.once(
            key, lambda: self.number_of(self.rules.about_to(self.real(owner.memory), records, self.ttl, 0.0))
        )
        owner = owner._replace(memory=memory, ours=owner.ours | change.add)
        if state.faults < self.faults:
            lost = replaced(state.owners, number, owner)
            yield "a write is lost", state._replace(owners=lost, faults=state.faults + 1)
        written = self.sent(owner, records)
        written = written._replace(ours=written.ours - change.remove)
        is_early = state.is_hidden or None in state.served or state.shown < self.min_wait
        wrong = "old records go before the new key was seen for long enough" if change.remove and is_early else ""
        following = state._replace(wrong=wrong, owners=replaced(state.owners, number, written))
        yield "writes", following
        for end in self.signed if records and not self.is_lagging and state.faults < self.faults else ():
            short = written._replace(ends=replaced(written.ends, 0, end))
            owners = replaced(state.owners, number, short)
            yield f"writes, signed for {end}", following._replace(owners=owners, faults=state.faults + 1)

    def situation(self, state: State, previous: Chain | None = None) -> Situation:
        """What the program knows after a look; ``previous`` is what it may go back to."""
        return situation(self.scene(state), state, previous)

    def _way_back(self, state: State) -> Chain | None:
        """What was live before, where nobody saw what is live served, or somebody began to take that back."""
        is_seen = any(state.live.key in (each.key, *each.before) for each in state.seen)
        return state.previous if not is_seen or state.refused == state.live else None

    def _neglected(self, state: State) -> str:
        """What is wrong where a service died of what is live, and nobody goes back to what was live before."""
        previous = self._way_back(state)
        pairs = zip(state.served, state.seen, strict=True)
        if previous is None or not any(chain is None and seen.key == previous.key for chain, seen in pairs):
            return ""
        is_act = self._act(state, previous) is Act.ROLL_BACK
        return "" if is_act else "a daemon is dead of what is live, which is not taken back"

    def _act(self, state: State, previous: Chain | None) -> Act:
        owners = tuple((owner.memory, owner.ours, self._silent(owner)) for owner in state.owners)
        known = (owners, state[1:-3], previous)
        return self.notes.once(known, lambda: self.rules.move(self.situation(state, previous)).act)

    def _acted(self, state: State) -> Iterator[tuple[str, State]]:
        for previous in {self._way_back(state), state.previous}:
            yield from self._moved(state, previous)

    def _moved(self, state: State, previous: Chain | None) -> Iterator[tuple[str, State]]:
        act = self._act(state, previous)
        if act is Act.STAGE:
            key = max(chain.key for chain in (state.live, state.refused) if chain) + 1
            yield "stages a key", state._replace(next=key)
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
        if act is Act.ROLL_BACK and previous:
            noted = state._replace(refused=state.live, is_asked=False, is_emergency=False)
            yield "notes what is to be taken back", noted
            is_shown = all(chain is None or chain.key == previous.key for chain in state.served)
            shown = self.min_wait if is_shown else NONE
            yield "goes back", noted._replace(live=previous, previous=None, shown=shown)

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
            previous=state.live if self.can_die else None,
            rolled=state.rolled + 1,
        )

    # memories, so that equal ones are equal

    def real(self, number: int) -> Memory:
        """As the program has it."""
        memory = self.notes.memories[number]
        return self.rules.memory(memory.views, dict(memory.since), memory.is_whole)
