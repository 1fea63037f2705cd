"""Every server of the lab and its zones: started together, stopped together, zones made and dropped on the way.

Rule: files first (keys, so that parents know their children's DS), then primaries, then secondaries; nothing counts as
started before every server answers for every zone it should. Refused: running outside the private namespace.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import topology, wire
from lab.bind import Bind, Zone
from lab.knot import Knot
from lab.misbehaving import Misbehaving
from lab.nsd import NSD
from lab.pebble import Pebble
from lab.powerdns import PowerDNS
from lab.processes import LabError, Server, look_until
from lab.topology import PLACES, Domain
from lab.unbound import Unbound
from lab.zonefile import delegation, zone_text


class Fleet:
    """All servers of the topology; a context manager, ready inside, gone afterwards.

    ``directory``: where everything is written; default a temporary one that is removed at the end, and even after a
    SIGKILL, since it lies in the namespace's own /run. Servers are called by the names in
    :data:`lab.topology.PLACES`, ``unbound`` and ``pebble``.
    """

    def __init__(self, directory: Path | None = None) -> None:
        if not topology.is_inside():
            raise LabError("the lab needs its private namespace: run it through tests/rig/namespace")
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="lab-", dir=topology.MARKER.parent))
        self.domains: dict[str, Domain] = {}
        here, places = self.directory, PLACES
        notified = [places["bind-secondary"].address, places["nsd"].address]
        self.root = Bind(here / "root", name="root", address=places["root"].address)
        self.powerdns = PowerDNS(here / "powerdns", address=places["powerdns"].address, also_notify=notified)
        self.bind_secondary = Bind(
            here / "bind-secondary", name="bind-secondary", address=places["bind-secondary"].address
        )
        self.nsd = NSD(here / "nsd", address=places["nsd"].address, also_addresses=places["nsd"].addresses[1:])
        self.bind = Bind(here / "bind", address=places["bind"].address)
        self.knot = Knot(here / "knot", address=places["knot"].address, also_addresses=places["knot"].addresses[1:])
        self.misbehaving = Misbehaving(address=places["misbehaving"].address)
        self.unbound = Unbound(here / "unbound", address=topology.RESOLVER, root_address=places["root"].address)
        self.pebble = Pebble(here / "pebble", resolver=f"{topology.RESOLVER}:53")
        early: list[Server] = [self.pebble, self.unbound, self.root, self.powerdns, self.bind]
        late: list[Server] = [self.bind_secondary, self.nsd, self.knot]
        self.servers = {server.name: server for server in (*early, *late)}
        self.primaries: dict[str, PowerDNS | Bind] = {"powerdns": self.powerdns, "bind": self.bind}
        self.secondaries: dict[str, Bind | NSD | Knot | Misbehaving] = {
            "bind-secondary": self.bind_secondary,
            "nsd": self.nsd,
            "knot": self.knot,
            "misbehaving": self.misbehaving,
        }

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every server and remove what was written."""
        self.misbehaving.stop()
        for server in self.servers.values():
            server.stop(0)
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _prepare(self) -> None:
        """Write every file, children before their parents."""
        for server in self.servers.values():
            server.prepare()
        ds: dict[str, Sequence[str]] = {}
        for domain in sorted(topology.DOMAINS, key=lambda domain: -domain.name.count(".")):
            children = [child for child in topology.DOMAINS if child.parent == domain.name]
            ds[domain.name] = self._make(domain, self._delegations(children, ds))
        self._prepare_parents(ds)

    def _prepare_parents(self, ds: Mapping[str, Sequence[str]]) -> None:
        """The zones ``test`` and the root, and the resolver's trust in the latter."""
        servers = {PLACES["root"].host: PLACES["root"].addresses}
        below = self._delegations([domain for domain in self.domains.values() if domain.parent == "test"], ds)
        self.root.add_zone(Zone("test", zone_text("test", 1, servers) + below, grants=()))
        test = delegation("test", servers, self.root.ds("test"))
        self.root.add_zone(Zone(".", zone_text(".", 1, servers) + test, grants=None))
        self.unbound.trust_anchors = tuple(self.root.ds("."))
        self.unbound.write_files()

    @staticmethod
    def _delegations(domains: Iterable[Domain], ds: Mapping[str, Sequence[str]]) -> str:
        return "".join(delegation(domain.name, domain.servers, ds[domain.name]) for domain in domains)

    def _start(self) -> None:
        """Start all: those first that take longest or that others need."""
        first = [self.pebble, self.powerdns, self.bind, self.root, self.unbound]
        for server in first:
            server.launch()
        self.misbehaving.start()
        for server in (self.powerdns, self.bind):
            server.await_ready()
        for domain in self.domains.values():
            self._follow(domain)
        for server in (self.bind_secondary, self.nsd, self.knot):
            server.launch()
        for server in self.servers.values():
            server.await_ready()
        for domain in self.domains.values():
            self.await_served(domain.name)

    def create_zone(self, domain: Domain) -> None:
        """Make one more zone while the lab runs; when this returns, each of its servers answers for it.

        A delegation is made below ``test`` only; a zone with ``parent=""`` is reached by ``dns.servers``.
        """
        ds = self._make(domain)
        if isinstance(self.primaries[domain.primary], PowerDNS):
            look_until(
                lambda: wire.serves(PLACES[domain.primary].address, domain.name), f"{domain.name} at its primary"
            )
        self._follow(domain)
        if domain.parent == "test":
            servers = list(domain.servers)
            self.root.update("test", add={(domain.name, "NS"): servers} | ({(domain.name, "DS"): ds} if ds else {}))
        self.await_served(domain.name)

    def drop_zone(self, name: str) -> None:
        """Remove a zone that was made by :meth:`create_zone`."""
        domain = self.domains.pop(name)
        if domain.parent == "test":
            self.root.update("test", delete={(name, "NS"): [], (name, "DS"): []})
        for secondary in domain.secondaries:
            self.secondaries[secondary].unfollow(name)
        primary = self.primaries[domain.primary]
        if isinstance(primary, PowerDNS):
            primary.delete_zone(name)
        else:
            primary.remove_zone(name)

    def _make(self, domain: Domain, delegations: str = "") -> Sequence[str]:
        """Create the zone at its primary; gives back its DS records."""
        self.domains[domain.name] = domain
        primary = self.primaries[domain.primary]
        if isinstance(primary, PowerDNS):
            return primary.create_zone(
                domain.name,
                domain.records + delegations,
                servers=domain.servers,
                serial=domain.serial,
                ttl=domain.ttl,
                kind=domain.kind,
                soa_edit=domain.soa_edit,
                soa_edit_api=domain.soa_edit_api,
                signed=domain.signed,
            )
        text = zone_text(domain.name, domain.serial, domain.servers, ttl=domain.ttl) + domain.records + delegations
        primary.add_zone(Zone(domain.name, text, signed=domain.signed))
        return primary.ds(domain.name)

    def _follow(self, domain: Domain) -> None:
        for secondary in domain.secondaries:
            self.secondaries[secondary].follow(domain.name, PLACES[domain.primary].address)

    def await_served(self, zone: str) -> None:
        """Wait until every server of the zone answers for it with its primary's serial; LabError that names one."""
        domain = self.domains[zone]
        for member in domain.members:
            look_until(
                lambda member=member: self.is_current(domain, member),  # type: ignore[misc]
                f"{zone} at {member}",
            )

    def is_current(self, domain: Domain, member: str) -> bool:
        """Whether a server serves the same serial of a zone as its primary."""
        try:
            wanted = wire.serial(PLACES[domain.primary].address, domain.name)
            return wanted is not None and wanted == wire.serial(PLACES[member].address, domain.name)
        except wire.UNANSWERED:
            return False

    def server(self, name: str) -> Server:
        """The server of that name; LabError that names them all if there is none."""
        if name not in self.servers:
            raise LabError(f"there is no server {name}; there are {', '.join(self.servers)}")
        return self.servers[name]

    def stop(self, name: str) -> None:
        """End a server; its data stays."""
        self.server(name).stop()

    def start(self, name: str) -> None:
        """Start a stopped server; when this returns it serves all its zones."""
        self.server(name).start()
        for domain in self.domains.values():
            if name in domain.members:
                look_until(
                    lambda zone=domain.name: self._serves_again(name, zone),  # type: ignore[misc]
                    f"{name} serves {domain.name} again",
                    interval=0.5,
                )

    def _serves_again(self, name: str, zone: str) -> bool:
        """Whether a restarted server has the zone; a secondary whose first try at a transfer failed is told to try."""
        if wire.serves(PLACES[name].address, zone):
            return True
        if name in self.secondaries:
            self.secondaries[name].refresh(zone)
        return False

    def freeze(self, name: str) -> None:
        """Make a server silent: its sockets stay, nothing is answered."""
        self.server(name).freeze()

    def thaw(self, name: str) -> None:
        """Let a frozen server go on."""
        self.server(name).thaw()
