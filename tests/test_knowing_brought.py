"""What people are told after the real thing: records published, refused, rolled over among name servers."""

from __future__ import annotations

from pathlib import Path

from dane_house import DAY, IPS, House, played
from dnsbroker import keys
from dnsbroker.knowing import Collection
from dnsbroker.knowing.health import Health
from dnsbroker.knowing.rollovers import Role, Rollover
from dnsbroker.rekeying import Rekeying


def collection(house: House) -> Collection:
    """What is known now."""
    return Collection(house.run.config, house.run.store, house.run.journal, house.clock)


def health(house: House) -> Health:
    known = collection(house)
    return known.judged(known.managed("mail"))


def rollover(house: House) -> Rollover:
    (found,) = collection(house).standings.rollovers
    return found


def roles(house: House) -> dict[str, Role]:
    """Whose each record is."""
    (site,) = rollover(house).sites
    return {one.value: one.role for place in site.places for one in place.records}


def withdrawn(house: House) -> set[str]:
    """The records that are told as taken away."""
    (site,) = rollover(house).sites
    return {one.value for place in site.places for one in place.records if one.is_withdrawn}


def test_what_was_refused_needs_a_person_until_it_is_not(tmp_path: Path) -> None:
    """Also in a run that nobody watched; with the cure."""

    async def story(house: House) -> None:
        house.is_signed = False
        house.mirror()
        await house.manage()
        await house.bring()
        found = health(house)
        assert (found.status, found.needs_person) == ("stuck", True)
        assert found.findings[0].startswith(f"TLSA: nothing is published at {house.owner.rstrip('.')}: ")
        house.is_signed = True
        house.mirror()
        await house.open()
        await house.bring()
        assert health(house) == Health("mail", "ok", False, ())

    played(tmp_path, story)


def test_a_service_with_another_key_needs_a_person_until_it_is_reloaded(tmp_path: Path) -> None:
    """Nothing is published that it does not match."""

    async def story(house: House) -> None:
        await house.manage()
        other = keys.generate("ecdsa-p256")
        house.daemon.present(other, house.issue(other))
        await house.bring()
        found = health(house)
        assert (found.status, found.needs_person) == ("stuck", True)
        assert "they would not name all that is served" in found.findings[0]
        house.daemon.present(house.key, house.chain)
        await house.bring()
        assert health(house) == Health("mail", "ok", False, ())

    played(tmp_path, story)


def test_records_are_told_by_the_keys_that_they_name(tmp_path: Path) -> None:
    """Present and next, on every server; they cover what is served."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        assert roles(house) == {house.names(house.key): Role.CURRENT, house.names(house.next_key()): Role.NEXT}
        (site,) = rollover(house).sites
        (place,) = site.places
        assert place.is_whole and all(record.since for record in place.records)
        assert [seen.covered for seen in collection(house).observed] == [True]
        assert collection(house).picture() is not None
        assert await Rekeying(house.run).status() == (rollover(house),)

    played(tmp_path, story)


def test_a_key_that_went_live_without_its_record_is_seen_at_once(tmp_path: Path) -> None:
    """By what is on disk, before anybody looks at DNS again."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        stranger = keys.generate("ecdsa-p256")
        house.save("mail", stranger, house.issue(stranger))
        found = health(house)
        assert (found.status, found.needs_person) == ("not covered", True)

    played(tmp_path, story)


def test_a_daemon_that_never_loads_the_new_key_needs_a_person_in_the_end(tmp_path: Path) -> None:
    """From the first look on it is told where it is, what it serves, and the cure; the twin loads it."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        old, new = house.key, house.next_key()
        chain = house.issue(new)
        house.clock.turn(DAY)
        house.save("mail", new, chain)
        house.store.drop_next_key("mail")
        await house.bring()
        assert rollover(house).reason == (
            "old records stay, for not every address serves the live key, and no other:"
            f" {house.endpoint} at 127.0.0.1 serves the key {keys.spki_sha256_of(old)[:16]}…;"
            " reload what serves there, then `dnsbroker deploy`"
        )
        assert health(house) == Health("mail", "not deployed", False, (rollover(house).reason,))
        house.clock.turn(2 * DAY)
        await house.bring()
        assert not health(house).needs_person
        house.clock.turn(2 * DAY)
        await house.bring()
        assert (health(house).status, health(house).needs_person) == ("stuck", True)
        assert "reload what serves there" in health(house).findings[0]
        house.daemon.present(new, chain)
        await house.bring()
        assert health(house) == Health("mail", "ok", False, ())

    played(tmp_path, story)


def test_a_record_that_was_taken_away_is_told_so_while_a_late_server_has_it(tmp_path: Path) -> None:
    """Until then it is old; and gone once the server is through."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        old, new = house.names(house.key), house.next_key()
        house.clock.turn(DAY)
        house.save("mail", new, house.issue(new))
        house.store.drop_next_key("mail")
        house.daemon.present(new, house.issue(new))
        await house.bring()
        assert withdrawn(house) == set()
        house.clock.turn(DAY)
        house.lagging = {IPS[1]}
        await house.bring()
        assert old not in house.records
        assert withdrawn(house) == {old}
        house.lagging = set()
        house.mirror()
        await house.bring()
        assert withdrawn(house) == set()
        assert old not in roles(house)

    played(tmp_path, story)


def test_a_server_that_stays_behind_needs_a_person_in_the_end(tmp_path: Path) -> None:
    """Not as long as a failure may last."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.lagging.add("127.0.0.22")
        house.store.drop_next_key("mail")
        await house.bring()
        assert rollover(house).step != "steady"
        assert not health(house).needs_person
        house.clock.turn(4 * DAY)
        assert health(house).status == "stuck"

    played(tmp_path, story)
