"""Postfix, Dovecot and Exim; the first and the last from packages that are unpacked and not installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pages
from daemons import one_user
from daemons.daemon import Daemon
from lab.processes import LabError, with_environment

#: Its variant that does not insist on fakeroot's daemon, which would remember owners; the loader knows what $LIB is.
FAKEROOT = "/usr/$LIB/libfakeroot/libfakeroot-sysv.so"
UNPACKED = pages.ROOT / "build" / "unpacked"
_SMTP = ("-starttls", "smtp")

_QUEUE = ("pid", "private", "public", "active", "incoming", "maildrop")
_MASTER = """\
smtp inet n - n - - smtpd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
postlog unix-dgram n - n - 1 postlogd
"""


def unpacked(package: str, path: str) -> Path:
    """A file or directory of an unpacked package; LabError if it is not there."""
    found = UNPACKED / package / path
    if not found.exists():
        raise LabError(f"{found} is not there: run tests/rig/install-packages")
    return found


class Postfix(Daemon):
    """Postfix: its master, and what of it TLS needs.

    It insists on two users, root and its own, and here is but one: fakeroot's library lets every change of user
    succeed, and nobody is changed. So the key is read by the root that reads it elsewhere, too.
    """

    header, language, unit, user, tls_port, client = "Postfix", "ini", "postfix", "postfix", 25, _SMTP
    file_name = "main.cf"

    def write_files(self) -> None:
        """Its own directories and master.cf besides."""
        super().write_files()
        for name in _QUEUE:
            (self.directory / "queue" / name).mkdir(parents=True)
        (self.directory / "data").mkdir()
        (self.directory / "master.cf").write_text(_MASTER)

    def configuration(self) -> str:
        """Where everything is, and no tables to look anything up in."""
        own = {
            "compatibility_level": "3.6",
            "queue_directory": self.directory / "queue",
            "data_directory": self.directory / "data",
            "daemon_directory": unpacked("postfix", "usr/lib/postfix/sbin"),
            "shlib_directory": unpacked("postfix", "usr/lib/postfix"),
            "meta_directory": unpacked("postfix", "etc/postfix"),
            "maillog_file": self.directory / "mail.log",
            "maillog_file_prefixes": "/",
            "import_environment": "MAIL_CONFIG, MAIL_LOGTAG, TZ, LD_LIBRARY_PATH, LD_PRELOAD",
            "myhostname": "mail.example",
            "smtpd_relay_restrictions": "reject",
            "alias_maps": "",
            "local_recipient_maps": "",
        }
        return "".join(f"{name} = {value}\n" for name, value in own.items()) + self.recipe.lines

    def program(self) -> Sequence[str | Path]:
        """Its master in the foreground."""
        libraries = {
            "LD_LIBRARY_PATH": str(unpacked("postfix", "usr/lib/postfix")),
            "LD_PRELOAD": FAKEROOT,
        }
        master = unpacked("postfix", "usr/lib/postfix/sbin/master")
        return with_environment(libraries, [master, "-d", "-c", self.directory])

    def command(self) -> Sequence[str | Path]:
        """As root, as far as anybody can tell."""
        return one_user.with_users(self.program())


class Dovecot(Daemon):
    """Dovecot, all of it as the user that it calls its internal one, so without chroots; nobody can log in."""

    header, language, unit, user, tls_port = "Dovecot", "ini", "dovecot", "dovecot", 993

    def configuration(self) -> str:
        """One user for all its services, and a list of accounts that is empty."""
        services = "".join(f"service {name} {{\nchroot =\n}}\n" for name in ("imap-login", "anvil", "stats"))
        return f"""\
base_dir = {self.directory}/run
state_dir = {self.directory}/run
log_path = /dev/stderr
listen = *
protocols = imap
default_internal_user = {self.user}
default_internal_group = {self.user}
default_login_user = {self.user}
passdb {{
driver = static
args = nopassword=n allow_nets=local
}}
{services}{self.recipe.lines}"""

    def program(self) -> Sequence[str | Path]:
        """In the foreground, by its configuration."""
        return ["dovecot", "-F", "-c", self.file]


class Exim(Daemon):
    """Exim as Debian-exim from the beginning; it refuses every recipient.

    The key is this user's own here, so the recipe's group and mode are not what lets Exim read it.
    """

    header, language, unit, user, tls_port, client = "Exim", "exim", "exim4", "Debian-exim", 25, _SMTP
    notices = restarts = True

    def configuration(self) -> str:
        """Its files, and no look-ups; ``exim_path`` is what it starts anew when it is reloaded."""
        return f"""\
exim_path = {self._exim}
spool_directory = {self.directory}/spool
log_file_path = {self.directory}/exim-%s.log
pid_file_path = {self.directory}/exim.pid
primary_hostname = mail.example
local_interfaces = 0.0.0.0
keep_environment =
host_lookup =
{self.recipe.lines}"""

    @property
    def _exim(self) -> Path:
        return unpacked("exim4-daemon-light", "usr/sbin/exim4")

    def program(self) -> Sequence[str | Path]:
        """In the foreground, by its configuration."""
        return [self._exim, "-bdf", "-C", self.file]
