"""What all the daemons have in common: a recipe's lines, put into the least configuration that they work in.

Rule: the lines of the page are a file of their own, which the rest includes or follows. Refused: ports and addresses
other than those that a recipe has.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from daemons import one_user, served
from daemons.recipe import Recipe, recipe
from lab.processes import Server

#: Where the lab's zones say that the web and mail host is; a daemon listens at every address.
ADDRESS = "127.0.0.100"


class Daemon(Server):
    """One daemon of Debian's as its recipe has it, in ``directory``; ``state`` is dnsbroker's state directory."""

    #: The recipe's header, the language of its lines, the unit, the user whom the daemon ends up as.
    header: ClassVar[str]
    language: ClassVar[str]
    unit: ClassVar[str]
    user: ClassVar[str]
    #: The port, and what OpenSSL's client is to be told to get a handshake there.
    tls_port: ClassVar[int]
    client: ClassVar[Sequence[str]] = ()
    #: The signal that the unit's ExecReload comes down to.
    reload_signal: ClassVar[str] = "HUP"
    #: What its configuration is called.
    file_name: ClassVar[str] = "daemon.conf"
    #: Whether it takes a new certificate without a reload, within seconds.
    notices: ClassVar[bool] = False
    #: Whether its reload starts it anew, so that it takes no connection for a moment.
    restarts: ClassVar[bool] = False

    def __init__(self, directory: Path, state: Path) -> None:
        super().__init__(self.unit, directory, address=ADDRESS, port=self.tls_port)
        self.recipe = self._recipe(state)

    def _recipe(self, state: Path) -> Recipe:
        return recipe(self.header, self.language, state)

    @abstractmethod
    def configuration(self) -> str:
        """What stands around the recipe's lines."""

    @abstractmethod
    def program(self) -> Sequence[str | Path]:
        """The daemon in the foreground; its configuration is ``self.file``."""

    @property
    def file(self) -> Path:
        """The daemon's configuration."""
        return self.directory / self.file_name

    def write_files(self) -> None:
        """The users, and the configuration."""
        one_user.free_ports()
        one_user.write_users(self.directory)
        self.file.write_text(self.configuration())

    def command(self) -> Sequence[str | Path]:
        """As the user of the daemon's, and without privileges."""
        return one_user.as_user(self.user, self.program())

    def is_ready(self) -> bool:
        """Whether it completes a handshake."""
        return self.served() != ""

    def served(self) -> str:
        """The serial number of the certificate that it serves, in lower-case hex; empty if it serves none."""
        return served.serial(self.address, self.port, self.client)

    @property
    def reload(self) -> str:
        """The shell command that reloads it."""
        return f"kill -{self.reload_signal} {self.process.pid}"
