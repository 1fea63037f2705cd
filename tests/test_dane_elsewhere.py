"""Certificates of other clients under the gate: what counts is what daemons present, not what stands in a directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from authority import Authority
from dane_house import HOUR, House
from dnsbroker import keys
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
