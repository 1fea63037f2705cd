"""The key that comes next, and a chain that may not be served yet: whole, private, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import NameInvalid, PemInvalid, StoreError
from dnsbroker.store import Access, HeldBack, NextKey, Pending, Provenance, Store
from killing import ended_with, forked, is_killed_before_change
from visitor import Visitor

NAME = "example.test"
AUTHORITY = Authority()
KEYS = [keys.generate("ecdsa-p256") for _ in range(3)]
MADE = datetime(2026, 11, 1, 12, 30, 0, 250, tzinfo=UTC)
FROM = Provenance("https://ca.test/dir", MADE, "mine", "tlsserver", "Root X", "https://ca.test/order/1")
NEXT, OTHER = NextKey(KEYS[1], MADE), NextKey(KEYS[2], MADE)
OPEN = Pending("https://ca.test/order/2", "https://ca.test/dir", "mine", (NAME,), "asked", MADE, KEYS[0])


def chain(serial: int) -> str:
    return AUTHORITY.issue(KEYS[serial % 3], [NAME], serial=serial)


CHAINS = {serial: chain(serial) for serial in range(1, 100)}


def held(serial: int) -> HeldBack:
    return HeldBack(CHAINS[serial], FROM, KEYS[serial % 3])


def leftovers(store: Store) -> set[Path]:
    """Whatever stands below the store under a name that only an unfinished change has."""
    return {path for path in store.state_dir.rglob("*") if path.name.startswith(".")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    made.prepare()
    return made


@pytest.fixture
def home(store: Store) -> Path:
    return store.state_dir / "pending" / NAME


# The next key


def test_a_next_key_is_found_again(store: Store) -> None:
    """To the microsecond; another certificate has none."""
    assert store.next_key(NAME) is None
    store.keep_next_key(NAME, NEXT)
    assert Store(store.state_dir).next_key(NAME) == NEXT
    assert store.next_key("other.test") is None


def test_another_next_key_takes_its_place(store: Store) -> None:
    """And only that one is there."""
    store.keep_next_key(NAME, NEXT)
    store.keep_next_key(NAME, OTHER)
    assert store.next_key(NAME) == OTHER


def test_a_staged_key_stays_the_next_one(store: Store) -> None:
    """Its record may be published: whoever stages a second time gets the first."""
    assert store.stage(NAME, NEXT) == NEXT
    assert store.stage(NAME, OTHER) == NEXT
    assert store.next_key(NAME) == NEXT


def test_a_key_that_is_of_no_use_is_replaced_by_one_process(store: Store) -> None:
    """The others, who found it as well, get what that one has staged."""
    store.keep_next_key(NAME, OTHER)
    assert store.stage(NAME, NEXT, instead_of=OTHER) == NEXT
    assert store.stage(NAME, NextKey(KEYS[0], MADE), instead_of=OTHER) == NEXT


def test_processes_that_stage_at_once_get_the_same_key(store: Store) -> None:
    """Two of which one is published would be one too many."""
    (store.state_dir / "found").mkdir()

    def stage(number: int) -> None:
        staged = store.stage(NAME, NextKey(keys.generate("ecdsa-p256"), MADE))
        (store.state_dir / "found" / str(number)).write_text(staged.key_pem)

    children = [forked(partial(stage, number)) for number in range(4)]
    assert [ended_with(child) for child in children] == [0] * 4
    assert len({path.read_text() for path in (store.state_dir / "found").iterdir()}) == 1


def test_a_forgotten_next_key_is_gone(store: Store, home: Path) -> None:
    """From the disk; forgetting twice does no harm."""
    store.keep_next_key(NAME, NEXT)
    for _ in range(2):
        store.drop_next_key(NAME)
    assert store.next_key(NAME) is None
    assert list(home.iterdir()) == []
    store.drop_next_key("other.test")


@pytest.mark.parametrize("damage", ["{}", "[]", "nothing", '{"created": "today", "key": ""}'])
def test_a_next_key_that_is_not_whole_counts_as_nothing(store: Store, home: Path, damage: str) -> None:
    """Nor does one whose date is another key's."""
    store.keep_next_key(NAME, NEXT)
    whole = (home / "next.json").read_text()
    (home / "next.json").write_text(damage)
    assert store.next_key(NAME) is None
    (home / "next.json").write_text(whole)
    assert store.next_key(NAME) == NEXT
    (home / "next.pem").write_text(KEYS[2])
    assert store.next_key(NAME) is None
    (home / "next.pem").write_text("half")
    assert store.next_key(NAME) is None


def test_a_next_key_killed_anywhere_is_whole_or_not_there(tmp_path: Path) -> None:
    """At every change of the disk in turn; the same again succeeds, and leaves nothing behind."""
    step, outcomes = 0, set()
    while True:
        store = Store(tmp_path / str(step))
        killed = is_killed_before_change(step, partial(store.keep_next_key, NAME, NEXT))
        found = store.next_key(NAME)
        assert found in (None, NEXT)
        outcomes.add(found)
        assert store.stage(NAME, OTHER) == (found or OTHER)
        store.keep_next_key(NAME, NEXT)
        assert store.next_key(NAME) == NEXT
        assert leftovers(store) == set()
        if not killed:
            break
        step += 1
    assert outcomes == {None, NEXT}


def test_a_next_key_that_is_being_forgotten_is_whole_or_not_there(tmp_path: Path) -> None:
    """Killed anywhere; and forgetting goes on where it was."""
    step = 0
    while True:
        store = Store(tmp_path / str(step))
        store.keep_next_key(NAME, NEXT)
        killed = is_killed_before_change(step, partial(store.drop_next_key, NAME))
        assert store.next_key(NAME) in (None, NEXT)
        store.drop_next_key(NAME)
        assert list((tmp_path / str(step) / "pending" / NAME).iterdir()) == []
        if not killed:
            break
        step += 1
    assert step > 1


def test_nobody_else_can_read_what_is_staged(store: Store, home: Path) -> None:
    """Neither directories nor files let anybody in, whatever the umask, also where live keys are for a group."""
    before = os.umask(0)
    try:
        store.save(NAME, KEYS[0], CHAINS[3], Access(mode=0o644), FROM)
        store.keep_next_key(NAME, NEXT)
        store.hold_back(NAME, held(1))
    finally:
        os.umask(before)
    files = [path for path in home.rglob("*") if path.is_file()]
    keyed = [path for path in files if "PRIVATE KEY" in path.read_text()]
    assert {path.name for path in keyed} == {"next.pem", "privkey.pem", "combined.pem"}
    assert {path.stat().st_mode & 0o777 for path in keyed} == {0o600}
    for directory in (home.parent, home, home / "held"):
        assert directory.stat().st_mode & 0o777 == 0o700
    for secret in KEYS:
        assert secret not in repr((NEXT, held(1)))


@pytest.mark.parametrize("visitor", [Visitor(65000, 65000), Visitor(65000, os.getegid())], ids=["stranger", "group"])
def test_a_daemon_cannot_read_what_it_must_not_serve_yet(store: Store, visitor: Visitor) -> None:
    """It reads what is live, as it is meant to: the way there is open, and only that."""
    store.save(NAME, KEYS[0], CHAINS[3], Access(mode=0o644), FROM)
    store.keep_next_key(NAME, NEXT)
    store.hold_back(NAME, held(1))
    asked = [f"live/{NAME}/privkey.pem", f"pending/{NAME}/next.pem", f"pending/{NAME}/held/1/privkey.pem"]
    assert [visitor.can_read(store.state_dir, path) for path in asked] == [True, False, False]


# What is held back


def test_a_chain_that_is_held_back_is_found_again(store: Store) -> None:
    """With its key and where it came from; another certificate has none."""
    assert store.held_back(NAME) is None
    store.hold_back(NAME, held(1))
    assert Store(store.state_dir).held_back(NAME) == held(1)
    assert store.held_back("other.test") is None
    assert store.load(NAME) is None


def test_one_whose_key_is_elsewhere_is_found_again(store: Store) -> None:
    """With the request that stands for it."""
    one = replace(held(1), key_pem=None, request=keys.csr(KEYS[1], [NAME]))
    store.hold_back(NAME, one)
    assert store.held_back(NAME) == one


def test_another_chain_takes_its_place(store: Store, home: Path) -> None:
    """And the key of the one before is gone from the disk."""
    for serial in (1, 2, 2):
        store.hold_back(NAME, held(serial))
    assert store.held_back(NAME) == held(2)
    assert {path.name for path in (home / "held").iterdir()} == {"issued.json", "2"}


def test_a_forgotten_chain_is_gone(store: Store, home: Path) -> None:
    """Forgetting twice does no harm."""
    store.hold_back(NAME, held(1))
    for _ in range(2):
        store.drop_held_back(NAME)
    assert store.held_back(NAME) is None
    assert list(home.iterdir()) == []
    store.drop_held_back("other.test")


def test_a_chain_for_another_key_is_not_kept(store: Store) -> None:
    """Nor one that is none; what was held back before is, still."""
    store.hold_back(NAME, held(1))
    for wrong in (replace(held(1), key_pem=KEYS[2]), replace(held(1), chain_pem="none")):
        with pytest.raises(PemInvalid):
            store.hold_back(NAME, wrong)
    assert store.held_back(NAME) == held(1)


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
def test_a_chain_that_is_not_whole_counts_as_nothing(store: Store, home: Path, file: str) -> None:
    """Somebody's hand was in it; what is not the key's can never go live."""
    other = {"privkey.pem": KEYS[2], "fullchain.pem": chain(4)}[file]
    for content in (other, "half", None):
        store.hold_back(NAME, held(1))
        path = home / "held/1" / file
        path.write_text(content) if content is not None else path.unlink()
        found = store.held_back(NAME)
        assert found is None or (file == "privkey.pem" and found.key_pem is None)


def test_holding_back_killed_anywhere_leaves_one_whole_chain(tmp_path: Path) -> None:
    """The one before or the new one, each with its key: neither is lost for the CA's limits."""
    store = Store(tmp_path)
    store.hold_back(NAME, held(1))
    serial, step, outcomes = 1, 0, []
    while True:
        before, serial = serial, serial + 1
        killed = is_killed_before_change(step, partial(store.hold_back, NAME, held(serial)))
        found = store.held_back(NAME)
        assert found in (held(before), held(serial))
        outcomes.append(found == held(serial))
        store.hold_back(NAME, held(serial))
        assert store.held_back(NAME) == held(serial)
        assert leftovers(store) == set()
        if not killed:
            break
        step += 1
    assert outcomes == sorted(outcomes)
    assert {True, False} == set(outcomes)


def test_a_chain_that_is_being_forgotten_is_whole_or_not_there(tmp_path: Path) -> None:
    """Killed anywhere; and forgetting goes on where it was."""
    step = 0
    while True:
        store = Store(tmp_path / str(step))
        store.hold_back(NAME, held(1))
        killed = is_killed_before_change(step, partial(store.drop_held_back, NAME))
        assert store.held_back(NAME) in (None, held(1))
        store.drop_held_back(NAME)
        assert list((tmp_path / str(step) / "pending" / NAME).iterdir()) == []
        if not killed:
            break
        step += 1
    assert step > 5


# Beside each other


def test_an_order_a_next_key_and_a_chain_leave_each_other_alone(store: Store) -> None:
    """Each is forgotten by itself."""
    store.keep_pending(NAME, OPEN)
    store.keep_next_key(NAME, NEXT)
    store.hold_back(NAME, held(1))
    store.drop_pending(NAME)
    assert (store.pending(NAME), store.next_key(NAME), store.held_back(NAME)) == (None, NEXT, held(1))
    store.keep_pending(NAME, OPEN)
    store.drop_next_key(NAME)
    assert (store.pending(NAME), store.next_key(NAME), store.held_back(NAME)) == (OPEN, None, held(1))
    store.keep_next_key(NAME, NEXT)
    store.drop_held_back(NAME)
    assert (store.pending(NAME), store.next_key(NAME), store.held_back(NAME)) == (OPEN, NEXT, None)


def test_what_is_deleted_takes_them_along(store: Store) -> None:
    """The key is where nobody else reads, and is none of a certificate that has this name later."""
    store.keep_next_key(NAME, NEXT)
    store.hold_back(NAME, held(1))
    place = store.delete(NAME, MADE)
    assert (place / "pending/next.pem").read_text() == KEYS[1]
    assert (place / "pending/held/1/privkey.pem").exists()
    assert (store.next_key(NAME), store.held_back(NAME)) == (None, None)


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b"])
def test_no_name_leads_out_of_the_directory(store: Store, name: str) -> None:
    """A certificate's name is also that of a directory."""
    asks: list[Callable[[], object]] = [
        partial(store.keep_next_key, name, NEXT),
        partial(store.stage, name, NEXT),
        partial(store.next_key, name),
        partial(store.hold_back, name, held(1)),
        partial(store.held_back, name),
        partial(store.drop_held_back, name),
        partial(store.go_back, name, "1"),
    ]
    for ask in asks:
        with pytest.raises(NameInvalid):
            ask()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where a file stands in its place, even root cannot."""
    (tmp_path / "pending").write_text("")
    store = Store(tmp_path)
    for ask in (partial(store.keep_next_key, NAME, NEXT), partial(store.hold_back, NAME, held(1))):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(tmp_path / "pending") in caught.value.path
