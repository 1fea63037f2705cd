"""May this key be ordered for, may this chain be served? And if not yet, when, and what is missing.

Rule: it may when every view that a cache may hold covers it, and the records it relies on have been everywhere for the
least time that is configured; nothing new is relied on while an address is silent. A chain that relies on nothing but
what the live one relies on, and is covered wherever that one is, may always be served.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dnsbroker.names import shown
from dnsbroker.rolling.memory import Memory, View
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import CERT, DANE_EE, Kind, Tlsa, made


@dataclass(frozen=True)
class Site:
    """One owner name whose records speak of the certificate: its ``kinds``, what is remembered of it, how long to wait.

    ``min_wait`` is in seconds. ``silent`` says of each address of a server that gave no answer to build on, why.
    ``cure`` says what to do about records that nobody looks after for the certificate.
    """

    owner: str
    kinds: tuple[Kind, ...]
    memory: Memory
    min_wait: float = 3600.0
    silent: Mapping[str, str] = field(default_factory=dict)
    cure: str = ""


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


@dataclass(frozen=True)
class _Obstacle:
    """One thing in the way, with the moment (seconds since the epoch) from which on it is not, None for unknown."""

    reason: str
    until: float | None = None
    missing: tuple[tuple[str, Tlsa], ...] = ()


def names(record: Tlsa, chain: Presented) -> bool:
    """Whether a usable ``record`` speaks of ``chain``: of its leaf, or of a CA that is sent along."""
    subjects = (chain.leaf,) if record.kind.is_of_leaf else chain.authorities
    return not record.unusable and any(record.names(subject) for subject in subjects)


def uncovered(records: frozenset[Tlsa], chain: Presented, *, leaf_only: bool = False) -> tuple[Kind, ...]:
    """The kinds of which usable ``records`` are there and none names ``chain`` (RFC 7671 section 8.1), sorted.

    ``leaf_only``: only kinds that name the leaf, and for a key that has no certificate yet, only those of keys. No
    records: nothing is uncovered.
    """
    there = {record.kind for record in records if not record.unusable}
    if leaf_only:
        has_certificate = bool(chain.leaf.certificate)
        there = {kind for kind in there if kind.is_of_leaf and (has_certificate or kind.selector != CERT)}
    return tuple(sorted(there - {record.kind for record in records if names(record, chain)}))


def for_key(key: Presented, sites: Sequence[Site], now: float) -> Gate:
    """May an order be made for a key (a Presented without authorities)? Only kinds that name the leaf are looked at.

    Its records must have been everywhere for ``min_wait``, at every owner name.
    """
    return _gate([obstacle for site in sites for obstacle in _key_obstacles(key, site, now)])


def for_chain(
    chain: Presented, sites: Sequence[Site], now: float, *, leaf_only: bool = False, live: Presented | None = None
) -> Gate:
    """May ``chain`` be served? ``leaf_only`` is for when time runs out: conforming clients accept a match of one kind.

    Then only kinds that name the leaf have to be covered, and each view that has none of those that every client can
    use (usage 3) has to be covered whole. ``live`` is what is served now: a chain that is covered wherever that one is,
    and by the same records, is no change.
    """
    return _gate([obstacle for site in sites for obstacle in _chain_obstacles(chain, site, now, leaf_only, live)])


def leaf_records(key: Presented, kinds: Iterable[Kind]) -> frozenset[Tlsa]:
    """The records of those ``kinds`` that name the leaf; of keys alone where there is no certificate yet."""
    return frozenset(
        made(kind, key.leaf) for kind in kinds if kind.is_of_leaf and (key.leaf.certificate or kind.selector != CERT)
    )


def unanswered(site: Site) -> str:
    """That not every server answers for it, for people: which, and what it said."""
    told = "; ".join(f"{address}: {why}" for address, why in sorted(site.silent.items()))
    return f"not every name server answers for {shown(site.owner)}" + (f" ({told})" if told else "")


def at(moment: float) -> str:
    """The moment for people, in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _gate(obstacles: Sequence[_Obstacle]) -> Gate:
    """What stands in the way longest is what is told."""
    if not obstacles:
        return Gate(True)
    ends = [obstacle.until for obstacle in obstacles]
    known = [end for end in ends if end is not None]
    opens_at = max(known) if len(known) == len(ends) else None
    told = next(obstacle for obstacle in obstacles if obstacle.until == opens_at)
    missing = dict.fromkeys(each for obstacle in obstacles for each in obstacle.missing)
    return Gate(False, told.reason, opens_at, tuple(missing))


def _key_obstacles(key: Presented, site: Site, now: float) -> Iterable[_Obstacle]:
    relied_on = leaf_records(key, site.kinds)
    lacking = relied_on - site.memory.everywhere
    if not site.memory.is_whole:
        yield _silent(site)
    elif lacking:
        yield _lacking(lacking, site)
    yield from _young(relied_on - lacking, site, now)
    for view in site.memory.possible(now, site.min_wait):
        if view.is_unknown:
            yield _from_before(site, view)
        elif kinds := uncovered(view.records, key, leaf_only=True):
            yield _unlike(site, kinds, view.is_given, view.lapses(site.min_wait))


def _chain_obstacles(
    chain: Presented, site: Site, now: float, leaf_only: bool, live: Presented | None
) -> Iterable[_Obstacle]:
    for records in _newly_relied_on(chain, site, leaf_only, live):
        there = records & site.memory.everywhere
        if not site.memory.is_whole:
            yield _silent(site)
        elif not there:
            yield _lacking(records, site)
        else:
            yield from _young({min(there, key=lambda record: site.memory.since[record])}, site, now)
    for view in site.memory.possible(now, site.min_wait):
        if view.is_unknown:
            if _is_another(view.records, chain, leaf_only, live):
                yield _from_before(site, view)
            continue
        kinds = _exposed(view.records, chain, leaf_only)
        if live is not None:
            kinds = tuple(kind for kind in kinds if kind not in uncovered(view.records, live))
        if kinds:
            missing = tuple((site.owner, record) for record in _to_come(chain, kinds, site))
            yield _unlike(site, kinds, view.is_given, view.lapses(site.min_wait), missing)


def _newly_relied_on(
    chain: Presented, site: Site, leaf_only: bool, live: Presented | None
) -> Iterable[frozenset[Tlsa]]:
    """For each kind that is there and looked at: the records that name the chain, if none of them names the live one.

    Any one of them will do.
    """
    naming = [record for record in site.memory.anywhere if names(record, chain)]
    for kind in sorted({record.kind for record in naming if record.kind.is_of_leaf or not leaf_only}):
        records = frozenset(record for record in naming if record.kind == kind)
        if live is None or not any(names(record, live) for record in records):
            yield records


def _exposed(records: frozenset[Tlsa], chain: Presented, leaf_only: bool) -> tuple[Kind, ...]:
    return uncovered(records, chain, leaf_only=leaf_only and _is_enough(records))


def _is_enough(records: frozenset[Tlsa]) -> bool:
    """Whether a match of the leaf will do for every client."""
    return any(record.kind.usage == DANE_EE and not record.unusable for record in records)


def _is_another(records: frozenset[Tlsa], chain: Presented, leaf_only: bool, live: Presented | None) -> bool:
    """Whether some record of the kinds that ``records`` have may name what is live, and not ``chain``."""
    if live is None:
        return True
    is_enough = leaf_only and _is_enough(records)
    kinds = {record.kind for record in records if not record.unusable and (record.kind.is_of_leaf or not is_enough)}
    return any(not _all_of(kind, live) <= _all_of(kind, chain) for kind in kinds)


def _all_of(kind: Kind, chain: Presented) -> frozenset[Tlsa]:
    return frozenset(made(kind, subject) for subject in ((chain.leaf,) if kind.is_of_leaf else chain.authorities))


def _to_come(chain: Presented, kinds: Iterable[Kind], site: Site) -> Iterable[Tlsa]:
    """The records that would cover ``chain``, of those kinds that are the site's own."""
    for kind in kinds:
        if kind not in site.kinds:
            continue
        subjects = (chain.leaf,) if kind.is_of_leaf else chain.authorities[-1:]
        yield from (made(kind, subject) for subject in subjects)


def _silent(site: Site) -> _Obstacle:
    return _Obstacle(f"{unanswered(site)}, and one that is silent may have an older set")


def _lacking(records: frozenset[Tlsa], site: Site) -> _Obstacle:
    first = min(records)
    reason = f"the record {_short(first)} is not on every name server for {shown(site.owner)}"
    return _Obstacle(reason, None, tuple((site.owner, record) for record in sorted(records)))


def _young(records: Collection[Tlsa], site: Site, now: float) -> Iterable[_Obstacle]:
    for record in sorted(records):
        since = site.memory.since[record]
        if since + site.min_wait > now:
            until = since + site.min_wait
            yield _Obstacle(
                f"the record {_short(record)} is on every name server for {shown(site.owner)} since {at(since)}; "
                f"it may be relied on from {at(until)}",
                until,
            )


def _from_before(site: Site, view: View) -> _Obstacle:
    until = view.lapses(site.min_wait)
    return _Obstacle(
        f"records of {shown(site.owner)} were there when it was looked at first, "
        f"and caches may hold others from before, until {at(until)}",
        until,
    )


def _unlike(
    site: Site, kinds: Sequence[Kind], is_current: bool, until: float, missing: tuple[tuple[str, Tlsa], ...] = ()
) -> _Obstacle:
    which = " and ".join(map(str, kinds))
    if is_current:
        cure = f": {site.cure}" if site.cure else ""
        told = f"a name server has records {which} at {shown(site.owner)} that do not name it{cure}"
        return _Obstacle(told, None, missing)
    reason = f"caches may hold records {which} of {shown(site.owner)} that do not name it, until {at(until)}"
    return _Obstacle(reason, until, missing)


def _short(record: Tlsa) -> str:
    return f"{record.kind} {record.data.hex()[:8]}..."
