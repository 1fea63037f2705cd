"""A name server on loopback that takes updates: what is asked for is done, as far as values of TXT go.

Rule: one zone, one key, no serials. Refused: being a model of any server; those that are real are in the lab.
"""

from __future__ import annotations

import base64
from pathlib import Path

import dns.message
import dns.rdata

from scripted_updates import SECRET, Scripted


class Updating(Scripted):
    """A Scripted server for ``example.org.`` whose zone follows its updates."""

    def __init__(self) -> None:
        super().__init__()
        self.update = self._follow

    def _follow(self, answer: dns.message.Message) -> None:
        for rrset in self.updates[-1].update:
            standing: list[dns.rdata.Rdata] = list(self.zone.get_rdataset(rrset.name, rrset.rdtype) or ())
            asked = list(rrset)
            if rrset.deleting is None:
                values = [*standing, *(value for value in asked if value not in standing)]
            else:
                values = [value for value in standing if value not in asked]
            self.zone.delete_rdataset(rrset.name, rrset.rdtype)
            for value in values:
                self.zone.find_rdataset(rrset.name, rrset.rdtype, create=True).add(value, rrset.ttl or 5)

    def values(self, name: str) -> set[str]:
        """The TXT values at the owner name ``name``."""
        return {value.to_text().strip('"') for value in self.zone.get_rdataset(name, "TXT") or ()}

    def configuration(self, directory: Path) -> Path:
        """A dnsbroker.toml below ``directory`` that leads here, and nowhere else."""
        path = directory / "dnsbroker.toml"
        path.touch(mode=0o600)
        path.write_text(
            f'''state_dir = "{directory / "state"}"
[dns]
resolvers = ["127.0.0.1:{self.port}"]
nameserver_port = {self.port}
servers = {{ "example.org" = ["127.0.0.1"] }}
[providers.own]
type = "rfc2136"
server = "127.0.0.1"
port = {self.port}
tsig_name = "acme-key"
tsig_secret = "{base64.b64encode(SECRET).decode()}"
'''
        )
        return path
