"""What the archive keeps: certificates whose key is elsewhere, what was asked for, and not too many old ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import PemInvalid, StoreError
from dnsbroker.store import Access, Provenance, Store, archive

NAME = "example.test"
NAMES = ("example.test", "*.example.test")
AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC))
OURS = Access()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "state")


def chain(serial: int) -> str:
    return AUTHORITY.issue(KEY, NAMES, serial=serial)


# Certificates whose key is somewhere else

REQUEST = keys.csr(KEY, NAMES)


def test_without_a_key_the_request_is_kept_and_no_file_pretends_to_be_one(store: Store) -> None:
    """Neither in the archive nor among the live links."""
    saved = store.save(NAME, None, chain(1), OURS, FROM, request=REQUEST)

    public = {"cert.pem", "chain.pem", "fullchain.pem"}
    assert {path.name for path in saved.archive.iterdir()} == public | {"request.der"}
    assert {path.name for path in saved.path.iterdir()} == public | {"current"}
    loaded = store.load(NAME)
    assert loaded == saved
    assert loaded is not None
    assert (loaded.has_key, loaded.request) == (False, REQUEST)
    with pytest.raises(StoreError, match="was never here") as caught:
        _ = loaded.private_key
    assert "--csr" in caught.value.hint
    assert store.conform(NAME, Access(mode=0o640)) is False


def test_a_key_that_is_missing_is_damage_where_there_was_no_request(store: Store) -> None:
    """The twin: it is not taken for a certificate without a key."""
    saved = store.save(NAME, KEY, chain(1), OURS, FROM)
    (saved.archive / "privkey.pem").unlink()
    assert saved.has_key
    with pytest.raises(StoreError, match="no such file"):
        _ = saved.private_key


def test_a_request_of_another_key_is_refused_before_anything_is_written(store: Store) -> None:
    """As with a key."""
    with pytest.raises(PemInvalid, match="than that of the request"):
        store.save(NAME, None, chain(1), OURS, FROM, request=keys.csr(keys.generate("ecdsa-p256"), NAMES))
    assert not store.state_dir.exists()


def test_links_come_and_go_with_the_key(store: Store) -> None:
    """From one with a key to one without, and back."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    without = store.save(NAME, None, chain(2), OURS, FROM, request=REQUEST)
    assert not os.path.lexists(without.path / "privkey.pem")
    assert not os.path.lexists(without.path / "combined.pem")
    again = store.save(NAME, KEY, chain(3), OURS, FROM)
    assert (again.path / "privkey.pem").read_text() == KEY
    assert again.has_key


# What is remembered


def test_what_was_asked_for_is_remembered(store: Store) -> None:
    """With its account, profile and chain."""
    asked = Provenance(FROM.directory, FROM.key_created, account="tcs", profile="short", preferred_chain="Root X1")
    assert store.save(NAME, KEY, chain(1), OURS, asked).provenance == asked


def test_what_an_older_version_remembered_is_understood(store: Store) -> None:
    """It knew of one account alone, and neither of profiles nor of chains."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    facts = '{"1": {"directory": "https://ca.test/dir", "key_created": "2026-11-01T12:00:00+00:00"}}'
    (store.state_dir / "issued" / f"{NAME}.json").write_text(facts)
    lineage = store.load(NAME)
    assert lineage is not None
    assert lineage.provenance == FROM == Provenance(FROM.directory, FROM.key_created, "default", "", "")


# Old certificates

DAY = 86400


def aged(store: Store, days: dict[int, int]) -> set[str]:
    """What is left in the archive after the next certificate, of those of each serial number so many days old."""
    for serial in days:
        store.save(NAME, KEY, chain(serial), OURS, FROM)
    directory = store.state_dir / "archive" / NAME
    for serial, age in days.items():
        moment = (directory / str(serial)).stat().st_mtime - age * DAY
        os.utime(directory / str(serial), (moment, moment))
    store.save(NAME, KEY, chain(99), OURS, FROM)
    return {path.name for path in directory.iterdir()}


def test_five_older_certificates_stay_in_the_archive(store: Store) -> None:
    """The newest ones, whatever their serial numbers."""
    left = aged(store, {2: 800, 3: 100, 4: 160, 5: 220, 6: 280, 7: 500, 1: 40})
    assert left == {"63", "1", "3", "4", "5", "6"}


def test_the_one_that_was_live_before_stays_though_it_is_the_oldest(store: Store) -> None:
    """To it the new one is taken back where it fails; it is one of the five."""
    left = aged(store, {2: 100, 3: 120, 4: 160, 5: 220, 6: 280, 7: 900})
    assert left == {"63", "7", "2", "3", "4", "5"}


def test_what_is_young_stays_though_it_is_one_of_many(store: Store) -> None:
    """It may be served somewhere, or be asked for by a person who repeated an order in vain."""
    left = aged(store, {serial: serial for serial in range(1, 9)})
    assert left == {"63", *"12345678"}


def test_only_certificates_are_removed_and_never_the_live_one(store: Store) -> None:
    """A person's own copy beside them stays, and so does what is live, though it were the oldest."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    directory = store.state_dir / "archive" / NAME
    (directory / "backup").mkdir()
    (directory / "abc").write_text("")
    os.utime(directory / "backup", (0, 0))
    left = aged(store, {serial: 100 for serial in range(2, 9)})
    assert {"backup", "abc", "63"} <= left
    assert len(left) == 3 + 5

    (directory / "63").rename(directory / "elsewhere")
    (directory / "elsewhere").rename(directory / "63")
    os.utime(directory / "63", (0, 0))
    archive.prune(directory, "63")
    assert (directory / "63" / "privkey.pem").exists()
