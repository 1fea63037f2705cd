"""Owner names that a service has left: their records count until nobody can have them, and go where they can."""

from __future__ import annotations

from pathlib import Path

import pytest

from dane_house import DAY, HOUR, ORIGIN, House, played
from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.place import Finder
from dnsbroker.lookup.zone import Place

END = f"old.{ORIGIN}"


async def moved(house: House) -> None:
    """Records stand where the alias led that is taken out then."""
    house.hosts += f"{house.owner} CNAME {END}\n"
    house.mirror()
    await house.manage()
    assert (await house.publish()).error is None
    assert house.at(END)
    house.clock.turn(HOUR)
    house.hosts = "mail A 127.0.0.1\n"
    house.mirror()


async def owners(house: House) -> set[str]:
    """Those that have a say, after another run."""
    await house.open()
    brought = await house.bring()
    assert brought.error is None
    assert brought.situation is not None
    return {site.owner for site in brought.situation.sites}


@pytest.fixture
def unfound(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of which nobody finds the servers."""
    names: set[str] = set()
    find = Finder.find

    async def found(self: Finder, name: str) -> Place:
        if name in names:
            raise LookupFailed("no server answers", name=name, rcode="SERVFAIL", hint="", transient=True)
        return await find(self, name)

    monkeypatch.setattr(Finder, "find", found)
    return names


def test_a_name_that_was_left_is_cleared_and_counts_until_caches_have_forgotten_it(tmp_path: Path) -> None:
    """Then nobody looks at it any more."""

    async def story(house: House) -> None:
        await moved(house)
        assert await owners(house) == {house.owner, END}
        assert not house.at(END)
        house.clock.turn(HOUR)
        assert await owners(house) == {house.owner}
        assert house.run.rollovers.published()[0].owners == (house.owner,)

    played(tmp_path, story)


def test_a_name_that_was_left_and_cannot_be_asked_is_not_forgotten(tmp_path: Path, unfound: set[str]) -> None:
    """No new key is relied on meanwhile, and what is left there is told; later it is taken away after all."""

    async def story(house: House) -> None:
        await moved(house)
        unfound.add(END)
        for _ in range(2):
            assert await owners(house) == {house.owner, END}
            house.clock.turn(HOUR)
        brought = await house.bring()
        assert any("cannot be taken away: no server answers" in words for words in brought.objections)
        gate = await house.dane.key_gate("mail")
        assert not gate.is_open
        assert f"not every name server answers for {END.rstrip('.')}" in gate.reason
        assert (await house.dane.chain_gate("mail", house.issue())).is_open
        unfound.clear()
        await owners(house)
        assert not house.at(END)

    played(tmp_path, story)


def test_what_cannot_be_asked_for_longer_than_signatures_last_has_no_say(tmp_path: Path, unfound: set[str]) -> None:
    """Else a provider that was given up would hold the key for ever."""

    async def story(house: House) -> None:
        await moved(house)
        unfound.add(END)
        assert END in await owners(house)
        house.clock.turn(31 * DAY)
        house.mirror()
        assert await owners(house) == {house.owner}

    played(tmp_path, story)


def test_a_name_that_is_an_alias_now_counts_until_caches_have_forgotten_it(tmp_path: Path) -> None:
    """Beside an alias nothing stands."""

    async def story(house: House) -> None:
        await moved(house)
        house.service.plant(ORIGIN, END, "TLSA", 60, frozenset())
        house.hosts += f"{END} CNAME elsewhere.{ORIGIN}\n"
        house.mirror()
        assert await owners(house) == {house.owner, END}
        house.clock.turn(HOUR)
        assert await owners(house) == {house.owner}

    played(tmp_path, story)
