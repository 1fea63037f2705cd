"""A Broker that only looks leaves the disk and DNS as they are, whatever it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.errors import StoreError
from dnsbroker.testing import MemoryProvider, MemoryService
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree

NAME = "_acme-challenge.example.test."


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
