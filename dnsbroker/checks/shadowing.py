"""Names that live only by a wildcard, and would vanish once a record is written below them (RFC 4592 section 2.2.2).

Rule: one server is asked, never all of them and never a resolver; a random name first, which tells that there is no
wildcard at all where, as nearly always, there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dnsbroker.checks.delegation import broken
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place
from dnsbroker.names import between, labels, shown
from dnsbroker.tasks import together

#: What people and mail reach a host by.
_TYPES = ("A", "AAAA", "CNAME", "MX")


async def shadowing(place: Place, finder: Finder, *, extra: Collection[str] = ()) -> tuple[Finding, ...]:
    """What would vanish with a record at ``place``, or at one of the ``extra`` owner names (``_25._tcp.…``).

    That a name cannot be looked at is a finding.
    """
    looks = [_under(place, finder), _at_target(place, finder), *(_under_extra(name, finder) for name in extra)]
    found = await together(looks)
    return tuple(finding for finding in found if finding is not None)


async def _under_extra(name: str, finder: Finder) -> Finding | None:
    try:
        return await _under(await finder.find(name), finder)
    except BrokerError as error:
        return broken(name, error)


async def _under(place: Place, finder: Finder) -> Finding | None:
    try:
        wildcard, hosts = await _made(place, finder)
        records = [record for host in hosts for record in await _records(host, finder)]
    except BrokerError as error:
        return broken(place.challenge, error)
    return _shadowed(place, wildcard, records) if records else None


async def _at_target(place: Place, finder: Finder) -> Finding | None:
    """What the name where an alias leads would lose itself.

    A name that is there for challenges alone loses nothing that anybody misses, and which one is, cannot be seen.
    """
    name = place.owner
    if not place.hops or name.startswith("_"):
        return None
    try:
        records = await _records(name, finder) if await finder.is_made(name) else []
    except BrokerError:
        return None  # as told for the names above it
    if not records:
        return None
    lines = ", ".join(f'"{record.host} {record.type} {record.value}"' for record in records)
    return Finding(
        "wildcard-shadowing",
        Severity.WARNING,
        place.challenge,
        f"{shown(name)}, where its record is to stand, has other records only by a wildcard, and would lose them",
        f"where it is used for more than challenges, first add {lines} to {shown(place.zone.name)}",
        tuple(Evidence(one.server, f"{one.host} {one.type} {one.value}") for one in records),
    )


async def _made(place: Place, finder: Finder) -> tuple[str, list[str]]:
    """The wildcard that makes names between the place's owner and its zone's apex, and these names; from the top.

    What stands below a name that a wildcard makes is made by the same one.
    """
    wildcard, hosts = "", list[str]()
    for name in between(place.owner, place.zone.name):
        if not wildcard and await finder.is_made(name):
            wildcard = "*." + _above(name)
        if wildcard and not name.startswith("_"):
            hosts.append(name)
    return wildcard, hosts


def _above(name: str) -> str:
    return ".".join(labels(name)[1:]) + "."


@dataclass(frozen=True)
class _Record:
    """One value that a name has by a wildcard, and the server that said so."""

    host: str
    type: str
    value: str
    server: str


async def _records(host: str, finder: Finder) -> list[_Record]:
    """What ``host`` has; nothing where its signatures show that it has it by itself."""
    answers: list[Answer] = await together(finder.ask(host, type, dnssec=True) for type in _TYPES)
    if any(answer.is_signed(host, type) and not answer.is_synthesised(host, type) for answer, type in _typed(answers)):
        return []
    return [
        _Record(host, type, value, str(answer.address))
        for answer, type in _typed(answers)
        for value in sorted(answer.values(host, type))
    ]


def _typed(answers: Sequence[Answer]) -> list[tuple[Answer, str]]:
    return list(zip(answers, _TYPES, strict=True))


def _shadowed(place: Place, wildcard: str, records: Sequence[_Record]) -> Finding:
    hosts = list(dict.fromkeys(record.host for record in records))
    told = ", ".join(map(shown, hosts))
    lines = ", ".join(f'"{record.host} {record.type} {record.value}"' for record in records)
    below = ", ".join(f"*.{shown(host)}" for host in hosts)
    return Finding(
        "wildcard-shadowing",
        Severity.ERROR,
        place.challenge,
        f"{told} {'live' if len(hosts) > 1 else 'lives'} only by {shown(wildcard)}, and would vanish with a record at "
        f"{shown(place.owner)}",
        f"first add {lines} to {shown(place.zone.name)}, and the same at {below} if names below are used",
        tuple(Evidence(one.server, f"{wildcard} {one.type} {one.value}") for one in records if one.host == hosts[0]),
    )
