"""A record of ours that somebody took out at the primary, while another server still has it: it is written again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dane_house import HOUR, IPS, House, played
from dnsbroker.errors import NotPropagated


def standing(tmp_path: Path, story: Callable[[House], Awaitable[None]]) -> None:
    """Play ``story`` where all is published and ripe."""

    async def play(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(HOUR)
        await house.bring()
        await story(house)

    played(tmp_path, play)


@pytest.mark.parametrize("is_dead", [False, True], ids=["it lags", "it is silent"])
def test_the_record_of_what_is_served_is_written_again_while_another_server_has_it(
    tmp_path: Path, is_dead: bool
) -> None:
    """Whoever asks the primary refuses the service until then; an hour, or days, of a dead secondary are too long."""

    async def story(house: House) -> None:
        live, following = house.names(house.key), house.names(house.next_key())
        house.lagging = {IPS[1]}
        house.tree.server(IPS[1]).behaviour.rcode = "SERVFAIL" if is_dead else ""
        house.take_out(live)
        brought = await house.bring()
        assert house.records == {live, following}
        assert brought.changed
        assert brought.error is None
        writes = house.writes
        await house.bring()
        assert house.writes == writes

    standing(tmp_path, story)


def test_a_person_who_publishes_has_it_written_before_a_late_server_is_waited_for(tmp_path: Path) -> None:
    """What is late is an error all the same."""

    async def story(house: House) -> None:
        house.take_out(house.names(house.next_key()))
        house.mirror()
        house.lagging = {IPS[1]}
        house.take_out(house.names(house.key))
        late = await house.publish()
        assert house.names(house.key) in house.records
        assert isinstance(late.error, NotPropagated)

    standing(tmp_path, story)


def test_what_is_only_to_come_waits_until_the_other_server_is_through(tmp_path: Path) -> None:
    """Its set from before would look as if what is written now had arrived: its clock would begin too early."""

    async def story(house: House) -> None:
        live, following = house.names(house.key), house.names(house.next_key())
        house.lagging = {IPS[1]}
        house.take_out(following)
        assert (await house.bring()).error is None
        assert house.records == {live}
        assert not (await house.dane.key_gate("mail")).is_open
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert house.records == {live, following}
        assert not (await house.dane.key_gate("mail")).is_open

    standing(tmp_path, story)


def test_of_a_set_that_is_gone_whole_what_is_served_comes_first(tmp_path: Path) -> None:
    """Nobody refuses it meanwhile, but nobody is protected either."""

    async def story(house: House) -> None:
        live, following = house.names(house.key), house.names(house.next_key())
        house.lagging = {IPS[1]}
        house.take_out(live)
        house.take_out(following)
        await house.bring()
        assert house.records == {live}
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert house.records == {live, following}

    standing(tmp_path, story)
