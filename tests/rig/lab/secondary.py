"""What the lab asks of every make of secondary: to begin and to end serving a zone while it runs.

Rule: only what is the same for all; how a server is configured and told is its own module's. Refused: primary zones.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from lab.processes import Server


class Secondary(Server):
    """A secondary for ``zones``: name (no trailing dot) to the primary's address."""

    #: The order by which it reads its configuration again.
    reread: ClassVar[str]

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        address: str,
        port: int = 53,
        also_addresses: Sequence[str] = (),
        zones: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.also_addresses = tuple(also_addresses)
        self.zones = dict(zones or {})

    @abstractmethod
    def control(self, *arguments: str) -> str:
        """What the server's own control program prints for ``arguments``; LabError if it fails."""

    def follow(self, zone: str, primary: str) -> None:
        """Become a secondary for one more zone."""
        self.zones[zone] = primary
        self._reconfigure()

    def unfollow(self, zone: str) -> None:
        """Serve a zone no longer."""
        del self.zones[zone]
        self._reconfigure()

    def _reconfigure(self) -> None:
        if self.directory.exists():
            self.write_files()
        if self.is_running:
            self.control(self.reread)
