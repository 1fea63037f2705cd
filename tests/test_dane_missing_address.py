"""An address that a table names and the endpoint does not have: nothing there ever serves the live key."""

from __future__ import annotations

from pathlib import Path

from dane_house import House, played

AWAY = "127.0.1.99"


def test_an_address_that_the_endpoint_does_not_have_is_told_and_needs_a_person(tmp_path: Path) -> None:
    """A roll-over would never end for it; every run tells it, and the journal has it for `tlsa status`."""

    async def story(house: House) -> None:
        await house.manage(addresses=("127.0.0.1", AWAY))
        brought = await house.publish()
        (objection,) = brought.objections
        assert f"{house.endpoint.shown()} has no address {AWAY}" in objection
        await house.bring()
        progress = house.run.rollovers.progress("mail")
        assert progress is not None
        assert progress.objections == (objection,)
        assert "take it out of addresses in [[dane]]" in objection

    played(tmp_path, story)


def test_addresses_that_it_has_or_that_could_not_be_asked_for_are_no_reason(tmp_path: Path) -> None:
    """The negative twin."""

    async def story(house: House) -> None:
        await house.manage(addresses=("127.0.0.1",))
        assert (await house.publish()).objections == ()
        await house.manage(connect=f"127.0.0.1:{house.port}", addresses=(AWAY,))
        assert (await house.publish()).objections == ()
        house.hosts = ""
        house.mirror()
        await house.manage(addresses=(AWAY,))
        brought = await house.bring()
        assert brought.situation is not None
        assert brought.situation.unseen
        assert not [words for words in brought.objections if "has no address" in words]

    played(tmp_path, story)
