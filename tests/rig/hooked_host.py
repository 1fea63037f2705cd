"""A host on which a client calls hooks about a certificate of its own, ``a.test``: each call is a run of its own.

Rule: files, journal and hooks are real; what the client does between two calls is done by the test. No authority.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.config import Config, DaneConfig
from dnsbroker.dane import Dane
from dnsbroker.events import Emitter, Event
from dnsbroker.hooking import Answer, perform
from dnsbroker.hooking.calls import Admit, Call, Deploy
from dnsbroker.journal import Sessions
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock
from kept_elsewhere import Kept

AUTHORITY = Authority()
KEY, NEW, NEWER = (keys.generate("ecdsa-p256") for _ in range(3))
SESSION = "dehydrated /var/lib/dehydrated"


def chain(key_pem: str, serial: int, *names: str) -> str:
    """A certificate for ``a.test``, or ``names``."""
    return AUTHORITY.issue(key_pem, names or ["a.test"], serial=serial)


def digest(key_pem: str) -> str:
    """A TLSA record that names the key."""
    return f"3 1 1 {hashlib.sha256(keys.public_key_of(key_pem)).hexdigest()}"


class Host:
    """A host on which clients call hooks; ``tables`` are certificates beside ``a.test``, ``settings`` of that one.

    ``now`` is the moment of a call, ``dane`` what looks after the tables ``tlsa`` in place of the run's own.
    """

    def __init__(self, directory: Path, client: str = "dehydrated") -> None:
        self.directory = directory
        self.kept = Kept(directory / "client", client)
        self.log = directory / "log"
        self.log.touch()
        self.tables: dict[str, Any] = {}
        self.settings: dict[str, Any] = {
            "tlsa_guard": False,
            "deploy_hooks": [self.note("deploy")],
            "post_hooks": [self.note("post")],
        }
        self.dns: dict[str, Any] = {}
        self.now = START + timedelta(days=1)
        self.tlsa: tuple[DaneConfig, ...] = ()
        self.dane: Dane | None = None
        self.events: list[Event] = []
        self.failed: tuple[str, ...] = ()

    def note(self, word: str) -> str:
        """A hook that writes down what it is told."""
        return f'echo "{word} $RENEWED_LINEAGE|$RENEWED_DOMAINS" >> {self.log}'

    def said(self) -> list[str]:
        """What hooks wrote down since this was asked last."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    @property
    def words(self) -> list[str]:
        """The hooks that ran since."""
        return [line.split()[0] for line in self.said()]

    def config(self) -> Config:
        """What is configured."""
        place = {} if "names" in self.settings else {"lineage": str(self.kept.directory)}
        table = {**place, **self.settings}
        certificates = {"a.test": table, **self.tables}
        data = {"state_dir": str(self.directory / "state"), "certificates": certificates, "dns": self.dns}
        found = Config.from_dict(data)
        assert not found.broken
        return replace(found, dane=self.tlsa)

    def call(self, call: Call) -> Answer:
        """What comes of ``call``, in a run of its own."""

        async def story() -> Answer:
            clock = FakeClock(self.now)
            async with Run(self.config(), clock, Emitter(clock, self.events.append)) as run:
                if self.dane is not None:
                    run.dane = self.dane
                answer = await perform(call, run)
                self.failed = tuple(one.message for one in Sessions(run.journal, clock).failures(SESSION))
                return answer

        self.events.clear()
        return asyncio.run(story())

    def deploy(self, path: Path | None = None, **facts: bool) -> Answer:
        """As deploy_cert says it, of ``a.test``."""
        return self.call(Deploy(SESSION, path or self.kept.directory, **facts))

    def warnings(self) -> list[str]:
        """What was warned of in the last call."""
        return [str(event["message"]) for event in self.events if event["event"] == "warning"]


def admitted(kept: Kept, key_pem: str, chain_pem: str) -> Admit:
    """As sync_cert says it: the files are there, and no link leads to them yet."""
    kept.number += 1
    leaf, *issuers = keys.read_chain(chain_pem)
    texts = {"cert": leaf, "privkey": key_pem, "chain": "".join(issuers), "fullchain": chain_pem}
    files = kept.written(texts)
    return Admit(kept.directory, files["cert"], files["fullchain"], files["privkey"])
