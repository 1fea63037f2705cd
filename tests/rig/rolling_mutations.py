"""Broken rules, each with a world in which the search has to find out.

Every one is a rule of ``dnsbroker.rolling`` with one thing wrong, given to the world as a value; nothing is patched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dnsbroker import rolling
from dnsbroker.dane.places import Post
from dnsbroker.dane.scenes import Scene
from dnsbroker.rolling import Act, Change, Look, Memory, Move, Situation, View
from dnsbroker.rolling.situation import Case
from dnsbroker.rolling.table import ROWS, Row
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import DANE_TA, Tlsa
from rolling_world import EE, TA, Rules, World


@dataclass(frozen=True)
class Mutation:
    """What is wrong with ``rules``, and a world that is large enough to show it."""

    what: str
    rules: Rules
    world: World


class _Once(Memory):
    """A set is forgotten once its TTL is over."""

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        found = super().possible(now, min_wait)
        return tuple(view for view in found if view.is_given or view.last + max(view.ttl, min_wait) > now)


class _Present(Memory):
    """Nobody caches."""

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        return tuple(view for view in self.views if view.is_given)


class _Known(Memory):
    """What was there before the first look is not thought of."""

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        return tuple(view for view in super().possible(now, min_wait) if not view.is_unknown)


class _LeafOnly(Memory):
    """Records of CAs are not looked at."""

    def possible(self, now: float, min_wait: float) -> tuple[View, ...]:
        found = super().possible(now, min_wait)
        return tuple(
            replace(view, records=frozenset(r for r in view.records if r.kind.usage != DANE_TA)) for view in found
        )


class _Hasty(Memory):
    """A write that was announced is not thought of until it is seen."""

    def about_to(self, records: frozenset[Tlsa], ttl: int, now: float) -> Memory:
        return self


def _look(of: Callable[[Look], Look]) -> Rules:
    return Rules(look=lambda memory, look, until, kept: memory.after(of(look), until, remembered=kept))


def _never_silent(look: Look) -> Look:
    return replace(look, silent=frozenset())


def _primary_alone(look: Look) -> Look:
    return replace(look, answers={"0": look.answers["0"]}, silent=frozenset())


def _not_rearmed(memory: Memory, look: Look, until: float, kept: float) -> Memory:
    after = memory.after(look, until, remembered=kept)
    return replace(after, since={**after.since, **memory.since})


def _forgetful(memory: Memory, look: Look, until: float, kept: float) -> Memory:
    """Only what is given out now, or awaited, is kept."""
    after = memory.after(look, until, remembered=kept)
    return replace(after, views=tuple(view for view in after.views if view.is_current))


def _moving(of: Callable[[Situation], Situation]) -> Rules:
    return Rules(move=lambda situation: rolling.move(of(situation)))


def _table(act: Act, condition: Callable[[Case], Any]) -> Rules:
    """The table, with another condition in each row for ``act``."""
    rows = tuple(replace(row, condition=condition) if row.act is act else row for row in ROWS)
    return Rules(move=_by(rows))


def _by(rows: Sequence[Row]) -> Callable[[Situation], Move]:
    return lambda situation: rolling.move(situation, rows)


def _unguarded(
    wanted: frozenset[Tlsa],
    ours: frozenset[Tlsa],
    present: frozenset[Tlsa],
    served: Sequence[Presented],
    unseen: Sequence[str],
    *,
    keep: frozenset[Tlsa] = frozenset(),
    live: Sequence[Presented] = (),
    passing: Collection[frozenset[Tlsa]] = (),
) -> Change:
    """Whatever is wanted is written, whatever is served."""
    add = wanted - present
    return Change(add=add) if add else Change(remove=(ours & present) - wanted - keep)


def _replacing(
    wanted: frozenset[Tlsa],
    ours: frozenset[Tlsa],
    present: frozenset[Tlsa],
    served: Sequence[Presented],
    unseen: Sequence[str],
    *,
    keep: frozenset[Tlsa] = frozenset(),
    live: Sequence[Presented] = (),
    passing: Collection[frozenset[Tlsa]] = (),
) -> Change:
    """What is new takes the place of what is old."""
    found = rolling.change(wanted, ours, present, served, unseen, keep=keep, live=live, passing=passing)
    return replace(found, remove=(ours & present) - wanted) if found.add else found


def _removing_first(
    wanted: frozenset[Tlsa],
    ours: frozenset[Tlsa],
    present: frozenset[Tlsa],
    served: Sequence[Presented],
    unseen: Sequence[str],
    *,
    keep: frozenset[Tlsa] = frozenset(),
    live: Sequence[Presented] = (),
    passing: Collection[frozenset[Tlsa]] = (),
) -> Change:
    """Old records make room before new ones come."""
    old = (ours & present) - wanted
    return (
        Change(remove=old)
        if old
        else rolling.change(wanted, ours, present, served, unseen, keep=keep, live=live, passing=passing)
    )


def _heedless(*given: Any, passing: Collection[frozenset[Tlsa]], **named: Any) -> Change:
    """What a server may have from before is written again."""
    return rolling.change(*given, **named)


def _patient(*given: Any, live: Sequence[Presented], passing: Collection[frozenset[Tlsa]], **named: Any) -> Change:
    """What is served waits for servers that lag as all else does."""
    found = rolling.change(*given, **named, live=live, passing=passing)
    return Change() if rolling.change(*given, **named) != found else found


class _Union(Memory):
    """What one server has is nowhere missing."""

    @property
    def common(self) -> frozenset[Tlsa]:
        return self.anywhere


class _Careless(Scene):
    """Old records go whatever is served."""

    def kept(self, post: Post) -> frozenset[Tlsa]:
        return frozenset()


class _OneAddress(Scene):
    """One address that serves the live key stands for all."""

    def verified_since(self, reference: str) -> float | None:
        live = self.subjects[reference].live
        first = next(iter(self.own(reference).chains.values()), ())
        return -9.0 if live and live.leaf.public_key in {chain.leaf.public_key for chain in first} else None


class _Blind(Scene):
    """Old records go where what is served cannot be seen."""

    def kept(self, post: Post) -> frozenset[Tlsa]:
        return frozenset() if self.presented(post)[1] else super().kept(post)


class _Decided(Scene):
    """What is live stays so, even if somebody had begun to take it back."""

    def _is_to_go_back(self, reference: str) -> bool:
        return False


class Idle(Scene):
    """Nothing is wanted."""

    def wanted(self, post: Post, *, adopt: bool = False) -> frozenset[Tlsa]:
        """None."""
        return frozenset()


_BOTH = (EE, TA)
_ISSUERS = World(kinds=_BOTH, issuers=2, faults=0)
_LAGGING = World(is_lagging=True, faults=0)

MUTATIONS = (
    Mutation("one TTL instead of two", Rules(memory=_Once), World(faults=0)),
    Mutation("nothing is cached", Rules(memory=_Present), World(faults=0)),
    Mutation("caches are empty before the first look", Rules(memory=_Known), World(is_found=True, faults=0)),
    Mutation(
        "a CA that is named is relied on before its time",
        Rules(memory=_Known),
        World(is_found=True, kinds=_BOTH, issuers=2, wishes=("due",), faults=0),
    ),
    Mutation(
        "signatures that end before the wait does still count",
        Rules(look=lambda memory, look, _, kept: memory.after(look, 0.0, remembered=kept)),
        World(signed=(1,), min_wait=2),
    ),
    Mutation("what was given out is forgotten at the next look", Rules(look=_forgetful), World(faults=0)),
    Mutation(
        "min_wait is not waited for",
        _moving(lambda it: replace(it, sites=tuple(replace(site, min_wait=0.0) for site in it.sites))),
        World(faults=0),
    ),
    Mutation("a silent server is left out", _look(_never_silent), World()),
    Mutation(
        "an emergency does not wait for a silent server that never had the next key",
        _moving(lambda it: replace(it, sites=tuple(replace(site, silent={}) for site in it.sites))),
        World(wishes=("emergency",)),
    ),
    Mutation("only the primary is asked", _look(_primary_alone), World(faults=0)),
    Mutation("the clock of a record that vanished goes on", Rules(look=_not_rearmed), World(faults=2)),
    Mutation(
        "a silent server brings back nothing old",
        Rules(look=lambda m, k, u, _: m.after(k, u, remembered=0.0)),
        World(faults=2),
    ),
    Mutation(
        "what is about to be written is not remembered",
        Rules(memory=_Hasty, about_to=lambda memory, *_: memory),
        _LAGGING,
    ),
    Mutation(
        "one of two owner names is looked at",
        _moving(lambda it: replace(it, sites=it.sites[:1])),
        World(owners=2, servers=1, faults=0),
    ),
    Mutation(
        "the next key is ordered for before it is ripe",
        Rules(
            move=_by(
                tuple(
                    replace(row, condition=lambda case: case.is_stageable and case.is_new_key_due)
                    if row.act is Act.ORDER_NEXT
                    else row
                    for row in ROWS
                )
            )
        ),
        World(faults=0),
    ),
    Mutation("a chain goes live at once", _table(Act.GO_LIVE, lambda case: case.situation.held), _ISSUERS),
    Mutation("records of CAs are not looked at", Rules(memory=_LeafOnly), _ISSUERS),
    Mutation("3 1 1 is enough, without need", _table(Act.GO_LIVE, lambda case: case.loud_gate.is_open), _ISSUERS),
    Mutation(
        "what presses goes live, covered or not",
        Rules(
            move=_by(
                tuple(
                    replace(row, condition=lambda case: case.situation.held and case.situation.is_pressing)
                    if row.act is Act.GO_LIVE_LOUDLY
                    else row
                    for row in ROWS
                )
            )
        ),
        World(kinds=(TA,), issuers=2, wishes=("due", "pressing"), faults=0),
    ),
    Mutation("a new kind is added whatever is served", Rules(change=_unguarded), replace(_ISSUERS, wishes=("due",))),
    Mutation("old records are replaced", Rules(change=_replacing), World(faults=0)),
    Mutation(
        "what a server has from before is written again", Rules(change=_heedless), World(can_take=True, remembered=2)
    ),
    Mutation("what is served waits for a server that lags", Rules(change=_patient), World(can_take=True)),
    Mutation("what one server has is nowhere missing", Rules(memory=_Union), World(can_take=True)),
    Mutation("old records go before new ones come", Rules(change=_removing_first), World(faults=0)),
    Mutation("old records go before the new key is seen", Rules(scene=_Careless), World(faults=0, addresses=2)),
    Mutation(
        "one address that serves the new key is enough",
        Rules(scene=_OneAddress),
        World(faults=0, addresses=2),
    ),
    Mutation(
        "what was live before is put back whatever is seen",
        _table(Act.ROLL_BACK, lambda case: case.situation.previous),
        World(can_die=True, servers=1),
    ),
    Mutation("nothing is put back", _table(Act.ROLL_BACK, lambda _: False), World(can_die=True, servers=1)),
    Mutation(
        "records of what is to be live again go",
        Rules(scene=_Decided),
        World(can_die=True, is_lagging=True, servers=1),
    ),
    Mutation("the last match of a kind goes", Rules(change=_unguarded, scene=_Careless), World(faults=0)),
    Mutation(
        "what cannot be seen does not count",
        Rules(change=_unguarded, scene=_Blind),
        World(can_hide=True),
    ),
)
