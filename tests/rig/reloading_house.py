"""A house with DANE whose service takes what is live as after a reload, and dies of the keys that a story names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dane_house import House
from dnsbroker import keys
from dnsbroker.rekeying import Rekeyed, Rekeying
from dnsbroker.settings import Duration
from dnsbroker.store import HeldBack, Provenance
from tls_service import HangUp, Talk

NAME = "mail"


def played(tmp_path: Path, story: Callable[[House], Awaitable[None]], min_wait: float = 120.0) -> None:
    """``story`` in a house whose service takes what is live, as after a reload, unless ``dies`` holds its digest."""

    async def play() -> None:
        house = House(tmp_path / "state", script=reloading)
        dying: set[str] = set()

        async def follow(talk: Talk) -> None:
            live = house.store.load(NAME)
            assert live is not None
            if live.leaf.spki_sha256 in dying:
                raise HangUp
            house.daemon.present(live.private_key, live.fullchain)

        house._script = follow
        house.dies = dying  # type: ignore[attr-defined] # for the story
        async with house:
            await house.manage(min_wait=Duration(min_wait))
            brought = await house.publish()
            assert brought.error is None
            await story(house)

    asyncio.run(play())


async def reloading(talk: Talk) -> None:
    """Never called: the house's own script is put in its place."""
    raise AssertionError


def wait_with(house: House, key_pem: str) -> str:
    """Have a certificate for this key wait, as after an order; its chain."""
    account = house.run.accounts.get("default").config
    chain = house.issue(key_pem)
    origin = Provenance(account.directory, house.clock.now())
    house.store.hold_back(NAME, HeldBack(chain, origin, key_pem))
    return chain


async def advance(house: House) -> Rekeyed:
    """``tlsa advance``, by a run of its own."""
    await house.open()
    (standing,) = await Rekeying(house.run).advance()
    return standing


def is_live(house: House, key_pem: str) -> bool:
    """Whether that key is."""
    live = house.store.load(NAME)
    return live is not None and live.leaf.spki_sha256 == keys.spki_sha256_of(key_pem)
