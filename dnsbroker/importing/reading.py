"""What is taken over from another client's files: live keys and chains, who may read them, and how old a key is.

Nothing is written, locked or changed.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dnsbroker import keys
from dnsbroker.errors import ConfigError, PemInvalid
from dnsbroker.importing.found import FoundPair
from dnsbroker.lineages import tree
from dnsbroker.lineages.tree import unreadable


def listed(path: Path, suffix: str = "") -> list[Path]:
    """What stands in the directory ``path`` and ends in ``suffix``, sorted; nothing where there is no such directory.

    Raises ConfigError where it cannot be listed.
    """
    try:
        return sorted(entry for entry in path.iterdir() if entry.name.endswith(suffix))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(path, error) from error


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn what is wrong with a key or certificate inside into a ConfigError that names the file."""
    try:
        yield
    except PemInvalid as error:
        hint = error.hint or "restore it from a copy, or issue that one anew"
        raise ConfigError(error.message, path=str(path), hint=hint) from error


class Tree(tree.Tree):
    """The directory that is another client's own, with what a certificate to be taken over needs."""

    def json(self, path: Path) -> dict[str, Any]:
        """The object in a JSON file. Raises ConfigError."""
        try:
            found = json.loads(self.text(path))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ConfigError("is no JSON object", path=str(path), hint="restore it from a copy")
        return found

    def pair(self, key: Path, chain: Path, others: list[Path]) -> FoundPair:
        """The live key and chain (leaf first); ``others`` are certificates that were live before, for the key's age.

        Raises ConfigError, also for a key that is encrypted or not the certificate's.
        """
        place = self.real(key)
        key_pem = keys.read_key(place)
        with named(chain):
            chain_pem = "".join(keys.read_chain(self.text(chain)))
            if not keys.matches(key_pem, chain_pem):
                raise PemInvalid("certificate", f"it is for another key than {key}")
        access = access_settings(place.stat(), os.geteuid(), os.getegid())
        return FoundPair(key_pem, chain_pem, self._key_created(chain_pem, others), access)

    def _key_created(self, chain_pem: str, others: list[Path]) -> datetime:
        """When the oldest certificate with the same key began; what cannot be read is of no account here."""
        live = keys.describe(chain_pem)
        moments = [live.not_before]
        for path in others:
            with suppress(ConfigError, PemInvalid):
                leaf = keys.describe(self.text(path))
                moments += [leaf.not_before] if leaf.spki_sha256 == live.spki_sha256 else []
        return min(moments)


def access_settings(status: os.stat_result, uid: int, gid: int) -> dict[str, object]:
    """The settings for a key with this owner, group and mode, where somebody set them; ``uid`` and ``gid`` are ours.

    Bits for everybody are not taken: where the older client wrote them, a closed directory stood before the key.
    """
    found: dict[str, object] = {}
    if status.st_uid not in (0, uid):
        found["owner"] = _name(lambda: pwd.getpwuid(status.st_uid).pw_name, status.st_uid)
    if status.st_mode & 0o040 and status.st_gid not in (0, gid):
        found["group"] = _name(lambda: grp.getgrgid(status.st_gid).gr_name, status.st_gid)
        found["mode"] = f"{status.st_mode & 0o660:04o}"
    return found


def _name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)
