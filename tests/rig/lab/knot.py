"""Knot DNS as a secondary.

Rule: its own defaults stay. Refused: primary zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import wire
from lab.processes import Server, run


class Knot(Server):
    """A knotd that is a secondary for ``zones``: name (no trailing dot) to the primary's address."""

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.22",
        port: int = 53,
        also_addresses: Sequence[str] = (),
        zones: Mapping[str, str] | None = None,
        name: str = "knot",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.also_addresses = tuple(also_addresses)
        self.zones = dict(zones or {})

    def write_files(self) -> None:
        """The configuration."""
        listen = ", ".join(f'"{one}@{self.port}"' for one in (self.address, *self.also_addresses))
        remotes = "".join(
            f"  - id: {_id(primary)}\n    address: {primary}\n    via: {self.address}\n"
            for primary in sorted(set(self.zones.values()))
        )
        zones = "".join(
            f"  - domain: {name}\n    master: {_id(primary)}\n    acl: loopback\n"
            for name, primary in self.zones.items()
        )
        (self.directory / "knot.conf").write_text(f"""
server:
  rundir: "{self.directory}"
  listen: [{listen}]
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "{self.directory}"
acl:
  - id: loopback
    address: [127.0.0.0/8, "::1", "fd00::/64"]
    action: [notify, transfer]
template:
  - id: default
    storage: "{self.directory}"
remote:
{remotes}
zone:
{zones}""")

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return ["knotd", "-c", self.directory / "knot.conf"]

    def is_ready(self) -> bool:
        """It answers, whether or not it has its zones yet, and takes orders."""
        return wire.answers(self.address, port=self.port) and (self.directory / "knot.sock").exists()

    def control(self, *arguments: str) -> str:
        """What ``knotc ARGUMENTS`` prints; LabError if it fails."""
        return run(["knotc", "-s", self.directory / "knot.sock", *arguments])

    def follow(self, zone: str, primary: str) -> None:
        """Become a secondary for one more zone."""
        self.zones[zone] = primary
        self._reconfigure()

    def unfollow(self, zone: str) -> None:
        """Serve a zone no longer."""
        del self.zones[zone]
        self._reconfigure()

    def refresh(self, zone: str) -> None:
        """Ask the primary now."""
        self.control("zone-refresh", zone)

    def _reconfigure(self) -> None:
        if self.directory.exists():
            self.write_files()
        if self.is_running:
            self.control("reload")


def _id(address: str) -> str:
    return "primary-" + address.replace(".", "-").replace(":", "-")
