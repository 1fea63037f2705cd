"""What may not be served yet, below ``pending/NAME``: the key that comes next, and a chain that is held back.

Both are on disk whole before anything relies on them, where no daemon can read; what a killed run left half-written
counts as nothing. The digest in ``next.json`` says whether key and date are of one piece; ``held/issued.json`` names
the one directory beside it that is whole. An open order, which stands here too, is not touched.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import PemInvalid
from dnsbroker.store import archive, disk
from dnsbroker.store.disk import explained
from dnsbroker.store.lineage import Provenance, provenances_text, read_provenances, serial_text

_DATE, _KEY = "next.json", "next.pem"
_HELD, _ISSUED = "held", "issued.json"


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


def write_next_key(home: Path, key: NextKey) -> None:
    """Write ``key`` into ``home``, a directory of ours alone. Raises StoreError."""
    facts = {"created": key.created.isoformat(), "key": keys.spki_sha256_of(key.key_pem)}
    with explained(home):
        disk.replace(home / _KEY, key.key_pem)
        disk.replace(home / _DATE, json.dumps(facts, indent=2) + "\n")


def read_next_key(home: Path) -> NextKey | None:
    """What ``write_next_key`` wrote; None where there is nothing, or nothing whole. Raises StoreError."""
    with explained(home):
        try:
            facts = json.loads((home / _DATE).read_bytes())
            key = (home / _KEY).read_text()
            whole = keys.spki_sha256_of(key) == facts["key"]
            return NextKey(key, datetime.fromisoformat(facts["created"])) if whole else None
        except (FileNotFoundError, ValueError, KeyError, TypeError, PemInvalid):
            return None  # written in steps by a run that was killed, or by nobody


def remove_next_key(home: Path) -> None:
    """Take away what ``write_next_key`` wrote, and had begun to. Raises StoreError."""
    with explained(home):
        for file in (_DATE, _KEY):
            (home / file).unlink(missing_ok=True)
            disk.beside(home / file)


def write_held_back(home: Path, held: HeldBack) -> None:
    """Write ``held`` below ``home``, a directory of ours alone; killed anywhere, it or what was held before is there.

    Raises PemInvalid for what ``Store.save`` would not take, StoreError.
    """
    texts = archive.contents(held.key_pem, held.chain_pem, held.request)
    serial, place = serial_text(keys.describe(held.chain_pem)), home / _HELD
    if read_held_back(home) == held:
        return
    with explained(place):
        disk.make_private(place)
        archive.fill(place / serial, texts, disk.PRIVATE_FILE, -1, -1)
        disk.replace(place / _ISSUED, provenances_text({serial: held.provenance}))
        for other in place.iterdir():
            if other.name not in (serial, _ISSUED):
                shutil.rmtree(other)


def read_held_back(home: Path) -> HeldBack | None:
    """What ``write_held_back`` wrote; None where there is nothing, or nothing whole. Raises StoreError."""
    place = home / _HELD
    with explained(place):
        for serial, provenance in read_provenances(place / _ISSUED).items():
            return _held_back(place / serial, provenance)
    return None


def _held_back(place: Path, provenance: Provenance) -> HeldBack | None:
    key, request = place / "privkey.pem", place / archive.REQUEST
    try:
        held = HeldBack(
            (place / "fullchain.pem").read_text(),
            provenance,
            key.read_text() if key.exists() else None,
            request.read_bytes() if request.exists() else None,
        )
        archive.contents(held.key_pem, held.chain_pem, held.request)
        return held if serial_text(keys.describe(held.chain_pem)) == place.name else None
    except (FileNotFoundError, ValueError, PemInvalid):
        return None  # somebody's hand was in it: what is not whole can never go live


def remove_held_back(home: Path) -> None:
    """Take away what ``write_held_back`` wrote, and had begun to. Raises StoreError."""
    place = home / _HELD
    with explained(place):
        if place.is_dir():
            (place / _ISSUED).unlink(missing_ok=True)
            shutil.rmtree(place)
