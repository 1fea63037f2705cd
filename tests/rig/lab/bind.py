"""BIND as a primary with dynamic updates, as a secondary, or as both.

Rule: BIND's own defaults stay (notify-delay, dnssec-policy default, inline signing), as people have them. Refused:
recursion, and anything beyond loopback.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.tsig
import dns.update
import dns.zonefile

from lab import wire
from lab.processes import LabError, Server, executable, run

ACME_KEY = "acme-key."
LAB_KEY = "lab-key."
CHALLENGE_GRANTS = (f"{ACME_KEY} zonesub TXT", f"{ACME_KEY} zonesub TLSA")
LOOPBACK = "127.0.0.0/8; ::1; fd00::/64;"


@dataclass(frozen=True)
class Zone:
    """One zone of a BIND.

    Attributes:
        name: without trailing dot; the root is ".".
        text: the zone file, where BIND is the primary.
        signed: whether BIND signs it, with its default policy.
        grants: update-policy rules beside the lab's own; None: no dynamic update.
        primaries: addresses to transfer it from; given, BIND is a secondary of the zone.
        options: further statements of the zone's block.
    """

    name: str
    text: str = ""
    signed: bool = True
    grants: Sequence[str] | None = CHALLENGE_GRANTS
    primaries: Sequence[str] = ()
    options: str = ""

    @property
    def file_name(self) -> str:
        """The zone file's name."""
        return ("root" if self.name == "." else self.name) + ".zone"


@dataclass
class Keys:
    """TSIG keys by name (with trailing dot), all hmac-sha256: secrets in base64."""

    secrets: dict[str, str] = field(
        default_factory=lambda: {
            name: base64.b64encode(secrets.token_bytes(32)).decode() for name in (ACME_KEY, LAB_KEY, "rndc-key.")
        }
    )

    def tsig(self, name: str) -> dns.tsig.Key:
        """The key as dnspython takes it."""
        return dns.tsig.Key(name, self.secrets[name], dns.tsig.HMAC_SHA256)


class Bind(Server):
    """A named; ``zones`` can be added while it runs.

    The key ``acme-key.`` may do what a zone's ``grants`` say; ``lab-key.`` is the lab's own and may change everything
    in a zone that takes updates. ``also_addresses``: further addresses to listen on. ``options``: further statements
    of the options block.
    """

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.21",
        port: int = 53,
        also_addresses: Sequence[str] = (),
        zones: Iterable[Zone] = (),
        options: str = "",
        name: str = "bind",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.also_addresses = tuple(also_addresses)
        self.zones = {zone.name: zone for zone in zones}
        self.options = options
        self.keys = Keys()
        self.control_port = 953 if port == 53 else port + 900

    @property
    def secret_file(self) -> Path:
        """A file with the secret of ``acme-key.`` in base64 and nothing else, readable by its owner only."""
        return self.directory / "acme.key"

    def write_files(self) -> None:
        """Configuration, keys, zone files, DNSSEC keys."""
        # Debian's AppArmor profile confines named by its path to directories of its own.
        program = self.directory / "named"
        program.write_bytes(Path(executable("named")).read_bytes())
        program.chmod(0o755)
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.keys.secrets[ACME_KEY] + "\n")
        for zone in self.zones.values():
            self._write_zone(zone)
        self._write_configuration()

    def _write_zone(self, zone: Zone) -> None:
        if zone.primaries:
            return
        (self.directory / zone.file_name).write_text(zone.text)
        if zone.signed and not self._key_files(zone.name):
            run(["dnssec-keygen", "-q", "-k", "default", "-K", self.directory, zone.name])

    def _write_configuration(self) -> None:
        keys = [
            f'key "{name.rstrip(".")}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
            for name, secret in self.keys.secrets.items()
        ]
        (self.directory / "rndc.key").write_text(keys[-1])
        zones = [self._zone_block(zone) for zone in self.zones.values()]
        (self.directory / "named.conf").write_text("".join([*keys, self._options_block(), *zones]))

    def _options_block(self) -> str:
        addresses = [self.address, *self.also_addresses]
        v4, v6 = ("".join(f"{one}; " for one in addresses if (":" in one) == wanted) for wanted in (False, True))
        return f"""
controls {{ inet {self.address} port {self.control_port} allow {{ {LOOPBACK} }} keys {{ "rndc-key"; }}; }};
options {{
    directory "{self.directory}";
    key-directory "{self.directory}";
    managed-keys-directory "{self.directory}";
    session-keyfile "{self.directory}/session.key";
    pid-file none;
    listen-on port {self.port} {{ {v4}}};
    listen-on-v6 port {self.port} {{ {v6 or "none; "}}};
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify-source {self.address};
    transfer-source {self.address};
    allow-transfer {{ {LOOPBACK} }};
    {self.options}
}};
"""

    @staticmethod
    def _zone_block(zone: Zone) -> str:
        lines = [f'file "{zone.file_name}";']
        if zone.primaries:
            lines += ["type secondary;", f"primaries {{ {''.join(f'{one}; ' for one in zone.primaries)}}};"]
        else:
            lines.append("type primary;")
            if zone.signed:
                lines.append("dnssec-policy default; inline-signing yes;")
            if zone.grants is not None:
                rules = "".join(f"grant {rule}; " for rule in (*zone.grants, f"{LAB_KEY} zonesub ANY"))
                lines.append(f"update-policy {{ {rules}}};")
        return f'zone "{zone.name}" {{ {" ".join(lines)} {zone.options} }};\n'

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground, its log on stderr."""
        return [self.directory / "named", "-g", "-n", "1", "-c", self.directory / "named.conf"]

    def is_ready(self) -> bool:
        """It answers with authority for every zone that it is primary for."""
        own = [zone.name for zone in self.zones.values() if not zone.primaries]
        served = (wire.serves(self.address, zone, port=self.port) for zone in own)
        return wire.answers(self.address, port=self.port) and all(served)

    def rndc(self, *arguments: str) -> str:
        """What ``rndc ARGUMENTS`` prints; LabError if it fails."""
        where = ["-s", self.address, "-p", str(self.control_port), "-k", str(self.directory / "rndc.key")]
        return run(["rndc", *where, *arguments])

    def add_zone(self, zone: Zone) -> None:
        """Serve a further zone, also while the server runs; then it is served when this returns."""
        self.zones[zone.name] = zone
        if (self.directory / "named.conf").exists():
            self._write_zone(zone)
            self._write_configuration()
        if self.is_running:
            self.rndc("reconfig")
            if not zone.primaries:
                self.await_ready()

    def remove_zone(self, name: str) -> None:
        """Serve a zone no longer; its files go, too."""
        zone = self.zones.pop(name)
        self._write_configuration()
        if self.is_running:
            self.rndc("reconfig")
        for file in [*self.directory.glob(f"{zone.file_name}*"), *self._key_files(name, "*")]:
            file.unlink()

    def follow(self, zone: str, primary: str) -> None:
        """Become a secondary for one more zone."""
        self.add_zone(Zone(zone, primaries=[primary]))

    def unfollow(self, zone: str) -> None:
        """Serve a zone no longer."""
        self.remove_zone(zone)

    def refresh(self, zone: str) -> None:
        """Ask the primary now."""
        self.rndc("refresh", zone)

    def ds(self, zone: str) -> list[str]:
        """The DS records (SHA-256) of a zone that is signed here, in presentation form; known before the start."""
        owner, digest = dns.name.from_text(zone), dns.dnssectypes.DSDigest.SHA256
        return [dns.dnssec.make_ds(owner, key, digest).to_text() for key in self.dnskeys(zone)]

    def dnskeys(self, zone: str) -> list[dns.rdtypes.ANY.DNSKEY.DNSKEY]:
        """The zone's public keys."""
        keys = []
        for file in self._key_files(zone):
            for rrset in dns.zonefile.read_rrsets(file.read_text(), rdclass=None, default_ttl=60):
                keys += [rdata for rdata in rrset if isinstance(rdata, dns.rdtypes.ANY.DNSKEY.DNSKEY)]
        return keys

    def _key_files(self, zone: str, suffix: str = "key") -> list[Path]:
        name = "" if zone == "." else zone
        return sorted(self.directory.glob(f"K{name}.+*.{suffix}"))

    def update(
        self,
        zone: str,
        *,
        add: Mapping[tuple[str, str], Sequence[str]] | None = None,
        delete: Mapping[tuple[str, str], Sequence[str]] | None = None,
        ttl: int = 60,
        key: str = LAB_KEY,
    ) -> None:
        """Change a zone by one RFC 2136 message: ``{(absolute name, type): values}``; no values: the whole RRset.

        Raises LabError if the server refuses.
        """
        message = dns.update.UpdateMessage(zone)
        for (name, record_type), values in (delete or {}).items():
            message.delete(dns.name.from_text(name), record_type, *values)
        for (name, record_type), values in (add or {}).items():
            message.add(dns.name.from_text(name), ttl, record_type, *values)
        rcode = wire.update(message, self.address, self.keys.tsig(key), port=self.port)
        if rcode != "NOERROR":
            raise LabError(f"{self.name} answered {rcode} to an update of {zone}")
