"""A small sound world for the doctor: a zone on two name servers, a provider in memory, a CA's directory.

Rule: left to itself nothing in it is wrong, so that each fault a test makes is the only one. What stands in the zone is
set by the test; the provider and the name servers do not know each other.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dnsbroker import Broker, Config
from dnsbroker.adapter import Adapter
from dnsbroker.doctor import Diagnosis
from dnsbroker.doctor.alone import Alone, Job
from dnsbroker.events import Event
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.listener import Thread
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from loopback import LoopbackServer, Request, Response

ZONE = "example.test."
CHALLENGE = f"_acme-challenge.{ZONE}"
SERVERS = ("127.0.0.21", "127.0.0.22")
RECORDS = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\nwww A 127.0.0.100\n"
CERTIFICATE = {"example.test": {"names": ["example.test", "*.example.test"]}}
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


class Practice:
    """The world, and the doctor who looks at it. ``told`` are the events of the last visit.

    ``tables`` are put in place of the configuration's own, ``adapters`` are known by these types, ``open`` keeps a
    context until the world ends. ``moment`` is the time of a visit, ``exchange`` what it asks name servers by; jobs
    that look at what is in ``left_out`` are not run. ``identities``, ``date`` and ``meta`` are the CA's, ``services``
    whatever stands for a provider's server.
    """

    def __init__(self, servers: NameServers, state_dir: Path, stack: ExitStack) -> None:
        self.tree = Tree(servers)
        self.state_dir = state_dir
        self.open = stack.enter_context
        self.tree.delegate("example NS ns1.example", "example NS ns2.example")
        self.tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        self.zones = self.tree.zone(ZONE, RECORDS, *SERVERS)
        self.service = MemoryService(ZONE)
        self.identities = ["ca.test"]
        self.meta: dict[str, object] = {}
        self.date = ""
        self.ca = self.open(running(LoopbackServer(self._answer)))
        self.tables: dict[str, Any] = {}
        self.adapters: dict[str, type[Adapter]] = {"memory": MemoryProvider}
        self.moment = FakeClock().now()
        self.exchange: Callable[[], Exchange] = Exchange
        self.left_out: frozenset[str] = frozenset()
        self.services: dict[str, Any] = {}
        self.told: list[Event] = []

    def everywhere(self, *lines: str) -> None:
        """Further records of the zone, at both its servers."""
        for zone in self.zones:
            zone.add(*lines)

    def config(
        self,
        certificates: Mapping[str, object] | None = None,
        adapters: Mapping[str, type[Adapter]] | None = None,
        **tables: Any,
    ) -> dict[str, Any]:
        """What ``Config.from_dict`` takes: the world's configuration, ``tables`` put in place of its own."""
        port = self.tree.servers.port
        data: dict[str, object] = {
            "state_dir": str(self.state_dir),
            "acme": {"directory": f"{self.ca.url}/dir", "agree_tos": True},
            "dns": {"resolvers": [f"127.0.0.53:{port}"], "nameserver_port": port},
            "providers": {"memory": {"type": "memory", "service": self.service}},
            "certificates": dict(certificates or {}),
            **self.tables,
            **tables,
        }
        return {"data": data, "adapters": {**self.adapters, **(adapters or {})}}

    def visit(self, *names: str, fix: bool = False, config: Mapping[str, Any] | None = None) -> Diagnosis:
        """What the doctor finds."""
        return asyncio.run(self._visit(names, fix, config or self.config()))

    async def _visit(self, names: tuple[str, ...], fix: bool, config: Mapping[str, Any]) -> Diagnosis:
        self.told.clear()
        known = Config.from_dict(config["data"], adapters=config["adapters"])
        clock = FakeClock(self.moment)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", os.devnull)  # nobody here has a certificate, and reading roots takes long
            patch.setattr("dnsbroker.run.Exchange", self.exchange)
            patch.setattr(Alone, "run", self._unless_left_out(Alone.run))
            async with Broker(known, on_event=self.told.append, clock=clock, looking=not fix) as broker:
                return await broker.doctor(names, fix=fix)

    def _unless_left_out(self, run: Callable[[Alone, Job], Any]) -> Callable[[Alone, Job], Any]:
        async def chosen(alone: Alone, job: Job) -> tuple[Finding, ...]:
            return () if job.what in self.left_out else tuple(await run(alone, job))

        return chosen

    def _answer(self, request: Request) -> Response:
        urls = {key: f"https://ca.test/{key}" for key in ("newNonce", "newAccount", "newOrder")}
        meta = {"caaIdentities": self.identities, **self.meta}
        headers = (("Date", self.date),) if self.date else ()
        return Response(headers=headers, body=json.dumps({**urls, "meta": meta}).encode())


@contextmanager
def practising(state_dir: Path) -> Iterator[Practice]:
    """The world, as long as the context is open."""
    with NameServers() as servers, ExitStack() as stack:
        yield Practice(servers, state_dir, stack)


@contextmanager
def running(server: LoopbackServer) -> Iterator[LoopbackServer]:
    """``server``, in a thread of its own."""
    thread = Thread()
    try:
        thread.run(server.__aenter__())
        try:
            yield server
        finally:
            thread.run(server.__aexit__(None, None, None))
    finally:
        thread.close()


def leave(practice: Practice, value: str) -> None:
    """Have ``value`` written for a minute that is long past: in the service, and at the name servers."""
    config: dict[str, Any] = practice.config()

    async def story() -> None:
        known = Config.from_dict(config["data"], adapters=config["adapters"])
        async with Broker(known, clock=FakeClock(LONG_AGO)) as broker:
            await broker.texts.present({CHALLENGE: [value]}, expires=60, wait=False)

    asyncio.run(story())
    practice.everywhere(f'{CHALLENGE} 5 TXT "{value}"')


def grave(diagnosis: Diagnosis) -> list[Finding]:
    """What a person is told of without asking for more."""
    return [finding for finding in diagnosis.findings if finding.severity is not Severity.NOTICE]


def words(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The check and the subject of each of those."""
    return [(finding.check, finding.subject) for finding in grave(diagnosis)]
