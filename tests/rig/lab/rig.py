"""The lab as tests use it: every server, ways to look at them, and a way back to how it all began.

Rule: looking is always at one server's own answer, never at a resolver's. Refused: running outside the private
namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from lab import cleaning, configuration, wire
from lab.bind import ACME_KEY
from lab.fleet import Fleet
from lab.observer import Observer
from lab.processes import LabError, look_until
from lab.topology import PLACES, Domain


class Lab(Fleet):
    """All servers of the topology, and what a test wants to know of them.

    Servers are called by the names in :data:`lab.topology.PLACES`; where one is asked, an address will do as well.
    """

    def __init__(self, directory: Path | None = None) -> None:
        super().__init__(directory)
        self._pristine: dict[str, cleaning.Content] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._pristine = {name: self._content(domain) for name, domain in self.domains.items()}
        except BaseException:
            self.close()
            raise
        return self

    def values(self, server: str, name: str, record_type: str = "TXT") -> frozenset[str]:
        """The values that a server (the lab's name for it, or an address) has at exactly this name."""
        return wire.values(address_of(server), name, record_type)

    def serial(self, server: str, zone: str) -> int | None:
        """The serial that a server (the lab's name for it, or an address) serves; None if it has no such zone."""
        return wire.serial(address_of(server), zone)

    def leftovers(self, name: str, record_type: str = "TXT") -> dict[str, frozenset[str]]:
        """The values at a name, for each server of the zone it stands in that has any."""
        domain = self.domain_of(name)
        present = {member: self.values(member, name, record_type) for member in domain.members}
        return {member: values for member, values in present.items() if values}

    def domain_of(self, name: str) -> Domain:
        """The lab's zone in which a name stands, by the longest match."""
        labels = name.rstrip(".").split(".")
        zones = (".".join(labels[first:]) for first in range(len(labels)))
        found = next((self.domains[zone] for zone in zones if zone in self.domains), None)
        if found is None:
            raise LabError(f"{name} is in none of the lab's zones")
        return found

    def await_values(self, name: str, wanted: Iterable[str], *, seconds: float = 30.0) -> None:
        """Wait until every server of the zone has exactly these TXT values; LabError that names one that has not."""
        for member in self.domain_of(name).members:
            look_until(
                lambda member=member: self.values(member, name) == frozenset(wanted),  # type: ignore[misc]
                f"{name} at {member} is {sorted(wanted)}",
                seconds,
            )

    def observer(self, name: str, servers: Iterable[str] = (), *, record_type: str = "TXT") -> Observer:
        """An observer of a name at these servers; default all of the zone it stands in, at each published address."""
        members = list(servers) or self.domain_of(name).members
        addresses = {f"{member} {address}": address for member in members for address in PLACES[member].addresses}
        return Observer(name, addresses, record_type=record_type)

    def clean(self) -> None:
        """Bring everything back: servers up and behaving, zones as they were at the start, caches empty."""
        for server in self.servers.values():
            if server.is_running:
                server.thaw()
            else:
                server.start()
        self.misbehaving.behave()
        self.misbehaving.asked.clear()
        for name in [name for name in self.domains if name not in self._pristine]:
            self.drop_zone(name)
        for domain in self.domains.values():
            self._restore(domain)
        self.unbound.flush()
        self.unbound.forget_queries()

    def _content(self, domain: Domain) -> cleaning.Content:
        if domain.primary == "powerdns":
            return cleaning.powerdns_content(self.powerdns, domain.name)
        return cleaning.served_content(PLACES[domain.primary].address, domain.name)

    def _restore(self, domain: Domain) -> None:
        zone, primary, pristine = domain.name, PLACES[domain.primary].address, self._pristine[domain.name]
        if domain.primary == "powerdns":
            cleaning.restore_powerdns(self.powerdns, zone, pristine, domain.soa_edit_api)
        else:
            cleaning.restore_bind(self.bind, zone, pristine)
        for secondary in domain.secondaries:
            address = PLACES[secondary].address
            if self.serial(secondary, zone) != self.serial(domain.primary, zone):
                self.secondaries[secondary].refresh(zone)
            look_until(lambda member=secondary: self.is_current(domain, member), f"{zone} at {secondary}")  # type: ignore[misc]
            is_same = cleaning.is_same(primary, address, zone)
            if secondary != "misbehaving" and domain.primary == "powerdns" and not is_same():
                cleaning.move_serial(self.powerdns, zone, domain.soa_edit_api)
                look_until(is_same, f"{zone} at {secondary} is what it is at {domain.primary}")

    def config(
        self,
        state_dir: Path,
        *,
        certificates: Mapping[str, Sequence[str]] | None = None,
        overrides: configuration.Table | None = None,
    ) -> str:
        """A dnsbroker.toml for this lab: both services, the resolver, Pebble, and these certificates.

        ``overrides`` is merged in table by table, e.g. ``{"propagation": {"timeout": "20s"}}``; None removes a key.
        """
        table: dict[str, object] = {
            "state_dir": str(state_dir),
            "acme": {"directory": self.pebble.url, "ca_bundle": str(self.pebble.ca_file), "agree_tos": True},
            "dns": {"resolvers": [self.unbound.address]},
            "providers": {
                "powerdns": {
                    "type": "powerdns",
                    "url": self.powerdns.url,
                    "api_key": {"file": str(self.powerdns.api_key_file)},
                },
                "bind": {
                    "type": "rfc2136",
                    "server": self.bind.address,
                    "tsig_name": ACME_KEY,
                    "tsig_secret": {"file": str(self.bind.secret_file)},
                },
            },
            "certificates": {name: {"names": list(names)} for name, names in (certificates or {}).items()},
        }
        return configuration.to_toml(configuration.merged(table, overrides or {}))

    def describe(self) -> dict[str, object]:
        """What is where, for people and for programs that are not in Python; JSON takes it."""
        return {
            "servers": {name: {"host": place.host, "addresses": place.addresses} for name, place in PLACES.items()},
            "zones": {domain.name: domain.members for domain in self.domains.values()},
            "resolver": self.unbound.address,
            "acme": {"directory": self.pebble.url, "ca_file": str(self.pebble.ca_file)},
            "powerdns": {"url": self.powerdns.url, "api_key_file": str(self.powerdns.api_key_file)},
            "bind": {"server": self.bind.address, "tsig_name": ACME_KEY, "secret_file": str(self.bind.secret_file)},
        }


def address_of(server: str) -> str:
    """A server's address by the lab's name for it; what is no such name is an address already."""
    return PLACES[server].address if server in PLACES else server
