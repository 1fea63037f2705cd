from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import StoreError
from dnsbroker.store import Access, Lineage, Provenance, Store
from killing import ended_with, forked, is_killed_before_change

NAME = "example.test"
AUTHORITY = Authority()
KEYS = [keys.generate("ecdsa-p256") for _ in range(3)]
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC))


def save(store: Store, serial: int) -> Lineage:
    key = KEYS[serial % len(KEYS)]
    return store.save(NAME, key, AUTHORITY.issue(key, [NAME], serial=serial), Access(), FROM)


def leftovers(store: Store) -> set[Path]:
    """Whatever stands below the store under a name that only an unfinished change has."""
    return {path for path in store.state_dir.rglob("*") if path.name.startswith(".")}


def test_a_first_save_killed_anywhere_leaves_nothing_or_everything(tmp_path: Path) -> None:
    """At every change of the disk in turn; the same save succeeds afterwards, as a run that resumes its order does."""
    step, outcomes = 0, set()
    while True:
        store = Store(tmp_path / str(step))
        killed = is_killed_before_change(step, partial(save, store, 1))
        found = store.load(NAME)
        outcomes.add(found is not None)
        if found is not None:
            assert found.private_key == KEYS[1]

        assert save(store, 1).private_key == KEYS[1]
        assert save(store, 2).private_key == KEYS[2]
        assert leftovers(store) == set()
        if not killed:
            break
        step += 1
    assert outcomes == {True, False}
    assert step > 40


def test_a_later_save_killed_anywhere_leaves_the_old_pair_or_the_new_one(tmp_path: Path) -> None:
    """Never none, never half, and never a key that is not the certificate's."""
    store = Store(tmp_path)
    save(store, 1)
    serial, step, outcomes = 1, 0, []
    while True:
        before, serial = serial, serial + 1
        killed = is_killed_before_change(step, partial(save, store, serial))
        found = store.load(NAME)
        assert found is not None
        assert found.leaf.serial in (before, serial)
        assert found.private_key == KEYS[found.leaf.serial % len(KEYS)]
        assert found.provenance == FROM
        outcomes.append(found.leaf.serial == serial)

        assert save(store, serial).private_key == KEYS[serial % len(KEYS)]
        assert leftovers(store) == set()
        if not killed:
            break
        step += 1
    assert outcomes == sorted(outcomes)
    assert {True, False} == set(outcomes)


@pytest.mark.parametrize("kind", ["account", "remembered"])
def test_a_small_file_is_replaced_whole_or_not_at_all(tmp_path: Path, kind: str) -> None:
    """Killed anywhere, the old content or the new one is there."""
    store = Store(tmp_path)

    def put(value: str) -> None:
        if kind == "account":
            store.account("default").keep_url("https://ca.test/dir", value)
        else:
            store.remember(NAME, value)

    def get() -> str | None:
        if kind == "account":
            return store.account("default").url("https://ca.test/dir")
        return (tmp_path / "certificates" / f"{NAME}.toml").read_text()

    put("0")
    step = 0
    while is_killed_before_change(step, partial(put, str(step + 1))):
        assert get() in (str(step), str(step + 1))
        put(str(step + 1))
        assert leftovers(store) == set()
        step += 1
    assert get() == str(step + 1)


FULL_DISK = """
import os, sys
from pathlib import Path
from test_store_faults import NAME, leftovers, save
from dnsbroker.errors import StoreError
from dnsbroker.store import Store

store, ballast = Store(Path(sys.argv[1]) / "state"), Path(sys.argv[1]) / "ballast"
save(store, 1)
page, refused = os.sysconf("SC_PAGE_SIZE"), 0
for pages in range(64):
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(page)) == page:
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - pages * page))
    try:
        save(store, 2)
        break
    except StoreError as error:
        refused += 1
        assert "no space left on device" in str(error), error
        assert "make room" in error.hint
        assert str(store.state_dir) in error.path
    assert store.load(NAME).leaf.serial == 1
    assert store.load(NAME).private_key
    assert not (store.state_dir / "archive" / NAME / "2").exists()
    assert leftovers(store) == set()
assert store.load(NAME).leaf.serial == 2
print(refused)
"""


def test_a_full_disk_is_an_error_and_what_was_live_still_is(tmp_path: Path) -> None:
    """On a file system of its own, with room for nothing, one file, two files and so on until there is enough."""
    script = 'mount -t tmpfs -o size=96k,mode=700 tmpfs "$1" && exec "$2" -c "$3" "$1"'
    result = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", tmp_path, sys.executable, FULL_DISK],
        env={"PYTHONPATH": ":".join((*sys.path, str(Path(__file__).parent))), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 3


FORBIDDEN = """
import sys
from pathlib import Path
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.store import Access, Store

store = Store(Path(sys.argv[1]) / "state")
store.prepare()
store.check(Access(table='[certificates."a.test"]'))
try:
    store.check(Access(group="1", table='[certificates."a.test"]'))
except ConfigError as error:
    print(error.key, "|", error.message, "|", error.hint)
print(*(path.name for path in store.state_dir.iterdir()))
"""


def test_what_may_not_be_given_away_is_found_before_an_order(tmp_path: Path) -> None:
    """A user who is not in the group would be refused only when the certificate is there, again and again."""
    result = subprocess.run(
        ["unshare", "--map-root-user", sys.executable, "-c", FORBIDDEN, tmp_path],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    refused, left = result.stdout.split("\n")[:2]
    assert refused.startswith('[certificates."a.test"] group | ')
    assert "may not give files to 1" in refused and "member of the group" not in refused.split("|")[1]
    assert left == ""


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where a file stands in its place, even root cannot."""
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError, match="not a directory") as caught:
        save(Store(tmp_path / "state"), 1)
    assert str(tmp_path / "state") in caught.value.path
    with pytest.raises(StoreError):
        Store(tmp_path / "state").remember(NAME, "")


def read_through_one_open(inner: Path) -> str:
    """Key and full chain as a daemon reads them that opens the inner link once."""
    directory = os.open(inner, os.O_PATH | os.O_DIRECTORY)
    try:
        return "".join(_text_at(directory, file) for file in ("privkey.pem", "fullchain.pem"))
    finally:
        os.close(directory)


def _text_at(directory: int, file: str) -> str:
    with open(os.open(file, os.O_RDONLY, dir_fd=directory), encoding="utf-8") as opened:
        return opened.read()


def test_a_reader_never_sees_an_unmatched_pair(tmp_path: Path) -> None:
    """In the combined file, and through one open of the inner link, while two hundred pairs follow one another."""
    store, ended = Store(tmp_path), threading.Event()
    pairs = [(key, AUTHORITY.issue(key, [NAME])) for key in KEYS * 67]
    live = store.save(NAME, *pairs[0], Access(), FROM).path
    seen: set[str] = set()

    def look() -> None:
        while not ended.is_set():
            seen.add(read_through_one_open(live / "current"))
            seen.add((live / "combined.pem").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for key, chain in pairs[1:]:
        store.save(NAME, key, chain, Access(), FROM)
    ended.set()
    reader.join()
    assert seen <= {key + chain for key, chain in pairs}
    assert len(seen) > 10


def test_processes_that_save_at_once_leave_one_complete_pair(tmp_path: Path) -> None:
    """The last one wins, whichever it is, and all of them are in the archive."""
    store = Store(tmp_path)
    children = [forked(partial(save, store, serial)) for serial in range(1, 9)]
    assert [ended_with(child) for child in children] == [0] * 8

    found = store.load(NAME)
    assert found is not None
    assert found.private_key == KEYS[found.leaf.serial % len(KEYS)]
    assert {path.name for path in (tmp_path / "archive" / NAME).iterdir()} == set("12345678")
    assert leftovers(store) == set()


def test_processes_that_ask_for_an_account_key_at_once_get_the_same(tmp_path: Path) -> None:
    """Two accounts at the CA would be one too many."""
    (tmp_path / "found").mkdir()

    def ask(number: int) -> None:
        key = Store(tmp_path).account("default").key(lambda: keys.generate("ecdsa-p256"))
        (tmp_path / "found" / str(number)).write_text(key)

    children = [forked(partial(ask, number)) for number in range(8)]
    assert [ended_with(child) for child in children] == [0] * 8
    assert len({path.read_text() for path in (tmp_path / "found").iterdir()}) == 1
