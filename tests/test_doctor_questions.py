"""Whom the doctor asks: no resolver about a name that a challenge is going to use, nor a server that is ignored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.findings import Finding
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from signing import NOW, ZoneKey

NS = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\n"
IPS = ("127.0.0.21", "127.0.0.22")


class Scene:
    """The signed zone ``example.test`` at two servers, a resolver that validates, and the doctor."""

    def __init__(self, tree: Tree, state_dir: Path) -> None:
        self.tree, self.state_dir = tree, state_dir
        self.key = ZoneKey("example.test.")
        self.copies = tree.zone("example.test.", NS, *IPS)
        tree.delegate("example NS ns1.example", "example NS ns2.example", f"example DS {self.key.ds}")
        tree.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22")
        tree.resolver.behaviour.validates = True

    def cut(self, name: str) -> str:
        """A signed zone of its own below ``example.test``, on the same servers; its full name."""
        origin = f"{name}.example.test."
        key, own = ZoneKey(origin), "@ NS ns1.example.test.\n@ NS ns2.example.test.\n"
        key.sign_zone(*self.tree.zone(origin, own, *IPS))
        self.add(f"{name} NS ns1", f"{name} NS ns2", f"{name} DS {key.ds}")
        return origin

    def add(self, *lines: str) -> None:
        for zone in self.copies:
            zone.add(*lines)

    def found(self, name: str) -> tuple[Finding, ...]:
        """What the doctor finds of ``name``, in a zone that is signed now."""
        self.key.sign_zone(*self.copies)
        return self.looked(name)

    def looked(self, name: str, **tables: object) -> tuple[Finding, ...]:
        """What the doctor finds of ``name``, the zone being as it is."""
        return asyncio.run(self._visit(name, tables))

    async def _visit(self, name: str, tables: dict[str, object]) -> tuple[Finding, ...]:
        dns = self.tree.config()
        data = {
            "state_dir": str(self.state_dir),
            "acme": {"directory": "http://127.0.0.1:1/dir", "agree_tos": True},
            "dns": {"resolvers": list(dns.resolvers), "nameserver_port": dns.nameserver_port},
            "providers": {"memory": {"type": "memory", "service": MemoryService("example.test.")}},
            **tables,
        }
        config = Config.from_dict(data, adapters={"memory": MemoryProvider})
        async with Broker(config, looking=True, clock=FakeClock(NOW)) as broker:
            return (await broker.doctor([name])).findings

    def heard(self) -> list[str]:
        """The zones and names below ``test`` that the resolver was asked about."""
        asked = [entry.name for entry in self.tree.servers.log if entry.server == self.tree.resolver.ip]
        return sorted({name for name in asked if name.endswith("example.test.")})


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with NameServers() as servers:
        yield Scene(Tree(servers), tmp_path / "state")


def test_a_resolver_is_asked_about_the_zone(scene: Scene) -> None:
    """The negative twin: whether it takes the zone for bogus is worth knowing."""
    scene.found("www.example.test")
    assert scene.heard() == ["example.test."]


def test_no_resolver_hears_of_a_challenge_name_that_is_a_zone_of_its_own(scene: Scene) -> None:
    """Its NSEC, which says that there is no TXT, could be held against the value (RFC 8198)."""
    scene.cut("_acme-challenge.own")
    scene.found("own.example.test")
    assert scene.heard() == ["example.test."]


def test_no_resolver_hears_of_a_zone_at_whose_apex_the_record_is_to_stand(scene: Scene) -> None:
    """Whatever it is called."""
    scene.add(f"_acme-challenge.www CNAME {scene.cut('values')}")
    scene.found("www.example.test")
    assert scene.heard() == ["example.test."]


def test_no_resolver_hears_of_a_zone_below_a_challenge_name(scene: Scene) -> None:
    """Who minimises its questions asks for the names above it first (RFC 9156)."""
    scene.add(f"_acme-challenge.www CNAME v.{scene.cut('deep._acme-challenge.own')}")
    scene.found("www.example.test")
    assert scene.heard() == ["example.test."]


def test_a_zone_in_which_a_challenge_is_delegated_is_asked_about(scene: Scene) -> None:
    """Above the record's name, as any other zone."""
    scene.add(f"_acme-challenge.www CNAME v.{scene.cut('values')}")
    scene.found("www.example.test")
    assert scene.heard() == ["example.test.", "values.example.test."]


def checks(found: tuple[Finding, ...]) -> set[str]:
    return {finding.check for finding in found}


def test_what_an_ignored_server_has_is_not_judged(scene: Scene) -> None:
    """Neither its keys nor what it says of CAA: no run would wait for it either."""
    scene.key.sign_zone(scene.copies[0])
    ZoneKey("example.test.").sign_zone(scene.copies[1])
    scene.tree.server(IPS[1]).behaviour.failing = frozenset({"CAA"})
    faults = {"ds-mismatch", "caa-servfail"}
    assert faults <= checks(scene.looked("www.example.test"))
    assert not faults & checks(scene.looked("www.example.test", propagation={"ignore": [IPS[1]]}))
