"""Writing a certificate: complete and synced below ``archive/`` first, then live through one rename.

The caller holds the lock on ``archive/NAME``. What a killed run left here is never live, and is written anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import PemInvalid
from dnsbroker.store import disk

#: The files of a certificate; the first two hold the private key.
FILES = ("privkey.pem", "combined.pem", "cert.pem", "chain.pem", "fullchain.pem")
SECRET_FILES = FILES[:2]
#: The inner link, through which every file of ``live/NAME`` is reached.
CURRENT = "current"

_PUBLIC_FILE = 0o644


def contents(key_pem: str, chain_pem: str) -> dict[str, str]:
    """The text of each of FILES. Raises PemInvalid for a chain that is none, or a key that is not its leaf's."""
    chain = keys.read_chain(chain_pem)
    if not keys.matches(key_pem, chain[0]):
        raise PemInvalid("certificate", "it is for another key than the one it was asked for")
    fullchain = "".join(chain)
    return {
        "privkey.pem": key_pem,
        "combined.pem": key_pem + fullchain,
        "cert.pem": chain[0],
        "chain.pem": "".join(chain[1:]),
        "fullchain.pem": fullchain,
    }


def fill(archive: Path, texts: Mapping[str, str], mode: int, uid: int, gid: int) -> None:
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
                disk.write_new(archive / file, text, _PUBLIC_FILE)
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
    """Let ``live/NAME`` lead to ``archive/NAME/SERIAL``, all files at once. Raises OSError."""
    for file in FILES:
        disk.point(live / file, f"{CURRENT}/{file}")
    disk.point(live / CURRENT, f"../../archive/{live.name}/{serial}")
    disk.sync_directory(live)
