"""TXT values that stand at a challenge's name already: ours of runs that are dead, and those of others.

Rule: one server of the zone is asked, never a resolver. A value is ours only by the journal's word; what a wildcard
lends to the name does not stand there. Refused: touching any of it.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.journal import Leases, State
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place
from dnsbroker.names import labels, shown
from dnsbroker.records import Record

# CAs read about four thousand octets of an answer, some test CAs far fewer.
_MANY = 20
_SHOWN = 5
# A run waits that long for a CA's cache before it gives up, unless it is configured to wait longer.
_PATIENCE = 600


@dataclass(frozen=True)
class _Kept:
    """What stands at a name, sorted by whose it is: of dead runs, of runs that live, withdrawn before, of others."""

    left: tuple[str, ...]
    living: tuple[str, ...]
    withdrawn: tuple[str, ...]
    foreign: tuple[str, ...]


async def remains(
    place: Place,
    finder: Finder,
    leases: Leases,
    is_alive: Callable[[str], bool],
    *,
    patience: float = _PATIENCE,
    cache_limit: float | None = None,
) -> tuple[Finding, ...]:
    """What is left at the name where the record for a challenge is to stand.

    ``is_alive`` tells whether a run lives (``Runs.is_alive``). ``patience`` is how many seconds a run waits for older
    answers to be forgotten, ``cache_limit`` the longest that the CA keeps one, None where it does not say. What cannot
    be asked is left to the checks of the servers. Raises StoreError.
    """
    try:
        answer = await finder.ask(place.owner, "TXT")
        if not answer.values(place.owner, "TXT") or await _is_lent(place, answer, finder):
            return ()
    except BrokerError:
        return ()
    kept = _kept(place.owner, answer.values(place.owner, "TXT"), leases, is_alive)
    ttl = answer.ttl(place.owner, "TXT") or 0
    return tuple(_judged(place.owner, kept, str(answer.address), ttl, patience, cache_limit))


async def _is_lent(place: Place, answer: Answer, finder: Finder) -> bool:
    """Whether a wildcard gives the values: a sibling that nobody has made has the same ones (RFC 4592)."""
    if place.owner == place.zone.name:
        return False
    sibling = ".".join((secrets.token_hex(7), *labels(place.owner)[1:])) + "."
    return (await finder.ask(sibling, "TXT")).values(sibling, "TXT") == answer.values(place.owner, "TXT")


def _kept(name: str, values: frozenset[str], leases: Leases, is_alive: Callable[[str], bool]) -> _Kept:
    over = {lease.record for lease in leases.sweepable(is_alive) if not lease.foreign}
    sorted_out: dict[str, list[str]] = {"left": [], "living": [], "withdrawn": [], "foreign": []}
    for value in sorted(values):
        record = Record(name, "TXT", value)
        last = leases.last(record)
        if record in over:
            whose = "left"
        elif last is None or last.foreign:
            whose = "foreign"
        else:
            whose = "withdrawn" if last.state is State.CLOSED else "living"
        sorted_out[whose].append(value)
    return _Kept(**{whose: tuple(found) for whose, found in sorted_out.items()})


def _judged(
    name: str, kept: _Kept, server: str, ttl: int, patience: float, cache_limit: float | None
) -> Iterator[Finding]:
    if kept.left:
        yield Finding(
            check="left-behind",
            severity=Severity.WARNING,
            subject=name,
            message=f"{_values(kept.left)} of ours, of a run that is over",
            hint="`dnsbroker gc` withdraws them, and so does `dnsbroker doctor --fix`",
            evidence=_evidence(server, kept.left),
        )
    if kept.withdrawn:
        yield _came_back(name, kept.withdrawn, server)
    if kept.foreign:
        yield _foreign(name, kept.foreign, server)
    others = kept.foreign or kept.withdrawn or kept.left
    lasting = ttl if cache_limit is None else min(ttl, cache_limit)
    if others and lasting > patience:
        yield Finding(
            check="long-ttl",
            severity=Severity.WARNING,
            subject=name,
            message=f"what stands there has a TTL of {ttl} s, which new values share: a CA that has asked before may "
            "not see them as long as a run waits",
            hint="remove what is not needed, or lower its TTL; else raise propagation.timeout above it",
            evidence=(Evidence(server, f"{shown(name)} {ttl} TXT"),),
        )


def _came_back(name: str, values: Sequence[str], server: str) -> Finding:
    cure = " ".join(f"{shown(name)} {shlex.quote(value)}" for value in values[:_SHOWN])
    return Finding(
        check="left-behind",
        severity=Severity.NOTICE,
        subject=name,
        message=f"{_values(values)} that we have withdrawn: the server has not followed yet, or they came back",
        hint=f"where they stay, `dnsbroker txt cleanup {cure}`",
        evidence=_evidence(server, values),
    )


def _foreign(name: str, values: Sequence[str], server: str) -> Finding:
    is_much = len(values) >= _MANY
    told = f"{_values(values)} that this host did not write"
    return Finding(
        check="foreign-values",
        severity=Severity.WARNING if is_much else Severity.NOTICE,
        subject=name,
        message=f"{told}; a CA reads only so many" if is_much else told,
        hint="nothing here touches them: find out which ACME client leaves them, and remove what is not needed",
        evidence=_evidence(server, values),
    )


def _values(values: Sequence[str]) -> str:
    return "there is a value" if len(values) == 1 else f"there are {len(values)} values"


def _evidence(server: str, values: Sequence[str]) -> tuple[Evidence, ...]:
    shown_ = [Evidence(server, f'TXT "{value}"') for value in values[:_SHOWN]]
    more = len(values) - len(shown_)
    return (*shown_, *([Evidence(server, f"and {more} more")] if more > 0 else []))
