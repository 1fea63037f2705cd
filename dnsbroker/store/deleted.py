"""Certificates put aside below ``deleted/``: out of everybody's way, and gone for good after a time.

``deleted/NAME.MOMENT/`` holds what stood below each of the directories of ``state_dir`` for that certificate.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dnsbroker.store import disk
from dnsbroker.store.disk import explained

_MOMENT = "%Y%m%dT%H%M%SZ"


def put_aside(home: Path, name: str, parts: Mapping[str, Path], moment: datetime) -> Path | None:
    """Move each of ``parts`` that is there below ``home``, in their order; the directory, None where none was there.

    What readers follow goes first: a link that leads nowhere is never left. Raises StoreError.
    """
    place = home / f"{name}.{moment.astimezone(UTC):{_MOMENT}}"
    with explained(place):
        present = {kind: path for kind, path in parts.items() if path.is_symlink() or path.exists()}
        if not present:
            return None
        disk.make_private(home)
        disk.make_private(place)
        for kind, path in present.items():
            path.rename(place / kind)
            disk.sync_directory(path.parent)
        disk.sync_directory(place)
    return place


def prune(home: Path, before: datetime) -> None:
    """Take away what was put aside ``before`` a moment; what has a name of another form stays. Raises StoreError."""
    with explained(home):
        if not home.is_dir():
            return
        old = [place for place in home.iterdir() if _moment(place.name) < before]
    for place in old:
        with explained(place), suppress(FileNotFoundError):  # another process is at it as well
            shutil.rmtree(place)


def _moment(name: str) -> datetime:
    """When the directory of that name was put aside; far off for a name that is not ours."""
    try:
        return datetime.strptime(name.rpartition(".")[2], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
