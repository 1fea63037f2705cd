"""DANE in one run: what is published, what may be ordered for, what may go live, where each roll-over stands.

Rule: each call looks before it decides, and a look is kept before anything follows from it. Nothing here orders or
deploys: who does asks first, and comes back after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from dnsbroker.clock import Clock
from dnsbroker.config import Config
from dnsbroker.dane.bringing import Asked, Bringing, Outcome, lasting, objections
from dnsbroker.dane.looking import Looking
from dnsbroker.dane.places import Service
from dnsbroker.dane.preflight import Preflight
from dnsbroker.dane.publishing import Writing
from dnsbroker.dane.remembering import Remembering
from dnsbroker.dane.scenes import Scene, Wish, published
from dnsbroker.dane.sighting import Map, Sighting
from dnsbroker.dane.subjects import Subjects
from dnsbroker.dane.withdrawing import Withdrawing, Withdrawn
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.events import Emitter, written
from dnsbroker.journal import Leases, Runs
from dnsbroker.journal.rollovers import Progress, Rollovers
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.propagation import Watcher
from dnsbroker.publishing import Publisher
from dnsbroker.rolling import Gate, Move, Situation, Step, for_chain, for_key, move
from dnsbroker.rolling.gates import unanswered
from dnsbroker.store import Store
from dnsbroker.tlsa.computing import Presented, of_chain, of_key
from dnsbroker.tlsa.records import Subject, Tlsa
from dnsbroker.writer import Writer

#: Stands for a key that no record names.
_ANY = Presented(Subject(b"", b""))


@dataclass(frozen=True)
class Parts:
    """What of a run is needed here. ``watcher`` is made when it is first asked for; ``wrote`` is told of every write.

    One that is only ``is_looking`` writes neither DNS nor the journal.
    """

    config: Config
    store: Store
    rollovers: Rollovers
    leases: Leases
    runs: Runs
    writer: Writer
    publisher: Publisher
    watcher: Callable[[], Watcher]
    finder: Finder
    exchange: Exchange
    clock: Clock
    emit: Emitter
    wrote: Callable[[], None]
    is_looking: bool = False


@dataclass(frozen=True)
class Stands:
    """What is at one owner name: records of ours, ``foreign`` ones, and what was ``added`` and ``removed`` just now."""

    owner: str
    ours: frozenset[Tlsa] = frozenset()
    foreign: frozenset[Tlsa] = frozenset()
    added: frozenset[Tlsa] = frozenset()
    removed: frozenset[Tlsa] = frozenset()


@dataclass(frozen=True)
class Brought:
    """What came of looking after one certificate reference.

    Attributes:
        reference: the certificate's name, or a path.
        situation: what is so now.
        move: what is to be done next, and where its roll-over stands.
        objections: why something that is configured is not published, or not taken away, in words.
        error: what kept it from being looked after.
        changed: whether DNS is different now.
        stands: what is at its owner names.
    """

    reference: str
    situation: Situation | None = None
    move: Move | None = None
    objections: tuple[str, ...] = ()
    error: BrokerError | None = None
    changed: bool = False
    stands: tuple[Stands, ...] = ()

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Which name servers gave no answer to build on, and what each said, in words by owner name."""
        sites = self.situation.sites if self.situation is not None else ()
        return tuple(unanswered(site) for site in sites if site.silent)


class Dane:
    """One for each run; ``dnsbroker.run.Run.dane``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.subjects = Subjects(parts.config, parts.store)
        self._remembering = Remembering(parts.rollovers, parts.clock, is_looking=parts.is_looking)

    @cached_property
    def _writing(self) -> Writing:
        its = self._parts
        return Writing(
            its.leases,
            its.runs,
            its.writer,
            its.publisher,
            its.watcher,
            self._remembering,
            its.clock,
            its.emit,
            its.wrote,
        )

    @cached_property
    def _sighting(self) -> Sighting:
        its = self._parts
        looking = Looking(its.finder, its.exchange, its.clock)
        return Sighting(
            its.config,
            self.subjects,
            its.rollovers,
            self._remembering,
            self._writing,
            looking,
            its.finder,
            its.clock,
        )

    @cached_property
    def _bringing(self) -> Bringing:
        its = self._parts
        preflight = Preflight(its.config.dns, its.finder, its.exchange, its.clock, its.emit)
        return Bringing(
            its.config,
            self._sighting,
            self._writing,
            preflight,
            self.subjects,
            its.clock,
            its.emit,
            is_looking=its.is_looking,
        )

    def manages(self, reference: str) -> bool:
        """Whether a ``[[dane]]`` table that was not withdrawn speaks of ``reference``; contacts nobody.

        One that was withdrawn does so until no server and no cache can have its records any more; and one that was
        taken out of the configuration while our records stand, or caches may hold them.
        """
        return self.tends(reference) or any(reference in service.former for service in self._binding())

    def tends(self, reference: str) -> bool:
        """As ``manages``, but not for what of its records nobody looks after."""
        if any(reference in service.certificates and reference not in service.former for service in self._active()):
            return True
        now = self._now()
        withdrawn = (one for one in self._parts.rollovers.published() if one.is_withdrawn and not one.is_over(now))
        return any(reference in one.certificates for one in withdrawn)

    def owners(self, reference: str) -> frozenset[str]:
        """The owner names, by endpoint (``_25._tcp.mail.example.org.``), that are looked after for it; nobody is asked.

        Those as well to which they were seen to lead. For the guard, which has nothing to say about them.
        """
        services = (*self._active(), *self._binding())
        mine = {str(one.endpoint): one for one in services if reference in one.certificates}
        asked = {service.endpoint.tlsa_name for service in mine.values()}
        known = (one for one in self._parts.rollovers.published() if one.endpoint in mine)
        return frozenset(asked.union(*(one.owners for one in known)))

    def _active(self) -> tuple[Service, ...]:
        return tuple(service for service in self._sighting.services() if not service.is_withdrawn)

    def _binding(self) -> Iterator[Service]:
        """The services with records that nobody looks after for a certificate of theirs, and which may still count."""
        owners = {one.endpoint: one.owners for one in self._parts.rollovers.published()}
        for service in self._sighting.services():
            if service.former and any(self._may_count(owner, service) for owner in owners[str(service.endpoint)]):
                yield service

    def _may_count(self, owner: str, service: Service) -> bool:
        """Whether a record of ours stands at ``owner``, or some cache may have one."""
        possible = self._remembering.of(owner).possible(self._now(), service.min_wait)
        return bool(self._writing.ours(owner)) or any(view.records for view in possible)

    async def bring(
        self,
        references: Sequence[str] = (),
        *,
        endpoints: Sequence[Endpoint] = (),
        adopt: bool = False,
        is_publishing_asked: bool = False,
        wishes: Mapping[str, Wish] | None = None,
    ) -> tuple[Brought, ...]:
        """Look, publish what is wanted and missing, take away what is old and may go; again while that leads on.

        None named: all that are configured. ``is_publishing_asked``: a person asked for it, so that what was withdrawn
        is published again, and a server that is late is an error. ``wishes`` are by reference. A trouble with one
        reference is in its Brought. Raises ConfigError for an endpoint that is not configured, StoreError.
        """
        services = self._sighting.services()
        names = self._meant(references, endpoints, services)
        if is_publishing_asked:
            self._take_back_withdrawals(endpoints)
            services = self._sighting.services()
        map = await self._sighting.map(services)
        asked = Asked(names, wishes or {}, adopt, is_publishing_asked)
        posts = map.of(names)
        outcome = await self._bringing.bring(map, posts, asked)
        if not self._parts.is_looking:
            self._keep_published(outcome.scene, services)
        return tuple(self._come_of(name, map, services, outcome, asked) for name in names)

    def _meant(
        self, references: Sequence[str], endpoints: Sequence[Endpoint], services: Sequence[Service]
    ) -> tuple[str, ...]:
        """The references named, by themselves or by endpoints; all where none is. Raises ConfigError."""
        if endpoints:
            meant = [_service(endpoint, services) for endpoint in endpoints]
            references = [*references, *(name for service in meant for name in service.certificates)]
        elif not references:
            references = [name for service in services for name in service.certificates if name not in service.former]
        return tuple(dict.fromkeys(references))

    def _take_back_withdrawals(self, endpoints: Sequence[Endpoint]) -> None:
        """What a person withdrew and now wants published again is as it was before."""
        named = {str(endpoint) for endpoint in endpoints}
        configured = {endpoint for table in self._parts.config.dane for endpoint in table.endpoint}
        for one in self._parts.rollovers.published():
            if one.is_withdrawn and one.endpoint in configured and (not named or one.endpoint in named):
                self._parts.rollovers.keep_published(replace(one, is_withdrawn=False, serve_until=0.0, given_by=()))

    def _keep_published(self, scene: Scene, services: Sequence[Service]) -> None:
        """Keep where records of each service stand, and forget what is over."""
        journal = self._parts.rollovers
        known = {one.endpoint: one for one in journal.published()}
        for service in services:
            endpoint = str(service.endpoint)
            posts = [post for post in scene.posts if any(str(one.endpoint) == endpoint for one in post.services)]
            found = published(scene, service, posts, known.get(endpoint))
            if found is None and endpoint in known and posts:
                journal.forget_published(endpoint)
            elif found is not None and found != known.get(endpoint):
                journal.keep_published(found)

    def _come_of(self, name: str, map: Map, services: Sequence[Service], outcome: Outcome, asked: Asked) -> Brought:
        """What came of it for one reference, kept in the journal as well."""
        posts, scene = map.of([name]), outcome.scene
        error = map.error(name, [one for one in services if not one.is_left]) or next(
            (outcome.errors[post.owner] for post in posts if post.owner in outcome.errors), None
        )
        stands = tuple(_stands(outcome, post.owner) for post in posts)
        changed = any(change.add or change.remove for post in posts for change in outcome.made.get(post.owner, ()))
        said = objections(outcome, posts)
        if name not in scene.subjects:
            return Brought(name, objections=said, error=error, changed=changed, stands=stands)
        subject = scene.subjects[name]
        situation = scene.situation(name, asked.wishes.get(name, Wish()))
        decided = move(situation)
        if not self._parts.is_looking:
            self._keep_progress(name, situation, decided, lasting(said, error))
        return Brought(name, situation, decided, said, error or subject.trouble, changed, stands)

    def _keep_progress(self, name: str, situation: Situation, decided: Move, said: tuple[str, ...]) -> None:
        journal, now = self._parts.rollovers, self._now()
        before = journal.progress(name)
        step = str(decided.step)
        known = before or Progress(name, step, now, decided.reason)
        progress = replace(
            known,
            step=step,
            since=known.since if known.step == step else now,
            reason=decided.reason,
            until=decided.until,
            verified_since=situation.verified_since,
            objections=said,
        )
        if progress == before:
            return
        journal.keep_progress(progress)
        if before is None or (before.step, before.reason) != (progress.step, progress.reason):
            until = None if decided.until is None else written(datetime.fromtimestamp(decided.until, UTC))
            self._parts.emit("dane", certificate=name, step=step, reason=decided.reason, until=until)

    async def key_gate(self, reference: str, key_pem: str = "") -> Gate:
        """May an order be made now for the next key, or the private key ``key_pem``? Looks first.

        Closed where there is no key; open for what nobody manages. Where records merely stand for it, and no key comes
        next, any other key than the present one is asked about. Raises PemInvalid.
        """
        given = of_key(key_pem) if key_pem else None
        scene, reason = await self._seen(reference)
        if scene is None:
            return Gate(not reason, reason)
        subject = scene.subjects[reference]
        key = given or (subject.next[0] if subject.next else None if self.tends(reference) else _ANY)
        if key is None:
            return Gate(False, "there is no next key")
        return for_key(key, scene.sites(reference), scene.now)

    async def chain_gate(self, reference: str, chain_pem: str, *, is_pressing: bool = False) -> Gate:
        """May ``chain_pem`` (leaf first) be served? Looks first. ``is_pressing``: as ``rolling.for_chain(leaf_only)``.

        Open for what nobody manages. Raises PemInvalid.
        """
        chain = of_chain(chain_pem)
        scene, reason = await self._seen(reference)
        if scene is None:
            return Gate(not reason or self._is_no_change(chain, reference), reason)
        live = scene.replaced_by(chain, reference)
        return for_chain(chain, scene.sites(reference), scene.now, leaf_only=is_pressing, live=live)

    def _is_no_change(self, chain: Presented, reference: str) -> bool:
        """Whether nobody looks after records for ``reference``, and ``chain`` has key and CAs of what is live."""
        live = None if self.tends(reference) else self.subjects.read(reference).live
        is_same_key = live is not None and live.leaf.public_key == chain.leaf.public_key
        return live is not None and is_same_key and live.authorities == chain.authorities

    async def _seen(self, reference: str) -> tuple[Scene | None, str]:
        """A look at all that concerns ``reference``; None where nothing does, or why it cannot be seen."""
        if not self.manages(reference):
            return None, ""
        services = self._sighting.services()
        map = await self._sighting.map(services)
        error = map.error(reference, services)
        if error is not None:
            return None, error.message
        async with self._bringing.alone():
            return await self._sighting.scene(map.of([reference]), map.doubtful), ""

    async def withdraw(self, endpoints: Sequence[Endpoint]) -> tuple[Withdrawn, ...]:
        """Take our records away for ``endpoints``, and keep that a person wanted so.

        Raises ConfigError where nothing is known of one, before anything is done; else whatever kept it from that.
        """
        its = self._parts
        withdrawing = Withdrawing(its.rollovers, self._sighting, self._writing, self._bringing)
        services = [withdrawing.known(endpoint) for endpoint in dict.fromkeys(endpoints)]
        return tuple([await withdrawing.withdraw(service) for service in services])

    async def old_signatures_end(self, reference: str) -> float:
        """Until when (seconds since the epoch) the RRsets that stand now can be replayed with their signatures.

        The latest end of an RRSIG that a server gave out; 0.0 where nothing is signed. Looks.
        """
        scene, _ = await self._seen(reference)
        posts = scene.posts if scene is not None else ()
        return max((self._sighting.looks[post.owner].signed_until for post in posts), default=0.0)

    def set_no_authority(self, reference: str, until: float) -> None:
        """Until then no record of a CA is published for ``reference``; those that stand go as old ones do."""
        journal, now = self._parts.rollovers, self._now()
        known = journal.progress(reference) or Progress(reference, str(Step.UNPUBLISHED), now, "not looked at yet")
        journal.keep_progress(replace(known, no_authority_until=until))

    def _now(self) -> float:
        return self._parts.clock.now().timestamp()


def _service(endpoint: Endpoint, services: Sequence[Service]) -> Service:
    """The service of ``endpoint`` that is configured. Raises ConfigError."""
    found = next((one for one in services if one.endpoint == endpoint and one.tables), None)
    if found is None:
        known = ", ".join(one.endpoint.shown() for one in services if one.tables) or "none"
        raise ConfigError(f"no [[dane]] table speaks of {endpoint.shown()}", hint=f"configured are {known}")
    return found


def _stands(outcome: Outcome, owner: str) -> Stands:
    scene, made = outcome.scene, outcome.made.get(owner, ())
    there = scene.memories[owner].anywhere
    added = frozenset(record for change in made for record in change.add)
    removed = frozenset(record for change in made for record in change.remove)
    ours = (scene.ours[owner] & there) | (added - removed)
    return Stands(owner, ours, there - scene.ours[owner] - removed, added - removed, removed - added)
