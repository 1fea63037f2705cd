"""Certificates of other clients under the gate: what counts is what daemons present, not what stands in a directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from authority import Authority
from dane_house import HOUR, House
from dnsbroker import keys
from dnsbroker.certifying import Certifying, Outcome, Wishes
from dnsbroker.config import Config
from dnsbroker.errors import Held
from kept_elsewhere import Kept

NEW = keys.generate("ecdsa-p256")


def played(tmp_path: Path, story: Callable[[House, Kept], Awaitable[None]], client: str = "certbot") -> None:
    """``story`` where ``client`` keeps what is served, and its records are known to every cache."""

    async def play() -> None:
        async with House(tmp_path / "state") as house:
            kept = Kept(tmp_path, client)
            kept.renew(house.key, house.chain)
            await house.manage(certificate=(str(kept.directory),), records=("3 1 1", "2 1 1"))
            assert (await house.bring(str(kept.directory))).error is None
            house.clock.turn(HOUR)
            await house.bring(str(kept.directory))
            await story(house, kept)

    asyncio.run(play())


async def is_open(house: House, kept: Kept, chain: str) -> bool:
    """Whether ``chain`` may be served."""
    return (await house.dane.chain_gate(str(kept.directory), chain)).is_open


def test_a_new_key_that_stands_in_the_directory_only_may_not_be_served_for_that(tmp_path: Path) -> None:
    """Its record is written then, and the old one stays; once caches know it, it may."""

    async def story(house: House, kept: Kept) -> None:
        chain = house.issue(NEW)
        kept.renew(NEW, chain)
        assert not await is_open(house, kept, chain)
        brought = await house.bring(str(kept.directory))
        assert brought.error is None
        assert {house.names(house.key), house.names(NEW)} <= house.records
        assert not await is_open(house, kept, chain)
        house.clock.turn(HOUR)
        assert await is_open(house, kept, chain)

    played(tmp_path, story)


def test_a_renewal_with_the_same_key_is_served_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    """The record names the key."""

    async def story(house: House, kept: Kept) -> None:
        chain, writes = house.issue(), house.writes
        kept.renew(house.key, chain)
        assert await is_open(house, kept, chain)
        brought = await house.bring(str(kept.directory))
        assert (brought.error, brought.changed, house.writes) == (None, False, writes)

    played(tmp_path, story)


def test_the_same_key_under_another_authority_is_not(tmp_path: Path) -> None:
    """A record names the one before."""

    async def story(house: House, kept: Kept) -> None:
        chain = house.issue(authority=Authority("other"))
        kept.renew(house.key, chain)
        assert not await is_open(house, kept, chain)
        await house.bring(str(kept.directory))
        house.clock.turn(HOUR)
        assert await is_open(house, kept, chain)

    played(tmp_path, story)


def test_a_chain_that_was_refused_has_the_record_of_its_authority_for_the_next_one(tmp_path: Path) -> None:
    """Which has the live key; a third one has none yet."""

    async def story(house: House, kept: Kept) -> None:
        other = Authority("other")
        chain = house.issue(NEW, authority=other)
        leaf, *issuers = keys.read_chain(chain)
        kept.number += 1
        kept.written({"cert": leaf, "privkey": NEW, "chain": "".join(issuers), "fullchain": chain})
        assert not await is_open(house, kept, chain)
        brought = await house.bring(str(kept.directory))
        assert brought.error is None
        assert house.names(chain, "2 1 1") in house.records
        house.clock.turn(HOUR)
        assert await is_open(house, kept, house.issue(authority=other))
        assert not await is_open(house, kept, house.issue(authority=Authority("third")))

    played(tmp_path, story, "dehydrated")


class Deployed(House):
    """A house whose ``mail`` is certbot's, in ``place``, with copies for its daemons."""

    def __init__(self, root: Path, place: Path) -> None:
        super().__init__(root / "state")
        self._table = {"lineage": str(place), "copies": [{"to": str(root / "copies")}]}

    def config(self) -> Config:
        """With that certificate in place of one of ours."""
        tables = {"state_dir": str(self.state_dir), "certificates": {"mail": self._table}}
        return replace(super().config(), certificates=Config.from_dict(tables).certificates)

    async def deploy(self) -> Outcome:
        """As `dnsbroker deploy mail`."""
        certificate = self.run.config.certificates["mail"]
        (outcome,) = await Certifying(self.run, Wishes(), is_named=True, is_mending=True).deploy([certificate])
        return outcome


def test_deploy_waits_for_what_caches_know_and_publishes_what_is_there(tmp_path: Path) -> None:
    """As a reload command of a client's: status 5, nothing copied; when it may be, records are seen to as well."""

    async def play() -> None:
        kept = Kept(tmp_path, "certbot")
        async with Deployed(tmp_path, kept.directory) as house:
            kept.renew(house.key, house.chain)
            await house.manage()
            first = await house.deploy()
            assert first.status == "deployed", first
            assert house.records == {house.names(house.key)}
            house.clock.turn(HOUR)
            kept.renew(NEW, house.issue(NEW))
            await house.manage()
            held = await house.deploy()
            assert (held.status, type(held.error)) == ("held", Held)
            assert house.names(NEW) in house.records
            copy = tmp_path / "copies" / "privkey.pem"
            assert copy.read_text() == house.key
            house.clock.turn(HOUR)
            await house.manage()
            assert (await house.deploy()).status == "deployed"
            assert copy.read_text() == NEW

    asyncio.run(play())
