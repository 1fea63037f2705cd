"""DANE brought about: what is written, in which order, and what goes on where a run has died."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from dane_house import DAY, HOUR, IPS, ORIGIN, House, played
from dnsbroker import keys
from dnsbroker.errors import NotPropagated, ProviderError
from dnsbroker.journal import NEVER, Leases
from dnsbroker.records import Record
from dnsbroker.store import HeldBack, Provenance
from dnsbroker.texts import Texts


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


def test_a_run_that_dies_over_a_write_is_gone_on_with(tmp_path: Path) -> None:
    """Case 44: what was about to stand is remembered, and what was sent is ours."""

    async def story(house: House) -> None:
        await house.manage()
        house.service.fail(ProviderError("the reply was lost", provider="corp", zone=ORIGIN), after=True)
        lost = await house.publish()
        assert isinstance(lost.error, ProviderError)
        written = [sight for sight in house.run.rollovers.sights(house.owner) if not sight.server]
        assert house.names(house.key) in written[-1].records
        await house.open()
        brought = await house.publish()
        assert brought.error is None
        assert {house.names(house.key), house.names(house.next_key())} == house.records
        assert set(map(str, brought.stands[0].ours)) == house.records
        await house.clean_up()
        assert {house.names(house.key), house.names(house.next_key())} == house.records

    played(tmp_path, story)


def test_what_is_taken_away_again_in_the_same_call_was_a_change(tmp_path: Path) -> None:
    """What a held certificate needs is added, and in the meantime somebody gives that one up."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(HOUR)
        await house.bring()
        house.clock.turn(HOUR)
        key, before, mirror = keys.generate("ecdsa-p256"), house.records, house.mirror
        kept = HeldBack(house.issue(key), Provenance("https://ca.test/", house.clock.now()), key)
        house.store.hold_back("mail", kept)

        def give_up() -> None:
            mirror()
            house.store.drop_held_back("mail")

        house.mirror = give_up  # type: ignore[method-assign] # whoever writes comes by here
        brought, writes = await house.bring(), house.writes
        assert (house.records, brought.changed) == (before, True)
        assert [house.names(key)] in [event.get("removed") for event in house.told]
        assert ((await house.bring()).changed, house.writes) == (False, writes)

    played(tmp_path, story)


def test_an_event_has_its_moment_in_the_form_of_results(tmp_path: Path) -> None:
    """Whole seconds, UTC as Z."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        (until,) = {event["until"] for event in house.told if "until" in event and event["event"] == "dane"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(until))

    played(tmp_path, story)


def test_no_sweep_and_no_hook_takes_records_out(tmp_path: Path) -> None:
    """Nor counts them as a promise that expires, however late it is and whatever became of the run."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        before = house.records
        house.clock.turn(400 * DAY)
        await house.open()
        await house.clean_up()
        assert house.records == before
        assert Texts(house.run).promised() is None
        assert house.run.leases.sweepable(lambda run: False) == ()

    played(tmp_path, story)


def test_runs_side_by_side_write_once(tmp_path: Path) -> None:
    """Who comes second sees what the first has done."""

    async def story(house: House) -> None:
        await house.manage()
        first = house.dane
        await house.open()
        results = await asyncio.gather(first.bring(["mail"]), house.dane.bring(["mail"]))
        assert [brought.error for result in results for brought in result] == [None, None]
        assert house.writes == 1
        assert house.records == {house.names(house.key), house.names(house.next_key())}

    played(tmp_path, story)


def test_what_a_killed_run_had_in_its_journal_is_neither_lost_nor_taken_for_foreign(tmp_path: Path) -> None:
    """Case 44: between the journal and the write, and between the write and its receipt."""

    async def story(house: House) -> None:
        killed = Leases(house.run.journal, "20261121T000000-1-dead", house.clock)
        record = Record(house.owner, "TLSA", house.names(house.key))
        killed.want("corp", ORIGIN, [record], ttl=60, expires=NEVER)
        await house.manage()
        brought = await house.publish()
        assert brought.error is None
        assert record.value in set(map(str, brought.stands[0].ours))
        assert [lease.run for lease in house.run.leases.standing(record)] == [house.run.lock.id]
        await house.dane.withdraw([house.endpoint])
        assert house.records == frozenset()

    played(tmp_path, story)


def test_a_wish_of_a_killed_run_that_nobody_has_any_more_is_ended(tmp_path: Path) -> None:
    """Its lease would else be told of for ever."""

    async def story(house: House) -> None:
        killed = Leases(house.run.journal, "20261121T000000-1-dead", house.clock)
        record = Record(house.owner, "TLSA", "3 1 1 " + "ef" * 32)
        killed.want("corp", ORIGIN, [record], ttl=60, expires=NEVER)
        await house.manage()
        await house.publish()
        await house.bring()
        assert house.run.leases.standing(record) == ()
        assert record.value not in house.records

    played(tmp_path, story)
