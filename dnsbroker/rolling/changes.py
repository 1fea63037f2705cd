"""What a TLSA RRset is to be, and the one change that leads there, if it is harmless.

Rule: only records of ours are removed, one change at a time, additions first. A change is harmless where every chain
that is served, by whomever, is covered by the whole set that results; while something cannot be seen, only what adds to
kinds that are there already is. A record of what is served, or is to be,
waits for no server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dnsbroker.rolling.gates import names, uncovered
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import CERT, DANE_TA, SHA256, SPKI, Kind, Subject, Tlsa, made

_POOLED = Kind(DANE_TA, SPKI, SHA256)


@dataclass(frozen=True)
class Change:
    """What to write to one owner name: ``add`` or ``remove``, never both; and what stands against more.

    ``objections`` are sentences for people: why a record that is wanted is not added, or one that is not is kept.
    """

    add: frozenset[Tlsa] = frozenset()
    remove: frozenset[Tlsa] = frozenset()
    objections: tuple[str, ...] = ()


def wanted(
    kinds: Iterable[Kind],
    chains: Iterable[Presented],
    *,
    issuer: str = "top",
    ta_pool: Iterable[str] = (),
) -> frozenset[Tlsa]:
    """The records of ``kinds`` for ``chains``: what is live, what is held, and keys to come (without authorities).

    ``issuer`` is ``top``, ``issuing`` or ``both``; ``ta_pool`` are hex SHA-256 digests of further CA keys, for 2 1 1.
    A chain without authorities has no record of a CA, and a key to come none of a whole certificate.
    """
    asked = tuple(kinds)
    found = {
        made(kind, subject)
        for chain in chains
        for kind in asked
        for subject in _subjects(kind, chain, issuer)
        if subject.certificate or kind.selector != CERT
    }
    pool = {Tlsa(_POOLED, bytes.fromhex(digest)) for digest in ta_pool} if _POOLED in asked else set()
    return frozenset(found | pool)


def _subjects(kind: Kind, chain: Presented, issuer: str) -> Sequence[Subject]:
    if kind.is_of_leaf:
        return (chain.leaf,)
    top, issuing = chain.authorities[-1:], chain.authorities[:1]
    return {"top": top, "issuing": issuing}.get(issuer, (*issuing, *top))


def change(
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
    """The next change for an owner name that has ``present``, of which ``ours`` are the broker's own.

    ``present`` is what the zone has, which servers may be on their way to. ``served`` are all chains seen at all
    addresses of all its endpoints, ours and others', ``unseen`` those that could not be seen, as words; nothing seen at
    all counts as unseen. ``keep`` are records not wanted any more whose time to go has not come. ``live`` are the
    chains that are to be served. ``passing`` are the sets that servers may have from before (``Memory.passing``): such
    a one is not written again until they are through, for nobody could tell a server that has arrived from one that has
    the others yet to come. But for what names a chain that is served or live, and that no record names: whatever looks
    as if it had arrived then, nobody waits for such a record in order to serve something else.
    """
    blind = tuple(unseen) or (() if served else ("any address",))
    add, objections = _additions(wanted - present, present, served, blind)
    remove: frozenset[Tlsa] = frozenset()
    if not add:
        remove, unremovable = _removals((ours & present) - wanted - keep, present, served, blind)
        objections += unremovable
    if (add or remove) and (present | add) - remove in passing:
        add, remove = _missed(add, present, (*served, *live)), frozenset()
        objections += ("a name server may still have that very set from before",)
    return Change(add, remove, objections)


def _missed(add: frozenset[Tlsa], present: frozenset[Tlsa], chains: Iterable[Presented]) -> frozenset[Tlsa]:
    """Of ``add`` what names one of ``chains`` that nothing ``present`` of its kind names."""
    return frozenset(
        record
        for chain in chains
        for record in add
        if names(record, chain) and not any(other.kind == record.kind and names(other, chain) for other in present)
    )


def _additions(
    lacking: frozenset[Tlsa], present: frozenset[Tlsa], served: Sequence[Presented], unseen: Sequence[str]
) -> tuple[frozenset[Tlsa], tuple[str, ...]]:
    """Of each kind all or none: a kind that is new must name every chain that is served (RFC 7671 section 8.1)."""
    there = {record.kind for record in present if not record.unusable}
    objections = []
    add: set[Tlsa] = set()
    for kind in sorted({record.kind for record in lacking}):
        of_kind = frozenset(record for record in lacking if record.kind == kind)
        result = frozenset(record for record in present if record.kind == kind) | of_kind
        if kind in there or not (unseen or any(uncovered(result, chain) for chain in served)):
            add |= of_kind
        elif unseen:
            objections.append(f"no records {kind} are added: what is served could not be seen at {', '.join(unseen)}")
        else:
            objections.append(f"no records {kind} are added: they would not name all that is served")
    return frozenset(add), tuple(objections)


def _removals(
    old: frozenset[Tlsa], present: frozenset[Tlsa], served: Sequence[Presented], unseen: Sequence[str]
) -> tuple[frozenset[Tlsa], tuple[str, ...]]:
    """All of ``old`` but what names something that is served, and leaves it less covered than it was."""
    if not old:
        return old, ()
    if unseen:
        return frozenset(), (f"old records stay: what is served could not be seen at {', '.join(unseen)}",)
    remove = old
    while needed := frozenset(record for record in remove if _is_needed(record, present - remove, served)):
        remove -= needed
    kinds = sorted({str(record.kind) for record in old - remove})
    return remove, tuple(f"the old records {kind} stay: what is served needs them" for kind in kinds)


def _is_needed(record: Tlsa, rest: frozenset[Tlsa], served: Sequence[Presented]) -> bool:
    """Whether a chain that is served is named by ``record``, and not covered by the ``rest``."""
    return any(names(record, chain) and uncovered(rest, chain) for chain in served)
