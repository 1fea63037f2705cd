"""What counts as an answer about TLSA records, and what as silence; and what a service is seen to present."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dane_house import IPS, ORIGIN, House, played
from dnsbroker import keys
from dnsbroker.dane.looking import Looking, Records
from dnsbroker.endpoints import parse
from dnsbroker.lookup.exchange import Address, Answer, Exchange, Untestable
from dnsbroker.lookup.zone import NameServer
from tls_service import HangUp, Talk

_NS1, _NS2 = IPS


async def looked(house: House, owner: str = "") -> Records:
    """A look at an owner name, by default the endpoint's, at which there is a record."""
    if not house.records:
        house.plant(house.names(house.key))
    looking = Looking(house.run.finder, house.run.exchange, house.clock)
    return await looking.records(await house.run.finder.find(owner or house.owner))


def at(house: House, ip: str) -> str:
    return f"{ip}:{house.tree.servers.port}"


def test_every_address_is_asked_and_its_whole_set_is_told(tmp_path: Path) -> None:
    """With its TTL, and the end of its signature."""

    async def story(house: House) -> None:
        seen = await looked(house)
        assert seen.look.is_whole
        assert set(seen.look.answers) == {at(house, ip) for ip in IPS}
        for answer in seen.look.answers.values():
            assert set(map(str, answer.records)) == house.records
            assert answer.ttl == 60
            assert answer.expires is not None
            assert answer.expires > house.clock.now().timestamp()

    played(tmp_path, story)


def test_one_that_lacks_the_records_has_answered(tmp_path: Path) -> None:
    """Case 36: then they are not everywhere; its empty set is a view as others are."""

    async def story(house: House) -> None:
        house.lagging = {_NS2}
        seen = await looked(house)
        assert seen.look.is_whole
        assert {ip: len(seen.look.answers[at(house, ip)].records) for ip in IPS} == {_NS1: 1, _NS2: 0}

    played(tmp_path, story)


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_an_address_that_fails_is_silent(tmp_path: Path, rcode: str) -> None:
    """Case 33: no answer is no denial."""

    async def story(house: House) -> None:
        house.tree.server(_NS2).behaviour.rcode = rcode
        seen = await looked(house)
        assert seen.look.silent == {at(house, _NS2)}
        assert rcode in seen.told

    played(tmp_path, story)


def test_records_whose_signature_does_not_hold_count_for_nothing(tmp_path: Path) -> None:
    """A server with signatures that are over is silent, one without any too."""

    async def story(house: House) -> None:
        house.expired = {_NS2}
        seen = await looked(house)
        assert seen.look.silent == {at(house, _NS2)}
        assert "signature" in seen.told
        house.is_signed = False
        house.mirror()
        assert (await looked(house)).look.silent == {at(house, ip) for ip in IPS}

    played(tmp_path, story)


def test_a_server_that_denies_a_name_above_is_silent(tmp_path: Path) -> None:
    """Case 35: resolvers that go down label by label turn back at `_tcp`."""

    async def story(house: House) -> None:
        house.plant(house.names(house.key))
        house.zone[_NS2].behaviour.denied = frozenset({f"_tcp.mail.{ORIGIN}"})
        seen = await looked(house)
        assert seen.look.silent == {at(house, _NS2)}
        assert "denies" in seen.told

    played(tmp_path, story)


class _FewWays(Exchange):
    """What listens at ``at`` answers at an IPv6 address as well; to another there is no way."""

    def __init__(self, at: Address, there: Collection[str]) -> None:
        super().__init__(1.0, 1.0)
        self._at = at
        self._there = there

    async def ask(self, address: Address, *question: Any, **how: Any) -> Answer:
        if address.is_v6 and address.ip not in self._there:
            raise Untestable(address, "network is unreachable")
        return await super().ask(self._at if address.is_v6 else address, *question, **how)


def test_ipv6_is_left_out_by_a_host_that_has_none_and_by_no_other(tmp_path: Path) -> None:
    """Where one such address answers, this host has it; and of each server some address has to answer."""
    v6 = ("2001:db8::1", "2001:db8::2")

    async def story(house: House) -> None:
        house.plant(house.names(house.key))
        place = await house.run.finder.find(house.owner)
        first, second = place.zone.servers
        more = [replace(one, address=Address(ip)) for one, ip in zip((first, second), v6, strict=True)]

        async def silent(servers: Sequence[NameServer], *there: str) -> frozenset[str]:
            looking = Looking(house.run.finder, _FewWays(first.address, there), house.clock)
            return (await looking.records(replace(place, zone=replace(place.zone, servers=tuple(servers))))).look.silent

        assert await silent([first, second, *more]) == frozenset()
        assert await silent([first, second, *more], v6[0]) == {v6[1]}
        assert await silent([first, more[1]]) == {v6[1]}
        assert await silent([first, second, *more], *v6) == frozenset()

    played(tmp_path, story)


def test_every_server_has_to_have_the_alias_too(tmp_path: Path) -> None:
    """One without it gives out something else, or nothing."""

    async def story(house: House) -> None:
        alias = f"_{house.port}._tcp.mail"
        house.hosts += f"{alias} 300 CNAME _dane.other\n"
        house.plant(house.names(house.key), owner=f"_dane.other.{ORIGIN}")
        seen = await looked_at_alias(house)
        assert seen.look.is_whole
        assert {answer.ttl for answer in seen.look.answers.values()} == {300}
        house.zone[_NS2].remove(f"{alias}.{ORIGIN}", "CNAME")
        seen = await looked_at_alias(house)
        assert not seen.look.is_whole
        assert "no CNAME" in seen.told

    async def looked_at_alias(house: House) -> Records:
        looking = Looking(house.run.finder, house.run.exchange, house.clock)
        return await looking.records(await house.run.finder.find(house.owner))

    played(tmp_path, story)


def test_both_algorithms_are_seen_and_what_is_not_is_said(tmp_path: Path) -> None:
    """Of every address."""

    async def story(house: House) -> None:
        rsa = keys.generate("rsa2048")
        house.daemon.present_too(rsa, house.issue(rsa))
        looking = Looking(house.run.finder, house.run.exchange, house.clock)
        seen = await looking.service(house.endpoint)
        assert {chain.leaf.public_key for chain in seen.chains["127.0.0.1"]} == {
            keys.public_key_of(key) for key in (house.key, rsa)
        }
        assert set(seen.unseen) == {"127.0.0.99"}
        assert "127.0.0.99" in seen.unseen["127.0.0.99"]
        lost = await looking.service(parse(f"https://nowhere.{ORIGIN[:-1]}"))
        assert (lost.chains, len(lost.unseen)) == ({}, 1)

    played(tmp_path, story, hosts="mail A 127.0.0.1\nmail A 127.0.0.99\n")


def test_a_place_to_connect_to_stands_for_the_addresses_it_is_said_to(tmp_path: Path) -> None:
    """The others are looked at as they are."""

    async def hangs_up(talk: Talk) -> None:
        raise HangUp

    async def story(house: House) -> None:
        looking = Looking(house.run.finder, house.run.exchange, house.clock)
        alone = await looking.service(house.endpoint, house.daemon.address)
        assert (alone.connected, set(alone.unseen)) == ((house.daemon.address,), {house.daemon.address})
        beside = await looking.service(house.endpoint, house.daemon.address, ("127.0.0.98",))
        assert set(beside.unseen) == {house.daemon.address, "127.0.0.99"}

    played(tmp_path, story, script=hangs_up, hosts="mail A 127.0.0.98\nmail A 127.0.0.99\n")
