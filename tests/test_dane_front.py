"""DANE brought about: what is published, in which order, and what is never written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dane_house import DAY, HOUR, IPS, ORIGIN, House
from dnsbroker import keys
from dnsbroker.endpoints import parse
from dnsbroker.errors import ConfigError, NotPropagated, PreflightFailed
from dnsbroker.settings import Duration
from signing import ZoneKey
from tls_service import HangUp, Talk


def played(tmp_path: Path, story: Callable[[House], Awaitable[None]], **keys: Any) -> None:
    async def play() -> None:
        async with House(tmp_path / "state", **keys) as house:
            await story(house)

    asyncio.run(play())


def test_the_first_publication_covers_the_live_key_and_the_next(tmp_path: Path) -> None:
    """In one go; a second run makes no write."""

    async def story(house: House) -> None:
        await house.manage()
        brought = await house.publish()
        assert brought.error is None, brought.error
        assert house.records == {house.names(house.key), house.names(house.next_key())}
        assert brought.changed
        writes = house.writes
        again = await house.bring()
        assert (again.error, again.changed, house.writes) == (None, False, writes)
        assert again.move is not None
        assert str(again.move.step) == "propagated", again.move

    played(tmp_path, story)


def test_nothing_is_written_where_another_key_is_served(tmp_path: Path) -> None:
    """Case 18: clients would refuse the service at once; --adopt covers what is served, too."""

    async def story(house: House) -> None:
        await house.manage()
        other = keys.generate("ecdsa-p256")
        house.daemon.present(other, house.issue(other))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-served",)
        assert "--adopt" in refused.error.hint
        assert (house.records, house.writes) == (frozenset(), 0)
        adopted = await house.publish(adopt=True)
        assert adopted.error is None
        assert house.records == {house.names(key) for key in (house.key, other, house.next_key())}

    played(tmp_path, story)


def test_a_service_that_cannot_be_seen_gets_no_first_records(tmp_path: Path) -> None:
    """Case 17: without TLS nobody can match them."""

    async def silent(talk: Talk) -> None:
        raise HangUp

    async def story(house: House) -> None:
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-seen",)
        assert "connect" in refused.error.hint
        assert house.writes == 0

    played(tmp_path, story, script=silent)


def test_an_unsigned_zone_gets_none(tmp_path: Path) -> None:
    """Case 32: they would have no effect."""

    async def story(house: House) -> None:
        house.tree.test.remove("example.test.", "DS")
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-signed",)
        assert house.writes == 0

    played(tmp_path, story)


def test_broken_signatures_keep_records_away(tmp_path: Path) -> None:
    """Case 33: clients that validate would see no answer at all."""

    async def story(house: House) -> None:
        house.zone_key = ZoneKey(ORIGIN)
        house.mirror()
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert "ds-mismatch" in refused.error.checks
        assert house.writes == 0

    played(tmp_path, story)


def test_a_host_that_lives_by_a_wildcard_is_not_shadowed(tmp_path: Path) -> None:
    """Case 6: it would lose its address; the hint says what to add first."""

    async def story(house: House) -> None:
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("wildcard-shadowing",)
        assert "first add" in refused.error.hint
        assert house.writes == 0

    played(tmp_path, story, hosts="* A 127.0.0.1\n")


@pytest.mark.parametrize(
    ("records", "check"),
    [
        (("3 0 1",), "whole-certificate"),
        (("3 1 2",), "sha512-alone"),
        (("3 1 0",), "full-data"),
    ],
)
def test_kinds_that_fail_clients_are_refused_until_they_are_allowed(
    tmp_path: Path, records: tuple[str, ...], check: str
) -> None:
    """Cases 13 and 14, by the words of `tlsa compute`."""

    async def story(house: House) -> None:
        await house.manage(records=records)
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == (check,)
        assert house.writes == 0
        await house.manage(records=records, allow=(check,))
        assert (await house.publish()).error is None
        assert house.names(house.chain, records[0]) in house.records

    played(tmp_path, story)


def test_a_leaf_that_is_not_for_the_host_has_no_records_of_cas(tmp_path: Path) -> None:
    """Case 23: clients look at names then; 3 1 1 alone is fine."""

    async def story(house: House) -> None:
        chain = house.issue(names=["other.example.test"])
        house.save("mail", house.key, chain)
        house.daemon.present(house.key, chain)
        await house.manage(records=("3 1 1", "2 1 1"))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("host-name",)
        await house.manage()
        assert (await house.publish()).error is None

    played(tmp_path, story)


def test_a_wait_that_no_renewal_leaves_is_a_mistake_in_the_plan(tmp_path: Path) -> None:
    """Case 58: what a renewal brings would be too late."""

    async def story(house: House) -> None:
        await house.manage(min_wait=Duration(31 * DAY))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("no-time",)
        assert house.writes == 0

    played(tmp_path, story)


def test_records_of_others_are_kept_by_adding_and_by_taking_away(tmp_path: Path) -> None:
    """Case 51; and what names a key of ours is ours, whoever wrote it."""

    async def story(house: House) -> None:
        foreign = "3 1 1 " + "ab" * 32
        house.plant(foreign, house.names(house.key))
        await house.manage()
        brought = await house.publish()
        assert brought.error is None
        assert house.records == {foreign, house.names(house.key), house.names(house.next_key())}
        (stands,) = brought.stands
        assert set(map(str, stands.foreign)) == {foreign}
        assert house.names(house.key) in set(map(str, stands.ours))

    played(tmp_path, story)


def test_old_records_go_once_the_new_key_is_served_and_not_before(tmp_path: Path) -> None:
    """Cases 49 and 52: the next key is added beside the present one; one address that serves the old holds them all."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        old, new = house.key, house.next_key()
        house.clock.turn(HOUR)
        assert (await house.dane.key_gate("mail")).is_open
        house.save("mail", new, house.issue(new))
        house.store.drop_next_key("mail")
        still = await house.bring()
        assert {house.names(old), house.names(new)} <= house.records
        assert still.move is not None
        assert str(still.move.step) == "deployed"
        house.daemon.present(new, house.issue(new))
        seen = await house.bring()
        assert seen.move is not None
        assert str(seen.move.step) == "verified"
        assert house.names(old) in house.records
        house.clock.turn(61)
        gone = await house.bring()
        assert house.records == {house.names(new), house.names(house.next_key())}
        assert gone.error is None

    played(tmp_path, story)


def test_a_service_that_answers_in_capitals_is_written_to_once(tmp_path: Path) -> None:
    """Case 59."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.service.plant(ORIGIN, house.owner, "TLSA", 60, {value.upper() for value in house.records})
        house.mirror()
        writes = house.writes
        again = await house.publish()
        assert (again.error, again.changed, house.writes) == (None, False, writes)

    played(tmp_path, story)


def test_a_late_server_is_an_error_for_a_person_alone(tmp_path: Path) -> None:
    """Case 37: no clock is set while one lacks the record; what stands stays, and the next look goes on."""

    async def story(house: House) -> None:
        await house.manage()
        house.lagging = {IPS[1]}
        late = await house.publish()
        assert isinstance(late.error, NotPropagated)
        assert house.run.rollovers.clocks(house.owner) == {}
        assert house.names(house.key) in house.records
        brought = await house.bring()
        assert brought.error is None
        assert not (await house.dane.key_gate("mail")).is_open
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert set(house.run.rollovers.clocks(house.owner)) == house.records

    played(tmp_path, story)


def test_a_record_that_vanishes_is_written_again_and_its_clock_begins_anew(tmp_path: Path) -> None:
    """Case 41."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        record = house.names(house.next_key())
        first = house.run.rollovers.clocks(house.owner)[record]
        house.clock.turn(HOUR)
        house.take_out(record)
        brought = await house.bring()
        assert brought.changed
        assert record in house.records
        assert house.run.rollovers.clocks(house.owner)[record] >= first + HOUR
        assert not (await house.dane.key_gate("mail")).is_open

    played(tmp_path, story)


def test_withdrawal_takes_ours_keeps_the_key_and_lasts(tmp_path: Path) -> None:
    """Until publication is asked for again; until caches have forgotten, no other key may be served."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        (withdrawn,) = await house.dane.withdraw([house.endpoint])
        assert house.records == frozenset()
        now = house.clock.now().timestamp()
        assert now + 100 < withdrawn.until <= now + 121
        other = keys.generate("ecdsa-p256")
        assert house.dane.manages("mail")
        assert not (await house.dane.chain_gate("mail", house.issue(other))).is_open
        assert (await house.dane.chain_gate("mail", house.issue())).is_open
        await house.open()
        await house.bring()
        assert house.records == frozenset()
        house.clock.turn(HOUR)
        await house.open()
        await house.bring()
        assert not house.dane.manages("mail")
        assert (await house.dane.chain_gate("mail", house.issue(other))).is_open
        assert (await house.publish(house.endpoint)).error is None
        assert house.names(house.key) in house.records

    played(tmp_path, story)


def test_withdrawal_is_refused_where_it_would_leave_wrong_records_of_others(tmp_path: Path) -> None:
    """Case 53: clients would refuse what is served."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        foreign = "3 1 1 " + "cd" * 32
        house.plant(foreign)
        before = house.records
        with pytest.raises(PreflightFailed, match="not ours"):
            await house.dane.withdraw([house.endpoint])
        assert house.records == before
        house.take_out(foreign)
        await house.dane.withdraw([house.endpoint])
        assert house.records == frozenset()

    played(tmp_path, story)


def test_an_endpoint_without_a_table_can_be_withdrawn(tmp_path: Path) -> None:
    """Its records were left when the table went."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        other = house.table(endpoint=("https://mail.example.test",))
        await house.open(other)
        await house.bring()
        assert house.names(house.key) in house.records
        await house.dane.withdraw([house.endpoint])
        assert house.records == frozenset()
        with pytest.raises(ConfigError, match="no records of ours"):
            await house.dane.withdraw([parse("smtp://elsewhere.example.test")])

    played(tmp_path, story)
