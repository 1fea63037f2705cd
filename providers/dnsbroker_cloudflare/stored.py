"""Zones and records as the API shows them, as values.

Rule: what later replies may lack is not needed. Raises KeyError, TypeError or ValueError on what is no such
description; the API's door translates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dnsbroker.records import RRset
from dnsbroker_cloudflare.contents import value_of

Place = tuple[str, str]

#: What the service writes for "automatic", and what it then serves, in seconds.
AUTOMATIC = 1
AUTOMATIC_SECONDS = 300


@dataclass(frozen=True)
class StoredZone:
    """A zone of an account. ``permissions`` is empty where the service does not tell; ``status`` is its own word."""

    id: str
    name: str
    account: str = ""
    status: str = ""
    is_paused: bool = False
    servers: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StoredRecord:
    """A record: its value as it is compared, and ``raw`` as the API shows it."""

    id: str
    name: str
    type: str
    value: str
    ttl: int
    comment: str
    raw: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """Owner name and type."""
        return self.name, self.type

    @property
    def seconds(self) -> int:
        """The TTL that is served."""
        return AUTOMATIC_SECONDS if self.ttl == AUTOMATIC else self.ttl


def absolute(name: str) -> str:
    """A name in a reply (A-labels, no dot at its end) as an owner name."""
    return name.lower().rstrip(".") + "."


def stored_zone(told: Mapping[str, Any]) -> StoredZone:
    """The zone in a reply."""
    servers = [*(told.get("name_servers") or ()), *(told.get("vanity_name_servers") or ())]
    return StoredZone(
        id=str(told["id"]),
        name=absolute(str(told["name"])),
        account=str((told.get("account") or {}).get("id") or ""),
        status=str(told.get("status") or ""),
        is_paused=bool(told.get("paused")),
        servers=frozenset(absolute(str(server)) for server in servers),
        permissions=frozenset(map(str, told.get("permissions") or ())),
    )


def stored_record(told: Mapping[str, Any]) -> StoredRecord:
    """The record in a reply."""
    return StoredRecord(
        id=str(told["id"]),
        name=absolute(str(told["name"])),
        type=str(told["type"]),
        value=value_of(told),
        ttl=int(told["ttl"]),
        comment=str(told.get("comment") or ""),
        raw=told,
    )


def as_rrset(place: Place, records: Iterable[StoredRecord]) -> RRset | None:
    """What the rest of the world calls an RRset; None where none of ``records`` stands at ``place``."""
    found = [record for record in records if record.place == place]
    if not found:
        return None
    name, type = place
    ttl = min(record.seconds for record in found)
    return RRset(name, "TLSA" if type == "TLSA" else "TXT", ttl, frozenset(record.value for record in found))
