"""Looking at all that a decision needs, and remembering it before anything follows from it.

Rule: an owner name is seen with every service that has records there, whoever was asked about, so that nothing looks
unwanted that another one needs. Where a name could not be followed, what may stand behind it is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dnsbroker.clock import Clock
from dnsbroker.config import Config
from dnsbroker.dane.looking import Looking, Presence, Records
from dnsbroker.dane.places import Located, Post, Service, located, services
from dnsbroker.dane.publishing import Writing
from dnsbroker.dane.remembering import Remembering
from dnsbroker.dane.scenes import Scene
from dnsbroker.dane.subjects import Subjects
from dnsbroker.endpoints import parse
from dnsbroker.errors import BrokerError
from dnsbroker.journal.rollovers import Published, Rollovers
from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.names import shown
from dnsbroker.rolling import Answer, Look, Memory
from dnsbroker.tasks import together


@dataclass(frozen=True)
class Map:
    """Where records stand: all ``posts``, the ``errors`` of services without, by endpoint, and ``doubtful`` owners."""

    posts: tuple[Post, ...]
    errors: Mapping[str, BrokerError]
    doubtful: frozenset[str] = frozenset()

    def of(self, references: Collection[str]) -> tuple[Post, ...]:
        """The posts at which records of one of ``references`` stand, or will."""
        return tuple(
            post
            for post in self.posts
            if any(not set(references).isdisjoint(service.certificates) for service in post.services)
        )

    def error(self, reference: str, known: Iterable[Service]) -> BrokerError | None:
        """Why the records of ``reference`` cannot all be found."""
        mine = [str(service.endpoint) for service in known if reference in service.certificates]
        return next((self.errors[endpoint] for endpoint in mine if endpoint in self.errors), None)


class Sighting:
    """Looks for one run; ``looks`` are the latest at each owner name."""

    def __init__(
        self,
        config: Config,
        subjects: Subjects,
        rollovers: Rollovers,
        remembering: Remembering,
        writing: Writing,
        looking: Looking,
        finder: Finder,
        clock: Clock,
    ) -> None:
        self._config = config
        self._subjects = subjects
        self._rollovers = rollovers
        self._remembering = remembering
        self._writing = writing
        self._looking = looking
        self._finder = finder
        self._clock = clock
        self.looks: dict[str, Records] = {}

    def services(self) -> tuple[Service, ...]:
        """Every service that is configured, or was published for, or withdrawn, and is not forgotten yet."""
        published = {one.endpoint: one for one in self._rollovers.published()}
        configured = services(self._config.dane)
        found = [self._as_published(service, published.get(str(service.endpoint))) for service in configured]
        known = {str(service.endpoint) for service in configured}
        gone = (one for one in published.values() if one.endpoint not in known)
        return (*found, *(_gone(one) for one in gone))

    def _as_published(self, service: Service, known: Published | None) -> Service:
        if known is None:
            return service
        if not known.is_withdrawn:
            former = tuple(name for name in known.certificates if name not in service.certificates)
            return replace(service, certificates=(*service.certificates, *former), former=former)
        return replace(service, is_withdrawn=True, certificates=known.certificates or service.certificates)

    async def map(self, known: Collection[Service]) -> Map:
        """Where the records of all services stand."""
        found = await located(self._finder, known)
        moved = await self._moved(known, found)
        return Map((*found.posts, *moved.posts), {**found.errors, **moved.errors}, self._doubtful(known, found))

    async def _moved(self, known: Collection[Service], found: Located) -> Located:
        """Owner names at which records were published for a service, and to which its names lead no more."""
        by_endpoint = {str(service.endpoint): service for service in known}
        present = {post.owner for post in found.posts}
        posts: dict[str, Post] = {}
        for one in self._rollovers.published():
            service = by_endpoint.get(one.endpoint)
            if service is None or one.endpoint in found.errors:
                continue
            for owner in one.owners:
                if owner not in present and owner not in posts:
                    posts[owner] = await self._old(owner, service)
        return Located(tuple(posts.values()), {})

    async def _old(self, owner: str, service: Service) -> Post:
        """The post at ``owner``, from which ``service`` has moved away."""
        gone = replace(service, is_withdrawn=True)
        try:
            place = await self._finder.find(owner)
        except BrokerError as error:
            return Post(_nowhere(owner), (owner,), (gone,), lost=error.message)
        if place.owner == owner:
            return Post(place, (owner,), (gone,))
        return Post(_nowhere(owner, place.owner), (owner,), (gone,), lost=f"it is an alias of {shown(place.owner)} now")

    def _doubtful(self, known: Collection[Service], found: Located) -> frozenset[str]:
        """Owner names of services that could not be followed, or that no table speaks of any more."""
        seen = {str(service.endpoint) for service in known if not service.is_left} - set(found.errors)
        unseen = (one for one in self._rollovers.published() if one.endpoint not in seen)
        return frozenset(owner for one in unseen for owner in one.owners)

    async def scene(self, posts: Collection[Post], doubtful: frozenset[str]) -> Scene:
        """Look at every owner name and every service of ``posts``, and remember it. Raises StoreError."""
        wanted = {str(service.endpoint): service for post in posts for service in post.services if service.tables}
        looks, presences = await asyncio.gather(
            together(self._records(post) for post in posts),
            together(self._present(service) for service in wanted.values()),
        )
        for post, seen in zip(posts, looks, strict=True):
            self.looks[post.owner] = seen
            if seen.look.answers or not post.lost:
                self._remembering.looked(post.owner, seen.look, post.min_wait)
        now = self._clock.now().timestamp()
        for endpoint, presence in zip(wanted, presences, strict=True):
            self._remembering.saw(endpoint, presence.chains, now)
        return self._put_together(posts, dict(zip(wanted, presences, strict=True)), now, doubtful)

    async def _records(self, post: Post) -> Records:
        if not post.lost:
            return await self._looking.records(post.place)
        now, alias = self._clock.now().timestamp(), post.place.unfollowed
        if alias:  # beside which nothing stands
            return Records(Look(now, {alias: Answer(frozenset())}))
        return Records(Look(now, {}, frozenset({post.owner})), {shown(post.owner): post.lost})

    async def _present(self, service: Service) -> Presence:
        connect = next((table.connect for table in service.tables if table.connect), "")
        addresses = [address for table in service.tables for address in table.addresses]
        return await self._looking.service(service.endpoint, connect, addresses)

    def _put_together(
        self, posts: Collection[Post], presences: Mapping[str, Presence], now: float, doubtful: frozenset[str]
    ) -> Scene:
        references = {name for post in posts for service in post.services for name in service.certificates}
        progress = {name: known for name in references if (known := self._rollovers.progress(name)) is not None}
        memories = {post.owner: self._memory(post, now) for post in posts}
        return Scene(
            now,
            tuple(posts),
            {name: self._subjects.read(name) for name in sorted(references)},
            presences,
            memories,
            {post.owner: self._writing.ours(post.owner) for post in posts},
            progress,
            {endpoint: self._rollovers.served(endpoint) for endpoint in presences},
            doubtful,
            {owner: self._writing.were_ours(owner, memory.anywhere) for owner, memory in memories.items()},
            {post.owner: self.looks[post.owner].silent for post in posts},
        )

    def _memory(self, post: Post, now: float) -> Memory:
        memory = self._remembering.of(post.owner)
        return memory.unheard(now) if post.lost and not self.looks[post.owner].look.answers else memory

    def again(self, scene: Scene) -> Scene:
        """``scene`` with keys, leases and what is remembered as they are now, and nothing looked at again."""
        return self._put_together(scene.posts, scene.presences, self._clock.now().timestamp(), scene.doubtful)


def _gone(one: Published) -> Service:
    left = not one.is_withdrawn
    former = one.certificates if left else ()
    return Service(parse(one.endpoint), (), True, one.certificates, is_left=left, former=former)


def _nowhere(owner: str, alias: str = "") -> Place:
    return Place(owner, owner, Zone(owner, (), SOA(owner, "", 0, 0, 0, 0)), unfollowed=alias)
