"""NSD as a secondary.

Rule: its own defaults stay, but for the rate limit, which a test's observer would run into. Refused: primary zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import wire
from lab.processes import run
from lab.secondary import Secondary


class NSD(Secondary):
    """An NSD that is a secondary for ``zones``: name (no trailing dot) to the primary's address."""

    reread = "reconfig"

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.13",
        port: int = 53,
        also_addresses: Sequence[str] = (),
        zones: Mapping[str, str] | None = None,
        name: str = "nsd",
    ) -> None:
        super().__init__(name, directory, address=address, port=port, also_addresses=also_addresses, zones=zones)

    def write_files(self) -> None:
        """The configuration."""
        listen = "".join(f"    ip-address: {one}@{self.port}\n" for one in (self.address, *self.also_addresses))
        zones = "".join(self._zone_block(name, primary) for name, primary in self.zones.items())
        (self.directory / "nsd.conf").write_text(f"""
server:
{listen}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{self.directory}"
    database: ""
    xfrdir: "{self.directory}"
    xfrdfile: "{self.directory}/xfrd.state"
    zonelistfile: "{self.directory}/zone.list"
    pidfile: "{self.directory}/nsd.pid"
    rrl-ratelimit: 0
    verbosity: 2
remote-control:
    control-enable: yes
    control-interface: "{self.directory}/control"
{zones}""")

    def _zone_block(self, name: str, primary: str) -> str:
        return f"""
zone:
    name: "{name}"
    zonefile: "{name}.zone"
    request-xfr: {primary} NOKEY
    allow-notify: 127.0.0.0/8 NOKEY
    provide-xfr: 127.0.0.0/8 NOKEY
    outgoing-interface: {self.address}
"""

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return ["nsd", "-d", "-c", self.directory / "nsd.conf"]

    def is_ready(self) -> bool:
        """It answers, whether or not it has its zones yet, and takes orders."""
        return wire.answers(self.address, port=self.port) and (self.directory / "control").exists()

    def control(self, *arguments: str) -> str:
        """What ``nsd-control ARGUMENTS`` prints; LabError if it fails."""
        return run(["nsd-control", "-c", self.directory / "nsd.conf", *arguments])

    def refresh(self, zone: str) -> None:
        """Ask the primary now."""
        self.control("transfer", zone)
