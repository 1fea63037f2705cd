"""The name servers behind the service: one Knot at two addresses, told by dynamic update.

Rule: what stands in the service is what is served, hidden records besides, and nothing else but SOA and NS. Refused:
zones that were not put here by :meth:`NameServers.serve`: of two zones with one name in two accounts only one is
delegated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.update

from cloudflare import text
from cloudflare.zones import NAME_SERVERS, Entry, Zone
from lab import wire
from lab.bind import LAB_KEY, Keys
from lab.processes import LabError, Server, look_until, run
from lab.zonefile import zone_text

ADDRESSES = ("127.0.0.17", "127.0.0.18")
"""Where Cloudflare's two name servers stand in the lab."""

HOSTS = {f"{name}.": [address] for name, address in zip(NAME_SERVERS, ADDRESSES, strict=True)}
"""Their absolute names with their addresses."""


@dataclass(frozen=True)
class Served:
    """A zone that is served, and whether it is signed."""

    zone: Zone
    signed: bool


class NameServers(Server):
    """A knotd that serves the zones it is given; ``servers`` are names and addresses that it stands for."""

    def __init__(self, directory: Path, servers: Mapping[str, Sequence[str]] = HOSTS, *, port: int = 53) -> None:
        self.addresses = [address for addresses in servers.values() for address in addresses]
        super().__init__("cloudflare", directory, address=self.addresses[0], port=port)
        self.hosts = servers
        self.served: dict[str, Served] = {}
        self.keys = Keys()

    def write_files(self) -> None:
        """The configuration, and a file for each zone that has none."""
        for name, served in self.served.items():
            file = self.directory / f"{name}.zone"
            if not file.exists():
                # Names of other zones: a server's own addresses stand elsewhere.
                file.write_text(zone_text(served.zone.name, 1, dict.fromkeys(self.hosts, ())))
        listen = ", ".join(f'"{address}@{self.port}"' for address in self.addresses)
        zones = "".join(
            f"  - domain: {name}\n    dnssec-signing: {'on' if served.signed else 'off'}\n"
            for name, served in self.served.items()
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
key:
  - id: {LAB_KEY}
    algorithm: hmac-sha256
    secret: {self.keys.secrets[LAB_KEY]}
acl:
  - id: service
    key: {LAB_KEY}
    action: update
template:
  - id: default
    storage: "{self.directory}"
    zonefile-sync: -1
    acl: service
zone:
{zones}""")

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return ["knotd", "-c", self.directory / "knot.conf"]

    def is_ready(self) -> bool:
        """It answers with authority for every zone, and takes orders."""
        if not (self.directory / "knot.sock").exists() or not wire.answers(self.address, port=self.port):
            return False
        return all(wire.serves(self.address, name, port=self.port) for name in self.served)

    def serve(self, zones: Sequence[Zone], *, signed: bool = False) -> None:
        """Serve further zones with what stands in them; they are served when this returns."""
        self.served.update({zone.name: Served(zone, signed) for zone in zones})
        if not self.is_running:
            return
        self.write_files()
        run(["knotc", "-s", self.directory / "knot.sock", "reload"])
        look_until(self.is_ready, "cloudflare serves its zones")
        for zone in zones:
            for name, type in {(one.name, one.type) for one in zone.records.values()}:
                self.publish(zone, name, type)

    def publish(self, zone: Zone, name: str, type: str) -> None:
        """Serve at this name what the zone has there now; nothing for a zone that is not served here."""
        served = self.served.get(zone.name)
        if served is None or served.zone is not zone:
            return
        owner = dns.name.from_text(name)
        message = dns.update.UpdateMessage(zone.name)
        message.delete(owner, type)
        for entry in zone.at(name, type):
            message.add(owner, entry.served_ttl, type, _presentation(entry))
        for value in zone.hidden.get(name, ()) if type == "TXT" else ():
            message.add(owner, 120, type, text.quoted(value.encode()))
        rcode = wire.update(message, self.address, self.keys.tsig(LAB_KEY), port=self.port)
        if rcode != "NOERROR":
            raise LabError(f"{self.name} answered {rcode} to an update of {zone.name}")

    def ds(self, name: str) -> list[str]:
        """The DS records (SHA-256) of a zone that is signed here, in presentation form."""
        answer = wire.ask(self.address, name, "DNSKEY", port=self.port, tcp=True)
        owner = dns.name.from_text(name)
        keys = answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, dns.rdatatype.DNSKEY) or ()
        points = [key for key in keys if isinstance(key, dns.rdtypes.ANY.DNSKEY.DNSKEY) and key.flags & 1]
        return [dns.dnssec.make_ds(owner, key, dns.dnssectypes.DSDigest.SHA256).to_text() for key in points]


def _presentation(entry: Entry) -> str:
    """A record's data as a zone file has it, names absolute."""
    if entry.type == "TXT":
        return text.quoted(text.octets(entry.content))
    if entry.type in ("CNAME", "NS", "PTR"):
        return f"{entry.content.rstrip('.')}."
    if entry.type == "MX":
        return f"{entry.priority or 0} {entry.content.rstrip('.')}."
    return entry.content
