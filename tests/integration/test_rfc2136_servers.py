"""The RFC 2136 adapter against BIND, Knot and PowerDNS as Debian ships them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.testing import AdapterContract, Scene, Stage
from dynamic import DynamicPowerDNS, KnotPrimary, Target, UpdateDoor, adapter_for, require_namespace
from lab.bind import Bind, Zone
from lab.zonefile import zone_text

BIND, KNOT, POWERDNS = "127.0.0.36", "127.0.0.37", "127.0.0.38"


def _stage(server: Target, zone: str, *, counts_writes: bool = True) -> Stage:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Scene]:
        door = UpdateDoor(server, zone, counts_writes=counts_writes)
        door.reset()
        UpdateDoor(server, f"child.{zone}", counts_writes=False).reset()
        adapter = adapter_for(server, clock=SystemClock())
        yield Scene(adapter, zone, door, f"child.{zone}")
        await adapter.aclose()

    return opened


@pytest.fixture(scope="module", autouse=True)
def inside() -> None:
    """Nothing in here runs elsewhere."""
    require_namespace()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """A BIND with plain zones and inline-signed ones."""
    names = ("plain.test", "child.plain.test", "signed.test", "child.signed.test")
    zones = [Zone(name, zone_text(name, 1, {"ns1": [BIND]}), signed="signed" in name) for name in names]
    with Bind(tmp_path_factory.mktemp("bind"), address=BIND, zones=zones) as server:
        yield server


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnotPrimary]:
    """A Knot."""
    with KnotPrimary(tmp_path_factory.mktemp("knot"), ("plain.test", "child.plain.test"), address=KNOT) as server:
        yield server


@pytest.fixture(scope="module")
def powerdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamicPowerDNS]:
    """A PowerDNS that takes updates."""
    with DynamicPowerDNS(tmp_path_factory.mktemp("powerdns"), address=POWERDNS) as server:
        for zone in ("plain.test", "child.plain.test"):
            server.create_dynamic_zone(zone)
        yield server


class TestBind(AdapterContract):
    """The contract suite on a BIND zone that is not signed."""

    @pytest.fixture
    def stage(self, bind: Bind) -> Stage:
        return _stage(bind, "plain.test.")


class TestSignedBind(AdapterContract):
    """The contract suite on an inline-signed BIND zone, whose served serial is another than the one updated."""

    @pytest.fixture
    def stage(self, bind: Bind) -> Stage:
        return _stage(bind, "signed.test.", counts_writes=False)


class TestKnot(AdapterContract):
    """The contract suite on Knot."""

    @pytest.fixture
    def stage(self, knot: KnotPrimary) -> Stage:
        return _stage(knot, "plain.test.")


class TestPowerDNS(AdapterContract):
    """The contract suite on PowerDNS."""

    @pytest.fixture
    def stage(self, powerdns: DynamicPowerDNS) -> Stage:
        return _stage(powerdns, "plain.test.")
