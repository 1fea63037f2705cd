"""A Broker with one certificate whose TLSA records a CoveringDane looks after, and a CA that issues at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from authority import START
from covering_dane import CoveringDane
from dnsbroker import Broker, Config, Outcome, Wishes, keys
from dnsbroker.events import Event
from dnsbroker.journal import Progress
from dnsbroker.store import Lineage
from dnsbroker.testing import FakeClock
from issuing_ca import IssuingCA
from practice import Practice, practising, running

T = TypeVar("T")
NAME = "example.test"
OWNER = f"_25._tcp.{NAME}."


class House:
    """What is asked of it is asked of a new Broker each time, as by a timer; what is known stays."""

    def __init__(self, practice: Practice, state_dir: Path) -> None:
        self._practice = practice
        self.clock = FakeClock(START)
        self.ca = IssuingCA(self.clock)
        self.known: dict[str, float] = {}
        self.settings: dict[str, Any] = {}
        self.told: list[Event] = []
        self.dane: Callable[[CoveringDane], None] = lambda _: None
        self.last: CoveringDane | None = None
        self.tables: list[dict[str, Any]] = [{"endpoint": f"smtp://{NAME}", "certificate": NAME}]
        self.state_dir = state_dir

    def config(self) -> Config:
        """The configuration, as it is now."""
        made = self._practice.config(
            {NAME: self.settings if "lineage" in self.settings else {"tlsa_guard": False, **self.settings}},
            acme={"directory": self.ca.url("dir"), "agree_tos": True},
            propagation={"require": "none", "settle": "10ms"},
            dane=self.tables,
        )
        return Config.from_dict(made["data"], adapters=made["adapters"])

    def do(self, work: Callable[[Broker], Awaitable[T]]) -> T:
        """Do ``work`` with a Broker of its own."""

        async def done() -> T:
            async with Broker(self.config(), on_event=self.told.append, clock=self.clock) as broker:
                self.last = CoveringDane(broker._run, NAME, self.known, frozenset({OWNER}))
                broker._run.dane = self.last  # type: ignore[assignment] # it looks like one
                self.dane(self.last)
                return await work(broker)

        return asyncio.run(done())

    def renew(self, *names: str, **wishes: Any) -> Outcome:
        """What becomes of the certificate."""
        self.told.clear()
        return self.do(lambda broker: broker.renew_all(names, wishes=Wishes(**wishes)))[0]

    def live(self) -> Lineage:
        """What is live."""
        return self.do(_live)

    def next_key(self) -> str:
        """The digest of the next key; empty where there is none."""

        async def found(broker: Broker) -> str:
            staged = broker._run.store.next_key(NAME)
            return keys.spki_sha256_of(staged.key_pem) if staged else ""

        return self.do(found)

    def is_held(self) -> bool:
        """Whether a certificate waits."""

        async def found(broker: Broker) -> bool:
            return broker._run.store.held_back(NAME) is not None

        return self.do(found)

    def progress(self, **changes: Any) -> Progress:
        """What is known of the roll-over, once ``changes`` are made."""

        async def found(broker: Broker) -> Progress:
            rollovers = broker._run.rollovers
            known = rollovers.progress(NAME) or Progress(NAME, "steady", 0.0, "all is well")
            if changes:
                rollovers.keep_progress(replace(known, **changes))
            return rollovers.progress(NAME) or known

        return self.do(found)

    def later(self, **time: float) -> None:
        """Let so much time pass."""
        self.clock.turn(timedelta(**time).total_seconds())

    @property
    def orders(self) -> int:
        """How many the CA has seen."""
        return len(self.ca.orders)

    @property
    def warnings(self) -> list[str]:
        """What was warned of in the last renewal, but for a CA that gives no advice."""
        found = [str(event["message"]) for event in self.told if event["event"] == "warning"]
        return [message for message in found if not message.startswith("cannot ask when to renew")]


async def _live(broker: Broker) -> Lineage:
    found = broker._run.store.load(NAME)
    assert found is not None
    return found


@contextmanager
def rolled_house(state_dir: Path) -> Iterator[House]:
    """The house, with a certificate that is live since a day, its key and the next one known for as long."""
    with practising(state_dir) as practice:
        house = House(practice, state_dir)
        with running(house.ca.server):
            assert house.renew().status == "issued"
            house.later(days=1)
            yield house
