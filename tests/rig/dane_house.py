"""A house with DANE: a run whose provider writes a signed zone, which two servers have at once, and a service with TLS.

::

    async with House(tmp_path) as house:
        house.manage(certificate="mail")
        (brought,) = await house.bring()

Rule: DNS, TLS, journal and store are real, on loopback; only the provider is in memory, and the clock can be turned.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self

from authority import Authority
from dnsbroker import keys
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config
from dnsbroker.config.dane import DaneConfig
from dnsbroker.config.model import ProviderConfig
from dnsbroker.dane import Brought, Dane, Wish
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.events import Event
from dnsbroker.records import Receipt
from dnsbroker.run import Run, recorded
from dnsbroker.settings import Duration
from dnsbroker.store import Access, Provenance, Store
from dnsbroker.sweeping import sweep
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree
from dnsbroker.tlsa import compute
from dnsbroker.tlsa.objections import CHECKS
from signing import ZoneKey
from tls_service import Script, TlsService, at_once

ORIGIN = "example.test."
HOST = "mail.example.test"
IPS = ("127.0.0.21", "127.0.0.22")
HOUR, DAY = 3600.0, 86400.0
_BASIC = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\n"


class Turnable(SystemClock):
    """The machine's clocks, ahead by as much as a test turns them."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def turn(self, seconds: float) -> None:
        """It is so much later from now on."""
        self._ahead += seconds

    def now(self) -> datetime:
        """As turned."""
        return super().now() + timedelta(seconds=self._ahead)

    def monotonic(self) -> float:
        """As turned."""
        return super().monotonic() + self._ahead


class House:
    """``zone`` are the copies at both servers, ``lagging`` those that what is written does not reach.

    The signatures at each of ``expired`` are over.
    """

    def __init__(self, state_dir: Path, *, script: Script = at_once, hosts: str = "mail A 127.0.0.1\n") -> None:
        self._stack = contextlib.AsyncExitStack()
        self._script = script
        self.state_dir = state_dir
        self.hosts = hosts
        self.clock = Turnable()
        self.told: list[Event] = []
        self.service = MemoryService(ORIGIN)
        self.lagging: set[str] = set()
        self.expired: set[str] = set()
        self.is_signed = True
        self.key = keys.generate("ecdsa-p256")
        self.authority = Authority()
        self.tables: tuple[DaneConfig, ...] = ()
        self._serials = count(1)

    async def __aenter__(self) -> Self:
        servers = self._stack.enter_context(NameServers())
        self.tree = Tree(servers)
        self.tree.resolver.behaviour.validates = True
        self.zone_key = ZoneKey(ORIGIN)
        self.zone = dict(zip(IPS, self.tree.zone(ORIGIN, _BASIC, *IPS), strict=True))
        self.tree.delegate("example NS ns1.example", "example NS ns2.example", f"example DS {self.zone_key.ds}")
        self.tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        self.daemon = await self.daemon_for("mail")
        self.endpoint = parse(f"tls://{HOST}:{self.port}")
        self.owner = f"_{self.port}._tcp.{HOST}."
        self.mirror()
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # The world.

    def issue(self, key_pem: str = "", names: Sequence[str] = (HOST,), authority: Authority | None = None) -> str:
        """A chain for a key, by default the house's."""
        since = self.clock.now() - timedelta(days=1)
        by = authority or self.authority
        return by.issue(key_pem or self.key, names, serial=next(self._serials), not_before=since)

    async def daemon_for(self, name: str, key_pem: str = "", host: str = "127.0.0.1") -> TlsService:
        """A service that presents a certificate, which is live under ``name``."""
        chain = self.chain = self.issue(key_pem)
        self.save(name, key_pem or self.key, chain)
        daemon = TlsService(self._script, key_pem or self.key, chain, host)
        return await self._stack.enter_async_context(daemon)

    @property
    def port(self) -> int:
        """The port of the first service."""
        return int(self.daemon.address.rpartition(":")[2])

    def save(self, name: str, key_pem: str, chain_pem: str) -> None:
        """Make a certificate live, as if it had been ordered."""
        self.store.save(name, key_pem, chain_pem, Access(), Provenance("https://ca.test/", self.clock.now()))

    @property
    def store(self) -> Store:
        """Its certificates."""
        return Store(self.state_dir)

    def mirror(self) -> None:
        """Have every server that keeps up serve what the provider has."""
        rrsets = self.service.rrsets(ORIGIN)
        lines = [f"{r.name} {r.ttl} TLSA {value}\n" for r in rrsets.values() for value in sorted(r.values)]
        text = f"@ SOA ns1 host {self.service.serial(ORIGIN)} 3600 600 86400 60\n{_BASIC}{self.hosts}{''.join(lines)}"
        for ip, copy in self.zone.items():
            if ip not in self.lagging:
                self._serve(copy, text, -1 if ip in self.expired else 30)

    def _serve(self, copy: Zone, text: str, days: int) -> None:
        copy.load(text)
        if self.is_signed:
            now = datetime.now(UTC)
            self.zone_key.sign_zone(copy, since=now - timedelta(days=9), until=now + timedelta(days=days))

    def plant(self, *values: str, owner: str = "") -> None:
        """Have records there that somebody else wrote, beside what is there."""
        name = owner or self.owner
        before = self.service.rrset(ORIGIN, name, "TLSA")
        kept = (before.values if before else frozenset()) | frozenset(values)
        self.service.plant(ORIGIN, name, "TLSA", 60, kept)
        self.mirror()

    def take_out(self, value: str, owner: str = "") -> None:
        """Have somebody delete a record at the service."""
        name = owner or self.owner
        before = self.service.rrset(ORIGIN, name, "TLSA")
        assert before is not None
        self.service.plant(ORIGIN, name, "TLSA", before.ttl, before.values - {value})
        self.mirror()

    @property
    def records(self) -> frozenset[str]:
        """What the provider has at the endpoint's owner name."""
        return self.at(self.owner)

    def at(self, owner: str) -> frozenset[str]:
        """What the provider has at an owner name."""
        found = self.service.rrset(ORIGIN, owner, "TLSA")
        return found.values if found else frozenset()

    def names(self, pem: str, kind: str = "3 1 1") -> str:
        """The record of that kind for a key or a chain."""
        return compute(pem, [kind], allow=CHECKS)[0]

    # The program.

    def table(self, **keys: Any) -> DaneConfig:
        """A ``[[dane]]`` table for the endpoint."""
        usual: dict[str, Any] = {"endpoint": (str(self.endpoint),), "certificate": ("mail",), "records": ("3 1 1",)}
        usual |= {"ttl": Duration(60.0), "min_wait": Duration(120.0)}
        return DaneConfig(**{**usual, **keys})

    def config(self) -> Config:
        """The configuration that leads into this world."""
        provider = ProviderConfig("corp", self._adapter(), MemorySettings(self.service), "memory")
        tables = {
            "certificates": {"mail": {"names": [HOST]}, "second": {"names": [HOST]}},
            "state_dir": str(self.state_dir),
        }
        usual = Config.from_dict(tables)
        limits = replace(usual.propagation, timeout=Duration(3.0), interval=Duration(0.05))
        dns = self.tree.config()
        return replace(usual, dns=dns, providers={"corp": provider}, dane=self.tables, propagation=limits)

    def _adapter(self) -> type[MemoryProvider]:
        house = self

        class Mirrored(MemoryProvider):
            Settings: ClassVar[type[MemorySettings]] = MemorySettings

            async def apply(self, zone: str, changes: Any) -> Receipt:
                try:
                    return await super().apply(zone, changes)
                finally:
                    house.mirror()

        return Mirrored

    async def open(self, *tables: DaneConfig) -> None:
        """Begin another run, by default with the tables there are."""
        self.tables = tables or self.tables
        self.run: Run = await self._stack.enter_async_context(
            recorded(self.config(), self.clock, self.told.append, "test")
        )

    async def manage(self, **keys: Any) -> None:
        """Begin a run with one table, as ``table`` makes it."""
        await self.open(self.table(**keys))

    @property
    def dane(self) -> Dane:
        """Of the latest run."""
        return self.run.dane

    async def bring(self, *references: str, wish: Wish | None = None, **keys: Any) -> Brought:
        """What comes of bringing the first of ``references``, by default ``mail``."""
        names = references or ("mail",)
        brought = await self.dane.bring(names, wishes=dict.fromkeys(names, wish or Wish()), **keys)
        return brought[0]

    async def publish(self, *endpoints: Endpoint, **keys: Any) -> Brought:
        """What comes of a person's asking for publication."""
        return (await self.dane.bring(endpoints=endpoints, is_publishing_asked=True, **keys))[0]

    async def clean_up(self) -> None:
        """What gc does."""
        await sweep(self.run)

    def next_key(self, name: str = "mail") -> str:
        """The next key that is staged."""
        key = self.store.next_key(name)
        assert key is not None
        return str(key.key_pem)

    @property
    def writes(self) -> int:
        """How many writes the provider has taken."""
        return len(self.service.seen)


def played(tmp_path: Path, story: Callable[[House], Awaitable[None]], **keys: Any) -> None:
    """Play ``story`` in a house below ``tmp_path``, made with ``keys``."""

    async def play() -> None:
        async with House(tmp_path / "state", **keys) as house:
            await story(house)

    asyncio.run(play())
