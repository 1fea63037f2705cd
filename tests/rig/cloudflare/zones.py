"""Zones, accounts and records as the service holds them, and as its replies show them.

Rule: a record is shown without ``zone_id``, ``zone_name`` and ``locked``, which left its shape in 2024 ("changes to
expect in replies" of README.md beside this). Refused: judging a record; that is ``cloudflare.rules``'.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from cloudflare.credentials import Credential

NAME_SERVERS = ("ada.ns.cloudflare.test", "bob.ns.cloudflare.test")
Plan = Literal["free", "pro", "business", "enterprise"]
Status = Literal["initializing", "pending", "active", "moved"]

#: TTL 1 means automatic ("endpoints"), and is served so.
AUTOMATIC = 300


def identifier() -> str:
    """A fresh one."""
    return uuid.uuid4().hex


def stamp() -> str:
    """This moment as replies write it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Account:
    """An account that holds zones."""

    name: str = "Somebody's Account"
    id: str = field(default_factory=identifier)


@dataclass(frozen=True)
class Entry:
    """One record. ``content`` is as it was sent, or made of ``data``; names are absolute, without trailing dot."""

    name: str
    type: str
    content: str
    ttl: int
    data: Mapping[str, object] | None = None
    comment: str | None = None
    tags: Sequence[str] = ()
    priority: int | None = None
    proxied: bool = False
    id: str = field(default_factory=identifier)
    created_on: str = field(default_factory=stamp)
    modified_on: str = field(default_factory=stamp)

    @property
    def served_ttl(self) -> int:
        """In seconds, as name servers tell it."""
        return AUTOMATIC if self.ttl == 1 else self.ttl

    def document(self) -> dict[str, object]:
        """As replies show it."""
        shown: dict[str, object] = {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "content": self.content,
            "proxiable": self.type in ("A", "AAAA", "CNAME"),
            "proxied": self.proxied,
            "ttl": self.ttl,
            "settings": {},
            "meta": {},
            "comment": self.comment,
            "tags": list(self.tags),
            "created_on": self.created_on,
            "modified_on": self.modified_on,
        }
        more = {"data": self.data, "priority": self.priority}
        return shown | {key: value for key, value in more.items() if value is not None}


@dataclass
class Zone:
    """One zone of an account; ``records`` by their identifiers.

    ``hidden`` are TXT values by name that name servers tell and the API does not list: Universal SSL's ("invisible
    records").
    """

    name: str
    account: Account
    plan: Plan = "free"
    status: Status = "active"
    paused: bool = False
    name_servers: Sequence[str] = NAME_SERVERS
    id: str = field(default_factory=identifier)
    records: dict[str, Entry] = field(default_factory=dict)
    hidden: dict[str, list[str]] = field(default_factory=dict)
    created_on: str = field(default_factory=stamp)

    def at(self, name: str, type: str = "") -> list[Entry]:
        """The records at a name, of one type or of all."""
        return [one for one in self.records.values() if one.name == name and type in ("", one.type)]

    def document(self, asker: Credential) -> dict[str, object]:
        """As replies show it to somebody."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "paused": self.paused,
            "type": "full",
            "development_mode": 0,
            "name_servers": list(self.name_servers),
            "original_name_servers": None,
            "original_registrar": None,
            "original_dnshost": None,
            "created_on": self.created_on,
            "modified_on": self.created_on,
            "activated_on": self.created_on if self.status == "active" else None,
            "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": False},
            "owner": {"type": "user"},
            "account": {"id": self.account.id, "name": self.account.name},
            "permissions": asker.permissions(self),
            "plan": {"id": self.plan, "name": f"{self.plan.title()} Website", "legacy_id": self.plan},
        }
