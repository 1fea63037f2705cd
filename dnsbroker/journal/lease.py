"""A lease as a value, and how it is read from its row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dnsbroker.records import Record

#: The expiry of what goes only when somebody withdraws it: no clock gets there.
NEVER = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class State(StrEnum):
    """Where a lease stands; see the picture at the head of ``dnsbroker.journal.leases``."""

    WANTED = "wanted"
    SENDING = "sending"
    PRESENT = "present"
    UNWANTED = "unwanted"
    CLOSED = "closed"


@dataclass(frozen=True)
class Lease:
    """One value at one owner name, on behalf of one run (or, with ``expires``, of nobody's process in particular)."""

    id: int
    run: str
    provider: str
    zone: str
    record: Record
    ttl: int
    state: State
    foreign: bool
    created: float
    expires: float | None
    suspect_until: float | None
    write: int | None
    serial: int | None
    withdrawer: str | None
    trouble: str | None


def read_lease(row: sqlite3.Row) -> Lease:
    """The lease in a row of the table ``lease``."""
    return Lease(
        id=row["id"],
        run=row["run"],
        provider=row["provider"],
        zone=row["zone"],
        record=Record(row["name"], row["type"], row["value"]),
        ttl=row["ttl"],
        state=State(row["state"]),
        foreign=bool(row["foreign_value"]),
        created=row["created"],
        expires=row["expires"],
        suspect_until=row["suspect_until"],
        write=row["write"],
        serial=row["serial"],
        withdrawer=row["withdrawer"],
        trouble=row["trouble"],
    )
