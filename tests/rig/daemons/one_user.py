"""Run a daemon as the one user that it would drop its privileges to, where only one user can be had.

In the lab's namespace there is root alone, and nobody can become anybody else. So a daemon is put into a namespace of
its own, in which this one user bears the number of the daemon's: it starts without privileges, as it would end up. What
root reads before it drops them is read by that user here. Users whom no package has made are added to the files that
the daemon finds in ``/etc``.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Sequence
from pathlib import Path

#: Users of packages that are not installed, and their number, which is their group's as well.
UNPACKED = {"Debian-exim": 64901, "postfix": 64902, "postdrop": 64903}
#: Below this, ports are root's; in the lab nobody's.
_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")

_WITH_USERS = 'mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"'


def free_ports() -> None:
    """Let every user of this network namespace listen on every port."""
    _PORTS.write_text("0")


def write_users(directory: Path) -> None:
    """Write ``passwd`` and ``group`` into ``directory``: this host's, and those of ``UNPACKED``."""
    known, groups = ({line.split(":")[0] for line in _lines(name)} for name in ("passwd", "group"))
    users = [f"{name}:x:{number}:{number}::/:/bin/false" for name, number in UNPACKED.items() if name not in known]
    further = [f"{name}:x:{number}:" for name, number in UNPACKED.items() if name not in groups]
    (directory / "passwd").write_text("\n".join([*_lines("passwd"), *users, ""]))
    (directory / "group").write_text("\n".join([*_lines("group"), *further, ""]))


def with_users(command: Sequence[str | Path]) -> list[str | Path]:
    """``command`` with the files of ``write_users`` in ``/etc``; it is run in their directory."""
    return ["unshare", "--mount", "sh", "-c", _WITH_USERS, "sh", *command]


def as_user(user: str, command: Sequence[str | Path]) -> list[str | Path]:
    """``command`` as ``user``, and nobody else; the same."""
    uid, gid = numbers(user)
    return with_users(["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", *command])


def numbers(user: str) -> tuple[int, int]:
    """The numbers of a user and its group."""
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return UNPACKED[user], UNPACKED[user]
    return found.pw_uid, grp.getgrgid(found.pw_gid).gr_gid


def _lines(name: str) -> list[str]:
    return (Path("/etc") / name).read_text().splitlines()
