"""DANE taken back for an endpoint: our records go at once, the key that they name stays until caches have forgotten.

Rule: what a person wants is kept before DNS is touched, so that a run that dies is finished by the next one. Refused:
to leave others' records behind that match nothing of what is served, for clients would then refuse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dnsbroker.dane.bringing import Bringing
from dnsbroker.dane.places import Post, Service
from dnsbroker.dane.publishing import Standing, Writing
from dnsbroker.dane.scenes import Scene, published
from dnsbroker.dane.sighting import Map, Sighting
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import ConfigError, PreflightFailed
from dnsbroker.journal.rollovers import Published, Rollovers
from dnsbroker.names import shown
from dnsbroker.rolling import Change
from dnsbroker.rolling.gates import uncovered
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Tlsa


@dataclass(frozen=True)
class Withdrawn:
    """An endpoint without DANE from now on, but for ``foreign`` records that stay; caches have ours until ``until``.

    ``until`` is seconds since the epoch: until then the present key must go on being served, and for as much longer as
    the addresses of name servers in ``given_by`` still have them. ``removed`` are the records taken away now, each with
    its owner name.
    """

    endpoint: Endpoint
    until: float
    foreign: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    given_by: tuple[str, ...] = ()


class Withdrawing:
    """Withdraws for one run."""

    def __init__(self, rollovers: Rollovers, sighting: Sighting, writing: Writing, bringing: Bringing) -> None:
        self._rollovers = rollovers
        self._sighting = sighting
        self._writing = writing
        self._bringing = bringing

    def known(self, endpoint: Endpoint) -> Service:
        """The service of ``endpoint``, configured or published once. Raises ConfigError where it is neither."""
        found = next((one for one in self._sighting.services() if one.endpoint == endpoint), None)
        if found is not None:
            return found
        known = {one.endpoint: one for one in self._rollovers.published()}
        left = known.get(str(endpoint))
        if left is None:
            told = ", ".join(dict.fromkeys([*map(_told, self._sighting.services()), *known])) or "none"
            raise ConfigError(
                f"{endpoint.shown()} has no records of ours, and no [[dane]] table", hint=f"known are {told}"
            )
        return Service(endpoint, certificates=left.certificates)

    async def withdraw(self, service: Service) -> Withdrawn:
        """Take our records for ``service`` away. Raises BrokerError; PreflightFailed where that would do harm."""
        endpoint = str(service.endpoint)
        before = next((one for one in self._rollovers.published() if one.endpoint == endpoint), None)
        async with self._bringing.alone():
            posts = await self._posts(service)
            scene = await self._sighting.scene(posts, frozenset())
            standings = [await self._writing.standing(post) for post in posts if not post.lost]
            for standing in standings:
                _check(scene, standing, service, self._going(scene, standing, service))
            owners = tuple(sorted({*(post.owner for post in posts), *(before.owners if before else ())}))
            kept = self._kept(scene, service, owners)
            foreign = [line for standing in standings for line in self._foreign(standing)]
            removed = [await self._remove(scene, standing, service) for standing in standings]
            scene = await self._sighting.scene(posts, frozenset())
            kept = self._kept(scene, service, owners)
        return Withdrawn(
            service.endpoint,
            kept.serve_until,
            tuple(foreign),
            tuple(line for lines in removed for line in lines),
            kept.given_by,
        )

    def _kept(self, scene: Scene, service: Service, owners: tuple[str, ...]) -> Published:
        """Keep that a person wanted it so, and until when a cache may have records of it."""
        withdrawn = replace(service, is_withdrawn=True, is_left=False, former=())
        found = published(scene, withdrawn, scene.posts, None)
        until = max(found.serve_until if found else 0.0, scene.now)
        given = found.given_by if found else ()
        kept = Published(str(service.endpoint), owners, service.certificates, True, until, given)
        self._rollovers.keep_published(kept)
        return kept

    async def _posts(self, service: Service) -> tuple[Post, ...]:
        """Where its records stand, and stood. Raises BrokerError."""
        others = [one for one in self._sighting.services() if one.endpoint != service.endpoint]
        map: Map = await self._sighting.map([service, *others])
        endpoint = str(service.endpoint)
        if endpoint in map.errors:
            raise map.errors[endpoint]
        posts = tuple(post for post in map.posts if any(str(one.endpoint) == endpoint for one in post.services))
        self._check_others(posts, map)
        return posts

    def _check_others(self, posts: Sequence[Post], map: Map) -> None:
        """Raise PreflightFailed where a service has records at one of ``posts`` whose names cannot be followed now."""
        owners = {post.owner for post in posts}
        for one in self._rollovers.published():
            if one.endpoint in map.errors and not one.is_withdrawn and (shared := owners.intersection(one.owners)):
                owner = min(shared)
                raise PreflightFailed(
                    f"nothing is withdrawn at {shown(owner)}: {one.endpoint} has records there as well, and cannot be "
                    f"followed: {map.errors[one.endpoint].message}",
                    name=owner,
                    checks=["not-followed"],
                    hint="come again once its name servers answer",
                )

    def _going(self, scene: Scene, standing: Standing, service: Service) -> frozenset[Tlsa]:
        """The records of ours that no other service wants there."""
        others = tuple(one for one in standing.post.services if one.endpoint != service.endpoint)
        wanted = scene.wanted(replace(standing.post, services=others)) if others else frozenset()
        return self._writing.ours(standing.post.owner) - wanted

    def _foreign(self, standing: Standing) -> list[str]:
        """What stands there that is not ours, in zone-file form; a late server may still have ours after they went."""
        owner = standing.post.owner
        return [f"{shown(owner)} TLSA {record}" for record in sorted(standing.records - self._writing.ours(owner))]

    async def _remove(self, scene: Scene, standing: Standing, service: Service) -> list[str]:
        going = self._going(scene, standing, service)
        await self._writing.clear(standing.post.owner, going - standing.records)
        there = going & standing.records
        if there:
            await self._writing.apply(standing, Change(remove=there))
        return [f"{shown(standing.post.owner)} TLSA {record}" for record in sorted(there)]


def _told(service: Service) -> str:
    return service.endpoint.shown()


def _check(scene: Scene, standing: Standing, service: Service, going: frozenset[Tlsa]) -> None:
    """Raise PreflightFailed where what stays is not ours, and does not cover what is served."""
    rest = frozenset(record for record in standing.records - going if not record.unusable)
    chains = _served(scene, service)
    harmed = [chain for chain in chains if uncovered(rest, chain)]
    if not rest or (chains and not harmed):
        return
    told = ", ".join(map(str, sorted(rest)))
    what = "do not match what is served" if chains else "may not match what is served, which could not be seen"
    raise PreflightFailed(
        f"nothing is withdrawn at {shown(standing.post.owner)}: records would be left there that are not its own, "
        f"and {what}: {told}",
        name=standing.post.owner,
        checks=["foreign-records"],
        hint="first have them taken away by whoever published them, or withdraw what else has records there",
    )


def _served(scene: Scene, service: Service) -> Sequence[Presented]:
    """What the service presents, or else is to present, as far as is known."""
    presence = scene.presences.get(str(service.endpoint))
    seen = [chain for chains in presence.chains.values() for chain in chains] if presence else []
    subjects = (scene.subjects[name] for name in service.certificates)
    return tuple(dict.fromkeys(seen)) or tuple(subject.live for subject in subjects if subject.live is not None)
