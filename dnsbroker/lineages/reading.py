"""A certificate that another client keeps, read as it stands at this moment.

Rule: what a certificate is for is told by the certificate, never by the key beside it, which may be of a failed or a
future renewal. While the client changes its files they may not fit each other; so they are looked at again a few times
before that is believed. Refused: what lies outside of the client's own tree, and another user's file in it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnsbroker import keys
from dnsbroker.clock import pause as paused
from dnsbroker.errors import ConfigError, PemInvalid
from dnsbroker.lineages.layouts import Layout, layout
from dnsbroker.lineages.tree import Tree, unreadable
from dnsbroker.store import disk

if TYPE_CHECKING:
    from dnsbroker.keys import Leaf

#: Seconds between looks at files that do not fit each other: a client's renames are over long before the last one.
PAUSES = (0.05, 0.1, 0.2)
#: dehydrated's names, with the moment of the attempt.
_STAMPED = re.compile(r"(fullchain|privkey)-([0-9]+)\.pem")
#: Octets; no chain is longer.
_LONGEST = 1 << 20

Pause = Callable[[float], None]


@dataclass(frozen=True)
class Reading:
    """What ``client`` keeps in ``directory`` (a real path): a chain, leaf first, and the key where it is there.

    ``trouble`` is why there is no key for this certificate where there should be one, and ``hint`` what to do about it;
    ``key_pem`` is empty then.
    """

    client: str
    directory: Path
    fullchain: str = field(repr=False)
    leaf: Leaf
    key: Path
    key_pem: str = field(default="", repr=False)
    trouble: str = ""
    hint: str = ""

    @property
    def public_key(self) -> bytes:
        """What it certifies: the SubjectPublicKeyInfo in DER, as TLSA records see it."""
        return keys.public_key_in(self.fullchain)


def read(path: Path, pause: Pause = paused) -> Reading | None:
    """The certificate in the directory ``path``; None where there is none yet.

    Raises ConfigError where a file is damaged, cannot be read or lies elsewhere, StoreError where a link on the way is
    another user's.
    """
    for seconds in PAUSES:
        try:
            found = _read(path)
        except ConfigError:
            found = None
        if found is not None and found.key_pem:
            return found
        if found is None and _place(path) is None:
            return None
        pause(seconds)
    return _read(path)


def is_damaged(path: Path) -> bool:
    """Whether what stands in ``path`` is no certificate for anybody, so that none can be served from there.

    Raises ConfigError, StoreError where that cannot be seen from here.
    """
    place = _place(path)
    if place is None:
        return False
    try:
        os.stat(place.layout.chain)
        _chain(place)
    except (FileNotFoundError, PemInvalid):
        return True
    except (OSError, ConfigError):
        return False
    return False


def next_public_keys(path: Path) -> tuple[bytes, ...]:
    """The public keys (SubjectPublicKeyInfo, DER) that the next certificate in ``path`` may have, as files there tell.

    Those of the file for the next key, and of the key file where it is not the present certificate's: a renewal that
    failed may have put it there. Without the present one's. Raises ConfigError, StoreError, as ``read``.
    """
    place = _place(path)
    if place is None:
        return ()
    present = _read_at(place)
    files = [file for file in (place.layout.key, place.layout.next_key) if file is not None and os.path.lexists(file)]
    found = dict.fromkeys(_public_key(place, file) for file in files)
    return tuple(key for key in found if key != present.public_key)


def ordered_public_key(path: Path) -> bytes:
    """The public key (SubjectPublicKeyInfo, DER) of dehydrated's latest order that has not gone live in ``path``.

    It may be under way; the key stands in no place of a next one then. Empty where there is none. Raises ConfigError,
    StoreError, as ``read``.
    """
    place = _place(path)
    file = _latest(place, "privkey") if place is not None else None
    return _public_key(place, file) if place is not None and file is not None else b""


def refused_chain(path: Path) -> str:
    """The chain, leaf first, that dehydrated has obtained since the one that is live in ``path``, and did not take.

    A hook told it so, and its key is used up by then; but the next chain may come from the same CA. Empty where there
    is none, or it is cut off. Raises ConfigError, StoreError, as ``read``.
    """
    place = _place(path)
    file = _latest(place, "fullchain") if place is not None else None
    try:
        return "".join(keys.read_chain(place.text(file))) if place is not None and file is not None else ""
    except PemInvalid:
        return ""


def _latest(place: _Place, kind: str) -> Path | None:
    """The newest file of that ``kind`` which dehydrated made after the live chain; None where there is none."""
    chain = place.layout.chain
    if place.layout.client != "dehydrated" or not chain.is_symlink():
        return None
    live = _STAMPED.fullmatch(os.path.basename(os.readlink(chain)))
    found = [name for name in map(_STAMPED.fullmatch, os.listdir(place.directory)) if name and name[1] == kind]
    newest = max(found, key=lambda name: int(name[2]), default=None)
    if live is None or newest is None or int(newest[2]) <= int(live[2]):
        return None
    return place.directory / newest[0]


@dataclass(frozen=True)
class _Place:
    """A directory with its layout, and the user who owns it."""

    directory: Path
    layout: Layout
    owner: int

    def text(self, path: Path) -> str:
        """The text of a file of the client's. Raises ConfigError."""
        real = Tree(self.layout.root).real(path)
        try:
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._check(path, os.fstat(descriptor))
                return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unreadable(path, error) from error

    def _check(self, path: Path, facts: os.stat_result) -> None:
        """Raise ConfigError for what a user other than root or us could have put there, and could not read himself."""
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError("is no file", path=str(path), hint=f"ls -l {path} shows what it is")
        if self.owner not in (0, os.geteuid()) and facts.st_uid != self.owner:
            told = f"belongs to another user (number {facts.st_uid}) than its directory (number {self.owner})"
            raise ConfigError(told, path=str(path), hint=f"give the file to the directory's owner: chown {self.owner}")


def _place(path: Path) -> _Place | None:
    """Where ``path`` leads; None where no certificate is kept. Raises ConfigError, StoreError."""
    try:
        with disk.opened(path) as descriptor:
            owner = os.fstat(descriptor).st_uid
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.isfile(path):
            hint = f"name the directory that it is in: {path.parent}"
            raise ConfigError("is a file, not the directory of a certificate", path=str(path), hint=hint) from error
        raise unreadable(path, error) from error
    directory = Path(os.path.realpath(path))
    found = layout(directory)
    return _Place(directory, found, owner) if found is not None else None


def _read(path: Path) -> Reading | None:
    place = _place(path)
    return _read_at(place) if place is not None else None


def _read_at(place: _Place) -> Reading:
    files = place.layout
    try:
        fullchain, leaf = _chain(place)
    except PemInvalid as error:
        raise ConfigError(error.message, path=str(files.chain), hint=_again(files.client)) from error
    key_pem, trouble, hint = _key(place, fullchain)
    return Reading(files.client, place.directory, fullchain, leaf, files.key, key_pem, trouble, hint)


def _chain(place: _Place) -> tuple[str, Leaf]:
    fullchain = "".join(keys.read_chain(place.text(place.layout.chain)))
    return fullchain, keys.describe(fullchain)


def _key(place: _Place, fullchain: str) -> tuple[str, str, str]:
    """The certificate's key; or why there is none where there should be, and what to do."""
    files = place.layout
    if files.takes_requests and not os.path.lexists(files.key):
        return "", "", ""
    try:
        key_pem = place.text(files.key)
        fits = keys.matches(key_pem, fullchain)
    except (ConfigError, PemInvalid) as error:
        return "", error.message, error.hint or _again(files.client)
    if fits:
        return key_pem, "", ""
    told = "it is not the key of the certificate beside it: a renewal may have failed, or is under way"
    return "", told, f"run {files.client} again, and look at what it says"


def _public_key(place: _Place, file: Path) -> bytes:
    try:
        return keys.public_key_of(place.text(file))
    except PemInvalid as error:
        raise ConfigError(error.message, path=str(file), hint=error.hint or _again(place.layout.client)) from error


def _again(client: str) -> str:
    return f"let {client} obtain that certificate anew"
