"""The zones of one provider, what they hold, and the one way in which they are changed.

Rule: a zone is looked for by names as they are, never by a part of one. All zones of an account are listed where the
token may; only where it may not, or where there are too many, is each name asked for. A zone that must not be asked for
may be there all the same, and is missing with that reason. What was learnt is believed for some minutes. Nothing is
retried here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import ProviderError, ZoneMissing
from dnsbroker.names import ancestors, labels, longest_match
from dnsbroker_cloudflare.api import API
from dnsbroker_cloudflare.credentials import Errand
from dnsbroker_cloudflare.plan import Batch
from dnsbroker_cloudflare.refusals import Unlisted
from dnsbroker_cloudflare.settings import CloudflareSettings
from dnsbroker_cloudflare.stored import Place, StoredRecord, StoredZone, stored_record, stored_zone

#: The service lists no more zones on a page.
_ZONES_PER_PAGE = 50
_RECORDS_PER_PAGE = 2000
#: With more pages than this, a few questions by name are cheaper.
_MOST_PAGES = 4
_BELIEVED_SECONDS = 300.0
_AT_ONCE = 4

T = TypeVar("T")
Zones = tuple[StoredZone, ...]


@dataclass(frozen=True)
class _Named:
    """The zones of one name, believed ``until`` then; none where it was ``refused`` to tell them."""

    until: float
    zones: Zones = ()
    refused: Unlisted | None = None


class Service:
    """What there is, and what can be done, with one provider's credentials. Every method raises ProviderError."""

    def __init__(self, api: API, settings: CloudflareSettings, surroundings: Surroundings) -> None:
        self._api = api
        self._ids = settings.zone_ids
        self._reads_zones = bool(settings.zone_api_token)
        self._clock = surroundings.clock
        self._asking = asyncio.Lock()
        self._every: tuple[float, Zones | None] | None = None
        self._by_name: dict[str, _Named] = {}
        self.provider = surroundings.provider

    async def zones(self) -> tuple[str, ...] | None:
        """The names of all zones that may be read; None where this token may not list them."""
        if self._ids:
            return tuple(self._ids)
        try:
            found = await self._list(most=None)
        except Unlisted:
            return None
        return tuple(dict.fromkeys(zone.name for zone in found or ()))

    async def find_zone(self, name: str) -> str | None:
        """The longest zone that holds owner name ``name``.

        Raises ProviderError also where two accounts hold it, ZoneMissing where the token must not look for one.
        """
        if self._ids:
            return longest_match(name, self._ids)
        every = await self._listed()
        if every is not None:
            found = longest_match(name, (zone.name for zone in every))
            return self._only([zone for zone in every if zone.name == found]).name if found else None
        refused = None
        for candidate in ancestors(name):
            # Neither a wildcard nor a single label is anybody's zone there.
            if "*" not in candidate and len(labels(candidate)) > 1:
                named = await self._named(candidate)
                if named.zones:
                    return self._only(named.zones).name
                refused = refused or named.refused
        if refused is not None:
            raise self._missing(name, refused)
        return None

    async def zone(self, name: str) -> StoredZone:
        """The zone of that name; where its id is configured, no more than that is known of it. Raises ZoneMissing."""
        if name in self._ids:
            return StoredZone(self._ids[name], name)
        every = None if self._ids else await self._listed()
        refused = None
        if every is not None:
            zones = tuple(zone for zone in every if zone.name == name)
        else:
            named = _Named(0.0) if self._ids else await self._named(name)
            zones, refused = named.zones, named.refused
        if not zones:
            raise self._missing(name, refused)
        return self._only(zones)

    def _missing(self, zone: str, refused: Unlisted | None) -> ZoneMissing:
        told = "no account that may be read with this token holds it"
        hint = "see in the dashboard whether the zone is there, and whether the token covers it"
        if refused is not None:
            told, hint = f"the token must not look for it: {refused.message.partition(': ')[2]}", refused.hint
        return ZoneMissing(told, provider=self.provider, zone=zone, tried=(zone,), hint=hint)

    async def described(self, name: str) -> StoredZone:
        """The zone as the service describes it, if need be by its id; only the id where it must not be read."""
        zone = await self.zone(name)
        if name not in self._ids or not self._reads_zones:
            return zone
        return await self._api.get(f"/zones/{zone.id}", _result_zone, errand=Errand.ZONES, zone=name)

    async def permissions(self, zone: StoredZone) -> frozenset[str]:
        """What the credential that writes may do in the zone. Raises AuthRejected where it must not know."""
        path = f"/zones/{quote(zone.id, safe='')}"
        return (await self._api.get(path, _result_zone, errand=Errand.RECORDS, zone=zone.name)).permissions

    async def probe(self, errand: Errand) -> None:
        """Raise ProviderError where the credential for that errand does not work at all."""
        query = {"per_page": "5"}
        try:
            if self._ids:
                await self._api.get(f"/zones/{next(iter(self._ids.values()))}/dns_records", _accepted, query=query)
            else:
                await self._api.get("/zones", _accepted, errand=errand, query=query)
        except Unlisted:
            return  # it works, for zones of which the list would tell too much

    async def records(self, zone: str, places: Sequence[Place]) -> list[StoredRecord]:
        """The records at ``places``; with several of one type, others of that type perhaps too."""
        found: list[StoredRecord] = []
        for type in dict.fromkeys(type for _, type in places):
            names = [name for name, other in places if other == type]
            listed = None
            if len(names) > 1:
                listed = await self._records(zone, {"type": type}, most=len(names))
            if listed is None:
                listed = [record for name in names for record in await self._at(zone, name, type)]
            found += listed
        return found

    async def noted(self, zone: str) -> list[StoredRecord]:
        """Every TXT record with a comment."""
        found = await self._records(zone, {"type": "TXT"}) or []
        return [record for record in found if record.comment and record.type == "TXT"]

    async def proxied(self, zone: str, hosts: Sequence[str]) -> list[str]:
        """Those of ``hosts`` (owner names in ``zone``) for which the service's edge answers, as far as it tells."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def is_proxied(host: str) -> bool:
            async with slots:
                with contextlib.suppress(ProviderError):
                    found = await self._records(zone, {"name.exact": host.rstrip(".")}) or []
                    return any(record.name == host and bool(record.raw.get("proxied")) for record in found)
            return False

        found = await asyncio.gather(*map(is_proxied, hosts))
        return [host for host, is_so in zip(hosts, found, strict=True) if is_so]

    async def rest(self) -> None:
        """Wait until a change may be sent, if that is soon."""
        await self._api.rest(Errand.RECORDS)

    async def change(self, zone: str, batch: Batch) -> None:
        """Have ``batch`` done, whole or not at all."""
        path = await self._path(zone)
        await self._forgetting(zone, self._api.post(f"{path}/batch", batch.document(), _accepted, zone=zone))

    async def _at(self, zone: str, name: str, type: str) -> list[StoredRecord]:
        found = await self._records(zone, {"type": type, "name.exact": name.rstrip(".")})
        return [record for record in found or () if record.name == name]

    async def _records(self, zone: str, query: dict[str, str], most: int | None = None) -> list[StoredRecord] | None:
        path = await self._path(zone)
        listing = self._api.pages(path, stored_record, per_page=_RECORDS_PER_PAGE, most=most, zone=zone, query=query)
        return await self._forgetting(zone, listing)

    async def _path(self, zone: str) -> str:
        return f"/zones/{quote((await self.zone(zone)).id, safe='')}/dns_records"

    async def _forgetting(self, zone: str, call: Awaitable[T]) -> T:
        """What ``call`` gives; a zone that turns out to be gone is looked for anew the next time."""
        try:
            return await call
        except ZoneMissing:
            self._every = None
            self._by_name.pop(zone, None)
            raise

    async def _listed(self) -> Zones | None:
        """All zones; None where this token must not list them, or where they are too many, or where it shows none."""
        async with self._asking:
            if self._every is None or self._every[0] < self._clock.monotonic():
                try:
                    found = await self._list(most=_MOST_PAGES)
                except Unlisted:
                    found = None
                self._every = (self._clock.monotonic() + _BELIEVED_SECONDS, found or None)
            return self._every[1]

    async def _list(self, *, most: int | None) -> Zones | None:
        found = await self._api.pages("/zones", stored_zone, per_page=_ZONES_PER_PAGE, most=most, errand=Errand.ZONES)
        return None if found is None else tuple(found)

    async def _named(self, name: str) -> _Named:
        """The zones of exactly that name: none, one, or one in each of several accounts."""
        async with self._asking:
            known = self._by_name.get(name)
            if known is None or known.until < self._clock.monotonic():
                known = await self._asked(name)
                self._by_name[name] = replace(known, until=self._clock.monotonic() + _BELIEVED_SECONDS)
            return known

    async def _asked(self, name: str) -> _Named:
        query = {"name": name.rstrip(".")}
        try:
            found = await self._api.pages(
                "/zones", stored_zone, per_page=_ZONES_PER_PAGE, errand=Errand.ZONES, query=query
            )
        except Unlisted as error:
            return _Named(0.0, refused=error)
        return _Named(0.0, tuple(zone for zone in found or () if zone.name == name))

    def _only(self, zones: Sequence[StoredZone]) -> StoredZone:
        if len({zone.id for zone in zones}) > 1:
            accounts = " and ".join(sorted(zone.account or zone.id for zone in zones))
            raise ProviderError(
                f"it is in several accounts, {accounts}, and none is guessed",
                provider=self.provider,
                zone=zones[0].name,
                hint="use a token of the right account alone, or name the id of each zone in zone_ids",
            )
        return zones[0]


def _result_zone(told: Any) -> StoredZone:
    return stored_zone(told["result"])


def _accepted(told: Any) -> None:
    """Nothing is believed of it but that it is a success."""
    if not told["success"]:
        raise ValueError("no success")
