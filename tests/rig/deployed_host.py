"""A host on which certificates are issued and deployed: a real store, journal, hooks and copies, no authority.

Rule: each ``run`` is one of its own, as a program's run is; only the host's files and its journal last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authority import Authority
from dnsbroker import keys
from dnsbroker.clock import SystemClock
from dnsbroker.config import CertificateConfig
from dnsbroker.deploying import Deploying, steps
from dnsbroker.errors import LookupFailed
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Deployments, Journal
from dnsbroker.store import Access, Lineage, Provenance, Store

AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC))

#: What a hook was told, in one line.
TELL = 'echo "{0} $DNSBROKER_CERTIFICATE|${{RENEWED_LINEAGE-none}}|${{RENEWED_DOMAINS-none}}|${{FAILED_DOMAINS-none}}"'


class Host:
    """A store and a journal, with a run's deployments as often as wanted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = Store(directory / "state")
        self.store.prepare()
        self.journal = Journal(self.store.state_dir)
        self.deployments = Deployments(self.journal, SystemClock())
        self.log = directory / "log"
        self.log.touch()
        self.events: list[Event] = []
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.environment: dict[str, str] = {"LOG": str(self.log), "RENEWED_DOMAINS": "stale", "FAILED_DOMAINS": "stale"}

    def run(self, act: Callable[[Deploying], Awaitable[object]]) -> Deploying:
        """``act`` in a run of its own."""
        emit = Emitter(SystemClock(), self.events.append)
        deploying = Deploying(self.store, self.deployments, self.environment, SystemClock(), emit, self.addresses_of)

        async def acted() -> None:
            await act(deploying)

        self.events.clear()
        asyncio.run(acted())
        return deploying

    async def addresses_of(self, host: str) -> tuple[str, ...]:
        if host not in self.addresses:
            raise LookupFailed("nobody knows it", name=host)
        return self.addresses[host]

    def issued(self, certificate: CertificateConfig, serial: int) -> Lineage:
        """Planned, then live, as an order ends."""
        self.deployments.plan(certificate.name, format(serial, "x"), steps(certificate))
        chain = AUTHORITY.issue(KEY, certificate.names, serial=serial)
        return self.store.save(certificate.name, KEY, chain, Access(), FROM)

    def issue(self, *certificates: CertificateConfig, serial: int = 1) -> Deploying:
        """A run in which all of them are issued."""
        attempted = [(certificate, True) for certificate in certificates]

        async def act(deploying: Deploying) -> None:
            for certificate in certificates:
                await deploying.pre(certificate)
                lineage = self.issued(certificate, serial)
                await deploying.spread(certificate, lineage, Emitter(SystemClock(), self.events.append))
            await deploying.finish(attempted)

        return self.run(act)

    def renew(self, *certificates: CertificateConfig, again: bool = False) -> Deploying:
        """A run in which none is due; with ``again``, `deploy`."""

        async def act(deploying: Deploying) -> None:
            for certificate in certificates:
                lineage = self.live(certificate)
                if again or deploying.is_unfinished(certificate, lineage):
                    await deploying.spread(
                        certificate, lineage, Emitter(SystemClock(), self.events.append), again=again
                    )
            await deploying.finish()

        return self.run(act)

    def live(self, certificate: CertificateConfig) -> Lineage:
        lineage = self.store.load(certificate.name)
        assert lineage is not None
        return lineage

    def systemctl(self, script: str = "") -> None:
        """Let systemctl be a program that writes down its last argument; ``script`` may let it fail."""
        program = self.directory / "bin" / "systemctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\nfor unit in "$@"; do :; done\ncase $1 in is-active) echo active; exit;; esac\n{script}\n'
            'echo "reloaded $unit" >> "$LOG"\n'
        )
        program.chmod(0o755)
        self.environment["PATH"] = f"{program.parent}:/usr/bin:/bin"

    def said(self) -> list[str]:
        """What hooks wrote down since this was asked last."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


def certificate(name: str = "a.test", **settings: Any) -> CertificateConfig:
    """One with hooks that take their time from nothing."""
    return CertificateConfig(name, **{"names": (name, f"*.{name}"), "hook_timeout": 20.0, **settings})


def note(word: str) -> str:
    return f'echo {word} >> "$LOG"'


def tell(word: str) -> str:
    return f'{TELL.format(word)} >> "$LOG"'
