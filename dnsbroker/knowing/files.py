"""Files for others to read: whole or not at all, since they are written beside and renamed.

Rule: what is written here is no secret; everybody may read it, for whoever shows it is another user.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dnsbroker.store.disk import beside, explained, sync_directory, write_new

_MODE = 0o644


def put(path: Path, text: str) -> None:
    """Put a file with ``text`` in the place of ``path``. Raises StoreError."""
    with explained(path):
        new = beside(path)
        try:
            write_new(new, text, _MODE)
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        sync_directory(path.parent)
