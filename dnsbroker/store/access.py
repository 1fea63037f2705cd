"""Who may read a certificate's private key: owner, group and mode as the configuration names them.

Names become numbers only when they are needed, so that a user made meanwhile is known.
"""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnsbroker.errors import ConfigError
from dnsbroker.store.disk import PRIVATE_FILE

#: More octets than a certificate takes with its key, chain and all their copies.
_ROOM = 128 * 1024


@dataclass(frozen=True)
class Access:
    """Of ``privkey.pem`` and ``combined.pem``; where no owner or group is named, they are whoever writes the files.

    ``table`` is where the configuration says so, for errors.
    """

    owner: str = ""
    group: str = ""
    mode: int = PRIVATE_FILE
    table: str = ""

    def is_private(self) -> bool:
        """Whether only the user who writes the files, and root, may read them."""
        return not (self.owner or self.group or self.mode & 0o077)

    def numbers(self) -> tuple[int, int]:
        """User and group number, -1 where none is named. Raises ConfigError where this host does not know one."""
        return (
            self._number("owner", self.owner, lambda name: pwd.getpwnam(name).pw_uid),
            self._number("group", self.group, lambda name: grp.getgrnam(name).gr_gid),
        )

    def probe(self, directory: Path) -> None:
        """Try on a nameless file in ``directory`` what a certificate's files will need: room, owner and group.

        Raises ConfigError where this process may not give files away like that, OSError for whatever else is wrong.
        """
        uid, gid = self.numbers()
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_ROOM))
            file.flush()
            try:
                os.fchown(file.fileno(), uid, gid)
            except OSError as error:
                key, name = ("owner", self.owner) if self.owner else ("group", self.group)
                raise ConfigError(
                    f"this user may not give files to {name}: {(error.strerror or str(error)).lower()}",
                    key=self._key(key),
                    hint="run it as root, or name a group that the user who runs it is a member of",
                ) from error

    def _key(self, name: str) -> str:
        return f"{self.table} {name}".strip()

    def _number(self, key: str, name: str, look_up: Callable[[str], int]) -> int:
        if not name:
            return -1
        if name.isdecimal():
            return int(name)
        try:
            return look_up(name)
        except KeyError as error:
            kind, database = ("user", "passwd") if key == "owner" else ("group", "group")
            hint = f"`getent {database}` lists those of this host"
            raise ConfigError(f"no {kind} {name!r} on this host", key=self._key(key), hint=hint) from error
