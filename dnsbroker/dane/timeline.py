"""A roll-over over time, as lanes of bars: what each server had, how each record ripened, what was served, the steps.

Pure: what the journal remembers goes in, moments in seconds since the epoch, and a value comes out that
``dnsbroker.dane.drawing`` puts on paper. Rule: a bar is as long as what it tells of was seen, and no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from dnsbroker.journal import Served, Sight, StepTaken
from dnsbroker.rolling import Step, View

#: How many hexadecimal digits of a digest tell one record from another on paper.
DIGITS = 8
#: How much of the time shown is left free at either end.
_MARGIN = 0.03
#: Seconds that are shown at the least.
_SHORTEST = 1.0


@dataclass(frozen=True)
class Chronicle:
    """What is remembered of one certificate: its steps, the RRsets at each owner name, what its addresses served.

    ``sights`` and ``min_wait`` (seconds) are by owner name, ``clocks`` by owner name and record, ``served`` by
    endpoint. ``roles`` say whose each record (``3 1 1 hex``) is now: current, next, held, CA, old or foreign.
    """

    reference: str
    steps: Sequence[StepTaken] = ()
    sights: Mapping[str, Sequence[Sight]] = field(default_factory=dict)
    clocks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    min_wait: Mapping[str, float] = field(default_factory=dict)
    served: Mapping[str, Sequence[Served]] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bar:
    """From ``start`` to ``end``, in row ``row`` of its lane: ``label`` stands in it, ``note`` tells all of it.

    ``what`` is ``set``, ``record``, ``key``, ``step`` or a phase of a record: ``spreading``, ``ripening``, ``ripe``,
    ``retiring``. ``record`` is the data of the record that it is about, empty where it is about none.
    """

    start: float
    end: float
    what: str
    label: str
    note: str
    record: str = ""
    row: int = 0


@dataclass(frozen=True)
class Lane:
    """Bars with one ``name``, in ``rows`` rows."""

    name: str
    bars: tuple[Bar, ...]
    rows: int = 1


@dataclass(frozen=True)
class Section:
    """Lanes below one ``title``."""

    title: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Entry:
    """A line of the legend: the ``data`` of a record or key, and what it is now."""

    data: str
    text: str


@dataclass(frozen=True)
class Picture:
    """Everything to be drawn between ``begin`` and ``end``; what goes beyond is cut off there."""

    title: str
    begin: float
    end: float
    sections: tuple[Section, ...]
    legend: tuple[Entry, ...]


def picture(chronicles: Sequence[Chronicle], now: float, begin: float | None = None) -> Picture | None:
    """The last roll-over of each certificate, or all from ``begin`` on; None where nothing was seen in that time."""
    first = begin if begin is not None else min((_begin(one) for one in chronicles), default=now)
    told = [one for one in map(_Told, chronicles) if one.moments(first, now)]
    moments = [moment for one in told for moment in one.moments(first, now)]
    if not moments:
        return None
    start, end = max(first, min(moments)), max(moments)
    margin = max(_MARGIN * (end - start), _SHORTEST / 2)
    # Certificates side by side have owner names and addresses in common, and each is drawn once.
    sections = tuple({part.title: part for one in told for part in one.sections(start, end + margin)}.values())
    names = ", ".join(one.chronicle.reference for one in told)
    legend = tuple(dict.fromkeys(entry for one in told for entry in one.legend()))
    return Picture(f"TLSA records and keys of {names}", start - margin, end + margin, sections, legend)


def _begin(one: Chronicle) -> float:
    """When its last roll-over began: its last step away from rest; the beginning of all where it was never at rest."""
    steps = list(pairwise(one.steps))
    left = [after.at for before, after in steps if before.step == Step.STEADY != after.step]
    return left[-1] if left else 0.0


class _Told:
    """One chronicle, told."""

    def __init__(self, chronicle: Chronicle) -> None:
        self.chronicle = chronicle
        self._looks = [one for endpoint in chronicle.served.values() for one in endpoint]

    def moments(self, begin: float, now: float) -> list[float]:
        """Every moment from ``begin`` on at which something was seen, or changed."""
        sights = [one for owner in self.chronicle.sights.values() for one in owner if one.server]
        found = [moment for one in sights for moment in (one.first, one.last)]
        found += [moment for one in self._looks for moment in (one.first, one.last)]
        found += [step.at for step in self.chronicle.steps]
        within = [moment for moment in found if begin <= moment <= now]
        is_seen = any(one.last >= begin for one in sights)
        return [*([begin] if begin and begin > min(found, default=begin) else []), *within] if is_seen else []

    def sections(self, begin: float, end: float) -> Iterable[Section]:
        """Steps, then for each owner name its servers and its clocks, then what was served; without what is empty."""
        one = self.chronicle
        found = [Section(f"{one.reference}: steps", (Lane("step", self._steps(end)),))]
        for owner, sights in one.sights.items():
            found.append(Section(f"TLSA records at {owner.rstrip('.')}, by server", self._servers(owner, sights)))
            found.append(Section(f"clocks of the records at {owner.rstrip('.')}", self._clocks(owner, sights)))
        found += [
            Section(f"keys served at {name}, by address", self._served(looks)) for name, looks in one.served.items()
        ]
        for section in found:
            lanes = (Lane(lane.name, _within(lane.bars, begin, end), lane.rows) for lane in section.lanes)
            kept = tuple(lane for lane in lanes if lane.bars)
            if kept:
                yield Section(section.title, kept)

    def legend(self) -> Iterable[Entry]:
        """Each record and key that is shown, and what it is now."""
        for value in sorted(
            {record for owner in self.chronicle.sights.values() for s in owner for record in s.records}
        ):
            kind, _, data = value.rpartition(" ")
            yield Entry(data, f"{kind} {short(data)}: {self.chronicle.roles.get(value) or 'no longer there'}")

    def _steps(self, end: float) -> tuple[Bar, ...]:
        steps = self.chronicle.steps
        begun = [one for index, one in enumerate(steps) if not index or steps[index - 1].step != one.step]
        ends = [*(one.at for one in begun), end][1:]
        return tuple(
            Bar(one.at, until, "step", one.step, f"{one.step}: {one.reason}")
            for one, until in zip(begun, ends, strict=True)
        )

    def _servers(self, owner: str, sights: Sequence[Sight]) -> tuple[Lane, ...]:
        seen = [one for one in sights if one.server]
        records = list(dict.fromkeys(record for one in seen for record in sorted(one.records)))
        lanes = []
        for server in dict.fromkeys(one.server for one in seen):
            bars = [bar for one in _apart(seen) if one.server == server for bar in self._set(one, records)]
            lanes.append(Lane(server, tuple(bars), max(1, len(records))))
        return tuple(lanes)

    def _set(self, one: Sight, records: Sequence[str]) -> Iterable[Bar]:
        """One RRset: the whole of it, then each record in its row."""
        there = [record for record in records if record in one.records]
        note = "; ".join(there) or "no record"
        yield Bar(one.first, one.last, "set", "" if there else "no record", f"{note}; TTL {one.ttl} s")
        for record in there:
            data = record.rpartition(" ")[2]
            label = f"{self._role(record, one.first, one.last)} {short(data)}"
            yield Bar(one.first, one.last, "record", label, record, data, records.index(record))

    def _role(self, record: str, first: float, last: float) -> str:
        """What the record was from the beginning of a bar to its end, by what was served then."""
        start, end = self._role_at(record, first), self._role_at(record, last)
        return start if start == end else f"{start} → {end}"

    def _role_at(self, record: str, moment: float) -> str:
        kind, _, data = record.rpartition(" ")
        if kind[0] in "02":
            return "CA"
        role = self.chronicle.roles.get(record, "old")
        served = [one for one in self._looks if one.spki_sha256 == data]
        if not served or role == "foreign":
            return role
        moment = min(max(moment, min(one.first for one in self._looks)), max(one.last for one in self._looks))
        if moment < min(one.first for one in served):
            return "next"
        return "current" if moment <= max(one.last for one in served) else "old"

    def _clocks(self, owner: str, sights: Sequence[Sight]) -> tuple[Lane, ...]:
        seen = [one for one in sights if one.server]
        records = dict.fromkeys(record for one in seen for record in sorted(one.records))
        return tuple(Lane(_shortened(record), tuple(self._phases(owner, record, seen))) for record in records)

    def _phases(self, owner: str, record: str, seen: Sequence[Sight]) -> Iterable[Bar]:
        """Written, everywhere, relied on, on its way out."""
        data = record.rpartition(" ")[2]
        having = [one for one in _apart(seen) if record in one.records]
        last = max(one.last for one in having)
        served = [one.last for one in self._looks if one.spki_sha256 == data]
        retiring = max(served) if served and max(served) < last else last
        begun = min(one.first for one in having)
        for start, end in everywhere(record, seen):
            if begun < start:
                yield self._spreading(record, begun, min(start, retiring))
            if start < retiring:
                yield from self._ripening(owner, record, seen, start, min(end, retiring))
            begun = end
        if begun < retiring:
            yield self._spreading(record, begun, retiring)
        if retiring < last:
            note = f"{record}: its key is served no more; it goes once every address of ours was seen with the live one"
            yield Bar(retiring, last, "retiring", "retiring", note, data)

    def _spreading(self, record: str, start: float, end: float) -> Bar:
        note = f"{record}: not on every server"
        return Bar(start, end, "spreading", "not everywhere", note, record.rpartition(" ")[2])

    def _ripening(self, owner: str, record: str, seen: Sequence[Sight], start: float, end: float) -> Iterable[Bar]:
        """From when every server had it to when it may be relied on, and on to ``end``."""
        data, min_wait = record.rpartition(" ")[2], self.chronicle.min_wait.get(owner, 0.0)
        clock = self.chronicle.clocks.get(owner, {}).get(record, start)
        since = clock if start < clock < end else start
        if since > start:
            yield self._spreading(record, start, since)
        ripe, why = relied_on_from(record, seen, since, min_wait)
        if ripe > since:
            yield Bar(since, min(ripe, end), "ripening", f"ripening: {why}", f"{record}: everywhere, {why}", data)
        if end > ripe:
            yield Bar(ripe, end, "ripe", "may be relied on", f"{record}: no cache lacks it any more", data)

    def _served(self, looks: Sequence[Served]) -> tuple[Lane, ...]:
        addresses = dict.fromkeys(one.address for one in looks)
        return tuple(_keys(address, [one for one in looks if one.address == address]) for address in addresses)


def _keys(address: str, looks: Sequence[Served]) -> Lane:
    """The keys of one address; those that it served at the same time, as of two algorithms, below each other."""
    ends: list[float] = []
    bars = []
    for one in sorted(looks, key=lambda one: one.first):
        row = next((row for row, end in enumerate(ends) if end <= one.first), len(ends))
        ends[row : row + 1] = [one.last]
        key = one.spki_sha256
        bars.append(Bar(one.first, one.last, "key", f"key {short(key)}", key, key, row))
    return Lane(address, tuple(bars), len(ends))


def _apart(seen: Sequence[Sight]) -> list[Sight]:
    """``seen``, each until its server was seen with another RRset, however long a cache may have got it."""
    found = []
    for one in seen:
        later = [other.first for other in seen if other.server == one.server and other.first > one.first]
        found.append(replace(one, last=min([one.last, *later])))
    return found


def everywhere(record: str, seen: Sequence[Sight]) -> tuple[tuple[float, float], ...]:
    """The times, from and to, at which every server that was known by then had ``record``."""
    moments = sorted({one.first for one in seen} | {max(one.last for one in seen)})
    spans: list[tuple[float, float]] = []
    for start, end in pairwise(moments):
        had = {one.server: one.records for one in seen if one.first <= start}  # the oldest first, so the last one stays
        if not all(record in records for records in had.values()):
            continue
        if spans and spans[-1][1] == start:
            start = spans.pop()[0]
        spans.append((start, end))
    return tuple(spans)


def relied_on_from(record: str, seen: Sequence[Sight], since: float, min_wait: float) -> tuple[float, str]:
    """When a record that is everywhere ``since`` may be relied on, and what it waits for, in words.

    Caches may hold RRsets without it; an empty one says nothing against any key.
    """
    lacking = [
        View(one.server, frozenset(), one.ttl, one.first, one.last)
        for one in seen
        if one.records and record not in one.records and one.first < since
    ]
    cached = max((one.lapses(min_wait) for one in lacking), default=0.0)
    ttl = max((one.ttl for one in lacking), default=0)
    if cached > since + min_wait and 2 * ttl >= min_wait:
        return cached, f"twice the TTL of {ttl} s"
    return max(cached, since + min_wait), f"min_wait of {min_wait:g} s"


def short(data: str) -> str:
    """As much of a digest as tells it from others."""
    return data[:DIGITS]


def _shortened(record: str) -> str:
    kind, _, data = record.rpartition(" ")
    return f"{kind} {short(data)}"


def _within(bars: Sequence[Bar], begin: float, end: float) -> tuple[Bar, ...]:
    """The bars that are seen between two moments, cut off there."""
    return tuple(
        Bar(max(one.start, begin), min(one.end, end), one.what, one.label, one.note, one.record, one.row)
        for one in bars
        if one.end >= begin and one.start <= end
    )
