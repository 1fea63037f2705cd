"""An emergency while a name server does not answer: what goes on all the same, and who is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dane_house import HOUR, IPS, House, played
from dnsbroker.journal import Progress
from dnsbroker.rolling import Act, Step
from dnsbroker.store import HeldBack, Provenance


async def _in_emergency(house: House) -> None:
    """The present key is given up, and a certificate for the next one is there; ns2 answers no more."""
    key = house.next_key()
    house.store.hold_back("mail", HeldBack(house.issue(key), Provenance("https://ca.test/", house.clock.now()), key))
    known = house.run.rollovers.progress("mail") or Progress("mail", "steady", 0.0, "")
    house.run.rollovers.keep_progress(replace(known, is_asked=True, is_emergency=True))
    house.tree.server(IPS[1]).behaviour.rcode = "SERVFAIL"


@pytest.mark.parametrize("is_dead_before", [False, True])
def test_a_server_that_had_the_record_holds_nothing_up(tmp_path: Path, *, is_dead_before: bool) -> None:
    """It is named, and that it may refuse the new key. The twin never had it: it is waited for, with the way out."""

    async def story(house: House) -> None:
        house.lagging = {IPS[1]} if is_dead_before else set()
        await house.manage()
        await house.bring()
        house.clock.turn(2 * HOUR)
        await house.bring()
        await _in_emergency(house)
        move = (await house.bring()).move
        assert move is not None
        assert f"{IPS[1]}:{house.tree.servers.port}: answers SERVFAIL" in move.reason
        if is_dead_before:
            assert (move.act, move.step) == (Act.REST, Step.HELD)
            assert "take it out of the delegation" in move.reason
        else:
            assert move.act is Act.GO_LIVE_LOUDLY
            assert "refuses the new key until it follows" in move.reason

    played(tmp_path, story)


def test_a_silent_server_is_named_where_nothing_waits_for_it_but_the_records(tmp_path: Path) -> None:
    """With what it answered."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.tree.server(IPS[1]).behaviour.rcode = "SERVFAIL"
        brought = await house.bring()
        assert brought.move is not None and brought.situation is not None
        assert f"({IPS[1]}:{house.tree.servers.port}: answers SERVFAIL)" in brought.move.reason
        known = house.run.rollovers.progress("mail")
        assert known is not None and known.reason == brought.move.reason
        assert "answers SERVFAIL" in brought.unanswered[0]
        house.tree.server(IPS[1]).behaviour.rcode = ""
        assert (await house.bring()).unanswered == ()

    played(tmp_path, story)
