"""Whether a key may be ordered for and a chain be served, as DNS and journal have it; and what a CA's record needs."""

from __future__ import annotations

from pathlib import Path

from authority import Authority
from dane_house import DAY, HOUR, IPS, House, played
from dnsbroker import keys
from dnsbroker.settings import Duration
from dnsbroker.store import HeldBack, Provenance

BOTH = ("3 1 1", "2 1 1")


def test_the_next_key_may_be_ordered_for_once_it_is_ripe(tmp_path: Path) -> None:
    """From every server having it, min_wait or twice what may be cached; another key never."""

    async def story(house: House) -> None:
        await house.manage(min_wait=Duration(HOUR))
        assert not (await house.dane.key_gate("mail")).is_open
        await house.publish()
        young = await house.dane.key_gate("mail")
        assert not young.is_open
        assert young.opens_at is not None
        now = house.clock.now().timestamp()
        assert now + 3590 < young.opens_at <= now + 3600
        house.clock.turn(HOUR)
        assert (await house.dane.key_gate("mail")).is_open
        assert (await house.dane.key_gate("mail", house.next_key())).is_open
        assert not (await house.dane.key_gate("mail", keys.generate("ecdsa-p256"))).is_open

    played(tmp_path, story)


def test_a_silent_server_closes_the_way(tmp_path: Path) -> None:
    """Case 43: at any owner name; what it may have had meanwhile is waited for anew. The present key goes on."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(HOUR)
        house.tree.server(IPS[1]).behaviour.rcode = "SERVFAIL"
        assert not (await house.dane.key_gate("mail")).is_open
        assert (await house.dane.chain_gate("mail", house.issue())).is_open
        house.tree.server(IPS[1]).behaviour.rcode = ""
        assert not (await house.dane.key_gate("mail")).is_open
        house.clock.turn(HOUR)
        assert (await house.dane.key_gate("mail")).is_open

    played(tmp_path, story)


def test_signatures_that_end_before_the_wait_does_set_no_clock(tmp_path: Path) -> None:
    """Case 42."""

    async def story(house: House) -> None:
        await house.manage(min_wait=Duration(29.5 * DAY))
        await house.publish()
        assert set(house.run.rollovers.clocks(house.owner)) == house.records
        await house.manage(min_wait=Duration(29.5 * DAY))
        house.clock.turn(2 * DAY)
        await house.bring()
        assert house.run.rollovers.clocks(house.owner) == {}

    played(tmp_path, story)


def test_another_issuer_waits_until_its_record_is_known(tmp_path: Path) -> None:
    """Case 47: the chain is held, the CA's record added, and the old one goes once the new chain is served."""

    async def story(house: House) -> None:
        await house.manage(records=BOTH)
        await house.publish()
        house.clock.turn(HOUR)
        other = house.issue(authority=Authority("other"))
        closed = await house.dane.chain_gate("mail", other)
        assert not closed.is_open
        assert [str(record) for _, record in closed.missing] == [house.names(other, "2 1 1")]
        house.store.hold_back("mail", HeldBack(other, Provenance("https://ca.test/", house.clock.now()), house.key))
        await house.bring()
        assert {house.names(house.chain, "2 1 1"), house.names(other, "2 1 1")} < house.records
        assert not (await house.dane.chain_gate("mail", other)).is_open
        house.clock.turn(HOUR)
        assert (await house.dane.chain_gate("mail", other)).is_open
        house.store.drop_held_back("mail")
        house.save("mail", house.key, other)
        house.clock.turn(61)
        await house.bring()
        assert house.names(house.chain, "2 1 1") in house.records
        house.daemon.present(house.key, other)
        await house.bring()
        assert house.names(house.chain, "2 1 1") not in house.records
        assert house.names(other, "2 1 1") in house.records

    played(tmp_path, story)


def test_a_bad_certificate_has_no_record_of_its_ca(tmp_path: Path) -> None:
    """Until it ends; then there is one again."""

    async def story(house: House) -> None:
        await house.manage(records=BOTH)
        await house.publish()
        authority = house.names(house.chain, "2 1 1")
        assert authority in house.records
        house.clock.turn(HOUR)
        house.dane.set_no_authority("mail", house.clock.now().timestamp() + DAY)
        await house.bring()
        assert authority not in house.records
        house.clock.turn(2 * DAY)
        await house.bring()
        assert authority in house.records

    played(tmp_path, story)


def test_what_nobody_manages_is_nobodys_business(tmp_path: Path) -> None:
    """Every way is open, and there is nothing to replay."""

    async def story(house: House) -> None:
        await house.manage()
        assert not house.dane.manages("second")
        assert house.dane.owners("second") == frozenset()
        assert (await house.dane.key_gate("second")).is_open
        assert (await house.dane.chain_gate("second", house.issue())).is_open
        assert await house.dane.old_signatures_end("second") == 0.0

    played(tmp_path, story)


def test_until_when_old_records_can_be_replayed_is_the_end_of_their_signatures(tmp_path: Path) -> None:
    """As the servers give them out."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        end = await house.dane.old_signatures_end("mail")
        assert abs(end - house.clock.now().timestamp() - 30 * DAY) < 60

    played(tmp_path, story)


def test_a_ca_that_somebody_else_pins_is_left_to_him(tmp_path: Path) -> None:
    """It was there before; keys are ours whoever wrote them, for their going is a part of our roll-over."""

    async def story(house: House) -> None:
        house.plant(house.names(house.chain, "2 1 1"), house.names(house.key))
        await house.manage(records=BOTH)
        brought = await house.publish()
        (stands,) = brought.stands
        assert set(map(str, stands.foreign)) == {house.names(house.chain, "2 1 1")}
        await house.dane.withdraw([house.endpoint])
        assert house.records == {house.names(house.chain, "2 1 1")}

    played(tmp_path, story)
