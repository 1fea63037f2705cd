"""Writing a certificate: complete and synced below ``archive/`` first, then live through one rename.

The caller holds the lock on ``archive/NAME``. What a killed run left here is never live, and is written anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import PemInvalid
from dnsbroker.store import disk

#: The files of a certificate; the first two hold the private key.
FILES = ("privkey.pem", "combined.pem", "cert.pem", "chain.pem", "fullchain.pem")
SECRET_FILES = FILES[:2]
#: The inner link, through which every file of ``live/NAME`` is reached.
CURRENT = "current"

#: The request that somebody brought, in DER; kept for the renewals of a certificate whose key is not here.
REQUEST = "request.der"

PUBLIC_FILE = 0o644
#: As many older certificates as certbot keeps, and whatever may still be served from somewhere for a while.
KEPT = 5
_YOUNG = 30 * 86400.0

_SERIAL = re.compile("[0-9a-f]+")


def contents(key_pem: str | None, chain_pem: str, request: bytes | None = None) -> dict[str, str | bytes]:
    """What goes into each of FILES; without a key those that hold it are left out.

    Raises PemInvalid for a chain that is none, or one whose leaf is not for the key, or that of the ``request`` (DER).
    """
    chain = keys.read_chain(chain_pem)
    if key_pem is not None and not keys.matches(key_pem, chain[0]):
        raise PemInvalid("certificate", "it is for another key than the one it was asked for")
    if request is not None and not keys.request_matches(request, chain[0]):
        raise PemInvalid("certificate", "it is for another key than that of the request")
    fullchain = "".join(chain)
    secret = {"privkey.pem": key_pem, "combined.pem": key_pem + fullchain} if key_pem is not None else {}
    return {
        **secret,
        "cert.pem": chain[0],
        "chain.pem": "".join(chain[1:]),
        "fullchain.pem": fullchain,
        **({REQUEST: request} if request is not None else {}),
    }


def fill(archive: Path, texts: Mapping[str, str | bytes], mode: int, uid: int, gid: int) -> None:
    """Write ``texts`` into the new directory ``archive``; it is not there after an error. Raises OSError.

    Those with the key get owner, group (-1: ours) and ``mode``. Files are created in their place, so that they inherit
    default ACLs and SELinux types from it.
    """
    if archive.exists():
        shutil.rmtree(archive)
    disk.make_directory(archive, disk.SEARCHABLE)
    try:
        for file, text in texts.items():
            if file in SECRET_FILES:
                disk.write_new(archive / file, text, mode, uid, gid)
            else:
                disk.write_new(archive / file, text, PUBLIC_FILE)
        disk.sync_directory(archive)
    except BaseException:
        shutil.rmtree(archive, ignore_errors=True)
        raise


def live_serial(live: Path) -> str:
    """The serial number that the inner link of ``live/NAME`` leads to, empty where there is none. Raises OSError."""
    try:
        return Path(os.readlink(live / CURRENT)).name
    except FileNotFoundError:
        return ""


def make_live(live: Path, serial: str) -> None:
    """Let ``live/NAME`` lead to ``archive/NAME/SERIAL``, all files at once. Raises OSError.

    There is no link for a file that this certificate does not have, once it is live.
    """
    archive = live.parent.parent / "archive" / live.name / serial
    there = [file for file in FILES if (archive / file).exists()]
    for file in there:
        disk.point(live / file, f"{CURRENT}/{file}")
    disk.point(live / CURRENT, f"../../archive/{live.name}/{serial}")
    for file in set(FILES) - set(there):
        (live / file).unlink(missing_ok=True)
    disk.sync_directory(live)


def prune(directory: Path, live: str, before: str = "") -> None:
    """Remove old certificates from ``archive/NAME``: never the serial number ``live``, nor the one that was so before.

    KEPT others than the live one stay, the newest ones, and all that were written within thirty days before the last
    one; and what cannot be removed, for too many old ones are no reason to fail with a new one.
    """
    with suppress(OSError):
        _prune(directory, live, before)


def _prune(directory: Path, live: str, before: str) -> None:
    written = {path: path.stat().st_mtime for path in directory.iterdir() if _is_archive(path)}
    others = [path for path in written if path.name != live]
    others.sort(key=lambda path: (path.name == before, written[path]), reverse=True)
    for path in others[KEPT:]:
        if written[path] < max(written.values()) - _YOUNG:
            shutil.rmtree(path)


def _is_archive(path: Path) -> bool:
    """Whether ``path`` is one certificate's; what a person put beside them is not ours to remove."""
    return _SERIAL.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()
