"""A certificate's files once more, for a daemon that wants files of its own.

Rule: all files of a set are complete beside their places before the first one changes, and then change one right after
the other, each in one rename. What is right already is not touched; what stands at a place is replaced, not followed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dnsbroker.config.certificate import CopyConfig
from dnsbroker.config.toml import written_key
from dnsbroker.deploying.steps import single
from dnsbroker.errors import BrokerError, StoreError
from dnsbroker.store import Access, Lineage, disk
from dnsbroker.store.archive import PUBLIC_FILE

#: Of a directory that is made for copies: its daemon may list it, for some look for what they know by its ending.
_DIRECTORY = 0o755
_DATE = "%Y%m%dT%H%M%SZ"
_DATED = re.compile(r"\.\d{8}T\d{6}Z")
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
}  # fmt: skip


@dataclass(frozen=True)
class _File:
    """One file as it is to be; ``uid`` and ``gid`` are -1 where nothing is said. ``older`` names what it replaces."""

    path: Path
    older: Path
    content: bytes
    mode: int
    uid: int
    gid: int


def are_current(copy: CopyConfig, lineage: Lineage) -> bool:
    """Whether every file is there as it is to be. What cannot be read or written is not; raises nothing of that."""
    try:
        return not _outdated(_files(copy, lineage))
    except (OSError, BrokerError):
        return False


def make(copy: CopyConfig, lineage: Lineage, now: datetime) -> tuple[Path, ...]:
    """Bring the files of ``copy`` to what they are to be; those that were not. ``now`` (aware) dates older copies.

    Raises StoreError, and nothing has changed, unless the disk fails between two renames; ConfigError for an owner or
    group that this host does not know.
    """
    files = _files(copy, lineage)
    with _explained(copy):
        if copy.to is not None:
            _make_directory(copy.to, files)
        outdated = _outdated(files)
        _replace(outdated, f"{now.astimezone(UTC):{_DATE}}", copy.keep)
        return tuple(file.path for file in outdated)


def _files(copy: CopyConfig, lineage: Lineage) -> list[_File]:
    """All files of ``copy``, in the order in which they are to change."""
    paths = single(copy) if copy.to is None else {what: copy.to / file for what, file in _FILES.items()}
    if not lineage.has_key:
        _check_keyless(copy, lineage)
        paths = {what: path for what, path in paths.items() if what not in _SECRET}
    table = f"[[certificates.{written_key(lineage.name)}.copies]]"
    uid, gid = Access(copy.owner, copy.group, table=table).numbers()
    return [
        _File(
            path,
            # A daemon that reads a whole directory, as Prosody does, must not find an older certificate in it.
            path if copy.to is None else path.with_name(f".{path.name}"),
            _content(lineage, what),
            copy.mode if what in _SECRET else PUBLIC_FILE,
            uid,
            gid,
        )
        for what, path in paths.items()
    ]


def _check_keyless(copy: CopyConfig, lineage: Lineage) -> None:
    wanted = next((path for what, path in single(copy).items() if what in _SECRET), None)
    if wanted is not None:
        hint = "the key is where its request was made; leave key and combined out of these copies"
        raise StoreError(f"{wanted}: {lineage.name} has no key here to copy", path=str(wanted), hint=hint)


def _content(lineage: Lineage, what: str) -> bytes:
    path = lineage.archive / _FILES[what]
    with disk.explained(path):
        return path.read_bytes()


def _make_directory(directory: Path, files: Sequence[_File]) -> None:
    """Make the directory, for the owner of the copies; one that is there is a person's affair."""
    if directory.is_dir():
        return
    disk.make_directory(directory, _DIRECTORY)
    os.chown(directory, files[0].uid, files[0].gid)


def _outdated(files: Sequence[_File]) -> list[_File]:
    return [file for file in files if not _is_there(file)]


def _is_there(file: _File) -> bool:
    """Whether the file is as it is to be. Nothing but a regular file is read: a pipe would hold us up."""
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return False
        raise
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file.path))
        has_facts = (
            stat.S_ISREG(facts.st_mode)
            and stat.S_IMODE(facts.st_mode) == disk.effective_mode(descriptor, file.mode)
            and file.uid in (-1, facts.st_uid)
            and file.gid in (-1, facts.st_gid)
        )
        # One octet more, so that a longer file is another one.
        return has_facts and os.read(descriptor, len(file.content) + 1) == file.content
    finally:
        os.close(descriptor)


def _replace(files: Sequence[_File], date: str, keep: int) -> None:
    beside = {file: disk.beside(file.path) for file in files}
    try:
        for file, new in beside.items():
            disk.write_new(new, file.content, file.mode, file.uid, file.gid)
        for file in files:
            _set_aside(file, date, keep)
        for file, new in beside.items():
            new.replace(file.path)
    finally:
        for new in beside.values():
            with suppress(OSError):
                new.unlink()
    for directory in {file.path.parent for file in files}:
        disk.sync_directory(directory)


def _set_aside(file: _File, date: str, keep: int) -> None:
    """Keep what ``file`` is about to replace, with the ``date`` in its name, and no more of those than ``keep``."""
    path, older = file.path, file.older
    if keep and path.is_file() and not path.is_symlink() and path.read_bytes() != file.content:
        with suppress(FileExistsError):  # the second one within a second
            os.link(path, older.with_name(f"{older.name}.{date}"), follow_symlinks=False)
    dated = sorted(other for other in path.parent.glob("*") if _is_dated(other, older))
    for old in dated[: max(0, len(dated) - keep)]:
        old.unlink()


def _is_dated(other: Path, path: Path) -> bool:
    return other.name.startswith(path.name) and _DATED.fullmatch(other.name, len(path.name)) is not None


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
