"""Roll-overs among real name servers and a real TLS service: a chain that is issued, from its waiting to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from dane_house import HOUR, House
from dnsbroker import keys
from dnsbroker.errors import ConfigError
from dnsbroker.rekeying import Rekeying
from reloading_house import NAME, advance, is_live, played, wait_with


def test_a_chain_for_the_ripe_key_goes_live_and_the_old_record_goes(tmp_path: Path) -> None:
    """Then there is another next key, published like the first."""

    async def story(house: House) -> None:
        coming, before = house.next_key(), house.key
        house.clock.turn(HOUR)
        wait_with(house, coming)
        await advance(house)
        assert is_live(house, coming) and house.store.held_back(NAME) is None
        assert {house.names(before), house.names(coming), house.names(house.next_key())} == house.records
        house.clock.turn(HOUR)
        standing = await advance(house)
        assert standing.errors == ()
        assert house.records == {house.names(coming), house.names(house.next_key())}

    played(tmp_path, story)


def test_a_chain_for_a_key_that_caches_do_not_know_waits_while_it_is_published(tmp_path: Path) -> None:
    """The negative twin: nothing else is live before its time, which is told."""

    async def story(house: House) -> None:
        given = keys.generate("ecdsa-p256")
        wait_with(house, given)
        standing = await advance(house)
        assert is_live(house, house.key) and house.names(given) in house.records
        assert (standing.step, standing.is_over, standing.errors) == ("held", False, ())
        assert standing.until is not None and standing.until > house.clock.now()
        house.clock.turn(HOUR)
        await advance(house)
        assert is_live(house, given)

    played(tmp_path, story)


def test_a_service_that_dies_of_the_new_key_gets_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose records have stood all the time; a person has to look, and asks again."""
    monkeypatch.setattr("dnsbroker.certifying.rolled._PATIENCE", 0.5)

    async def story(house: House) -> None:
        coming = house.next_key()
        house.dies.add(keys.spki_sha256_of(coming))  # type: ignore[attr-defined] # see ``played``
        house.clock.turn(HOUR)
        wait_with(house, coming)
        standing = await advance(house)
        assert is_live(house, house.key) and house.names(house.key) in house.records
        assert standing.step == "stuck" and [error.kind for error in standing.errors] == ["not-deployed"]
        progress = house.run.rollovers.progress(NAME)
        assert progress is not None and progress.refused
        again = await advance(house)
        assert again.step == "stuck" and is_live(house, house.key)

    played(tmp_path, story)


def test_in_an_emergency_the_key_goes_live_before_caches_know_it(tmp_path: Path) -> None:
    """Once every server has its record, and until when some clients refuse it is known."""

    async def story(house: House) -> None:
        coming = keys.generate("ecdsa-p256")
        wait_with(house, coming)
        await house.open()
        standing = await Rekeying(house.run).rollover(NAME, now=True)
        assert is_live(house, coming) and house.names(house.key) not in house.records
        assert standing.refused_until is not None and standing.refused_until > house.clock.now()
        assert standing.replayable_until is not None and standing.replayable_until > house.clock.now()

    played(tmp_path, story, min_wait=0.1)


def test_a_program_publishes_looks_and_takes_back(tmp_path: Path) -> None:
    """As the commands do, with endpoints as people write them; what is no endpoint is a mistake in the call."""

    async def story(house: House) -> None:
        rekeying = Rekeying(house.run)
        endpoint = str(house.endpoint)
        (brought,) = await rekeying.publish([endpoint])
        assert brought.error is None
        report = await rekeying.check([endpoint])
        assert [str(checked.endpoint) for checked in report.endpoints] == [endpoint]
        (withdrawn,) = await rekeying.withdraw([endpoint])
        assert withdrawn.until > house.clock.now().timestamp() and house.records == frozenset()
        with pytest.raises(ConfigError):
            await rekeying.check(["nowhere"])

    played(tmp_path, story)
