"""What happens beside a run while it decides: names that lead nowhere, other processes, hands at the zone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from dane_house import HOUR, IPS, ORIGIN, House, played
from dnsbroker.config import Config
from dnsbroker.errors import StoreError
from dnsbroker.journal import NEVER, FileLock, Leases
from dnsbroker.records import Record
from dnsbroker.settings import Duration


def test_a_name_that_cannot_be_followed_opens_no_way(tmp_path: Path) -> None:
    """What caches have is not known then; neither a ripe key nor a new chain may be used until it is."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(HOUR)
        following = house.next_key()
        chain = house.issue(following)
        for ip in IPS:
            house.tree.server(ip).behaviour.rcode = "SERVFAIL"
        await house.open()
        gates = [await house.dane.key_gate("mail"), await house.dane.chain_gate("mail", chain)]
        assert [(gate.is_open, bool(gate.reason)) for gate in gates] == [(False, True)] * 2
        for ip in IPS:
            house.tree.server(ip).behaviour.rcode = ""
        await house.open()
        await house.bring()
        house.clock.turn(HOUR)
        assert (await house.dane.key_gate("mail")).is_open
        assert (await house.dane.chain_gate("mail", chain)).is_open

    played(tmp_path, story)


def test_a_removal_is_decided_by_what_the_provider_has_not_by_what_servers_had(tmp_path: Path) -> None:
    """Servers that lag show a record of the live key which is gone: without the old one nothing would name it."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        old, new = house.key, house.next_key()
        house.clock.turn(HOUR)
        chain = house.issue(new)
        house.save("mail", new, chain)
        house.store.drop_next_key("mail")
        house.daemon.present(new, chain)
        await house.bring()
        house.clock.turn(61)
        house.lagging = set(IPS)
        foreign = "3 1 1 " + "ab" * 32
        house.plant(foreign)
        house.take_out(house.names(new))
        sets = watched(house)
        await house.bring()
        assert house.names(old) in sets[0]
        assert all(house.names(new) in each for each in sets)

    played(tmp_path, story)


def watched(house: House) -> list[frozenset[str]]:
    """Every set that stands at the provider from now on, after each write."""
    sets: list[frozenset[str]] = []
    mirror = house.mirror

    def watch() -> None:
        sets.append(house.records)
        mirror()

    house.mirror = watch  # type: ignore[method-assign] # and goes on
    return sets


class Hurried(House):
    """A house in which nobody waits long for another process."""

    def config(self) -> Config:
        """With little patience."""
        usual = super().config()
        return replace(usual, propagation=replace(usual.propagation, timeout=Duration(0.1)))


def test_while_another_process_decides_nobody_else_does(tmp_path: Path) -> None:
    """Neither writes, nor opens a way by a look that the other one's write makes old."""

    async def story() -> None:
        async with Hurried(tmp_path / "state") as house:
            await house.manage()
            lock = FileLock(house.state_dir / "locks" / "dane")
            assert lock.try_acquire()
            for asked in (house.bring(), house.dane.key_gate("mail"), house.dane.chain_gate("mail", house.chain)):
                with pytest.raises(StoreError, match="at work on TLSA records"):
                    await asked
            assert house.writes == 0
            lock.release()
            assert (await house.bring()).error is None
            assert house.writes == 1

    asyncio.run(story())


def test_a_lease_is_not_closed_while_its_record_may_yet_turn_up(tmp_path: Path) -> None:
    """Servers that differ are on their way somewhere; the record would be nobody's there, and stay for ever."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        record = Record(house.owner, "TLSA", "3 1 1 " + "ef" * 32)
        killed = Leases(house.run.journal, "20261121T000000-1-dead", house.clock)
        killed.want("corp", ORIGIN, [record], ttl=60, expires=NEVER)
        house.lagging = {IPS[1]}
        house.plant("3 1 1 " + "ab" * 32)
        await house.bring()
        assert house.run.leases.standing(record)
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert not house.run.leases.standing(record)

    played(tmp_path, story)
