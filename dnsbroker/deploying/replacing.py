"""Files replaced as one, in directories that are open already, so that none of them can be changed for another.

Rule: all are complete beside their places before the first one changes, and then change one right after the other, each
in one rename. What stands at a place is replaced, not followed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.store import disk

_DATED = re.compile(r"\.\d{8}T\d{6}Z")

#: Octets; no key with its chain is longer.
_LONGEST_KEY = 1 << 20

#: A file system without hard links, or with as many as it takes; or a kernel that allows them for own files only.
_NO_LINK = (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class File:
    """One file as it is to be, -1 where nothing is said; ``older`` is how the names of those it replaced begin."""

    path: Path
    older: str
    content: bytes
    mode: int
    uid: int = -1
    gid: int = -1


#: The directories of files, each with its descriptor.
Opened = Mapping[Path, int]


def is_there(file: File, at: Opened) -> bool:
    """Whether the file is as it is to be. Raises OSError, as where it is a directory."""
    with _named(file):
        descriptor = _regular(file, at)
        if descriptor is None:
            return False
        try:
            facts = os.fstat(descriptor)
            has_facts = (
                (file.mode < 0 or stat.S_IMODE(facts.st_mode) == disk.effective_mode(descriptor, file.mode))
                and file.uid in (-1, facts.st_uid)
                and file.gid in (-1, facts.st_gid)
            )
            # One octet more, so that a longer file is another one.
            return has_facts and os.read(descriptor, len(file.content) + 1) == file.content
        finally:
            os.close(descriptor)


def _regular(file: File, at: Opened) -> int | None:
    """The file at the place, open, where it is a regular one; no other is read, for a pipe would hold us up."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file.path.name, flags, dir_fd=at[file.path.parent])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return None


def content(file: File, at: Opened) -> bytes | None:
    """What stands at the place of ``file``; None where no regular file does. Raises OSError."""
    with _named(file):
        descriptor = _regular(file, at)
        if descriptor is None:
            return None
        with open(descriptor, "rb") as there:
            return there.read(_LONGEST_KEY)


def replace(files: Sequence[File], at: Opened, date: str, keep: int) -> None:
    """Put ``files`` in their places; ``keep`` of what was at each stay beside it, under a ``date``. Raises OSError."""
    new: dict[File, Path] = {}
    try:
        for file in files:
            with _named(file):
                directory = at[file.path.parent]
                new[file] = disk.beside(Path(file.path.name), directory)
                disk.write_new(new[file], file.content, file.mode, file.uid, file.gid, directory)
        for file in files:
            with _named(file):
                _set_aside(file, at, date, keep, file.content)
        for file in files:
            with _named(file):
                _rename(new[file], file.path.name, at[file.path.parent])
    finally:
        for file, path in new.items():
            with suppress(OSError):
                os.unlink(path, dir_fd=at[file.path.parent])
    _sync(files, at)


def remove(files: Sequence[File], at: Opened, date: str, keep: int) -> None:
    """Take ``files`` away; ``keep`` of what was at each stay beside it, under a ``date``. Raises OSError."""
    for file in files:
        with _named(file):
            _set_aside(file, at, date, keep, b"")
            os.unlink(file.path.name, dir_fd=at[file.path.parent])
    _sync(files, at)


def _sync(files: Sequence[File], at: Opened) -> None:
    for directory in {file.path.parent for file in files}:
        os.fsync(at[directory])


def _set_aside(file: File, at: Opened, date: str, keep: int, coming: bytes) -> None:
    """Keep what is at the place of ``file``, unless it is what is ``coming``; no more of those than ``keep``."""
    directory = at[file.path.parent]
    if keep:
        _keep(file, at, f"{file.older}.{date}", coming)
    dated = sorted(name for name in os.listdir(directory) if _is_dated(name, file.older))
    for old in dated[: max(0, len(dated) - keep)]:
        os.unlink(old, dir_fd=directory)


def _keep(file: File, at: Opened, dated: str, coming: bytes) -> None:
    descriptor = _regular(file, at)
    if descriptor is None:
        return
    directory = at[file.path.parent]
    with open(descriptor, "rb") as old:
        content, facts = old.read(), os.fstat(descriptor)
    if content == coming:
        return
    try:
        with suppress(FileExistsError):  # the second one within a second
            os.link(file.path.name, dated, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _write_aside(file, directory, dated, content, facts)


def _write_aside(file: File, directory: int, dated: str, content: bytes, facts: os.stat_result) -> None:
    new = disk.beside(Path(f"{file.path.name}.old"), directory)
    # Where it is not ours to give away, it stays for us alone.
    with suppress(PermissionError):
        disk.write_new(new, content, stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, directory)
    _rename(new, dated, directory)


def _rename(source: Path, name: str, directory: int) -> None:
    os.rename(source, name, src_dir_fd=directory, dst_dir_fd=directory)


def _is_dated(name: str, older: str) -> bool:
    return name.startswith(older) and _DATED.fullmatch(name, len(older)) is not None


@contextmanager
def _named(file: File) -> Iterator[None]:
    """Let an OSError inside name a whole path, whatever it is that the system names."""
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str | os.PathLike) else file.path.name
        error.filename, error.filename2 = str(file.path.parent / name), None
        raise
