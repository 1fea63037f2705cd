"""All that one look has shown, put together: what is wanted at each owner name, and how each certificate stands.

Pure: values go in, and the values that ``dnsbroker.rolling`` decides by come out. Rule: what cannot be read or seen
keeps what is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.looking import Presence
from dnsbroker.dane.places import Post, Service
from dnsbroker.dane.remembering import digest
from dnsbroker.dane.subjects import Subject
from dnsbroker.journal.rollovers import Progress, Published, Served
from dnsbroker.rolling import Memory, Site, Situation, wanted
from dnsbroker.rolling.gates import names
from dnsbroker.tlsa.computing import Presented, kinds
from dnsbroker.tlsa.records import Kind, Tlsa

#: The longest that old records stay once the new key is seen everywhere, in seconds.
_GRACE = 60.0
#: How long before now an address must have been seen with the key from before to be lost by the deployment (seconds):
#: the run that deploys looked at its beginning, and one that was killed over it is made up for by the next timer.
_LATELY = 7200.0
#: How much of a digest is shown to a person, who compares.
_DIGITS = 16


@dataclass(frozen=True)
class Wish:
    """What whoever orders wants of one certificate, for ``Dane.bring``; see the fields of ``rolling.Situation``.

    What a person asked for stands in the journal (Progress.is_asked, is_emergency), and need not be said here.
    ``previous`` is for who can go back, since what took its place was never seen served.
    """

    is_due: bool = False
    is_new_key_wanted: bool = False
    is_pressing: bool = False
    is_key_barred: bool = False
    previous: Presented | None = None


@dataclass(frozen=True)
class Own:
    """What a certificate's own addresses present: ``chains`` by endpoint and address; ``unseen``, in words.

    ``dark`` are the endpoints and addresses at which nothing was seen.
    """

    chains: Mapping[tuple[str, str], tuple[Presented, ...]]
    unseen: tuple[str, ...] = ()
    dark: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Scene:
    """One look at everything, over at ``now`` (seconds since the epoch). Everything but posts is by its name.

    ``ours`` are the records of ours at each owner name, ``once_ours`` those that were and which some server may have
    yet, ``served`` what the journal has of each endpoint. ``doubtful`` are owner names of which somebody may need
    records that no post here speaks of. ``silent`` is as of ``looking.Records``.
    """

    now: float
    posts: tuple[Post, ...]
    subjects: Mapping[str, Subject]
    presences: Mapping[str, Presence]
    memories: Mapping[str, Memory]
    ours: Mapping[str, frozenset[Tlsa]]
    progress: Mapping[str, Progress]
    served: Mapping[str, Sequence[Served]] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()
    once_ours: Mapping[str, frozenset[Tlsa]] = field(default_factory=dict)
    silent: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def wanted(self, post: Post, *, adopt: bool = False) -> frozenset[Tlsa]:
        """What is to stand at ``post``; with ``adopt`` also for all that its services present now."""
        found: frozenset[Tlsa] = frozenset()
        for service, table in _tables(post):
            for reference in table.certificate:
                found |= self._of(table, self._kinds(table, reference), self._chains(reference))
            if adopt and (presence := self.presences.get(str(service.endpoint))):
                seen = [chain for chains in presence.chains.values() for chain in chains]
                found |= self._of(table, kinds(table.records), seen)
        return found

    def _of(self, table: DaneConfig, asked: Sequence[Kind], chains: Iterable[Presented]) -> frozenset[Tlsa]:
        return wanted(asked, chains, issuer=table.issuer, ta_pool=table.ta_pool)

    def _kinds(self, table: DaneConfig, reference: str) -> tuple[Kind, ...]:
        """The kinds of ``table``; those of CAs only where no bad certificate is valid by them."""
        known = self.progress.get(reference)
        is_safe = known is None or known.no_authority_until <= self.now
        return tuple(kind for kind in kinds(table.records) if is_safe or not kind.is_of_authority)

    def _chains(self, reference: str) -> tuple[Presented, ...]:
        subject = self.subjects[reference]
        return tuple(chain for chain in (subject.live, *subject.next, subject.held) if chain is not None)

    def own_keys(self, post: Post) -> frozenset[Tlsa]:
        """The records that name a key of ours, live or next, at ``post``: whoever wrote them, their going is ours."""
        leaves = (kind for _, table in _tables(post) for kind in kinds(table.records) if kind.is_of_leaf)
        chains = (chain for name in _references(post) for chain in self._chains(name))
        return wanted(dict.fromkeys(leaves), dict.fromkeys(chains))

    def presented(self, post: Post) -> tuple[tuple[Presented, ...], tuple[str, ...]]:
        """Every chain seen at any address of the services of ``post``, and what could not be seen, in words."""
        presences = [self.presences[str(service.endpoint)] for service in post.services if service.tables]
        chains = [chain for presence in presences for those in presence.chains.values() for chain in those]
        return tuple(dict.fromkeys(chains)), tuple(why for presence in presences for why in presence.unseen.values())

    def is_still_named(self, reference: str, posts: Iterable[Post]) -> bool:
        """Whether a cache may have a record there that names ``reference`` and is not to stand, or nobody knows."""
        records = (
            record
            for post in posts
            for view in self.memories[post.owner].possible(self.now, post.min_wait)
            for record in (view.records | self.ours[post.owner]) - self.wanted(post)
        )
        chains = self._chains(reference)
        is_unread = self.subjects[reference].trouble is not None
        return is_unread or any(names(record, chain) for record in records for chain in chains)

    def live(self, post: Post) -> tuple[Presented, ...]:
        """The chains that are live, and so to be served, for which records stand at ``post``."""
        return tuple(chain for name in _references(post) if (chain := self.subjects[name].live) is not None)

    def kept(self, post: Post) -> frozenset[Tlsa]:
        """Records of ours whose time to go has not come: all, while a new key is not verified, or one not readable."""
        references = _references(post)
        is_unread = any(self.subjects[name].trouble or self.subjects[name].live is None for name in references)
        if is_unread or post.owner in self.doubtful:
            return self.ours[post.owner]
        may_go = all(self._may_go_at(name) <= self.now and not self._is_to_go_back(name) for name in references)
        return frozenset() if may_go else self.ours[post.owner]

    def _is_to_go_back(self, reference: str) -> bool:
        """Whether what is live is to be taken back, so that what was live before needs its records."""
        known = self.progress.get(reference)
        return known is not None and bool(known.refused) and known.refused == self.subjects[reference].serial

    def _may_go_at(self, reference: str) -> float:
        since = self.verified_since(reference)
        return float("inf") if since is None else since + self._grace(reference)

    def _grace(self, reference: str) -> float:
        waits = [site.min_wait for site in self.sites(reference)]
        return 0.0 if self._is_given_up(reference) else min([_GRACE, *waits])

    def _is_given_up(self, reference: str) -> bool:
        """Whether the key that was served before the live one was given up in an emergency, or one is not over."""
        known, services = self.progress.get(reference), self._services(reference)
        if known is None or known.is_emergency:
            return known is not None
        live = {hashlib.sha256(key).hexdigest() for one in services.values() for key in self._live_keys(one)}
        rows = [row for endpoint in services for row in self.served.get(endpoint, ()) if row.spki_sha256 not in live]
        return bool(rows) and max(rows, key=lambda row: row.last).spki_sha256 == known.given_up

    def own(self, reference: str) -> Own:
        """What the addresses present that are to serve ``reference``."""
        chains: dict[tuple[str, str], tuple[Presented, ...]] = {}
        unseen: dict[str, None] = {}
        dark: list[tuple[str, str]] = []
        for endpoint, service in self._services(reference).items():
            presence = self.presences[endpoint]
            for address in _own_addresses(service, reference, presence):
                if address in presence.chains:
                    chains[endpoint, address] = presence.chains[address]
                else:
                    dark.append((endpoint, address))
                    unseen[presence.unseen.get(address, f"{service.endpoint.shown()} has no address {address}")] = None
        return Own(chains, tuple(unseen), tuple(dark))

    def _services(self, reference: str) -> dict[str, Service]:
        found = (service for post in self.posts for service in post.services)
        return {
            str(service.endpoint): service
            for service in found
            if not service.is_withdrawn and any(reference in table.certificate for table in service.tables)
        }

    def verified_since(self, reference: str) -> float | None:
        """Since when every own address is seen to serve the live key, and none but live ones; None where it is not."""
        live, own = self.subjects[reference].live, self.own(reference)
        if live is None or own.unseen or not own.chains or self._strange(reference, own):
            return None
        return max(self._first(endpoint, address, digest(live)) for endpoint, address in own.chains)

    def _strange(self, reference: str, own: Own) -> tuple[str, ...]:
        """The own addresses that do not present the live key, or one beside that is not live, and which; in words."""
        live, services = self.subjects[reference].live, self._services(reference)
        found = []
        for (endpoint, address), chains in sorted(own.chains.items(), key=lambda one: one[0]):
            keys = {chain.leaf.public_key for chain in chains}
            others = keys - self._live_keys(services[endpoint])
            if others or (live is not None and live.leaf.public_key not in keys):
                shown = {digest(chain)[:_DIGITS] for chain in chains if chain.leaf.public_key in (others or keys)}
                found.append(f"{endpoint} at {address} serves the key {' and '.join(sorted(shown))}…")
        return tuple(found)

    def _live_keys(self, service: Service) -> set[bytes]:
        subjects = (self.subjects[name] for table in service.tables for name in table.certificate)
        return {subject.live.leaf.public_key for subject in subjects if subject.live is not None}

    def _first(self, endpoint: str, address: str, key: str) -> float:
        """Since when ``address`` serves that key, as far as is known."""
        rows = [row for row in self.served.get(endpoint, ()) if (row.address, row.spki_sha256) == (address, key)]
        return max(rows, key=lambda row: row.last).first if rows else self.now

    def replaced_by(self, chain: Presented, reference: str) -> Presented | None:
        """What ``chain`` would take the place of: what is live.

        Another client's files may be ahead of the daemons: then it is what these present, None where that is not one.
        """
        subject = self.subjects[reference]
        if subject.is_ours or subject.live != chain:
            return subject.live
        served = {each for chains in self.own(reference).chains.values() for each in chains}
        return served.pop() if len(served) == 1 else None

    def sites(self, reference: str) -> tuple[Site, ...]:
        """The owner names that have a say in what is served for ``reference``, withdrawn ones included."""
        return tuple(
            self._site(post, reference)
            for post in self.posts
            if any(reference in service.certificates for service in post.services) and not self._is_void(post)
        )

    def _site(self, post: Post, reference: str) -> Site:
        memory, silent = self.memories[post.owner], self.silent.get(post.owner, {})
        cure = next((cure for service in post.services if (cure := service.cure(reference))), "")
        return Site(post.owner, self._site_kinds(post, reference), memory, post.min_wait, silent, cure)

    def _is_void(self, post: Post) -> bool:
        """Whether nobody has records of it, and nobody is to: the name an alias leads to, or a service without DANE.

        Clients that find nothing below what a host is an alias of go on to the host's own name.
        """
        is_optional = post.is_beside or all(service.is_withdrawn for service in post.services)
        possible = self.memories[post.owner].possible(self.now, post.min_wait)
        return is_optional and not any(view.records for view in possible)

    def _site_kinds(self, post: Post, reference: str) -> tuple[Kind, ...]:
        tables = (table for _, table in _tables(post) if reference in table.certificate)
        return tuple(dict.fromkeys(kind for table in tables for kind in self._kinds(table, reference)))

    def situation(self, reference: str, wish: Wish) -> Situation:
        """How it stands with ``reference``."""
        subject, own, known = self.subjects[reference], self.own(reference), self.progress.get(reference)
        chains = dict.fromkeys(chain for those in own.chains.values() for chain in those)
        others = self._others(reference)
        return Situation(
            now=self.now,
            live=subject.live,
            next=subject.next[0] if subject.next else None,
            held=subject.held,
            is_due=wish.is_due,
            is_new_key_wanted=wish.is_new_key_wanted,
            is_asked=bool(known and known.is_asked),
            is_emergency=bool(known and known.is_emergency),
            is_pressing=wish.is_pressing,
            is_key_barred=wish.is_key_barred,
            is_ordered_here=subject.is_ours,
            served=tuple(chain for chain in chains if chain.leaf.public_key not in others),
            unseen=own.unseen,
            strange=self._strange(reference, own),
            verified_since=self.verified_since(reference),
            has_old_records=self._has_old_records(reference),
            grace=self._grace(reference),
            sites=self.sites(reference),
            previous=wish.previous,
            lost=self._lost(reference, own, wish.previous),
            serial=subject.serial,
            refused=known.refused if known else "",
        )

    def _others(self, reference: str) -> set[bytes]:
        """The live keys of the certificates that are served beside it, for another algorithm."""
        live = self.subjects[reference].live
        keys = {key for service in self._services(reference).values() for key in self._live_keys(service)}
        return keys - {live.leaf.public_key} if live is not None else keys

    def _has_old_records(self, reference: str) -> bool:
        """Whether records of ours stand that are not wanted, but for those of what other machines serve."""
        others = self._elsewhere(reference)
        return any(
            not any(names(record, chain) for chain in others)
            for post in self.posts
            if any(reference in service.certificates and reference not in service.former for service in post.services)
            for record in (self.ours[post.owner] & self.memories[post.owner].anywhere) - self.wanted(post)
        )

    def _elsewhere(self, reference: str) -> set[Presented]:
        """What the addresses present that are not the certificate's own."""
        found: set[Presented] = set()
        for endpoint, service in self._services(reference).items():
            presence = self.presences[endpoint]
            own = _own_addresses(service, reference, presence)
            found.update(chain for address, those in presence.chains.items() if address not in own for chain in those)
        return found

    def _lost(self, reference: str, own: Own, previous: Presented | None) -> tuple[str, ...]:
        """The addresses that were seen with the ``previous`` key lately, never with the live one, and now with nothing.

        One that was dark long before the deployment says nothing about it.
        """
        live = self.subjects[reference].live
        if previous is None or live is None:
            return ()
        found = []
        for endpoint, address in own.dark:
            seen = {row.spki_sha256: row.last for row in self.served.get(endpoint, ()) if row.address == address}
            is_dark_since_lately = seen.get(digest(previous), 0.0) > self.now - _LATELY
            if is_dark_since_lately and digest(live) not in seen:
                found.append(f"{endpoint} at {address}")
        return tuple(found)


def _tables(post: Post) -> Iterable[tuple[Service, DaneConfig]]:
    for service in post.services:
        if not service.is_withdrawn:
            yield from ((service, table) for table in service.tables)


def _references(post: Post) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, table in _tables(post) for name in table.certificate))


def _own_addresses(service: Service, reference: str, presence: Presence) -> tuple[str, ...]:
    """The addresses, as ``presence`` has them, that are to serve ``reference``; those missing there as configured."""
    known = (*presence.chains, *presence.unseen)
    found: dict[str, None] = {}
    for table in service.tables:
        if reference not in table.certificate:
            continue
        if table.connect:
            found.update(dict.fromkeys(presence.connected or known))
        else:
            found.update(dict.fromkeys(table.addresses or known))
    return tuple(found)


def published(scene: Scene, service: Service, posts: Sequence[Post], known: Published | None) -> Published | None:
    """What is to be kept of ``service``, whose records stand, or did, at ``posts``; None where nothing is.

    Owner names that it has left stay known while a record of ours stands there, or a cache may have it. A person's wish
    to do without DANE is kept as long as the service is configured.
    """
    standing = [post for post in posts if scene.ours[post.owner]]
    lapses = [
        view.lapses(post.min_wait)
        for post in posts
        for view in scene.memories[post.owner].possible(scene.now, post.min_wait)
        if view.records
    ]
    if not standing and not (service.is_withdrawn and (service.tables or lapses)):
        return None
    owners = tuple(sorted(post.owner for post in posts if post in standing or not _is_over(scene, service, post)))
    if service.is_left:
        return known
    if service.is_withdrawn:
        until = max(lapses, default=known.serve_until if known else 0.0)
        given = tuple(sorted({server for post in posts for server in _givers(scene, service, post)}))
        return Published(str(service.endpoint), owners, service.certificates, True, until, given)
    gone = [name for name in service.former if not scene.is_still_named(name, posts)]
    return Published(str(service.endpoint), owners, tuple(name for name in service.certificates if name not in gone))


def _is_over(scene: Scene, service: Service, post: Post) -> bool:
    """Whether ``service``, which goes on elsewhere, has left ``post``, and no cache has records from there."""
    is_left = all(one.is_withdrawn for one in post.services if one.endpoint == service.endpoint)
    possible = scene.memories[post.owner].possible(scene.now, post.min_wait)
    return is_left and not service.is_withdrawn and not any(view.records for view in possible)


def _givers(scene: Scene, service: Service, post: Post) -> Iterable[str]:
    """The addresses of name servers that may have records of ours there yet that nobody but ``service`` wanted."""
    others = tuple(one for one in post.services if one.endpoint != service.endpoint)
    gone = scene.once_ours.get(post.owner, frozenset()) - scene.wanted(replace(post, services=others))
    return (view.server for view in scene.memories[post.owner].views if view.is_given and view.records & gone)
