"""A zone on a few loopback name servers, and a wait for what they have: the stage of the propagation tests.

``ns1`` is the primary and stands at 127.0.0.21, ``ns2`` at 127.0.0.22 and so on; every server's copy can be changed
and every server made to misbehave. Time is real, but what takes seconds elsewhere takes tenths here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.config.model import PropagationConfig
from dnsbroker.errors import NotPropagated
from dnsbroker.events import Emitter, Event
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.propagation import Expectation, Outcome, Watcher
from dnsbroker.testing.nameserver import NameServers, Server, Zone
from dnsbroker.testing.tree import Tree

ORIGIN = "example.test."
NAME = "_acme-challenge.example.test."
#: By how many seconds a wait may end too late, on a machine that has much else to do.
_LATE = 20.0
#: A silent address is tolerated after so many seconds; asking one that is silent takes a third of that.
PATIENCE = 0.6


def _records(ips: Sequence[str]) -> list[str]:
    names = [f"ns{number}" for number in range(1, len(ips) + 1)]
    glue = [f"{name} {'AAAA' if ':' in ip else 'A'} {ip}" for name, ip in zip(names, ips, strict=True)]
    return [*(f"@ NS {name}" for name in names), *glue]


class LeapingClock(SystemClock):
    """The machine's clocks, moved forward at will: the monotonic one by ``leapt`` seconds, the wall's by ``later``."""

    def __init__(self) -> None:
        self.leapt = 0.0
        self.later = timedelta()

    def now(self) -> datetime:
        """The wall clock."""
        return super().now() + self.later

    def monotonic(self) -> float:
        """The monotonic clock."""
        return super().monotonic() + self.leapt


class Stage:
    """The zone ``example.test.`` at serial 1 on every server, and what was told of the waits."""

    def __init__(self, servers: NameServers, ips: Sequence[str], *, also: Sequence[str] = ()) -> None:
        self.names = servers
        self.tree = Tree(servers)
        text = "\n".join(("@ SOA ns1 host 1 3600 600 86400 60", *_records(ips), *also, ""))
        self.servers = [servers.server(ip) for ip in ips]
        self.copies = [server.zone(ORIGIN, text) for server in self.servers]
        for line in _records(ips):
            owner, type, data = line.split()
            self.tree.delegate(
                f"example NS {data}.example" if type == "NS" else f"{owner}.example {type} {data}",
            )
        self.events: list[Event] = []
        self.clock = LeapingClock()
        self.exchange = Exchange(PATIENCE / 6, PATIENCE / 6)
        self.finder = Finder(self.tree.config(), self.exchange, self.clock)

    def publish(self, *values: str, at: Sequence[int] = (), label: str = "_acme-challenge", serial: int = 2) -> None:
        """Have ``values`` in the copies numbered ``at`` (from 1), or in all, with ``serial``."""
        for copy in [self.copies[number - 1] for number in at] or self.copies:
            copy.add(*(f"{label} TXT {value}" for value in values))
            copy.bump(serial)

    def watcher(self, **config: object) -> Watcher:
        """One of its own; ``config`` as in PropagationConfig."""
        policy = replace(PropagationConfig(), **config)  # type: ignore[arg-type]
        emit = Emitter(self.clock, self.events.append)
        return Watcher(self.exchange, self.finder.resolvers, self.clock, emit, policy, patience=PATIENCE)

    async def expectation(
        self, *values: str, name: str = NAME, type: str = "TXT", serial: int | None = 2
    ) -> Expectation:
        """That ``values`` are at ``name``, once its place is found."""
        return Expectation(await self.finder.find(name), type, frozenset(values), serial)  # type: ignore[arg-type]

    def wait(
        self,
        *values: str,
        seconds: float = 20.0,
        serial: int | None = 2,
        type: str = "TXT",
        name: str = NAME,
        meanwhile: Callable[[], None] | None = None,
        after: float = 0.4,
        **config: object,
    ) -> Outcome:
        """Wait for ``values``, at most ``seconds``; ``meanwhile`` is called ``after`` so many seconds."""

        async def story() -> Outcome:
            expectation = await self.expectation(*values, name=name, type=type, serial=serial)
            if meanwhile:
                asyncio.get_running_loop().call_later(after, meanwhile)
            watcher = self.watcher(**config)
            outcome = await watcher.wait(expectation, Deadline.after(self.clock, seconds))
            assert len(asyncio.all_tasks()) == 1, "a look outlived the wait"
            return outcome

        return asyncio.run(story())

    def failure(self, *values: str, seconds: float = 0.5, **options: object) -> NotPropagated:
        """The error of a wait that must not succeed."""
        begun = time.monotonic()
        try:
            outcome = self.wait(*values, seconds=seconds, **options)  # type: ignore[arg-type]
        except NotPropagated as error:
            assert time.monotonic() - begun < seconds + _LATE, "the deadline was slept past"
            return error
        raise AssertionError(f"the wait is through: {outcome}")

    def told(self, number: int) -> list[str]:
        """The verdicts that were told of the server numbered so, in order."""
        ip = self.servers[number - 1].ip
        return [
            str(event["verdict"]) for event in self.events if event["event"] == "server" and ip in str(event["address"])
        ]

    def server(self, number: int) -> Server:
        """The server of that name."""
        return self.servers[number - 1]

    def copy(self, number: int) -> Zone:
        """Its copy of the zone."""
        return self.copies[number - 1]


@contextmanager
def stage(*ips: str, also: Sequence[str] = ()) -> Iterator[Stage]:
    """A stage with servers at ``ips``, by default two; ``also`` are further records of the zone."""
    with NameServers() as servers:
        yield Stage(servers, ips or ("127.0.0.21", "127.0.0.22"), also=also)
