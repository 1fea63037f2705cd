"""One host on which other ACME clients call our hooks: a journal, a service in memory, and name servers that follow it.

Each call is a run of its own, as each hook is a process of its own. Where we would sleep, time leaps; name servers are
real, and take the time they take.
Rule: left to itself nothing fails; a test says what does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from dnsbroker.broker import Broker
from dnsbroker.config import Config, ProviderConfig
from dnsbroker.config.model import PropagationConfig
from dnsbroker.events import Emitter, Event
from dnsbroker.hooking import Answer, at_once, perform
from dnsbroker.hooking.calls import Call, Cleanup, Present
from dnsbroker.journal import Journal, Lease, Leases
from dnsbroker.records import Change, RecordType, RRset
from dnsbroker.run import Run
from dnsbroker.settings import Duration
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker.testing.memory import MemorySettings
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from watching import LeapingClock

ZONE = "example.test."
OTHER = "other.test."
NAME = f"_acme-challenge.{ZONE}"
#: Much more than any wait here takes that is to end well.
LONG = 60.0


class SkippingClock(LeapingClock):
    """The machine's clocks, which leap where somebody would sleep; where one ``is_patient``, for a second or more only.

    ``slept`` lists those waits in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_patient = False
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Leap, or wait."""
        self.slept.append(seconds)
        if self.is_patient and seconds < 1:
            await super().sleep(seconds)
        else:
            self.turn(max(0.0, seconds))
            await super().sleep(0)

    def turn(self, seconds: float) -> None:
        """Leap by ``seconds``."""
        self.leapt += seconds
        self.later += timedelta(seconds=seconds)


class Served(MemoryService):
    """A service whose zones name servers serve: the first at once, the second one too but for those ``stuck``."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(ZONE, OTHER)
        self.stuck: set[str] = set()
        self._zones = {}
        for zone, number in ((ZONE, 2), (OTHER, 3)):
            label, ips = zone.split(".")[0], [f"127.0.0.{number}1", f"127.0.0.{number}2"]
            tree.delegate(*(f"{label} NS ns{at}.{label}" for at in (1, 2)))
            records = [f"ns{at} A {ip}" for at, ip in enumerate(ips, 1)]
            tree.delegate(*(f"ns{at}.{label} A {ip}" for at, ip in enumerate(ips, 1)))
            self._zones[zone] = tree.zone(zone, "\n".join(["@ NS ns1", "@ NS ns2", *records, ""]), *ips)

    def write(self, zone: str, changes: Sequence[Change], wanted: Mapping[tuple[str, RecordType], RRset]) -> int:
        """Store it, and have the servers serve what is stored, also where the reply gets lost."""
        try:
            return super().write(zone, changes, wanted)
        finally:
            self._serve(zone, wanted)

    def plant(self, zone: str, name: str, type: RecordType, ttl: int, values: Iterable[str], *, note: str = "") -> None:
        """Make the RRset exactly ``values``, at the servers too."""
        super().plant(zone, name, type, ttl, values, note=note)
        self._serve(zone, [(name, type)])

    def _serve(self, zone: str, places: Iterable[tuple[str, RecordType]]) -> None:
        first, second = self._zones[zone]
        for name, type in places:
            rrset = self.rrset(zone, name, type)
            first.remove(name, type)
            if rrset:
                first.add(*(f'{name} {rrset.ttl} {type} "{value}"' for value in sorted(rrset.values)))
        first.bump(self.serial(zone))
        if zone not in self.stuck:
            second.data = first.data

    def follow(self, zone: str) -> None:
        """Have the second server follow again."""
        self.stuck.discard(zone)
        first, second = self._zones[zone]
        second.data = first.data

    def alias(self, name: str, target: str) -> None:
        """Have ``name``, in the first zone, be another's alias."""
        for served in self._zones[ZONE]:
            served.add(f"{name} CNAME {target}")

    def unalias(self, name: str) -> None:
        """Have it be none any more."""
        for served in self._zones[ZONE]:
            served.remove(name, "CNAME")


class Host:
    """The host. ``told`` are all events, ``timeout`` (seconds) is for waiting, ``adapter`` is what writes.

    ``path`` is the configuration's, where it has a file.
    """

    def __init__(self, state_dir: Path, tree: Tree) -> None:
        self.clock = SkippingClock()
        self.tree = tree
        self.service = Served(tree)
        self.told: list[Event] = []
        self.adapter: type[MemoryProvider] = MemoryProvider
        self.timeout = LONG
        self.path: Path | None = None
        port = tree.servers.port
        self._config = Config.from_dict(
            {
                "state_dir": str(state_dir),
                "dns": {"resolvers": [f"127.0.0.53:{port}"], "nameserver_port": port},
            }
        )

    @property
    def config(self) -> Config:
        """What every call reads."""
        provider = ProviderConfig("corp", self.adapter, MemorySettings(self.service), "memory")
        propagation = PropagationConfig(timeout=Duration(self.timeout), interval=Duration(0.05))
        return replace(self._config, providers={"corp": provider}, propagation=propagation, path=self.path)

    def run(self) -> Run:
        """A run of its own, not yet begun."""
        return Run(self.config, self.clock, Emitter(self.clock, self.told.append), "hook")

    async def called(self, call: Call, *, wait: bool = True) -> Answer:
        """What comes of ``call``, from the journal alone where that will do."""
        known = at_once(call, self.config, self.clock)
        if known is not None:
            return known
        async with self.run() as run:
            return await perform(call, run, wait=wait)

    def call(self, call: Call, *, wait: bool = True) -> Answer:
        """``called``, in an event loop of its own."""
        return asyncio.run(self.called(call, wait=wait))

    def standing(self, name: str = NAME) -> set[str]:
        """The values that the service has at ``name``."""
        found = (self.service.rrset(zone, name, "TXT") for zone in self.service.zones)
        return {value for rrset in found if rrset for value in rrset.values}

    def open(self) -> tuple[Lease, ...]:
        """The leases that are not closed."""
        journal = Journal(self.config.state_dir)
        leases = Leases(journal, "looking", self.clock).open()
        journal.close()
        return leases

    def collect(self) -> int:
        """``dnsbroker gc``: how many records it found."""

        async def collected() -> int:
            async with Broker(self.config, on_event=self.told.append, clock=self.clock) as broker:
                return await broker.collect_garbage()

        return asyncio.run(collected())


@contextmanager
def host(state_dir: Path) -> Iterator[Host]:
    """The host, as long as the context is open."""
    with NameServers() as servers:
        yield Host(state_dir, Tree(servers))


def heeded(*values: str, session: str = "", name: str = NAME) -> Present:
    """What lego, uacme and acme.sh ask for, and dehydrated in a ``session``: they end where we fail."""
    tokens = {value: f"token-of-{value}" for value in values} if session else {}
    return Present(session, {name: list(values)}, tokens)


def spaced(value: str, following: int = 0, *, session: str = "certbot example.test", name: str = NAME) -> Present:
    """What certbot asks for: one value, and so many calls are to come."""
    return Present(session, {name: [value]}, following=following, is_heeded=False, is_spaced=True)


def cleanup(*values: str, session: str = "", forgiving: bool = False, name: str = NAME) -> Cleanup:
    """Take ``values`` back."""
    return Cleanup(session, {name: list(values)}, is_forgiving=forgiving)
