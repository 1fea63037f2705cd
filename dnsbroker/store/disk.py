"""Files, directories and links with the permissions meant, whatever the umask, and on disk when a call returns.

No content is ever readable more widely than it is to be in the end. What the system says against it leaves here as
StoreError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dnsbroker.errors import StoreError

#: For a directory on the way to what others may read: they pass, and list nothing.
SEARCHABLE = 0o711
SEARCH_BITS = 0o011
PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600

#: An access control list as the kernel hands it out: a version, then tag, permission bits and number of each entry.
_ACCESS_LIST = "system.posix_acl_access"
_LIST_HEAD, _LIST_ENTRY = 4, "<HHI"
_NAMED_USER, _NAMED_GROUP = 0x02, 0x08

#: As many as the kernel follows (path_resolution(7)).
_MOST_LINKS = 40

_FULL = "make room on the disk that holds state_dir and run it again; what was live still is"
_DENIED = "run it as the user that owns state_dir, or set state_dir to a directory of this user"
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: "only root gives a file to another user or to a group that it is not in itself: run it as root, "
    "or name an owner and group of this user",
    errno.EROFS: "set state_dir to a directory on a file system that can be written",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError inside into a StoreError; ``path`` is named where the system names none."""
    try:
        yield
    except OSError as error:
        named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(path)
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"{named}: {reason}", path=named, hint=_HINTS.get(error.errno or 0, "")) from error


def sync_directory(path: Path) -> None:
    """Have the entries of the directory ``path`` on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    """The directory, open, for what is done in it: it stays this one, whatever becomes of its path meanwhile.

    No link on the way is followed but one of root's or ours: whoever may write there could lead us anywhere by it.
    Raises StoreError for another's, else OSError.
    """
    with ExitStack() as held:
        yield _reached(directory, held)


def _reached(directory: Path, held: ExitStack) -> int:
    left, here, links = [*reversed(directory.absolute().parts)], -1, 0
    try:
        while left:
            step = left.pop()
            found = held.enter_context(_descriptor(step, os.O_PATH | os.O_NOFOLLOW, here))
            facts = os.fstat(found)
            if not stat.S_ISLNK(facts.st_mode):
                here = found
                continue
            _check_link(directory, step, facts.st_uid)
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            left += reversed(Path(os.readlink("", dir_fd=found)).parts)
        return held.enter_context(_descriptor(".", os.O_RDONLY | os.O_DIRECTORY, here))
    except OSError as error:
        error.filename = str(directory)
        raise


@contextmanager
def _descriptor(name: str, flags: int, at: int) -> Iterator[int]:
    descriptor = os.open(name, flags | os.O_CLOEXEC, dir_fd=at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_link(directory: Path, step: str, uid: int) -> None:
    if uid not in (0, os.geteuid()):
        told = f"{directory}: {step} is a link of another user's (number {uid}), who could lead us anywhere by it"
        hint = "write the path to which it leads, or let root own the link (chown -h root)"
        raise StoreError(told, path=str(directory), hint=hint)


def make_directory(path: Path, mode: int) -> None:
    """Make the directory ``path`` with ``mode``, and with SEARCHABLE what is missing above it.

    One that exists stays as it is. Raises OSError, and StoreError as ``opened`` does.
    """
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent, SEARCHABLE)
    with opened(path.parent) as parent, suppress(FileExistsError):  # made by another process, meanwhile
        try:
            _make_below(parent, path.name, mode)
        except OSError as error:
            error.filename = str(path)  # the system knows only the last part of it
            raise


def make_state_directory(path: Path) -> None:
    """Make ``state_dir``, so that others can reach in it what is theirs. Raises StoreError."""
    with explained(path):
        make_directory(path, SEARCHABLE)


def _make_below(parent: int, name: str, mode: int) -> None:
    os.mkdir(name, PRIVATE_DIRECTORY, dir_fd=parent)
    with _descriptor(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, parent) as made:
        # What the parent hands down beside the permissions, as its set-group-id bit, is kept.
        os.fchmod(made, os.fstat(made).st_mode & 0o7000 | mode)
    os.fsync(parent)


def let_pass(path: Path) -> None:
    """Give the directory ``path`` the bits by which everybody may reach what they know in it. Raises OSError."""
    mode = path.stat().st_mode & 0o7777
    if mode & SEARCH_BITS != SEARCH_BITS:
        path.chmod(mode | SEARCH_BITS)


def make_private(path: Path) -> None:
    """Make the directory ``path``, and close it to others where it is there already. Raises OSError."""
    make_directory(path, PRIVATE_DIRECTORY)
    mode = path.stat().st_mode & 0o7777
    if mode & 0o077:
        path.chmod(mode & ~0o077)


def write_new(path: Path, content: str | bytes, mode: int, uid: int = -1, gid: int = -1, at: int | None = None) -> None:
    """Write a file that must not exist yet, for owner ``uid`` and group ``gid`` (-1: ours). Raises OSError.

    It is readable by us alone until it is whole. Its directory's default ACL holds: ``effective_mode``. ``at`` is an
    open directory from which ``path`` begins.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE_FILE, dir_fd=at)
    try:
        data = content.encode() if isinstance(content, str) else content
        while data:
            data = data[os.write(descriptor, data) :]
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, effective_mode(descriptor, mode))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def conform(path: Path, mode: int, uid: int = -1, gid: int = -1) -> bool:
    """Whether owner, group or mode of the file ``path`` had to be made these (-1: as it is). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        given = (uid if uid >= 0 else facts.st_uid, gid if gid >= 0 else facts.st_gid)
        wanted = effective_mode(descriptor, mode)
        if given == (facts.st_uid, facts.st_gid) and wanted == stat.S_IMODE(facts.st_mode):
            return False
        # Nobody new may read before the owner and the group are the right ones.
        os.fchmod(descriptor, wanted & stat.S_IMODE(facts.st_mode))
        os.fchown(descriptor, *given)
        os.fchmod(descriptor, wanted)
        os.fsync(descriptor)
        return True
    finally:
        os.close(descriptor)


def effective_mode(descriptor: int, mode: int) -> int:
    """The ``mode`` to give to this open file so that its access control list, where it has one, stays in force.

    With one, the group's bits of the mode are the mask over every named user and group (acl(5)): without a bit there,
    nobody named can read. The list alone then decides who may; where it lets nobody read, nothing is added.
    """
    return mode if mode & 0o070 or not _lets_named_read(descriptor) else mode | 0o040


def _lets_named_read(descriptor: int) -> bool:
    try:
        listed = os.getxattr(descriptor, _ACCESS_LIST)
    except OSError:
        return False  # none, or a file system that has none
    entries = struct.iter_unpack(_LIST_ENTRY, listed[_LIST_HEAD:])
    return any(tag in (_NAMED_USER, _NAMED_GROUP) and bits & 0o4 for tag, bits, _ in entries)


def replace(path: Path, text: str) -> None:
    """Put a file that only we may read in the place of ``path``; nobody else may do so meanwhile. Raises OSError.

    Written beside, synced, renamed: a reader sees the old one whole or the new one whole.
    """
    new = beside(path)
    try:
        write_new(new, text, PRIVATE_FILE)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    sync_directory(path.parent)


def point(link: Path, target: str) -> None:
    """Make ``link`` a symbolic link to ``target``, in one rename; nobody else may do so meanwhile. Raises OSError."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    new = beside(link)
    new.symlink_to(target)
    new.replace(link)


def beside(path: Path, at: int | None = None) -> Path:
    """The name under which what is to stand at ``path`` is made; what a killed run left there is gone.

    ``at`` is an open directory from which ``path`` begins.
    """
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        os.unlink(new, dir_fd=at)
    return new


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes and threads that ask for the same out of ``directory``; waits. Raises OSError.

    The lock is flock(2) on the directory itself, so that it leaves no file and dies with the process.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
