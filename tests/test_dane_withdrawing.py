"""DANE taken back for an endpoint, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dane_house import DAY, HOUR, IPS, House, played
from dnsbroker import keys
from dnsbroker.endpoints import parse
from dnsbroker.errors import ConfigError, PreflightFailed


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


def test_the_present_key_stays_for_as_long_as_a_server_has_records_that_name_it(tmp_path: Path) -> None:
    """However late it is: then caches have them for their time. What others have there is no reason."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.plant(theirs := house.names(house.chain, "3 0 1"))
        house.lagging = {IPS[1]}
        (withdrawn,) = await house.dane.withdraw([house.endpoint])
        (late,) = withdrawn.given_by
        assert late.startswith(IPS[1])
        for _ in range(2):
            house.clock.turn(DAY)
            await house.open()
            assert house.dane.manages("mail")
            await house.bring()
            assert house.run.rollovers.published()[0].given_by == (late,)
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert theirs in house.records
        assert house.run.rollovers.published()[0].given_by == ()
        assert house.dane.manages("mail")
        house.clock.turn(121)
        assert not house.dane.manages("mail")

    played(tmp_path, story)


def test_what_a_late_server_still_has_of_ours_is_nobody_else_s(tmp_path: Path) -> None:
    """It was taken away, and is told so; the twin, which somebody else wrote, stays and is foreign."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        theirs = house.names(house.chain, "3 0 1")
        house.plant(theirs)
        ours = house.records - {theirs}
        house.lagging = {IPS[1]}
        (withdrawn,) = await house.dane.withdraw([house.endpoint])
        assert house.records == {theirs}
        assert {line.partition(" TLSA ")[2] for line in withdrawn.removed} == ours
        assert [line.partition(" TLSA ")[2] for line in withdrawn.foreign] == [theirs]

    played(tmp_path, story)


def test_what_is_withdrawn_is_not_said_to_stand_on_every_server(tmp_path: Path) -> None:
    """Neither while caches may have it, nor afterwards; then nothing is left to move."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(HOUR)
        assert await told(house) == (
            "steady",
            "the records of the present key and of the next one are on every name server",
        )
        await house.dane.withdraw([house.endpoint])
        assert await told(house) == ("unpublished", f"no record of it stands at {house.owner.rstrip('.')}")
        house.clock.turn(HOUR)
        assert await told(house) == ("steady", "no record of it stands, and none is to")

    played(tmp_path, story)


async def told(house: House) -> tuple[str, str]:
    """The step and its reason, as a run tells them that looks after everything."""
    await house.open()
    (brought,) = await house.dane.bring()
    assert brought.move is not None
    return str(brought.move.step), brought.move.reason


def test_withdrawal_is_refused_where_it_would_leave_wrong_records_of_others(tmp_path: Path) -> None:
    """Case 53: clients would refuse what is served."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        foreign = "3 1 1 " + "cd" * 32
        house.plant(foreign)
        before = house.records
        with pytest.raises(PreflightFailed, match="not its own"):
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
