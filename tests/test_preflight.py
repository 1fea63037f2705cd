"""What is found before an order stops it, and costs the CA and DNS nothing; what is allowed is told only."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsbroker import Broker, Config, keys
from dnsbroker.certifying import Wishes
from dnsbroker.errors import BrokerError, PreflightFailed
from dnsbroker.events import Event
from dnsbroker.store import Pending, Store
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker.testing.listener import Thread
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from fake_ca import FakeCA, refusal

CA = "ca.test"
NAME = "host.zone.test"
NOW = datetime.now(UTC)


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

    def second(self) -> None:
        """Another server of the zone."""
        self.tree.zone("zone.test.", "@ NS ns\n@ NS ns2\nns A 127.0.0.21\nns2 A 127.0.0.22\n", "127.0.0.22")
        self.add("@ NS ns2", "ns2 A 127.0.0.22")
        self.tree.delegate("zone NS ns2.zone", "ns2.zone A 127.0.0.22")

    def fails(self, **settings: object) -> BrokerError:
        """How an issuance fails, which it always does: nothing here makes the records appear in DNS."""
        with pytest.raises(BrokerError) as failed:
            asyncio.run(self._issue(settings))
        return failed.value

    async def _issue(self, settings: dict[str, object]) -> None:
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

    def plan(self, **settings: object) -> str:
        """What a dry run says of the certificate."""

        async def story() -> str:
            config = Config.from_dict(self._config(settings), adapters={"memory": MemoryProvider})
            async with Broker(config, on_event=self.told.append) as broker:
                (outcome,) = await broker.issue_all([NAME], wishes=Wishes(dry_run=True))
                assert outcome.status == "planned"
                return outcome.reason

        return asyncio.run(story())

    def leave_open(self, order: str) -> None:
        """As a run leaves it that was killed while ``order`` was open."""
        kept = Pending(order, self.ca.url("dir"), "default", (NAME,), "ecdsa-p256", NOW, keys.generate("ecdsa-p256"))
        Store(self.directory).keep_pending(NAME, kept)

    @property
    def has_key(self) -> bool:
        """Whether a key was chosen for a certificate."""
        return any(event["event"] == "key" for event in self.told)

    def warnings(self) -> list[str]:
        """What was warned of."""
        return [str(event["message"]) for event in self.told if event["event"] == "warning"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    thread = Thread()
    try:
        with NameServers() as servers:
            made = Bench(tmp_path, Tree(servers))
            thread.run(made.ca.server.__aenter__())
            yield made
            thread.run(made.ca.server.__aexit__(None, None, None))
    finally:
        thread.close()


def test_without_records_about_it_all_goes_on(bench: Bench) -> None:
    """The negative twin of all that follows; and the CA's directory is read once for both."""
    assert not isinstance(bench.fails(), PreflightFailed)
    assert bench.ca.paths.count("GET dir") == 1
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


def test_what_holds_for_apex_and_wildcard_is_said_once(bench: Bench) -> None:
    """In one sentence, with both."""
    bench.add('@ CAA 0 issue "other.test"')
    failed = bench.fails(names=["zone.test", "*.zone.test"])
    assert "zone.test, *.zone.test: CAA at zone.test" in failed.message
    assert failed.message.count("permits other.test") == 1


def test_twelve_names_cost_few_questions(bench: Bench) -> None:
    """Of each: where it is, where its challenge is, and its CAA; nothing twice."""
    names = [f"h{number}.zone.test" for number in range(12)]
    bench.add('@ CAA 0 issue "other.test"', *(f"h{number} A 192.0.2.1" for number in range(12)))
    assert isinstance(bench.fails(names=names), PreflightFailed)
    asked = Counter(question for question in bench.tree.servers.asked() if question.startswith("h"))
    assert len(asked) == 24 and set(asked.values()) == {1}, asked


def test_no_key_and_no_account_is_made_for_an_order_that_is_not_opened(bench: Bench) -> None:
    """A run of every day would make a key a day; and an account is not needed to say no."""
    bench.add('@ CAA 0 issue "other.test"')
    bench.fails()
    assert not bench.has_key and not bench.ca.accounts


def test_a_record_for_one_account_is_judged_once_ours_is_known(bench: Bench) -> None:
    """Only the CA can tell the URL; no order is opened for that."""
    bench.add(f'@ CAA 0 issue "{CA}; accounturi=https://{CA}/another"')
    failed = bench.fails()
    assert isinstance(failed, PreflightFailed) and failed.checks == ("caa-forbids",)
    assert bench.ca.accounts and bench.is_untouched and not bench.has_key
    bench.fails()
    assert len(bench.ca.accounts) == 1


def test_servers_that_all_fail_for_caa_stop_an_order(bench: Bench) -> None:
    """A CA that is not told must not issue."""
    bench.tree.server("127.0.0.21").behaviour.failing = frozenset({"CAA"})
    failed = bench.fails()
    assert isinstance(failed, PreflightFailed) and failed.checks == ("caa-servfail",)
    assert bench.is_untouched


def test_servers_that_all_fail_for_an_alias_stop_an_order(bench: Bench) -> None:
    """Wherever it leads."""
    bench.tree.zone("far.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
    bench.tree.delegate("far NS ns.far", "ns.far A 127.0.0.31")
    bench.add("host CNAME x.far.test.")
    bench.tree.server("127.0.0.31").behaviour.failing = frozenset({"CAA"})
    failed = bench.fails()
    assert isinstance(failed, PreflightFailed) and failed.checks == ("caa-servfail",)


def test_n34_one_server_that_fails_for_caa_is_told_and_stops_nothing(bench: Bench) -> None:
    """A CA may meet the other one."""
    bench.second()
    bench.tree.server("127.0.0.22").behaviour.failing = frozenset({"CAA"})
    assert not isinstance(bench.fails(), PreflightFailed)
    assert not bench.is_untouched
    assert [told for told in bench.warnings() if "1 of 2 addresses of its servers cannot say" in told]


def test_a_dry_run_says_that_no_order_would_be_opened(bench: Bench) -> None:
    """Not that the certificate would be issued; and it writes nothing and registers nothing."""
    assert "but not now" not in bench.plan()
    bench.add('@ CAA 0 issue "other.test"')
    assert "but not now: no order is opened: host.zone.test: CAA at zone.test" in bench.plan()
    assert not bench.ca.accounts and bench.is_untouched and not (bench.directory / "accounts").exists()


def test_a_dry_run_says_so_also_where_the_ca_cannot_be_asked(bench: Bench) -> None:
    """As far as DNS alone tells."""
    bench.ca.scripts["dir"] = [refusal(403, "unauthorized", "not you")] * 9
    assert "but not now" not in bench.plan()
    bench.add("* A 192.0.2.1")
    assert "but not now: no order is opened: _acme-challenge.host.zone.test: host.zone.test lives only" in bench.plan()


def test_an_order_that_is_gone_on_with_is_not_stopped(bench: Bench) -> None:
    """It may be valid already, and only wait to be fetched: then no record is written, and no permission asked for."""
    bench.fails()
    bench.ca.orders[1].update(status="valid", certificate=bench.ca.url("cert/1"))
    bench.leave_open(bench.ca.url("order/1"))
    bench.add('@ CAA 0 issue "other.test"', "* A 192.0.2.1")
    assert "but not now" not in bench.plan()
    assert not isinstance(bench.fails(), PreflightFailed)
    assert "POST cert/1" in bench.ca.paths and len(bench.ca.orders) == 1
