"""A certificate's files once more, for a daemon that wants files of its own: which, where, and for whom.

Rule: the configuration says what is there. What is right already is not touched, and what is not ours not removed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.config.toml import written_key
from dnsbroker.deploying.replacing import File, content, is_there, remove, replace
from dnsbroker.deploying.steps import single
from dnsbroker.errors import BrokerError, PemInvalid, StoreError
from dnsbroker.store import Access, Lineage, disk
from dnsbroker.store.archive import PUBLIC_FILE

#: Of a directory that is made for copies: its daemon may list it, for some look for what they know by its ending. It
#: stays ours, so that nobody else leads us elsewhere by what he puts into it.
_DIRECTORY = 0o755
_DATE = "%Y%m%dT%H%M%SZ"
_FILES = {
    "combined": "combined.pem",
    "key": "privkey.pem",
    "chain": "chain.pem",
    "cert": "cert.pem",
    "fullchain": "fullchain.pem",
}
_SECRET = ("combined", "key")

_HINTS = {
    errno.ENOENT: "make that directory first, or correct the path in [[certificates.NAME.copies]]",
    errno.ENOTDIR: "correct the path in [[certificates.NAME.copies]]: something on the way is no directory",
    errno.EISDIR: "it is a directory: give the path of a file, or that of the directory as `to`",
    errno.EACCES: "run it as root, or let this user write there",
    errno.EPERM: "only root gives a file to another user: run it as root, or leave owner and group out",
    errno.EROFS: "the service may not write there: let `dnsbroker config systemd` write its units anew, "
    "or add the directory to ReadWritePaths",
    errno.ENOSPC: "make room on that disk; the older copies are as they were",
    errno.EINVAL: "that file system takes no such name or owner: choose another path in "
    "[[certificates.NAME.copies]], or leave owner and group out",
    errno.ENAMETOOLONG: "choose a shorter path in [[certificates.NAME.copies]]: older copies have a date in their name",
}  # fmt: skip


def are_current(copy: CopyConfig, lineage: Lineage) -> bool:
    """Whether every file is there as it is to be. What cannot be read or written is not; raises nothing of that."""
    try:
        with _opened(copy) as at:
            _check_beside(copy, lineage, at)
            return all(is_there(file, at) for file in _files(copy, lineage)) and not _stale(copy, lineage, at)
    except (OSError, BrokerError):
        return False


def make(copy: CopyConfig, lineage: Lineage, now: datetime) -> tuple[Path, ...]:
    """Bring the files of ``copy`` to what they are to be; those that were not. ``now`` (aware) dates older copies.

    Raises StoreError, and nothing has changed, unless the disk fails between two renames; ConfigError for an owner or
    group that this host does not know.
    """
    files = _files(copy, lineage)
    date = f"{now.astimezone(UTC):{_DATE}}"
    with _explained(copy):
        if copy.to is not None:
            disk.make_directory(copy.to, _DIRECTORY)
        with _opened(copy) as at:
            _check_beside(copy, lineage, at)
            outdated = [file for file in files if not is_there(file, at)]
            replace(outdated, at, date, copy.keep)
            remove(_stale(copy, lineage, at), at, date, copy.keep)
        return tuple(file.path for file in outdated)


@contextmanager
def _opened(copy: CopyConfig) -> Iterator[dict[Path, int]]:
    """The directories of ``copy``, each with its descriptor."""
    directories = {path.parent for path in single(copy).values()} if copy.to is None else {copy.to}
    with ExitStack() as held:
        yield {directory: held.enter_context(disk.opened(directory)) for directory in directories}


def _files(copy: CopyConfig, lineage: Lineage) -> list[File]:
    """All files of ``copy``, in the order in which they are to change."""
    paths = single(copy) if copy.to is None else {what: copy.to / file for what, file in _FILES.items()}
    if not lineage.has_key:
        _check_keyless(copy, lineage)
        paths = {what: path for what, path in paths.items() if what not in _SECRET}
    table = f"[[certificates.{written_key(lineage.name)}.copies]]"
    uid, gid = Access(copy.owner, copy.group, table=table).numbers()
    return [
        File(
            path,
            # A daemon that reads a whole directory, as Prosody does, must not find an older certificate in it.
            path.name if copy.to is None else f".{path.name}",
            lineage.file(_FILES[what]),
            copy.mode if what in _SECRET else PUBLIC_FILE,
            uid,
            gid,
        )
        for what, path in paths.items()
    ]


def _stale(copy: CopyConfig, lineage: Lineage, at: dict[Path, int]) -> list[File]:
    """The files with an older key of ours, where the live certificate's is elsewhere: no daemon may take both.

    A key that was never ours is left: it may be the one for which the certificate was asked for.
    """
    if copy.to is None or lineage.request is None or lineage.has_key:
        return []
    wanted = (_stale_file(copy.to / _FILES[what], lineage, at) for what in _SECRET)
    return [file for file in wanted if file is not None]


def _stale_file(path: Path, lineage: Lineage, at: dict[Path, int]) -> File | None:
    """What stands at ``path``, if it is of one of the lineage's older certificates."""
    for older in sorted(lineage.archive.parent.glob(f"*/{path.name}")):
        file = File(path, f".{path.name}", older.read_bytes(), -1)
        with suppress(IsADirectoryError):
            if is_there(file, at):
                return file
    return None


def _check_keyless(copy: CopyConfig, lineage: Lineage) -> None:
    wanted = next((path for what, path in single(copy).items() if what in _SECRET), None)
    if wanted is not None:
        hint = "the key is where its request was made; leave key and combined out of these copies"
        raise StoreError(f"{wanted}: {lineage.name} has no key here to copy", path=str(wanted), hint=hint)


def _check_beside(copy: CopyConfig, lineage: Lineage, at: dict[Path, int]) -> None:
    """Raise StoreError where a key would stand beside another client's certificate that is not its own.

    It is not removed: by now nobody can tell whether it was copied there, or by whom.
    """
    if copy.to is None or lineage.has_key or lineage.request is not None:
        return
    for path in (copy.to / _FILES[what] for what in _SECRET):
        with suppress(IsADirectoryError, PemInvalid):  # it is no key then
            there = content(File(path, "", b"", -1), at)
            if there is not None and not keys.matches(there.decode("utf-8", "replace"), lineage.fullchain):
                told = f"{path}: it is not the key of the new certificate, whose own is not in {lineage.path}"
                hint = "take that file away, or put the key there that the certificate was requested for"
                raise StoreError(told, path=str(path), hint=hint)


@contextmanager
def _explained(copy: CopyConfig) -> Iterator[None]:
    """Turn an OSError inside into a StoreError that names the path and the way out."""
    try:
        yield
    except OSError as error:
        at = error.filename2 or error.filename
        named = os.fsdecode(at) if isinstance(at, str | bytes) else str(copy.to or next(iter(single(copy).values())))
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"{named}: {reason}", path=named, hint=_HINTS.get(error.errno or 0, "")) from error
