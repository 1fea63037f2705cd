"""A small sound world for the doctor: a zone on two name servers, a provider in memory, a CA's directory.

Rule: left to itself nothing in it is wrong, so that each fault a test makes is the only one. What stands in the zone is
set by the test; the provider and the name servers do not know each other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnsbroker import Broker, Config
from dnsbroker.adapter import Adapter
from dnsbroker.doctor import Diagnosis
from dnsbroker.events import Event
from dnsbroker.findings import Finding, Severity
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from loopback import LoopbackServer, Request, Response

ZONE = "example.test."
CHALLENGE = f"_acme-challenge.{ZONE}"
SERVERS = ("127.0.0.21", "127.0.0.22")
RECORDS = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\nwww A 127.0.0.100\n"


class Practice:
    """The world, and the doctor who looks at it. ``told`` are the events of the last visit."""

    def __init__(self, servers: NameServers, state_dir: Path) -> None:
        self.tree = Tree(servers)
        self.state_dir = state_dir
        self.tree.delegate("example NS ns1.example", "example NS ns2.example")
        self.tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        self.zones = self.tree.zone(ZONE, RECORDS, *SERVERS)
        self.service = MemoryService(ZONE)
        self.identities = ["ca.test"]
        self.date = ""
        self.told: list[Event] = []

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
            "dns": {"resolvers": [f"127.0.0.53:{port}"], "nameserver_port": port},
            "providers": {"memory": {"type": "memory", "service": self.service}},
            "certificates": dict(certificates or {}),
            **tables,
        }
        return {"data": data, "adapters": {"memory": MemoryProvider, **(adapters or {})}}

    def visit(self, *names: str, fix: bool = False, config: Mapping[str, Any] | None = None) -> Diagnosis:
        """What the doctor finds."""
        return asyncio.run(self._visit(names, fix, config or self.config()))

    async def _visit(self, names: tuple[str, ...], fix: bool, config: Mapping[str, Any]) -> Diagnosis:
        self.told.clear()
        async with LoopbackServer(self._answer) as ca:
            acme = {"directory": f"{ca.url}/dir", "agree_tos": True}
            data = {"acme": acme, **config["data"]}
            known = Config.from_dict(data, adapters=config["adapters"])
            async with Broker(known, on_event=self.told.append, clock=FakeClock(), looking=not fix) as broker:
                return await broker.doctor(names, fix=fix)

    def _answer(self, request: Request) -> Response:
        urls = {key: f"https://ca.test/{key}" for key in ("newNonce", "newAccount", "newOrder")}
        meta = {"caaIdentities": self.identities}
        headers = (("Date", self.date),) if self.date else ()
        return Response(headers=headers, body=json.dumps({**urls, "meta": meta}).encode())


def grave(diagnosis: Diagnosis) -> list[Finding]:
    """What a person is told of without asking for more."""
    return [finding for finding in diagnosis.findings if finding.severity is not Severity.NOTICE]


def words(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The check and the subject of each of those."""
    return [(finding.check, finding.subject) for finding in grave(diagnosis)]
