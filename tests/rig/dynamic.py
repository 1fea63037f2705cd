"""Primaries that take dynamic updates, of three makes, and a side door into a zone through a key of the lab's own.

Rule: the key under test may write TXT and TLSA and nothing else; what the lab plants goes by ``lab-key.``. Refused:
changing the servers' own defaults.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.name
import dns.opcode
import dns.query
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import dns.zone
import pytest
from dns.rdtypes.ANY import TLSA, TXT

from dnsbroker.clock import Clock
from dnsbroker.environment import variables
from dnsbroker.errors import ProviderError
from dnsbroker.records import Change, Receipt, RecordType, RRset, octets_text, text_octets
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, SideDoor, surroundings
from dnsbroker.testing.listener import Listener, Reply, Thread
from dnsbroker_rfc2136 import RFC2136, RFC2136Settings
from lab import wire
from lab.bind import ACME_KEY, LAB_KEY, Bind, Keys
from lab.powerdns import PowerDNS
from lab.processes import LabError, Server, look_until, run
from lab.topology import is_inside
from lab.zonefile import zone_text


class KnotPrimary(Server):
    """A knotd that is primary for ``zones`` (no trailing dots); ``acme-key.`` may update the record ``types``."""

    def __init__(
        self, directory: Path, zones: Iterable[str], *, address: str, port: int = 53, types: str = "TXT, TLSA"
    ) -> None:
        super().__init__("knot-primary", directory, address=address, port=port)
        self.zones = tuple(zones)
        self.types = types
        self.keys = Keys()

    def write_files(self) -> None:
        """Configuration and zone files."""
        for zone in self.zones:
            (self.directory / f"{zone}.zone").write_text(zone_text(zone, 1, {"ns1": [self.address]}))
        keys = "".join(
            f"  - id: {name}\n    algorithm: hmac-sha256\n    secret: {secret}\n"
            for name, secret in self.keys.secrets.items()
        )
        zones = "".join(f"  - domain: {zone}\n    acl: [acme, lab, transfer]\n" for zone in self.zones)
        (self.directory / "knot.conf").write_text(f"""
server:
  rundir: "{self.directory}"
  listen: "{self.address}@{self.port}"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "{self.directory}"
key:
{keys}
acl:
  - id: acme
    key: {ACME_KEY}
    action: update
    update-type: [{self.types}]
  - id: lab
    key: {LAB_KEY}
    action: [update, transfer]
  - id: transfer
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: "{self.directory}"
zone:
{zones}""")

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return ["knotd", "-c", self.directory / "knot.conf"]

    def is_ready(self) -> bool:
        """It answers with authority for every zone."""
        return all(wire.serves(self.address, zone, port=self.port) for zone in self.zones)

    def control(self, *arguments: str) -> str:
        """What ``knotc ARGUMENTS`` prints; LabError if it fails."""
        return run(["knotc", "-s", self.directory / "knot.sock", *arguments])


class WrittenBind(Bind):
    """A BIND whose keys, zones and views are ``text``, in which ``SECRET`` stands for the secret of ``acme-key.``.

    ``files`` are zone files by name.
    """

    def __init__(self, directory: Path, text: str, files: Mapping[str, str], *, address: str) -> None:
        super().__init__(directory, address=address, name="bind-written")
        self._text = text
        self._files = dict(files)

    def write_files(self) -> None:
        """Configuration and zone files."""
        super().write_files()
        for name, text in self._files.items():
            (self.directory / name).write_text(text)
        options = (
            f'directory "{self.directory}"; session-keyfile "{self.directory}/session.key"; pid-file none; '
            f"listen-on port {self.port} {{ {self.address}; }}; listen-on-v6 {{ none; }}; recursion no; "
            "dnssec-validation no; empty-zones-enable no;"
        )
        text = self._text.replace("SECRET", self.keys.secrets[ACME_KEY])
        (self.directory / "named.conf").write_text(f"controls {{ }};\noptions {{ {options} }};\n{text}")


class DynamicPowerDNS(PowerDNS):
    """A PowerDNS that takes dynamic updates of the zones made by ``create_dynamic_zone``."""

    def __init__(self, directory: Path, *, address: str, settings: Mapping[str, str] | None = None) -> None:
        switched_on = {"dnsupdate": "yes", "allow-dnsupdate-from": "127.0.0.0/8"} | dict(settings or {})
        super().__init__(directory, address=address, settings=switched_on, name="powerdns-dynamic")
        self.keys = Keys()

    def write_files(self) -> None:
        """The keys, too."""
        super().write_files()
        for name, secret in self.keys.secrets.items():
            self.pdnsutil("import-tsig-key", name.rstrip("."), "hmac-sha256", secret)

    def create_dynamic_zone(self, zone: str, *, keys: Sequence[str] = (ACME_KEY, LAB_KEY), records: str = "") -> None:
        """Make a zone that these keys may update; none: anybody may."""
        self.create_zone(zone, records)
        if keys:
            self.pdnsutil("set-meta", zone, "TSIG-ALLOW-DNSUPDATE", *(name.rstrip(".") for name in keys))


Target = Bind | KnotPrimary | DynamicPowerDNS


class Middle:
    """Somebody on the way to a server: passes TCP messages on from ``address``, and meddles as a test says.

    ``before`` is called before the server gets an UPDATE message; ``after`` gets the server's answer to it and returns
    what is passed on, None for nothing. Both may be set at any time; questions pass untouched. ``updates`` counts.
    """

    def __init__(self, server: Target, address: str) -> None:
        self.address = address
        self.port = server.port
        self.keys = server.keys
        self.updates = 0
        self.lose = 0
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[bytes], bytes | None] = lambda answer: answer
        self._server = server
        self._listener = Listener(self._passed_on)

    def _passed_on(self, octets: bytes, *, tcp: bool, port: int) -> Reply | None:
        is_update = (octets[2] >> 3) & 0xF == dns.opcode.UPDATE
        if is_update:
            self.updates += 1
            if self.updates <= self.lose:
                return None
            self.before()
        answer: bytes | None = exchange(self._server.address, octets, port=self._server.port)
        if is_update and answer is not None:
            answer = self.after(answer)
        return Reply(answer) if answer is not None else None

    def __enter__(self) -> Self:
        self._thread = Thread()
        self._thread.run(self._listener.open(self.address, self.port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.run(self._listener.close())
        self._thread.close()


def exchange(address: str, octets: bytes, *, port: int = 53, seconds: float = 5.0) -> bytes:
    """One message by TCP, and the octets of its answer."""
    with socket.create_connection((address, port), timeout=seconds) as connection, connection.makefile("rb") as answer:
        connection.sendall(len(octets).to_bytes(2, "big") + octets)
        return answer.read(int.from_bytes(answer.read(2), "big"))


class UpdateDoor(SideDoor):
    """The zone through ``lab-key.``: planted by dynamic update, seen by plain questions.

    ``counts_writes``: the served serial goes up by one with each write.
    """

    def __init__(self, server: Target, zone: str, *, counts_writes: bool) -> None:
        self._server = server
        self._zone = zone
        self._counts_writes = counts_writes

    async def plant(self, name: str, type: RecordType, ttl: int, values: Iterable[str]) -> None:
        """Make the RRset exactly ``values``."""
        self.put(name, type, ttl, *values)

    def put(self, name: str, type: RecordType, ttl: int, *texts: str) -> None:
        """Make the RRset exactly ``texts`` and wait until they are served."""
        values = frozenset(texts)
        self.change(replace={(name, type): [_rdata_text(type, value) for value in values]}, ttl=ttl)
        look_until(lambda: self.look(name, type) == values, f"{name} {type} is {sorted(values)}")

    def change(
        self,
        *,
        replace: Mapping[tuple[str, str], Sequence[str]],
        ttl: int = 60,
    ) -> None:
        """Make each RRset (absolute name, type) exactly what is said, in presentation form, in one message."""
        update = dns.update.UpdateMessage(self._zone)
        for (name, type), values in replace.items():
            update.delete(dns.name.from_text(name), type)
            if values:
                update.add(dns.name.from_text(name), ttl, type, *values)
        rcode = wire.update(update, self._server.address, self._server.keys.tsig(LAB_KEY), port=self._server.port)
        if rcode != "NOERROR":
            raise LabError(f"{self._server.name} answered {rcode} to an update of {self._zone}")

    def look(self, name: str, type: RecordType) -> frozenset[str]:
        """The values served."""
        found = self._asked(name, type)
        return found.values if found else frozenset()

    async def see(self, name: str, type: RecordType) -> RRset | None:
        """The RRset served."""
        return self._asked(name, type)

    def _asked(self, name: str, type: RecordType) -> RRset | None:
        answer = wire.ask(self._server.address, name, type, port=self._server.port, tcp=True)
        kind = dns.rdatatype.from_text(type)
        rrset = answer.get_rrset(answer.answer, dns.name.from_text(name), dns.rdataclass.IN, kind)
        return RRset(name, type, rrset.ttl, frozenset(map(_value, rrset))) if rrset else None

    async def serial(self, zone: str) -> int | None:
        """The serial served."""
        return wire.serial(self._server.address, zone, port=self._server.port)

    async def writes(self) -> int | None:
        """The serial, where it counts writes."""
        return await self.serial(self._zone) if self._counts_writes else None

    def reset(self) -> None:
        """Remove every TXT, TLSA and CNAME record from the zone."""
        zone = dns.zone.Zone(self._zone, relativize=False)
        dns.query.inbound_xfr(self._server.address, zone, port=self._server.port)
        kinds = ("TXT", "TLSA", "CNAME")
        found = {(name.to_text(), kind): () for kind in kinds for name, _ in zone.iterate_rdatasets(kind)}
        if found:
            self.change(replace=found)
            look_until(lambda: not any(self.look(name, "TXT") for name, kind in found if kind == "TXT"), "empty zone")


def _rdata_text(type: RecordType, value: str) -> str:
    """Presentation form, cut otherwise than this project cuts: at 200 octets."""
    if type == "TLSA":
        return value
    octets = text_octets(value)
    strings = [octets[cut : cut + 200] for cut in range(0, max(1, len(octets)), 200)]
    return TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings).to_text()


def _value(rdata: object) -> str:
    if isinstance(rdata, TLSA.TLSA):
        return f"{rdata.usage} {rdata.selector} {rdata.mtype} {rdata.cert.hex()}"
    assert isinstance(rdata, TXT.TXT)
    return octets_text(b"".join(rdata.strings))


def door(server: Target, zone: str = "plain.test.") -> UpdateDoor:
    """A side door into an empty zone."""
    opened = UpdateDoor(server, zone, counts_writes=True)
    opened.reset()
    return opened


def require_namespace() -> None:
    """These servers want addresses and ports that only the lab's namespace has."""
    if not is_inside():
        leave = pytest.fail if variables().get("CI") == "true" else pytest.skip
        leave("needs the private namespace: run `make test`")


class Hasty(RFC2136):
    """The adapter, for servers that stay silent."""

    update_timeout = 1.0
    question_timeout = 1.0


def adapter_for(
    server: Target | Middle, *, kind: type[RFC2136] = RFC2136, clock: Clock | None = None, **changed: Any
) -> RFC2136:
    """An adapter for the key that a server's zones let write, unless told otherwise."""
    secret = server.keys.secrets[ACME_KEY]
    known: dict[str, Any] = {
        "server": server.address,
        "tsig_name": ACME_KEY,
        "tsig_secret": Secret("a test", lambda: secret),
    }
    return kind(RFC2136Settings(**(known | changed)), surroundings(clock=clock or FakeClock()))


def apply(server: Target | Middle, *changes: Change, zone: str = "plain.test.", **changed: Any) -> Receipt:
    """What an adapter does with ``changes``."""
    return asyncio.run(adapter_for(server, **changed).apply(zone, changes))


def refused(server: Target | Middle, *changes: Change, zone: str = "plain.test.", **changed: Any) -> ProviderError:
    """The error that comes of ``changes``."""
    with pytest.raises(ProviderError) as caught:
        apply(server, *changes, zone=zone, **changed)
    return caught.value
