"""The stage on which an adapter is tested: the adapter, its zone, and a side door behind its back.

Refuses nothing and judges nothing; the promises are in ``dnsbroker.testing.contract``.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from dnsbroker.adapter import Adapter, Surroundings
from dnsbroker.clock import Clock, SystemClock
from dnsbroker.records import RecordType, RRset
from dnsbroker.transport import Connections


class SideDoor(ABC):
    """The zone seen and changed without the adapter: the service's own tool, or the fake's inside."""

    @abstractmethod
    async def plant(self, name: str, type: RecordType, ttl: int, values: Iterable[str]) -> None:
        """Make the RRset exactly ``values``."""

    @abstractmethod
    async def see(self, name: str, type: RecordType) -> RRset | None:
        """The RRset as it stands; None where there is none."""

    async def serial(self, zone: str) -> int | None:
        """The serial that is served for ``zone``; None where serials play no part."""
        return None

    async def writes(self) -> int | None:
        """How many writes to the scene's zone the service has taken; None where it cannot tell."""
        return None


@dataclass(frozen=True)
class Scene:
    """A fresh adapter and the zone it may write; ``child`` is a second zone below it, where one can be had.

    ``missing`` is a zone that the service does not hold.
    """

    adapter: Adapter
    zone: str
    foreign: SideDoor
    child: str = ""
    missing: str = "nowhere.invalid."

    @property
    def name(self) -> str:
        """The owner name that most tests write to; nothing stands there at first."""
        return f"_acme-challenge.contract.{self.zone}"


Stage = Callable[[], AbstractAsyncContextManager[Scene]]
Story = Callable[[Any, Scene], Awaitable[None]]


def surroundings(provider: str = "contract", *, clock: Clock | None = None) -> Surroundings:
    """What an adapter is given, for tests: no proxies, the system's clock and host names unless told otherwise."""
    return Surroundings(provider, clock or SystemClock(), Connections({}), _addresses)


async def _addresses(host: str) -> tuple[str, ...]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def played(story: Story) -> Callable[[Any, Stage], None]:
    """A plain test that opens the stage and plays ``story`` on it."""

    def test(self: Any, stage: Stage) -> None:
        async def play() -> None:
            async with stage() as scene:
                await story(self, scene)

        asyncio.run(play())

    test.__doc__ = story.__doc__
    return test
