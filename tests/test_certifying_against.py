"""What keeps an order from the next key although that is ripe, and what is noted before a certificate is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from covering_dane import CoveringDane
from dnsbroker.store import Lineage, Store
from rolled_house import NAME, House, rolled_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """With a live certificate, and a next key that is ripe."""
    with rolled_house(tmp_path / "state") as made:
        yield made


def used(house: House, days: int) -> str:
    """The key (hex SHA-256) that a renewal has so many days from now."""
    house.later(days=days)
    assert house.renew(NAME, force=True).status == "issued"
    return house.live().leaf.spki_sha256


def test_after_one_was_taken_back_the_present_key_is_used(house: House) -> None:
    """It serves, and a person has not seen yet why the other one did not. The twin: nothing was."""
    present, coming = house.live().leaf.spki_sha256, house.next_key()
    house.progress(refused="0a1b")
    assert used(house, 1) == present
    house.progress(refused="")
    assert used(house, 1) == coming


def test_shortly_before_the_end_the_present_key_is_used(house: House) -> None:
    """With it nothing in DNS can be in the way. The twin: when there is time."""
    present, coming = house.live().leaf.spki_sha256, house.next_key()
    assert used(house, 85) == present
    assert used(house, 62) == coming


def test_what_is_taken_back_is_noted_before_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else who is killed between the two leaves a certificate that is ordered, deployed and taken back for ever."""
    before, noted = house.live().serial, []
    house.later(days=62)

    def dies(dane: CoveringDane) -> None:
        bring = dane.bring

        async def looked(*arguments: object, **more: object) -> object:
            now = dane.run.store.load(NAME)
            assert now is not None
            dane.worse = now.serial if now.serial != before else ""
            return await bring(*arguments, **more)  # type: ignore[arg-type] # as it was called

        dane.bring = looked  # type: ignore[method-assign,assignment] # it looks like one

        def go_back(store: Store, name: str, serial: str) -> Lineage:
            progress = dane.run.rollovers.progress(NAME)
            assert progress is not None
            noted.append(progress.refused)
            return really(store, name, serial)

        monkeypatch.setattr(Store, "go_back", go_back)

    really = Store.go_back
    house.dane = dies
    assert house.renew().status == "failed"
    assert len(noted) == 1 and noted[0] not in ("", before)
