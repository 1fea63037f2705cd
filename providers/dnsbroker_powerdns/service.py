"""One PowerDNS server: its zones, what they hold, and the acts that the API offers on them.

Rule: what differs between versions is decided by the version that the server reports, once, never by trying. Nothing
is retried here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import ZoneMissing
from dnsbroker.names import ancestors
from dnsbroker_powerdns.api import API
from dnsbroker_powerdns.plan import body
from dnsbroker_powerdns.zone import Place, StoredRRset, ZoneState, surveyed, zone_state

Version = tuple[int, int]

# From here on a read of one name shows disabled records too; before, only a read of the whole zone does.
_READS_ONE_NAME: Version = (5, 0)
# From here on the server undoes the escapes of a content before it reads it.
_UNESCAPES: Version = (5, 1)
# More names than this are had sooner by reading the whole zone.
_NAMES_BY_ONE = 16


class Service:
    """What there is, and what can be done, at one server. Every method raises ProviderError."""

    def __init__(self, api: API, surroundings: Surroundings) -> None:
        self._api = api
        self.provider = surroundings.provider
        self.clock = surroundings.clock
        self._version: Version | None = None
        self._ids: dict[str, str] = {}
        self._settings: dict[str, str] | None = None

    async def zones(self) -> tuple[str, ...]:
        """The names of all its zones."""
        return await self._api.get(
            "/zones", lambda found: tuple(str(zone["name"]).lower() for zone in found), query={"dnssec": "false"}
        )

    async def find_zone(self, name: str) -> str | None:
        """The longest zone that holds owner name ``name``."""
        for zone in ancestors(name):
            if not zone.startswith("*") and await self._id(zone):
                return zone
        return None

    async def state(self, zone: str, names: Sequence[str]) -> ZoneState:
        """The zone as it is now, with all RRsets at ``names``, disabled records and comments included."""
        path = await self._path(zone)
        try:
            if len(names) > _NAMES_BY_ONE or await self.version() < _READS_ONE_NAME:
                return await self._api.get(path, partial(zone_state, names=names), zone=zone)
            return await self._by_name(path, zone, names)
        except ZoneMissing:
            self._ids.pop(zone, None)
            raise

    async def _by_name(self, path: str, zone: str, names: Sequence[str]) -> ZoneState:
        rrsets: dict[Place, StoredRRset] = {}
        for name in names:
            parse = partial(zone_state, names=(name,))
            state = await self._api.get(path, parse, zone=zone, query={"rrset_name": name})
            rrsets.update(state.rrsets)
        return replace(state, rrsets=rrsets)

    async def survey(self, zone: str) -> ZoneState:
        """The whole zone as it is now, of whose RRsets those at its apex and at challenges' names are kept."""
        return await self._api.get(await self._path(zone), surveyed, zone=zone)

    async def escapes_twice(self) -> bool:
        """Whether a backslash in a content has to be escaped once more."""
        return await self.version() >= _UNESCAPES

    async def write(self, zone: str, rrsets: Iterable[StoredRRset], *, escape_twice: bool) -> None:
        """Make the RRsets so, in one transaction."""
        await self._api.change("PATCH", await self._path(zone), body(rrsets, escape_twice=escape_twice), zone=zone)

    async def set_soa_edit_api(self, zone: str, kind: str) -> None:
        """Set the zone's SOA-EDIT-API, and nothing else."""
        content = json.dumps({"soa_edit_api": kind}).encode()
        await self._api.change("PUT", await self._path(zone), content, zone=zone)

    async def notify(self, zone: str) -> None:
        """Have NOTIFY sent to the zone's secondaries."""
        await self._api.change("PUT", await self._path(zone) + "/notify", None, zone=zone)

    async def needs_rectifying(self, state: ZoneState) -> bool:
        """Whether the zone is signed here and the server leaves it as it is after a change."""
        if not state.signed or state.rectifies:
            return False
        metadata = await self._metadata(state.name)
        if metadata.get("PRESIGNED") == "1":
            return False
        return (metadata.get("API-RECTIFY") or await self._setting("default-api-rectify")) in ("0", "no")

    async def is_presigned(self, state: ZoneState) -> bool:
        """Whether the zone's signatures were made elsewhere, so that the server cannot sign what is changed here."""
        return state.signed and (await self._metadata(state.name)).get("PRESIGNED") == "1"

    async def rectify(self, zone: str) -> None:
        """Have the zone's denial of existence put in order."""
        await self._api.change("PUT", await self._path(zone) + "/rectify", None, zone=zone)

    async def default_soa_edit(self, state: ZoneState) -> str:
        """The SOA-EDIT by which the zone is served though it has none of its own; "" where it is served as stored."""
        if state.soa_edit or state.served == state.stored:
            return ""
        signed = await self._setting("default-soa-edit-signed") if state.signed else ""
        return signed or await self._setting("default-soa-edit")

    async def version(self) -> Version:
        """The version that the server reports; builds without a number count as the oldest."""
        if self._version is None:
            self._version = await self._api.get("", lambda server: _version(str(server["version"])))
        return self._version

    async def _metadata(self, zone: str) -> dict[str, str]:
        return await self._api.get(await self._path(zone) + "/metadata", _metadata, zone=zone)

    async def _setting(self, name: str) -> str:
        """A line of the server's pdns.conf, defaults included; "" where there is none."""
        if self._settings is None:
            self._settings = await self._api.get(
                "/config", lambda found: {str(item["name"]): str(item["value"]) for item in found}
            )
        return self._settings.get(name, "")

    async def _id(self, zone: str) -> str | None:
        """The zone's id, as URLs take it; None where the server does not hold the zone."""
        if zone not in self._ids:
            found = await self._api.get(
                "/zones", lambda zones: _id_of(zone, zones), query={"zone": zone, "dnssec": "false"}
            )
            if found is None:
                return None
            self._ids[zone] = found
        return self._ids[zone]

    async def _path(self, zone: str) -> str:
        zone_id = await self._id(zone)
        if zone_id is None:
            raise ZoneMissing("PowerDNS does not hold it", provider=self.provider, zone=zone, tried=(zone,))
        return f"/zones/{zone_id}"


def _id_of(zone: str, zones: Any) -> str | None:
    """The id of ``zone`` in a list of zones, which servers that cannot filter send whole."""
    return next((str(found["id"]) for found in zones if str(found["name"]).lower() == zone), None)


def _version(text: str) -> Version:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _metadata(found: Any) -> dict[str, str]:
    """The first value of each kind of metadata."""
    return {str(item["kind"]): str(item["metadata"][0]) for item in found if item["metadata"]}
