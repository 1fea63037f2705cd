"""Where the TLSA records for an endpoint stand: the names that clients ask for, and where each really leads.

Rule: a client asks below the host as it is written and, where that host is an alias, below what it leads to as well
(RFC 7671 section 7); each of these names may be an alias itself, and its records stand at the end of that
(RFC 7672 section 2.2.3). Nothing is written here, and no provider is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dnsbroker.config.dane import DaneConfig
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.errors import BrokerError
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place
from dnsbroker.names import owner
from dnsbroker.tasks import together

#: What a table without one waits, in seconds, before it relies on a record: where only the records are left.
USUAL_WAIT = 3600.0


@dataclass(frozen=True)
class Service:
    """One endpoint, and the ``[[dane]]`` tables that speak of it: none where they were taken away.

    ``is_withdrawn``: a person took DANE back, and only what caches may hold still counts. ``is_left`` (which goes with
    it): nobody did, and its records stand without a table. ``certificates`` are the references of its tables, or were
    when it had some; ``former`` those among them that no table of it names any more, while records may name them.
    """

    endpoint: Endpoint
    tables: tuple[DaneConfig, ...] = ()
    is_withdrawn: bool = False
    certificates: tuple[str, ...] = ()
    is_left: bool = False
    former: tuple[str, ...] = ()

    def cure(self, reference: str) -> str:
        """What frees the certificate ``reference`` from the records here; empty where they are looked after for it."""
        endpoint = self.endpoint.shown()
        if self.is_left:
            return f"no [[dane]] table speaks of them any more; `dnsbroker tlsa withdraw {endpoint}` takes them away"
        if reference in self.former:
            return f"the [[dane]] table of {endpoint} names another certificate; they go once that is served there"
        return ""

    @property
    def min_wait(self) -> float:
        """Seconds from a record being everywhere to relying on it."""
        return max((table.min_wait for table in self.tables), default=USUAL_WAIT)

    @property
    def ttl(self) -> int:
        """The TTL of a new RRset, in whole seconds."""
        return max(1, int(min((table.ttl for table in self.tables), default=USUAL_WAIT)))


@dataclass(frozen=True)
class Post:
    """One owner name at which records stand, and whose they are.

    ``place`` is where it really is; ``asked`` are the names that lead there, ``services`` those they are asked for.
    ``is_beside``: nobody asks for it but by an alias of the host, so that it may stay without records of ours.
    ``lost``: why its servers cannot be found, where records were published once and nobody asks any more.
    """

    place: Place
    asked: tuple[str, ...]
    services: tuple[Service, ...]
    is_beside: bool = False
    lost: str = ""

    @property
    def owner(self) -> str:
        """The owner name where the records stand."""
        return self.place.owner

    @property
    def min_wait(self) -> float:
        """The longest of its services' waits, in seconds."""
        return max(service.min_wait for service in self.services)

    @property
    def ttl(self) -> int:
        """The shortest TTL that its services ask for, in seconds."""
        return min(service.ttl for service in self.services)


@dataclass(frozen=True)
class Located:
    """The posts that were found, and why some services have none, by endpoint."""

    posts: tuple[Post, ...]
    errors: dict[str, BrokerError]


def services(tables: Iterable[DaneConfig]) -> tuple[Service, ...]:
    """Every endpoint of the tables once, in their order, with the tables that name it."""
    found: dict[str, list[DaneConfig]] = {}
    for table in tables:
        for endpoint in table.endpoint:
            found.setdefault(endpoint, []).append(table)
    return tuple(
        Service(parse(text), tuple(those), certificates=tuple(dict.fromkeys(r for t in those for r in t.certificate)))
        for text, those in found.items()
    )


async def located(finder: Finder, services: Iterable[Service]) -> Located:
    """Where the records for ``services`` stand. Services whose names lead to one owner name share it."""
    errors: dict[str, BrokerError] = {}

    async def found(service: Service) -> list[tuple[Service, Place, bool]]:
        try:
            return [(service, place, beside) for place, beside in await _places(finder, service.endpoint)]
        except BrokerError as error:
            errors[str(service.endpoint)] = error
            return []

    by_owner: dict[str, list[tuple[Service, Place, bool]]] = {}
    for group in await together(found(service) for service in services):
        for item in group:
            by_owner.setdefault(item[1].owner, []).append(item)
    return Located(tuple(_post(items) for items in by_owner.values()), errors)


def _post(items: list[tuple[Service, Place, bool]]) -> Post:
    return Post(
        items[0][1],
        tuple(dict.fromkeys(place.challenge for _, place, _ in items)),
        tuple({str(service.endpoint): service for service, _, _ in items}.values()),
        is_beside=all(beside for _, _, beside in items),
    )


async def _places(finder: Finder, endpoint: Endpoint) -> list[tuple[Place, bool]]:
    """Where the records below the host stand, and those below what it is an alias of. Raises BrokerError."""
    own = await finder.find(endpoint.tlsa_name)
    end = await _end_of_host(finder, endpoint.host)
    if end == owner(endpoint.host):
        return [(own, False)]
    beside = await finder.find(f"_{endpoint.port}._tcp.{end}")
    return [(own, False)] if beside.owner == own.owner else [(own, False), (beside, True)]


async def _end_of_host(finder: Finder, host: str) -> str:
    """What ``host`` leads to in the end, itself where it is no alias. Raises BrokerError."""
    place = await finder.find(host)
    return owner(place.unfollowed) if place.unfollowed else place.owner
