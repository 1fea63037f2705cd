"""The way back to the certificate that was live before: one rename, and nothing that was known of it is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import StoreError
from dnsbroker.store import Access, Lineage, Provenance, Store
from killing import is_killed_before_change

NAME = "example.test"
AUTHORITY = Authority()
KEYS = [keys.generate("ecdsa-p256") for _ in range(3)]
CHAINS = {serial: AUTHORITY.issue(KEYS[serial % 3], [NAME], serial=serial) for serial in (1, 2, 3, 4, 10, 11)}
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC), "mine")


def save(store: Store, serial: int, provenance: Provenance = FROM) -> Lineage:
    return store.save(NAME, KEYS[serial % 3], CHAINS[serial], Access(), provenance)


def leftovers(store: Store) -> set[Path]:
    """Whatever stands below the store under a name that only an unfinished change has."""
    return {path for path in store.state_dir.rglob("*") if path.name.startswith(".")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_the_certificate_before_goes_live_again(store: Store) -> None:
    """With its key and all that was known of it; the other one stays in the archive."""
    save(store, 1)
    save(store, 2, replace(FROM, order="https://ca.test/order/2"))
    back = store.go_back(NAME, "1")
    assert back == store.load_whole(NAME)
    assert (back.serial, back.private_key, back.provenance) == ("1", KEYS[1], FROM)
    assert (back.path / "privkey.pem").read_text() == KEYS[1]
    assert (store.state_dir / "archive" / NAME / "2/privkey.pem").exists()
    assert leftovers(store) == set()


def test_going_back_twice_is_going_back_once(store: Store) -> None:
    """Also with the serial number as people write it; and forward again by the same way."""
    save(store, 10)
    save(store, 11)
    for serial in ("0a", "0A", "a"):
        assert store.go_back(NAME, serial).leaf.serial == 10
    assert store.go_back(NAME, "0b").leaf.serial == 11


def test_a_certificate_without_its_key_gets_its_files_back(store: Store) -> None:
    """A file that the one before does not have is no link that leads nowhere."""
    store.save(NAME, None, CHAINS[1], Access(), FROM, keys.csr(KEYS[1], [NAME]))
    save(store, 2)
    back = store.go_back(NAME, "1")
    assert not back.has_key
    assert sorted(path.name for path in back.path.iterdir()) == ["cert.pem", "chain.pem", "current", "fullchain.pem"]
    assert store.go_back(NAME, "2").private_key == KEYS[2]
    assert (back.path / "combined.pem").exists()


def test_there_is_no_way_back_to_what_is_not_there_or_damaged(store: Store) -> None:
    """What is live stays live, and the error names the place."""
    save(store, 1)
    save(store, 2)
    with pytest.raises(StoreError, match="no certificate 77") as caught:
        store.go_back(NAME, "77")
    assert caught.value.hint
    directory = store.state_dir / "archive" / NAME / "1"
    (directory / "privkey.pem").write_text(KEYS[0])
    with pytest.raises(StoreError, match="not the key"):
        store.go_back(NAME, "1")
    (directory / "chain.pem").unlink()
    with pytest.raises(StoreError, match="missing"):
        store.go_back(NAME, "1")
    with pytest.raises(StoreError):
        store.go_back("other.test", "1")
    lineage = store.load_whole(NAME)
    assert lineage is not None
    assert lineage.serial == "2"


def test_the_way_back_killed_anywhere_leaves_a_whole_pair(tmp_path: Path) -> None:
    """The one or the other is live at each moment, with its own key."""
    store = Store(tmp_path)
    save(store, 1)
    save(store, 2)
    step, outcomes = 0, []
    while True:
        store.go_back(NAME, "2")
        killed = is_killed_before_change(step, partial(store.go_back, NAME, "1"))
        found = store.load_whole(NAME)
        assert found is not None
        assert found.private_key == KEYS[found.leaf.serial % 3]
        outcomes.append(found.leaf.serial == 1)
        if not killed:
            break
        step += 1
    assert outcomes == sorted(outcomes)
    assert {True, False} == set(outcomes)
    assert store.go_back(NAME, "1").provenance == FROM
    assert leftovers(store) == set()


def test_what_was_live_before_is_known(store: Store) -> None:
    """Also after a way back: what was refused then is not gone back to, nor is what never came to live."""
    assert store.live_before(NAME) == ""
    save(store, 10)
    assert store.live_before(NAME) == ""
    save(store, 11)
    assert store.live_before(NAME) == "a"
    store.go_back(NAME, "a")
    assert store.live_before(NAME) == ""
    save(store, 3)
    assert store.live_before(NAME) == "a"
    save(store, 11)
    assert store.live_before(NAME) == "3"

    step = 0
    while not (store.state_dir / "archive" / NAME / "4/fullchain.pem").exists():
        assert is_killed_before_change(step, partial(save, store, 4))
        assert store.live_before(NAME) == "3"
        step += 1
    save(store, 1)
    assert store.live_before(NAME) == "b"


def test_what_is_known_of_a_certificate_is_kept_as_long_as_it(store: Store) -> None:
    """Until it leaves the archive: it can go live again. That of one which is gone is forgotten."""
    for serial in (1, 2, 3):
        save(store, serial, replace(FROM, order=str(serial)))
    assert [one.order for one in provenances(store)] == ["1", "2", "3"]
    assert store.go_back(NAME, "1").provenance == replace(FROM, order="1")
    (store.state_dir / "archive" / NAME / "2").rename(store.state_dir / "elsewhere")
    save(store, 4, replace(FROM, order="4"))
    assert [one.order for one in provenances(store)] == ["3", "1", "4"]


def provenances(store: Store) -> list[Provenance]:
    known = json.loads((store.state_dir / "issued" / f"{NAME}.json").read_text())
    found = [store.archived(NAME, serial) for serial in known]
    return [one.provenance for one in found if one is not None and one.provenance is not None]
