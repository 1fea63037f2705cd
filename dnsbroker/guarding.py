"""The TLSA guard: may a new key be used, or does a TLSA record hold the present one?

Rule: a key that a published record names is not dropped by accident. Records are asked of the zones' own servers; where
nobody answers it cannot be told, and that is said. Nothing is written, and whether records are right is not judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import KeyGuarded, LookupFailed, NameInvalid
from dnsbroker.events import Emitter
from dnsbroker.lookup.everywhere import PATIENCE, Everywhere, everywhere
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.names import labels, owner, shown
from dnsbroker.tasks import together
from dnsbroker.tlsa.records import CERT, SPKI, Subject, Tlsa, parse, subjects

T = TypeVar("T")

#: Seconds for all questions together.
ALL = 15.0
#: Seconds for slow servers where it is hosts that are looked for, which seldom change, and not yet records.
_BRIEFLY = 0.5
_USUAL = {"smtp": 25, "https": 443}
#: What lets a new key be used after all.
CURE = (
    "publish a TLSA record for the new key beside the old one and wait for twice its TTL, take the old records away, "
    "or set tlsa_guard = false"
)
_UNCOVERED = "no TLSA record there matches the live certificate"


@dataclass(frozen=True)
class Guarded:
    """TLSA records for one service, and what speaks against a new key; or that they cannot be seen.

    ``owner`` is where they stand, ``endpoint`` the service they are for, ``records`` all that are there. ``by_key`` are
    those that name the present key while none of their kind names the new one. ``by_certificate`` name the present
    certificate itself (selector 0): no renewal will match them, with either key. ``unknown``: why it cannot be told.
    """

    owner: str
    endpoint: str
    records: tuple[str, ...] = ()
    by_key: tuple[str, ...] = ()
    by_certificate: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def holds_key(self) -> bool:
        """Whether the present key has to stay: a record names it, or nobody knows."""
        return bool(self.by_key or self.unknown)

    def __str__(self) -> str:
        if self.unknown:
            return f"whether a TLSA record for {self.endpoint} names the present key cannot be told: {self.unknown}"
        told = f"the TLSA record {', '.join(self.by_key or self.by_certificate)} at {shown(self.owner)}"
        if self.by_key:
            return f"{told} names the present key, and none there names the new one"
        return f"{told} names the present certificate, not its key alone, and matches no renewed one"


@dataclass(frozen=True)
class _Service:
    """Where TLSA records may stand, and the endpoint they are for, as people write it."""

    owner: str
    endpoint: str


def told(guarded: Sequence[Guarded]) -> str:
    """The first of what was found, and how much more there is."""
    more = f" (and {len(guarded) - 1} more)" if len(guarded) > 1 else ""
    return f"{guarded[0]}{more}"


def refusal(words: str, guarded: Sequence[Guarded], cure: str = CURE) -> KeyGuarded:
    """The error of a key that is not used: ``words`` say what becomes of it, ``cure`` what to do."""
    return KeyGuarded(f"{words}: {told(guarded)}", names=[item.owner for item in guarded], hint=cure)


def warn_of_certificates(guarded: Iterable[Guarded], emit: Emitter) -> None:
    """Tell of records that name the certificate itself: no renewal will ever match them."""
    for item in guarded:
        if item.by_certificate:
            hint = "publish 3 1 1 instead, which a renewal with the same key matches"
            emit("warning", message=str(item), hint=hint)


class Guard:
    """Looks before a new key is used."""

    def __init__(self, finder: Finder, exchange: Exchange) -> None:
        self._finder = finder
        self._exchange = exchange

    async def look(
        self, names: Sequence[str], verify: Sequence[Endpoint], chain_pem: str, new_public_key: bytes
    ) -> tuple[Guarded, ...]:
        """The TLSA records there are, and what they say about the key ``new_public_key`` (SubjectPublicKeyInfo, DER).

        ``names`` are the certificate's identifiers, ``chain_pem`` is the present one, leaf first. Looked at are ports
        25 and 443 of every name without a wildcard and of every MX host that the names cover, and all of ``verify``;
        where a host is an alias, what it leads to as well (RFC 7671 section 7); not hosts that do not exist. Takes no
        longer than ALL seconds.
        Raises PemInvalid.
        """
        present = subjects(chain_pem)[0]
        until = asyncio.get_running_loop().time() + ALL
        domains = sorted({owner(name.removeprefix("*.")) for name in names})
        mail = await together(self._mail_hosts(domain, names, until) for domain in domains)
        hosts = {owner(name) for name in names if not name.startswith("*.")}.union(*(found.hosts for found in mail))
        endpoints = [Endpoint(scheme, host[:-1], port) for host in sorted(hosts) for scheme, port in _USUAL.items()]
        services = await together(self._services(host, at, until) for host, at in _by_host([*endpoints, *verify]))
        wanted = {service.owner: service for found in services for service in found}
        looked = await together(self._looked_at(service, present, new_public_key, until) for service in wanted.values())
        unknown = [found.unknown for found in mail if found.unknown]
        return (*unknown, *(found for found in looked if found.records or found.unknown))

    async def _mail_hosts(self, domain: str, names: Sequence[str], until: float) -> _Mail:
        try:
            found = await self._if_there(domain, "MX", until)
        except LookupFailed as error:
            return _Mail(unknown=Guarded(domain, f"the mail hosts of {shown(domain)}", unknown=error.message))
        hosts = (_mail_host(value) for value in (found.values if found else ()))
        return _Mail(frozenset(host for host in hosts if host and covers(names, host)))

    async def _services(self, host: str, endpoints: Iterable[Endpoint], until: float) -> tuple[_Service, ...]:
        """Where records for ``endpoints``, all at ``host``, may stand: at the host, and at what it is an alias of."""
        try:
            found = await self._if_there(host, "A", until)
        except LookupFailed:  # the question for the records will tell
            found = Everywhere(frozenset())
        bases = (owner(host), *found.aliases[-1:]) if found else ()
        return tuple(_Service(f"_{at.port}._tcp.{base}", at.shown()) for at in endpoints for base in bases)

    async def _looked_at(self, service: _Service, present: Subject, new_public_key: bytes, until: float) -> Guarded:
        try:
            found = await self._ask(service.owner, "TLSA", until)
        except LookupFailed as error:
            return Guarded(service.owner, service.endpoint, unknown=error.message)
        records = tuple(sorted(found.values))
        return Guarded(
            service.owner,
            service.endpoint,
            records,
            tuple(_naming_only(records, present.public_key, new_public_key)),
            tuple(str(record) for record in _read(records) if record.kind.selector == CERT and record.names(present)),
        )

    async def _if_there(self, name: str, type: str, until: float) -> Everywhere | None:
        """As ``_ask``; None where ``name`` does not exist.

        One server's denial is enough for a host that nobody could reach, and more would do harm: servers remember a
        denial that they gave, and challenge names stand below these.
        """
        if await _in_time(self._finder.is_denied(name), name, until):
            return None
        return await self._ask(name, type, until, _BRIEFLY)

    async def _ask(self, name: str, type: str, until: float, patience: float = PATIENCE) -> Everywhere:
        work = everywhere(self._finder, self._exchange, name, type, patience=patience)
        return await _in_time(work, name, until)


async def _in_time(work: Coroutine[Any, Any, T], name: str, until: float) -> T:
    try:
        async with asyncio.timeout_at(until):
            return await work
    except TimeoutError:
        raise LookupFailed(f"no answer about {shown(name)} within {ALL:g} s", name=name) from None


@dataclass(frozen=True)
class _Mail:
    """The mail hosts of a domain that the certificate covers, or what to say where they cannot be found."""

    hosts: frozenset[str] = frozenset()
    unknown: Guarded | None = None


def _by_host(endpoints: Iterable[Endpoint]) -> list[tuple[str, list[Endpoint]]]:
    """The endpoints of each host, in their order."""
    found: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.host, []).append(endpoint)
    return list(found.items())


def _mail_host(value: str) -> str | None:
    """The owner name of the host in an MX value; None for the null MX (RFC 7505), and where nobody could connect."""
    try:
        host = owner(value.split()[-1])
    except NameInvalid:
        return None
    return host if host != "." else None


def covers(identifiers: Iterable[str], host: str) -> bool:
    """Whether a certificate for ``identifiers`` names owner name ``host``; ``*`` is one label (RFC 9525 section 6.3).

    Raises NameInvalid.
    """
    wildcard = ".".join(("*", *labels(host)[1:])) + "."
    return any(owner(name) in (host, wildcard) for name in identifiers)


# What records say.


def coverage(guarded: Iterable[Guarded], chain_pem: str) -> list[tuple[str, bool, str]]:
    """Of each service that has records: its endpoint, whether they cover ``chain_pem``, and what is to be said if not.

    Raises PemInvalid.
    """
    records = [item for item in guarded if item.records]
    chain = subjects(chain_pem) if records else ()
    found = [(item.endpoint, covered(item.records, chain)) for item in records]
    return [(endpoint, is_good, "" if is_good else _UNCOVERED) for endpoint, is_good in found]


def covered(records: Iterable[str], chain: Sequence[Subject]) -> bool:
    """Whether any of the TLSA values ``records`` matches a service that presents ``chain``, leaf first.

    Usages 1 and 3 speak of the leaf, 0 and 2 of a CA that is sent along (RFC 6698 section 2.1.1, RFC 7671 section 5.2).
    What is unusable matches nothing. That there are no records is for the caller to see first.
    """
    leaf, authorities = chain[:1], chain[1:]
    return any(
        record.names(subject)
        for record in _read(records)
        for subject in (leaf if record.kind.is_of_leaf else authorities)
    )


def _read(records: Iterable[str]) -> Iterator[Tlsa]:
    """The records that anybody can use; garbage names no key."""
    for text in records:
        try:
            found = parse(text)
        except NameInvalid:
            continue
        if not found.unusable:
            yield found


def _naming_only(records: Iterable[str], present: bytes, new: bytes) -> Iterator[str]:
    """The records that name the public key ``present`` while none of the same kind names ``new``.

    Of the same kind, because a client may judge by one kind alone, the strongest digest for one (RFC 7671 section 9).
    """
    about_keys = [record for record in _read(records) if record.kind.selector == SPKI]
    for_new = {record.kind for record in about_keys if record.names(Subject(b"", new))}
    for record in about_keys:
        if record.names(Subject(b"", present)) and record.kind not in for_new:
            yield str(record)
