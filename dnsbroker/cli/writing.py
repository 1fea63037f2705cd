"""Files that a command writes for a person: all of them whole, or none; those that say the same already are left alone.

Its rule: written beside, synced, then renamed. Refuses: keys and certificates, which are the store's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.errors import StoreError
from dnsbroker.store import disk

_READABLE_FILE = 0o644
_READABLE_DIRECTORY = 0o755


@dataclass(frozen=True)
class Written:
    """A file, and whether it is another one than before."""

    path: Path
    is_changed: bool


def write(directory: Path, texts: Mapping[str, str]) -> tuple[Written, ...]:
    """Have ``texts``, by file name, in ``directory``, which is made where it is missing. Raises StoreError."""
    directory = directory.absolute()
    files = {directory / name: text for name, text in texts.items()}
    with _explained(directory):
        changed = {path: text for path, text in files.items() if not _says(path, text)}
        if changed:
            disk.make_directory(directory, _READABLE_DIRECTORY)
            _replace(changed)
            disk.sync_directory(directory)
    return tuple(Written(path, path in changed) for path in files)


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False


def _replace(files: Mapping[Path, str]) -> None:
    beside = {path: path.with_name(f".{path.name}.new") for path in files}
    try:
        for path, text in files.items():
            beside[path].unlink(missing_ok=True)
            disk.write_new(beside[path], text, _READABLE_FILE)
        for path, new in beside.items():
            new.replace(path)
    except BaseException:
        for new in beside.values():
            with suppress(OSError):
                new.unlink(missing_ok=True)
        raise


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = "name with --write a directory that this user may write"
        raise StoreError(f"{directory} cannot be written: {reason}", path=str(directory), hint=hint) from error
