"""Knot DNS as a secondary.

Rule: its own defaults stay. Refused: primary zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import wire
from lab.processes import run
from lab.secondary import Secondary


class Knot(Secondary):
    """A knotd that is a secondary for ``zones``: name (no trailing dot) to the primary's address."""

    reread = "reload"

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
        super().__init__(name, directory, address=address, port=port, also_addresses=also_addresses, zones=zones)

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

    def refresh(self, zone: str) -> None:
        """Ask the primary now."""
        self.control("zone-refresh", zone)


def _id(address: str) -> str:
    return "primary-" + address.replace(".", "-").replace(":", "-")
