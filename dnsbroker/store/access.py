"""Who may read a certificate's private key: owner, group and mode as the configuration names them.

Names become numbers only when they are needed, so that a user made meanwhile is known.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from dataclasses import dataclass

from dnsbroker.errors import ConfigError
from dnsbroker.store.disk import PRIVATE_FILE


@dataclass(frozen=True)
class Access:
    """Of ``privkey.pem`` and ``combined.pem``; where no owner or group is named, they are whoever writes the files."""

    owner: str = ""
    group: str = ""
    mode: int = PRIVATE_FILE

    def is_private(self) -> bool:
        """Whether only the user who writes the files, and root, may read them."""
        return not (self.owner or self.group or self.mode & 0o077)

    def numbers(self) -> tuple[int, int]:
        """User and group number, -1 where none is named. Raises ConfigError where this host does not know one."""
        return (
            _number("owner", self.owner, lambda name: pwd.getpwnam(name).pw_uid),
            _number("group", self.group, lambda name: grp.getgrnam(name).gr_gid),
        )


def _number(key: str, name: str, look_up: Callable[[str], int]) -> int:
    if not name:
        return -1
    if name.isdecimal():
        return int(name)
    try:
        return look_up(name)
    except KeyError as error:
        kind = {"owner": "user", "group": "group"}[key]
        hint = f"`getent {'passwd' if key == 'owner' else 'group'}` lists those of this host"
        raise ConfigError(f"no {kind} {name!r} on this host", key=key, hint=hint) from error
