"""Where each client keeps what belongs to one certificate: told by the files in its directory.

Names are taken as they are: a ``*`` in one is a star, never a pattern. Which file may lead where is for the reader.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """One certificate's files: its ``chain``, leaf first, its ``key``, and what may be there as its next one.

    ``root`` is the directory that is all the client's own. ``takes_requests``: whether the client may have asked for it
    by a request of somebody else's, who keeps the key.
    """

    client: str
    root: Path
    chain: Path
    key: Path
    next_key: Path | None = None
    takes_requests: bool = False


def layout(directory: Path) -> Layout | None:
    """How the files in ``directory``, a real path, are laid out; None where no client keeps a certificate there."""
    if os.path.lexists(directory / "fullchain.pem"):
        return _linked(directory)
    if os.path.lexists(directory / "fullchain.cer"):
        key = directory / f"{directory.name.removesuffix('_ecc')}.key"
        return Layout("acme.sh", directory, directory / "fullchain.cer", key, Path(f"{key}.next"))
    secret = directory.parent / "private" / directory.name
    if os.path.lexists(directory / "cert.pem") and secret.is_dir():
        return Layout("uacme", directory.parent, directory / "cert.pem", secret / "key.pem", secret / "newkey.pem")
    return None


def client_of(path: Path) -> str:
    """Who keeps a certificate in ``path``, for a person."""
    found = layout(Path(os.path.realpath(path)))
    return found.client if found is not None else "the client"


def _linked(directory: Path) -> Layout:
    """Of certbot or dehydrated, whose names are the same; certbot's links lead away to its archive."""
    chain, key = directory / "fullchain.pem", directory / "privkey.pem"
    target = os.readlink(chain) if chain.is_symlink() else ""
    if directory.parent.name == "live" or "/" in target:
        return Layout("certbot", directory.parent.parent, chain, key)
    return Layout("dehydrated", directory, chain, key, directory / "privkey.roll.pem", takes_requests=True)
