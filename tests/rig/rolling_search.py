"""Everything that may happen in a ``rolling_world``, searched breadth first for what must not be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rolling_state import NONE, Chain, State, accepts, covers
from rolling_world import EE, EE_512, TA, World

_BOTH = (EE, TA)

#: The worlds that are searched to the end, by what each is for. Between them: two servers, two addresses, two owner
#: names, two issuers, two roll-overs, a TTL of up to two ticks, and one fault. In none of them: two certificates at one
#: owner name, other machines' keys and records, aliases, a pool of CAs, withdrawal, another client's certificate, a
#: process that acts on a look which another one has overtaken, and an emergency in which a silent server comes back
#: with an older set than it had.
WORLDS = {
    "a server falls silent, or a write is lost": World(),
    "every server lags": World(is_lagging=True, faults=0),
    "one roll-over after the other": World(rolls=2, faults=0),
    "a tick is half a TTL": World(ttl=2, faults=0),
    "min_wait is longer than two TTLs": World(min_wait=3, faults=0),
    "two addresses, which reload late, or hide": World(addresses=2, can_hide=True),
    "two owner names": World(owners=2, servers=1, faults=0),
    "another issuer at each order": World(kinds=_BOTH, issuers=2, faults=0),
    "renewals become due": World(kinds=_BOTH, issuers=2, wishes=("due",), faults=0),
    "the end comes near": World(kinds=_BOTH, issuers=2, wishes=("due", "pressing"), faults=0),
    "only CAs are named": World(kinds=(TA,), issuers=2, wishes=("due",)),
    "two digests of each key": World(kinds=(EE, EE_512), faults=0),
    "somebody takes a record of ours out": World(can_take=True, remembered=2),
    "records were there before": World(is_found=True),
    "CAs were named before": World(is_found=True, kinds=_BOTH, issuers=2, wishes=("due",), faults=0),
    "old signatures": World(signed=(1,), min_wait=2, remembered=2),
    "a daemon dies of a new certificate": World(can_die=True, remembered=2),
    "an emergency": World(wishes=("emergency",), faults=0),
    "an emergency, and another issuer": World(kinds=_BOTH, issuers=2, servers=1, wishes=("emergency",), faults=0),
}

#: Larger ones, for whoever has the time.
LARGE = {
    "two faults": World(faults=2),
    "two faults, and every server lags": World(faults=2, is_lagging=True),
    "two roll-overs, and a fault": World(rolls=2),
    "two roll-overs, and somebody takes a record out": World(rolls=2, can_take=True),
    "somebody takes records out twice": World(faults=2, can_take=True),
    "a tick is half a TTL, and a server falls silent": World(ttl=2, remembered=6),
    "two owner names at two servers": World(owners=2, faults=0),
    "renewals and roll-overs": World(kinds=_BOTH, issuers=2, wishes=("due", "asked", "pressing"), faults=0),
    "two addresses, and another issuer": World(kinds=_BOTH, issuers=2, addresses=2, wishes=("due",)),
    "a daemon dies, and every server lags": World(can_die=True, is_lagging=True),
    "a daemon dies, and another issuer": World(can_die=True, kinds=_BOTH, issuers=2),
    "a daemon dies, two addresses and roll-overs": World(can_die=True, servers=1, addresses=2, rolls=2),
    "old signatures, and two faults": World(signed=(1, 2), min_wait=2, faults=2),
    "an emergency, and a fault": World(wishes=("emergency",)),
    "an emergency, another issuer, and two servers": World(kinds=_BOTH, issuers=2, wishes=("emergency",), faults=0),
}


@dataclass(frozen=True)
class Found:
    """How many states were seen, whether these are all, and the shortest way to what must not be, empty for none."""

    states: int
    is_all: bool
    wrong: str = ""
    way: tuple[str, ...] = ()


def search(world: World, limit: int = 10**7) -> Found:
    """Every state that can be reached from the start, up to ``limit``, until one is wrong."""
    start = world.start()
    before: dict[State, tuple[State, str] | None] = {start: None}
    waiting = deque([start])
    while waiting and len(before) < limit:
        state = waiting.popleft()
        for what, following in world.after(state):
            if following in before:
                continue
            before[following] = (state, what)
            waiting.append(following)
            if wrong := fault(world, following):
                return Found(len(before), False, wrong, tuple(_way(before, following))[::-1])
    return Found(len(before), not waiting)


def fault(world: World, state: State) -> str:
    """What is wrong in ``state``: who is refused, or would be by a client that goes by one kind; empty for nothing.

    What went live loudly need not be covered by all kinds; in an emergency caches may refuse for as long as they live.
    That it is refused where somebody took its record out is nobody's fault; that none is written again is one
    (``World.run``).
    """
    if state.wrong:
        return state.wrong
    is_bounded = NONE != state.outage < 2 * world.ttl
    for records, chain in world.met(state):
        if not (is_bounded or accepts(records, chain) or accepts(records | state.taken, chain)):
            return f"{_named(chain)} is refused under {_shown(records)}"
        if not (state.is_loud or covers(records, chain) or covers(records | state.taken, chain)):
            return f"{_named(chain)} is not covered by {_shown(records)}"
    return ""


def stranded(world: World, limit: int = 10**7) -> Found:
    """Every state that can be reached, until there is one from which no rest is found if nothing more goes wrong."""
    start = world.start()
    known, waiting, good = {start}, deque([start]), set[State]()
    while waiting and len(known) < limit:
        state = waiting.popleft()
        if not _rests(world, state, good):
            return Found(len(known), False, f"no rest is found from {state}")
        for _, following in world.after(state):
            if following not in known:
                known.add(following)
                waiting.append(following)
    return Found(len(known), not waiting)


def _rests(world: World, state: State, good: set[State], ticks: int = 60) -> bool:
    """Whether a roll-over that nothing disturbs ends; ``good`` are states from which it is known to."""
    passed: set[State] = set()
    for _ in range(ticks):
        state = world.undisturbed(state)
        if state in good or world.is_at_rest(state):
            good |= passed | {state}
            return True
        passed.add(state)
        state = world.tick(state)
    return False


def _way(before: dict[State, tuple[State, str] | None], state: State) -> Iterator[str]:
    while found := before[state]:
        state, what = found
        yield what


def _named(chain: Chain) -> str:
    return f"key {chain.key} by CA {chain.issuer}"


def _shown(records: frozenset[object]) -> str:
    return ", ".join(sorted(str(record)[:14] for record in records))
