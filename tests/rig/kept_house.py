"""A host on which another client keeps one certificate, and a ``dnsbroker`` that deploys it.

Rule: every call is a run of its own, with the time as the test sets it. Refused: an authority, a name server; whoever
contacts one fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from authority import START, Authority
from dnsbroker import Broker, Config, keys
from dnsbroker.certifying import Outcome, Wishes
from dnsbroker.events import Event
from dnsbroker.testing import FakeClock
from kept_elsewhere import Kept

T = TypeVar("T")

AUTHORITY = Authority()
KEY, OTHER = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
NAMES = ["a.test", "*.a.test"]


class House:
    """A host on which another client keeps ``a.test``; ``settings`` are further keys of its table."""

    def __init__(self, directory: Path, client: str = "certbot") -> None:
        self.directory = directory
        self.kept = Kept(directory / "client", client)
        self.state = directory / "state"
        self.log = directory / "log"
        self.log.touch()
        self.moment = START + timedelta(days=1)
        self.events: list[Event] = []
        self.tables: dict[str, Any] = {}
        self.settings: dict[str, Any] = {"deploy_hooks": [self.note("deploy")], "post_hooks": [self.note("post")]}

    def note(self, word: str) -> str:
        """A hook that writes down what it is told."""
        return f'echo "{word} $RENEWED_LINEAGE|$RENEWED_DOMAINS|$DNSBROKER_CERTIFICATE" >> {self.log}'

    def said(self) -> list[str]:
        """What hooks wrote down since this was asked last."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    def renewed(self, key_pem: str = KEY, serial: int = 1) -> None:
        """The client has a new certificate."""
        self.kept.renew(key_pem, AUTHORITY.issue(key_pem, NAMES, serial=serial))

    @property
    def config(self) -> Config:
        """What is configured."""
        table = {"lineage": str(self.kept.directory), "tlsa_guard": False, **self.settings}
        data = {"state_dir": str(self.state), "certificates": {"a.test": table}, **self.tables}
        config = Config.from_dict(data)
        assert not config.broken
        return config

    def run(self, work: Callable[[Broker], Awaitable[T]]) -> T:
        """``work`` in a run of its own; whoever contacts an authority or a name server fails in it."""

        async def story() -> T:
            clock = FakeClock(self.moment)
            async with Broker(self.config, on_event=self.events.append, clock=clock) as broker:
                return await work(broker)

        self.events.clear()
        return asyncio.run(story())

    def renew(self, *names: str, **wishes: Any) -> Outcome:
        """What `renew` makes of it."""
        (outcome,) = self.run(lambda broker: broker.renew_all(names, wishes=Wishes(**wishes)))
        return outcome

    def status(self) -> tuple[str, bool, str]:
        """The word, whether it needs a person, and all that is told."""

        async def asked(broker: Broker) -> tuple[str, bool, str]:
            health = await broker.status("a.test")
            return health.status, health.needs_person, "\n".join(health.findings)

        return self.run(asked)
