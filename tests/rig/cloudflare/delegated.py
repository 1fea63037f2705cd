"""The service inside the test lab: its zones delegated from the lab's own, so that resolvers and Pebble find them.

    with Delegated(lab) as cloudflare:
        zone = cloudflare.delegate("cloud.test")               # signed=True, plan="pro" …
        zones = cloudflare.delegate_all(f"cloud{number}.test" for number in range(15))
        child = cloudflare.delegate("b.cloud.test")            # below a zone of its own, or below bind.test
        cloudflare.delay = 0.5                                 # seconds until name servers have a change
        lab.config(state, overrides={"providers": {"cf": cloudflare.provider()}, "propagation": {"settle": "0s"}})

Rule: what was delegated below ``test`` is undone at the end; below the lab's other zones the lab itself does that.
Refused: zones below PowerDNS' own.
"""

from __future__ import annotations

import shutil
import ssl
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudflare.credentials import Token
from cloudflare.nameserver import HOSTS, NameServers
from cloudflare.server import Cloudflare
from cloudflare.zones import Zone
from lab.processes import LabError
from lab.rig import Lab

Places = dict[tuple[str, str], Sequence[str]]


class Delegated(Cloudflare):
    """A Cloudflare with name servers below the lab's root; a context manager."""

    def __init__(
        self, lab: Lab, *, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.lab = lab
        self._directory = Path(tempfile.mkdtemp(prefix="cloudflare-", dir=lab.directory))
        self.name_servers = NameServers(self._directory)
        super().__init__(publisher=self.name_servers, address=address, port=port, tls=tls)
        self._delegated: Places = {}

    def __enter__(self) -> Self:
        self.name_servers.prepare()
        self.name_servers.start()
        try:
            self._write("test", {(host, "A"): addresses for host, addresses in HOSTS.items()})
            return super().__enter__()
        except BaseException:
            self._close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._close()

    def _close(self) -> None:
        self.name_servers.stop(0)
        self.lab.root.update("test", delete=dict.fromkeys(self._delegated, ()))
        shutil.rmtree(self._directory, ignore_errors=True)

    def delegate(self, name: str, *, signed: bool = False, **more: Any) -> Zone:
        """A further zone, served and delegated when this returns; ``more`` are members of :class:`Zone`."""
        (zone,) = self.delegate_all([name], signed=signed, **more)
        return zone

    def delegate_all(self, names: Iterable[str], *, signed: bool = False, **more: Any) -> list[Zone]:
        """Further zones, all at once."""
        zones = [self.add_zone(name, **more) for name in names]
        self.name_servers.serve(zones, signed=signed)
        parents: dict[str, Places] = {}
        for zone in zones:
            places = parents.setdefault(self._parent(zone.name), {})
            places[zone.name, "NS"] = list(HOSTS)
            if signed:
                places[zone.name, "DS"] = self.name_servers.ds(zone.name)
        for parent, places in parents.items():
            self._write(parent, places)
        # The resolver may have been told that there is no such zone.
        self.lab.unbound.flush()
        return zones

    def provider(self, token: Token | None = None, **more: object) -> dict[str, object]:
        """The table of a provider for dnsbroker.toml; default: a token of its own with all rights."""
        return {
            "type": "cloudflare",
            "base_url": self.url,
            "api_token": (token or self.add_token()).secret,
            **more,
        }

    def values(self, name: str, record_type: str = "TXT") -> frozenset[str]:
        """The values that the name servers tell at this name."""
        return self.lab.values(self.name_servers.address, name, record_type)

    def _parent(self, name: str) -> str:
        """The closest zone above that this can delegate from."""
        own = [served for served in self.name_servers.served if name.endswith(f".{served}")]
        labs = [zone for zone in ("test", *self.lab.domains) if name.endswith(f".{zone}")]
        return max([*own, *labs], key=len)

    def _write(self, parent: str, places: Places) -> None:
        if parent in self.name_servers.served:
            zone = self.name_servers.served[parent].zone
            for (name, type), contents in places.items():
                self.plant(zone, name, type, *(content.rstrip(".") for content in contents))
                self.name_servers.publish(zone, name, type)  # without the delay
        elif parent == "test":
            self._delegated |= places
            self.lab.root.update("test", add=places)
        elif self.lab.domains[parent].primary == "bind":
            self.lab.bind.update(parent, add=places)
            for secondary in self.lab.domains[parent].secondaries:
                self.lab.secondaries[secondary].refresh(parent)  # BIND may take five seconds to tell it
            self.lab.await_served(parent)
        else:
            raise LabError(f"{parent} is PowerDNS' own")
