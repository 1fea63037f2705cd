"""Who else can read a file that holds a secret, judged by the status of the opened file, and the command that mends it.

The owner, and one group where it is named, may; systemd's credentials are not judged here.
"""

from __future__ import annotations

import os
import shlex
import stat


def other_readers(status: os.stat_result, group: str) -> str:
    """Who beside the owner and ``group`` can read the file, in words; empty where nobody can."""
    if status.st_mode & stat.S_IROTH:
        return f"everybody (mode {_mode(status)})"
    if status.st_mode & stat.S_IRGRP and not (group and status.st_gid == group_id(group)):
        return f"group {group_name(status.st_gid)} (mode {_mode(status)})"
    return ""


def mending(path: str, status: os.stat_result, group: str) -> str:
    """The command after which nobody else can read the file; ``group`` keeps what it has."""
    quoted = shlex.quote(path)
    if group and status.st_mode & stat.S_IRGRP:
        return f"chgrp {shlex.quote(group)} {quoted} && chmod 640 {quoted}"
    return f"chmod 600 {quoted}"


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"


def group_id(name: str) -> int | None:
    """The number of group ``name``, which may be a number in text itself; None where there is none."""
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return int(name) if name.isascii() and name.isdigit() else None


def group_name(number: int) -> str:
    """The name of group ``number``, or the number where it has none."""
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def user_id(name: str) -> int | None:
    """The number of user ``name``, which may be a number in text itself; None where there is none."""
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return int(name) if name.isascii() and name.isdigit() else None
