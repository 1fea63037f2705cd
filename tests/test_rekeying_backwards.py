"""A certificate that breaks its service, among real name servers and a real TLS service: when it is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dane_house import HOUR, House
from dnsbroker import keys
from dnsbroker.certifying.rolled import Rolled
from dnsbroker.journal import FileLock
from dnsbroker.rekeying import Rekeying
from dnsbroker.store import Store
from reloading_house import NAME, advance, is_live, played, wait_with


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a service to come back, nor for old records to go."""
    monkeypatch.setattr("dnsbroker.certifying.rolled._PATIENCE", 0.5)
    monkeypatch.setattr("dnsbroker.rekeying.front._PATIENCE", 0.1)


def dying(house: House) -> str:
    """Have a certificate for the ripe next key wait, of which the service dies; that key."""
    coming = house.next_key()
    house.dies.add(keys.spki_sha256_of(coming))  # type: ignore[attr-defined] # see ``played``
    house.clock.turn(HOUR)
    wait_with(house, coming)
    return coming


def refused(house: House) -> str:
    """The serial number of what was taken back, or is to be."""
    progress = house.run.rollovers.progress(NAME)
    return progress.refused if progress is not None else ""


@pytest.mark.parametrize(
    "place", [(Rolled, "after"), (Store, "go_back")], ids=["before it was looked at", "before it was taken back"]
)
def test_a_run_that_died_of_the_way_back_is_gone_on_with(tmp_path: Path, place: tuple[type, str]) -> None:
    """The next run finds the same to do, and only then says that it was done."""

    async def story(house: House) -> None:
        coming = dying(house)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*place, killed)
            with pytest.raises(asyncio.CancelledError):
                await advance(house)
        assert is_live(house, coming)
        standing = await advance(house)
        assert is_live(house, house.key) and house.names(house.key) in house.records
        assert [error.kind for error in standing.errors] == ["not-deployed"]
        assert refused(house)
        again = await advance(house)
        assert again.step == "stuck" and "was taken back" in again.reason and is_live(house, house.key)

    played(tmp_path, story)


def killed(*_: object, **__: object) -> None:
    """Stands for a run's end."""
    raise asyncio.CancelledError


def test_what_was_seen_served_is_not_taken_back_later(tmp_path: Path) -> None:
    """The negative twin: whatever happens to the service from then on is no fault of the certificate."""

    async def story(house: House) -> None:
        coming = house.next_key()
        house.clock.turn(HOUR)
        wait_with(house, coming)
        await advance(house)
        house.dies.add(keys.spki_sha256_of(coming))  # type: ignore[attr-defined] # see ``played``
        await advance(house)
        assert is_live(house, coming) and not refused(house)

    played(tmp_path, story)


def test_a_key_that_was_given_up_is_not_taken_back_nor_said_to_be(tmp_path: Path) -> None:
    """After an emergency, which is over once the next key is live: the service is down with that, and it stays."""

    async def story(house: House) -> None:
        coming = dying(house)
        await house.open()
        standing = await Rekeying(house.run).rollover(NAME, now=True)
        assert is_live(house, coming) and not refused(house)
        assert standing.step == "deployed" and "put back" not in standing.reason
        standing = await advance(house)
        assert is_live(house, coming) and "put back" not in standing.reason

    played(tmp_path, story)


def test_the_roll_over_after_an_emergency_is_taken_back_as_any_other(tmp_path: Path) -> None:
    """The negative twin: what was given up then is another key, though its certificate is valid for long."""

    async def story(house: House) -> None:
        emergency = house.next_key()
        house.clock.turn(HOUR)
        wait_with(house, emergency)
        await house.open()
        await Rekeying(house.run).rollover(NAME, now=True)
        house.clock.turn(HOUR)
        await advance(house)
        assert is_live(house, emergency)
        dying(house)
        standing = await advance(house)
        assert is_live(house, emergency) and standing.step == "stuck" and refused(house)

    played(tmp_path, story)


def test_a_compromised_key_is_not_taken_back(tmp_path: Path) -> None:
    """A service that is down is better than one that anybody can be."""

    async def story(house: House) -> None:
        coming = dying(house)
        house.run.barred.bar(keys.spki_sha256_of(house.key), "it was stolen")
        await advance(house)
        assert is_live(house, coming) and not refused(house)

    played(tmp_path, story)


@pytest.mark.parametrize("is_locked", [True, False], ids=["has it", "has put another one live"])
def test_nothing_is_taken_back_that_another_process_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_locked: bool
) -> None:
    """It looks for itself; what it has put live is not what was seen to fail."""

    async def story(house: House) -> None:
        coming = dying(house)
        lock = FileLock(house.state_dir / "locks" / f"certificate-{NAME}")
        third = keys.generate("ecdsa-p256")

        def elsewhere() -> None:
            if is_locked:
                assert lock.try_acquire()
            else:
                house.save(NAME, third, house.issue(third))

        monkeypatch.setattr(Rolled, "_is_worse", after_which(Rolled._is_worse, elsewhere))
        await advance(house)
        lock.release()
        assert is_live(house, coming if is_locked else third) and not refused(house)
        monkeypatch.undo()

    played(tmp_path, story)


def after_which(work: Callable[[Rolled, str], object], then: Callable[[], None]) -> object:
    """``work``, and when it is done, what another process does."""

    async def done(self: Rolled, name: str) -> object:
        found = await work(self, name)  # type: ignore[misc] # it is one to be waited for
        then()
        return found

    return done
