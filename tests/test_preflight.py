"""What is found before an order stops it, and costs the CA and DNS nothing; what is allowed is told only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.errors import BrokerError, PreflightFailed
from dnsbroker.events import Event
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from fake_ca import FakeCA

CA = "ca.test"
NAME = "host.zone.test"


class Bench:
    """A zone that a service in memory holds, and a CA that goes by a name in CAA records."""

    def __init__(self, directory: Path, tree: Tree) -> None:
        self.directory = directory
        self.tree = tree
        self.service = MemoryService("zone.test.")
        self.told: list[Event] = []
        self.ca = FakeCA(meta={"caaIdentities": [CA]})
        tree.zone("zone.test.", "@ NS ns\nns A 127.0.0.21\n", "127.0.0.21")
        tree.delegate("zone NS ns.zone", "ns.zone A 127.0.0.21")

    def add(self, *lines: str) -> None:
        """Further records of the zone."""
        self.tree.server("127.0.0.21").zones[0].add(*lines)

    def fails(self, **settings: object) -> BrokerError:
        """How an issuance fails, which it always does: nothing here makes the records appear in DNS."""
        with pytest.raises(BrokerError) as failed:
            asyncio.run(self._issue(settings))
        return failed.value

    async def _issue(self, settings: dict[str, object]) -> None:
        async with self.ca.server:
            config = Config.from_dict(self._config(settings), adapters={"memory": MemoryProvider})
            async with Broker(config, on_event=self.told.append) as broker:
                await broker.issue(NAME)

    def _config(self, settings: dict[str, object]) -> dict[str, object]:
        dns = self.tree.config()
        return {
            "state_dir": self.directory,
            "acme": {"directory": self.ca.url("dir"), "agree_tos": True},
            "dns": {"resolvers": list(dns.resolvers), "nameserver_port": dns.nameserver_port},
            "propagation": {"timeout": "200ms"},
            "providers": {"here": {"type": "memory", "service": self.service}},
            "certificates": {NAME: settings},
        }

    @property
    def is_untouched(self) -> bool:
        """Whether no order was opened, and nothing written."""
        return not self.ca.orders and not self.service.seen

    def warnings(self) -> list[str]:
        """What was warned of."""
        return [str(event["message"]) for event in self.told if event["event"] == "warning"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with NameServers() as servers:
        yield Bench(tmp_path, Tree(servers))


def test_without_records_about_it_all_goes_on(bench: Bench) -> None:
    """The negative twin of all that follows."""
    assert not isinstance(bench.fails(), PreflightFailed)
    assert not bench.is_untouched and bench.warnings() == []


def test_caa_for_another_ca_stops_before_an_order(bench: Bench) -> None:
    """Nothing is ordered and nothing written; the record that would permit it is in the hint."""
    bench.add('@ CAA 0 issue "other.test"')
    failed = bench.fails()
    assert isinstance(failed, PreflightFailed) and failed.checks == ("caa-forbids",) and failed.name == NAME
    assert "permits other.test" in failed.message
    assert f'zone.test. CAA 0 issue "{CA}' in failed.hint and 'allow = ["caa-forbids"]' in failed.hint
    assert bench.is_untouched


def test_caa_for_this_ca_does_not(bench: Bench) -> None:
    """Beside one for another."""
    bench.add('@ CAA 0 issue "other.test"', f'@ CAA 0 issue "{CA}"')
    assert not isinstance(bench.fails(), PreflightFailed)
    assert not bench.is_untouched


def test_what_is_allowed_is_told_and_stops_nothing(bench: Bench) -> None:
    """Whoever knows better than we do."""
    bench.add('@ CAA 0 issue "other.test"')
    assert not isinstance(bench.fails(allow=["caa-forbids"]), PreflightFailed)
    assert not bench.is_untouched
    assert [message for message in bench.warnings() if "permits other.test" in message]


def test_another_fault_is_not_allowed_by_that(bench: Bench) -> None:
    """Each is named by itself."""
    bench.add('@ CAA 0 issue "other.test"')
    assert isinstance(bench.fails(allow=["wildcard-shadowing"]), PreflightFailed)
    assert bench.is_untouched


def test_a_name_that_lives_by_a_wildcard_stops_before_an_order(bench: Bench) -> None:
    """The challenge record would make it vanish."""
    bench.add("* A 192.0.2.1")
    failed = bench.fails()
    assert isinstance(failed, PreflightFailed) and failed.checks == ("wildcard-shadowing",)
    assert bench.is_untouched


def test_one_that_stands_for_itself_does_not(bench: Bench) -> None:
    """Then the wildcard does not make it."""
    bench.add("* A 192.0.2.1", "host A 192.0.2.2")
    assert not isinstance(bench.fails(), PreflightFailed)
    assert not bench.is_untouched
