"""An order that is open: its URL and its private key below ``pending/NAME``, where no daemon can read.

Both are on disk before anything is written to DNS. What a killed run left half-written counts as nothing: the key's
digest in ``order.json`` says whether both are of one piece. The request of a key that is not here stands in that file.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import PemInvalid
from dnsbroker.store import disk
from dnsbroker.store.disk import explained

_ORDER, _KEY = "order.json", "privkey.pem"


@dataclass(frozen=True)
class Pending:
    """An open order of ``account`` at the CA with ``directory``, for ``names`` and ``key_pem``.

    Where the key is not here, that is empty, and ``request`` (DER) is what it signed.
    ``asked`` is what else was asked of the CA, as one text to compare by; ``key_created`` is when the key was made.
    """

    order: str
    directory: str
    account: str
    names: tuple[str, ...]
    asked: str
    key_created: datetime
    key_pem: str = field(default="", repr=False)
    request: bytes = field(default=b"", repr=False)


def write_pending(home: Path, pending: Pending) -> None:
    """Write ``pending`` into ``home``, a directory of ours alone. Raises StoreError."""
    facts = {
        "order": pending.order,
        "directory": pending.directory,
        "account": pending.account,
        "names": list(pending.names),
        "asked": pending.asked,
        "key_created": pending.key_created.isoformat(),
        "key": keys.spki_sha256_of(pending.key_pem) if pending.key_pem else "",
        "request": base64.b64encode(pending.request).decode(),
    }
    with explained(home):
        if pending.key_pem:
            disk.replace(home / _KEY, pending.key_pem)
        disk.replace(home / _ORDER, json.dumps(facts, indent=2) + "\n")


def read_pending(home: Path) -> Pending | None:
    """What ``write_pending`` wrote; None where there is nothing, or nothing whole. Raises StoreError."""
    with explained(home):
        try:
            facts = json.loads((home / _ORDER).read_bytes())
            key = (home / _KEY).read_text() if facts["key"] else ""
            if key and keys.spki_sha256_of(key) != facts["key"]:
                return None
            request = base64.b64decode(facts.get("request", ""), validate=True)  # older versions kept none
            if request:
                keys.public_key_requested(request)
            return Pending(
                order=str(facts["order"]),
                directory=str(facts["directory"]),
                account=str(facts["account"]),
                names=tuple(map(str, facts["names"])),
                asked=str(facts["asked"]),
                key_created=datetime.fromisoformat(facts["key_created"]),
                key_pem=key,
                request=request,
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, PemInvalid):
            return None  # written in steps by a run that was killed, or by nobody


def remove_pending(home: Path) -> None:
    """Take away what ``write_pending`` wrote, and had begun to; the order's URL first. Raises StoreError."""
    with explained(home):
        for file in (_ORDER, _KEY):
            (home / file).unlink(missing_ok=True)
            disk.beside(home / file)
