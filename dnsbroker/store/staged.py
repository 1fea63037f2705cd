"""What may not be served yet, below ``pending/NAME``: the key that comes next, and a chain that is held back.

Both are on disk whole before anything relies on them, where no daemon can read; what a killed run left half-written
counts as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from dnsbroker.store.lineage import Provenance


@dataclass(frozen=True)
class NextKey:
    """The key that a certificate will have next, made at ``created`` (aware, UTC)."""

    key_pem: str = field(repr=False)
    created: datetime


@dataclass(frozen=True)
class HeldBack:
    """A certificate that is issued and may not be served yet, as ``Store.save`` takes it."""

    chain_pem: str = field(repr=False)
    provenance: Provenance
    key_pem: str | None = field(default=None, repr=False)
    request: bytes | None = field(default=None, repr=False)
