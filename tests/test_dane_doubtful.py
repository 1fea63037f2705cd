"""A service that cannot be followed, and what stands for it at an owner name that it shares: nobody takes that away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dane_house import HOUR, House, played
from dnsbroker import keys
from dnsbroker.endpoints import parse
from dnsbroker.errors import LookupFailed, PreflightFailed
from dnsbroker.lookup.place import Finder

IMAP = keys.generate("ecdsa-p256")


def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[House], Awaitable[None]]) -> None:
    """``story`` where two services have their records at one owner name, and the second cannot be followed any more."""

    async def play(house: House) -> None:
        daemon = await house.daemon_for("second", IMAP, "127.0.0.2")
        port = daemon.address.rpartition(":")[2]
        house.hosts += f"imap A 127.0.0.2\n_{port}._tcp.imap 60 CNAME {house.owner}\n"
        house.mirror()
        imap = parse(f"tls://imap.example.test:{port}")
        await house.open(house.table(), house.table(endpoint=(str(imap),), certificate=("second",)))
        assert (await house.publish()).error is None
        assert {house.names(house.key), house.names(IMAP)} < house.records
        house.clock.turn(HOUR)
        really = Finder.find

        async def find(self: Finder, name: str) -> object:
            if "imap" in name:
                raise LookupFailed("no name server answers", name=name)
            return await really(self, name)

        monkeypatch.setattr(Finder, "find", find)
        await house.open()
        await story(house)

    played(tmp_path, play)


def test_a_look_after_the_others_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the place of what nobody wants any more, but who wants it cannot be asked."""

    async def story(house: House) -> None:
        await house.bring()
        house.clock.turn(HOUR)
        await house.bring()
        assert house.names(IMAP) in house.records

    shared(tmp_path, monkeypatch, story)


def test_a_withdrawal_of_the_other_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be without DANE, and nobody told."""

    async def story(house: House) -> None:
        before = house.records
        with pytest.raises(PreflightFailed, match="cannot be followed: no name server answers"):
            await house.dane.withdraw([house.endpoint])
        assert house.records == before

    shared(tmp_path, monkeypatch, story)


def test_where_both_can_be_followed_the_records_of_the_other_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: they are in the way as any are that stay, and whoever shares the name has to be withdrawn with it."""

    async def story(house: House) -> None:
        monkeypatch.undo()
        await house.open()
        with pytest.raises(PreflightFailed, match="not its own"):
            await house.dane.withdraw([house.endpoint])
        assert house.names(IMAP) in house.records

    shared(tmp_path, monkeypatch, story)
