"""Memories of a ``rolling_world``, written so that those that no rule can tell apart are one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dnsbroker.rolling import Memory, View
from dnsbroker.tlsa.records import Tlsa
from rolling_state import Remembered

T = TypeVar("T")


@dataclass(frozen=True)
class Notes:
    """What was worked out already, and memories by numbers, to be quick."""

    memories: list[Remembered] = field(default_factory=list)
    numbers: dict[Remembered, int] = field(default_factory=dict)
    known: dict[Hashable, Any] = field(default_factory=dict)

    def number(self, memory: Remembered) -> int:
        """The number of ``memory``."""
        if memory not in self.numbers:
            self.numbers[memory] = len(self.memories)
            self.memories.append(memory)
        return self.numbers[memory]

    def once(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` has for ``key``."""
        if key not in self.known:
            self.known[key] = work()
        found: T = self.known[key]
        return found


def older(memory: Remembered) -> Memory:
    """The same, a tick on."""
    views = tuple(_moved(view, view.first - 1, view.last - 1) for view in memory.views)
    return Memory(views, {record: moment - 1 for record, moment in memory.since}, memory.is_whole)


def plain(memory: Memory, ttl: int, min_wait: int, remembered: int) -> Remembered:
    """``memory`` without what no rule asks for: who gave out what is over, and moments before all that count.

    What is over is dropped as the journal drops it, ``remembered`` ticks after nobody was seen to give it out.
    """
    past, gap = -float(min_wait), -float(max(2 * ttl, remembered) + 1)
    before = max((view.last for view in memory.views if view.is_given), default=0.0)
    ended: dict[tuple[str, frozenset[Tlsa], int], float] = {}
    kept = _ranked(_moved(view, view.first, max(view.last, gap)) for view in memory.views if _is_awaited(view))
    for view in memory.views:
        if view.is_given:
            kept.append(_moved(view, 0.0, 0.0 if memory.is_settled else max(view.last, gap)))
        elif _is_awaited(view):
            continue
        elif view.lapses(max(remembered, min_wait)) > 0 or (view.last >= before and not memory.is_settled):
            key = (view.server if view.is_unknown else "ended", view.records, view.ttl)
            ended[key] = max(ended.get(key, gap), view.last)
    kept += [View(server, records, its_ttl, 0.0, last, False) for (server, records, its_ttl), last in ended.items()]
    since = tuple(sorted((record, max(moment, past)) for record, moment in memory.since.items()))
    return Remembered(tuple(sorted(kept, key=_order)), since, memory.is_whole)


def _is_awaited(view: View) -> bool:
    return view.is_current and not view.server


def _ranked(awaited: Iterable[View]) -> list[View]:
    """What is awaited, in its order, which is all that counts of when it was announced."""
    found: list[View] = []
    for view in sorted(awaited, key=lambda view: view.first):
        if found and found[-1].records == view.records:
            found[-1] = _moved(view, found[-1].first, max(found[-1].last, view.last))
        else:
            found.append(_moved(view, float(len(found)) - 9.0, view.last))
    return found


def _moved(view: View, first: float, last: float) -> View:
    return View(view.server, view.records, view.ttl, first, last, view.is_current)


def _order(view: View) -> tuple[str, float, list[Tlsa], float]:
    return view.server, view.first, sorted(view.records), view.last
