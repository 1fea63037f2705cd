"""Where records stand, and whose: aliases, shared names, several keys, several machines."""

from __future__ import annotations

from pathlib import Path

from dane_house import HOUR, ORIGIN, House, played
from dnsbroker import keys
from dnsbroker.dane import Brought
from dnsbroker.errors import PreflightFailed
from tls_service import TlsService, at_once


def test_keys_of_two_algorithms_are_both_covered(tmp_path: Path) -> None:
    """Case 31: each is live for its own certificate, and neither is old for the other."""

    async def story(house: House) -> None:
        rsa = keys.generate("rsa2048")
        chain = house.issue(rsa)
        house.save("second", rsa, chain)
        house.daemon.present_too(rsa, chain)
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert house.writes == 0
        await house.manage(certificate=("mail", "second"))
        both = await house.dane.bring(is_publishing_asked=True)
        assert [brought.error for brought in both] == [None, None]
        assert {house.names(house.key), house.names(rsa)} < house.records
        house.clock.turn(HOUR)
        both = await house.dane.bring()
        assert [str(brought.move.step) for brought in both if brought.move] == ["steady", "steady"]
        assert all(brought.situation and not brought.situation.has_old_records for brought in both)

    played(tmp_path, story)


def test_an_owner_that_is_an_alias_has_its_records_where_it_leads(tmp_path: Path) -> None:
    """Case 4: never beside the alias; its servers have to have it too."""

    async def story(house: House) -> None:
        house.hosts += f"_{house.port}._tcp.mail CNAME _dane.other\n"
        house.mirror()
        await house.manage()
        assert (await house.publish()).error is None
        assert house.records == frozenset()
        assert house.names(house.key) in house.at(f"_dane.other.{ORIGIN}")
        assert house.dane.owners("mail") == {house.owner, f"_dane.other.{ORIGIN}"}

    played(tmp_path, story)


def test_a_host_that_is_an_alias_has_records_at_both_names(tmp_path: Path) -> None:
    """Case 5: clients ask below the end of the host's chain first."""

    async def story(house: House) -> None:
        await house.manage()
        assert (await house.publish()).error is None
        assert house.records == house.at(f"_{house.port}._tcp.machine.{ORIGIN}") != frozenset()

    played(tmp_path, story, hosts="mail CNAME machine\nmachine A 127.0.0.1\n")


def test_another_machines_key_is_covered_and_not_ours_to_roll(tmp_path: Path) -> None:
    """Two machines behind one name: what the other serves holds a first set back, and its record is left."""

    async def story(house: House) -> None:
        other = keys.generate("ecdsa-p256")
        async with TlsService(at_once, other, house.issue(other), "127.0.0.2", house.port):
            await house.manage(addresses=("127.0.0.1",))
            refused = await house.publish()
            assert isinstance(refused.error, PreflightFailed)
            assert refused.error.checks == ("not-served",)
            house.plant(house.names(other))
            brought = await house.publish()
            assert brought.error is None
            assert house.records == {house.names(key) for key in (house.key, other, house.next_key())}
            (stands,) = brought.stands
            assert set(map(str, stands.foreign)) == {house.names(other)}
            assert brought.situation is not None
            assert [chain.leaf.public_key for chain in brought.situation.served] == [keys.public_key_of(house.key)]

    played(tmp_path, story, hosts="mail A 127.0.0.1\nmail A 127.0.0.2\n")


def test_a_service_out_of_reach_is_seen_where_it_is_connected_to(tmp_path: Path) -> None:
    """NAT, or a port that is blocked: nothing is looked at but what is configured."""

    async def story(house: House) -> None:
        assert isinstance((await published(house)).error, PreflightFailed)
        assert (await published(house, connect=house.daemon.address)).error is None
        assert house.names(house.key) in house.records

    async def published(house: House, **keys: object) -> Brought:
        await house.manage(**keys)
        return await house.publish()

    played(tmp_path, story, hosts="mail A 127.0.0.99\n")


def test_a_shared_owner_name_keeps_what_another_table_needs(tmp_path: Path) -> None:
    """Bringing one certificate's records about takes away nobody else's."""

    async def story(house: House) -> None:
        second = keys.generate("ecdsa-p256")
        daemon = await house.daemon_for("second", second)
        port = daemon.address.rpartition(":")[2]
        house.hosts += f"_{house.port}._tcp.mail CNAME _dane\n_{port}._tcp.mail CNAME _dane\n"
        house.mirror()
        await house.open(
            house.table(), house.table(endpoint=(f"tls://mail.{ORIGIN[:-1]}:{port}",), certificate=("second",))
        )
        refused = await house.dane.bring()
        assert {type(brought.error) for brought in refused} == {type(None)}
        assert {house.names(house.key), house.names(second)} < house.at(f"_dane.{ORIGIN}")
        before = house.at(f"_dane.{ORIGIN}")
        house.clock.turn(HOUR)
        await house.bring("mail")
        assert house.at(f"_dane.{ORIGIN}") == before

    played(tmp_path, story)
