"""A Broker that only looks leaves the disk and DNS as they are, whatever it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.doctor.leftovers import unread
from dnsbroker.errors import StoreError
from dnsbroker.events import Emitter
from dnsbroker.findings import Severity
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree
from practice import Practice, leave, practising, words

NAME = "_acme-challenge.example.test."
LEFT, LAME = ("left-behind", NAME.rstrip(".")), ("lame-server", "example.test")


@pytest.fixture
def service() -> MemoryService:
    return MemoryService("example.test.")


@pytest.fixture
def config(service: MemoryService, tmp_path: Path) -> Iterator[Config]:
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns.example", "ns.example A 127.0.0.12")
        tree.zone("example.test.", f'@ NS ns\nns A 127.0.0.12\n{NAME} TXT "value"\n', "127.0.0.12")
        yield Config.from_dict(
            {
                "state_dir": str(tmp_path / "state"),
                "dns": {"resolvers": [f"127.0.0.53:{servers.port}"], "nameserver_port": servers.port},
                "providers": {"memory": {"type": "memory", "service": service}},
            },
            adapters={"memory": MemoryProvider},
        )


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with practising(tmp_path / "state") as made:
        yield made


def publish(config: Config, *, looking: bool) -> None:
    async def story() -> None:
        async with Broker(config, looking=looking) as broker, broker.published({NAME: ["value"]}):
            pass

    asyncio.run(story())


def test_who_only_looks_makes_no_directory(config: Config) -> None:
    """Neither at the beginning nor at the end."""

    async def story() -> tuple[object, ...]:
        async with Broker(config, looking=True) as broker:
            return broker.certificates()

    assert asyncio.run(story()) == ()
    assert not config.state_dir.exists()


def test_who_only_looks_writes_nothing(config: Config, service: MemoryService) -> None:
    """The journal comes before every write, and it refuses."""
    with pytest.raises(StoreError, match="readonly"):
        publish(config, looking=True)
    assert service.seen == []
    assert not config.state_dir.exists()


def test_who_only_looks_mends_nothing(config: Config, service: MemoryService) -> None:
    """Neither here nor at a provider; without that wish, the doctor looks."""

    async def story(*, fix: bool) -> object:
        async with Broker(config, looking=True) as broker:
            return await broker.doctor(fix=fix)

    with pytest.raises(StoreError, match="mends nothing"):
        asyncio.run(story(fix=True))
    assert asyncio.run(story(fix=False))
    assert service.seen == []


def test_the_journal_of_others_stays_as_it_is(config: Config, service: MemoryService) -> None:
    """The twin: who does not only look writes; after that, who does leaves every file alone."""
    publish(config, looking=False)
    before = contents(config.state_dir)
    writes = list(service.seen)
    assert writes and before
    with pytest.raises(StoreError, match="readonly"):
        publish(config, looking=True)
    assert service.seen == writes
    assert contents(config.state_dir) == before


def contents(directory: Path) -> dict[Path, bytes]:
    """Every file below ``directory``."""
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_journal_that_cannot_be_read_is_a_finding(practice: Practice) -> None:
    """The rest is looked at all the same; what stands at a challenge's name is not called somebody else's."""
    leave(practice, "ours")
    practice.zones[1].behaviour.rcode = "REFUSED"
    assert words(practice.visit("example.test")) == [LEFT, LAME]
    journal = practice.state_dir / "state.db"
    whole = journal.read_bytes()
    journal.write_bytes(b"no journal" * 100)
    diagnosis = practice.visit("example.test")
    assert words(diagnosis) == [("unexamined", "state_dir"), LAME]
    assert str(journal) in diagnosis.findings[0].message and diagnosis.findings[0].hint
    assert "foreign-values" not in {finding.check for finding in diagnosis.findings}
    assert journal.read_bytes() == b"no journal" * 100
    journal.write_bytes(whole)
    assert words(practice.visit("example.test")) == [LEFT, LAME]


def test_a_journal_that_is_for_others_alone_is_a_warning(tmp_path: Path) -> None:
    """A monitoring system need not be able to read it; who runs dnsbroker can."""
    path = str(tmp_path / "state.db")
    for cause, severity in ((PermissionError(), Severity.WARNING), (OSError(), Severity.ERROR)):
        error = StoreError("it is not to be read", path=path, hint="have a look")
        error.__cause__ = cause
        run = Run(Config.from_dict({"state_dir": str(tmp_path)}), FakeClock(), Emitter(FakeClock(), None), looking=True)
        assert unread(run) == ()
        run.unread = error
        (found,) = unread(run)
        assert (found.check, found.severity, found.evidence[0].record) == ("unexamined", severity, path)
