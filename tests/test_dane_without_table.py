"""Records of ours that no ``[[dane]]`` table speaks of any more: they hold the key that they name, until withdrawn."""

from __future__ import annotations

from pathlib import Path

from dane_house import HOUR, House, played
from dnsbroker import keys
from dnsbroker.certifying.covering import Covering


def test_a_table_that_was_taken_away_leaves_its_key_held_until_withdrawn(tmp_path: Path) -> None:
    """The next key that its records name may be used once; then the present one only, by `tlsa withdraw` any."""

    async def story(house: House) -> None:
        await _without_its_table(house)
        writes, records = house.writes, house.records
        covering = Covering(house.run)
        assert covering.manages("mail")
        assert not covering.tends("mail")
        assert house.dane.owners("mail") == {house.owner}
        assert not house.dane.manages("second")
        other = house.issue(keys.generate("ecdsa-p256"))
        assert (await house.dane.key_gate("mail")).is_open
        assert (await house.dane.chain_gate("mail", house.issue(house.next_key()))).is_open
        assert (await house.dane.chain_gate("mail", house.issue())).is_open
        closed = await covering.against_chain("mail", other, house.store.load("mail"), house.run.emit)
        assert closed is not None
        assert f"`dnsbroker tlsa withdraw {house.endpoint.shown()}`" in closed.reason
        house.store.drop_next_key("mail")
        closed = await covering.against_key("mail", house.store.load("mail"))
        assert closed is not None
        assert f"`dnsbroker tlsa withdraw {house.endpoint.shown()}`" in closed.reason
        assert await house.dane.bring() == ()
        assert (house.writes, house.records) == (writes, records)
        assert house.store.next_key("mail") is None

        await house.dane.withdraw([house.endpoint])
        assert not (await house.dane.chain_gate("mail", other)).is_open
        house.clock.turn(2 * HOUR)
        await house.bring()
        await house.open()
        assert not Covering(house.run).manages("mail")
        assert (await house.dane.chain_gate("mail", other)).is_open

    played(tmp_path, story)


def test_an_endpoint_taken_out_of_its_table_holds_the_key_and_the_others_go_on(tmp_path: Path) -> None:
    """What is left there is no old record of a roll-over, and is neither added to nor taken away."""

    async def story(house: House) -> None:
        await house.manage(endpoint=(str(house.endpoint), f"tls://also.example.test:{house.port}"))
        house.hosts += "also A 127.0.0.1\n"
        house.mirror()
        await house.publish()
        left = f"_{house.port}._tcp.also.example.test."
        records = house.at(left)
        assert records
        house.clock.turn(2 * HOUR)
        await house.open(house.table())
        brought = await house.bring()
        assert brought.error is None
        assert brought.move is not None
        assert brought.move.is_over
        other = house.issue(keys.generate("ecdsa-p256"))
        gate = await house.dane.chain_gate("mail", other)
        assert not gate.is_open
        house.store.drop_next_key("mail")
        await house.bring()
        assert house.at(left) == records
        assert house.names(house.next_key()) in house.records
        house.clock.turn(2 * HOUR)
        gate = await house.dane.key_gate("mail")
        assert not gate.is_open
        assert "tlsa withdraw" in gate.reason

    played(tmp_path, story)


def test_a_certificate_that_its_table_has_exchanged_is_held_while_records_name_it(tmp_path: Path) -> None:
    """The daemon goes on with it for a time; once it has the other, and caches have forgotten, any key may be used."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.clock.turn(2 * HOUR)
        second = keys.generate("ecdsa-p256")
        chain = house.issue(second)
        house.save("second", second, chain)
        await house.manage(certificate=("second",))
        await house.bring("second")
        await house.open()
        covering = Covering(house.run)
        assert house.names(house.key) in house.records
        assert covering.manages("mail")
        assert not covering.tends("mail")
        house.store.drop_next_key("mail")
        other = house.issue(keys.generate("ecdsa-p256"))
        assert not (await house.dane.chain_gate("mail", other)).is_open
        assert not (await house.dane.key_gate("mail")).is_open

        house.clock.turn(2 * HOUR)
        await house.bring("second")
        house.daemon.present(second, chain)
        await house.bring("second")
        house.clock.turn(HOUR)
        await house.bring("second")
        assert house.names(house.key) not in house.records
        house.clock.turn(2 * HOUR)
        await house.bring("second")
        assert not house.dane.manages("mail")
        assert (await house.dane.chain_gate("mail", other)).is_open

    played(tmp_path, story)


def test_where_left_records_cannot_be_followed_the_present_key_goes_on(tmp_path: Path) -> None:
    """And no other one is used, since nobody knows what caches hold."""

    async def story(house: House) -> None:
        await _without_its_table(house)
        for server in house.zone:
            house.tree.server(server).behaviour.rcode = "SERVFAIL"
        assert (await house.dane.chain_gate("mail", house.issue())).is_open
        assert not (await house.dane.chain_gate("mail", house.issue(keys.generate("ecdsa-p256")))).is_open

    played(tmp_path, story)


async def _without_its_table(house: House) -> None:
    """Publish for the house's endpoint, and have no table that speaks of it any more."""
    await house.manage()
    await house.publish()
    house.clock.turn(2 * HOUR)
    house.tables = ()
    await house.open()
