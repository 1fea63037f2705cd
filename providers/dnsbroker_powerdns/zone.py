"""A zone as the API describes it: its settings, its serials, and the RRsets that were asked for.

Rule: what is read is kept as it was, disabled records and comments included, for a write replaces an RRset whole.
Raises KeyError, TypeError or ValueError on what is no such description; the API's door translates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dnsbroker_powerdns.contents import to_content, to_value
from dnsbroker_powerdns.serial import Serials

Place = tuple[str, str]

_KINDS = {"master": "primary", "slave": "secondary"}


@dataclass(frozen=True)
class StoredRecord:
    """One record: its value, and ``raw`` as the API shows and takes it."""

    value: str
    raw: Mapping[str, Any]

    @property
    def content(self) -> str:
        """The value in the API's spelling."""
        return str(self.raw["content"])

    @property
    def is_disabled(self) -> bool:
        """Whether the server keeps it without serving it."""
        return bool(self.raw.get("disabled"))


def stored_record(type: str, raw: Mapping[str, Any]) -> StoredRecord:
    """The record in an API answer."""
    return StoredRecord(to_value(type, str(raw["content"])), raw)


def new_record(type: str, value: str) -> StoredRecord:
    """A record of ours."""
    return StoredRecord(value, {"content": to_content(type, value), "disabled": False})


@dataclass(frozen=True)
class StoredRRset:
    """An RRset with everything that the server keeps with it; ``ttl`` in seconds."""

    name: str
    type: str
    ttl: int
    records: tuple[StoredRecord, ...] = ()
    comments: tuple[Mapping[str, Any], ...] = ()

    @property
    def place(self) -> Place:
        """Owner name and type."""
        return self.name, self.type

    @property
    def values(self) -> frozenset[str]:
        """The values that are served, so none of a disabled record."""
        return frozenset(record.value for record in self.records if not record.is_disabled)


@dataclass(frozen=True)
class ZoneState:
    """A zone at one moment.

    ``served`` is the serial in answers, ``stored`` the one that changes turn, ``notified`` that of the last NOTIFY.
    ``kind`` is native, primary, secondary, producer or consumer; ``signed`` says that the server signs the zone,
    ``rectifies`` that it is set to rectify after changes (False says nothing: a default may hold).
    """

    id: str
    name: str
    kind: str
    stored: int
    served: int
    soa_edit: str
    soa_edit_api: str
    signed: bool
    rectifies: bool
    notified: int = 0
    primaries: tuple[str, ...] = ()
    rrsets: Mapping[Place, StoredRRset] = field(default_factory=dict)

    @property
    def takes_changes(self) -> bool:
        """Whether records written here stay: those of a secondary come from its primary."""
        return self.kind not in ("secondary", "consumer")

    @property
    def is_notified(self) -> bool:
        """Whether secondaries follow this zone by transfer."""
        return self.kind in ("primary", "producer")

    @property
    def is_native(self) -> bool:
        """Whether other servers may get the zone from the database, without a serial."""
        return self.kind == "native"

    def has_alias(self, name: str) -> bool:
        """Whether a CNAME is served at ``name``."""
        alias = self.rrsets.get((name, "CNAME"))
        return alias is not None and bool(alias.values)

    def serials(self, default_edit: str = "") -> Serials:
        """What its serials come from."""
        return Serials(self.stored, self.soa_edit_api, self.soa_edit, default_edit)


def zone_state(document: Mapping[str, Any], names: Iterable[str]) -> ZoneState:
    """The zone in an API answer, with the RRsets at ``names`` only: older servers do not filter."""
    kind = str(document["kind"]).lower()
    wanted = frozenset(names)
    rrsets = (_rrset(item) for item in document.get("rrsets") or () if str(item["name"]).lower() in wanted)
    return ZoneState(
        id=str(document["id"]),
        name=str(document["name"]).lower(),
        kind=_KINDS.get(kind, kind),
        stored=int(document["serial"]),
        served=int(document.get("edited_serial", document["serial"])),
        soa_edit=str(document.get("soa_edit") or ""),
        soa_edit_api=str(document.get("soa_edit_api") or ""),
        signed=bool(document.get("dnssec")),
        rectifies=bool(document.get("api_rectify")),
        notified=int(document.get("notified_serial") or 0),
        primaries=tuple(str(address) for address in document.get("masters") or ()),
        rrsets={rrset.place: rrset for rrset in rrsets},
    )


def surveyed(document: Mapping[str, Any]) -> ZoneState:
    """The zone in an API answer, with the RRsets at its apex and at the name of every challenge."""
    apex = str(document["name"]).lower()
    names = {str(item["name"]).lower() for item in document.get("rrsets") or ()}
    return zone_state(document, {name for name in names if name == apex or name.startswith("_acme-challenge.")})


def _rrset(item: Mapping[str, Any]) -> StoredRRset:
    type = str(item["type"])
    records = tuple(stored_record(type, raw) for raw in item["records"])
    return StoredRRset(str(item["name"]).lower(), type, int(item["ttl"]), records, tuple(item.get("comments") or ()))
