"""Copies for daemons that want files of their own: whole, right, dated, and not touched without need."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying.copies import are_current, make
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.store import Access, Lineage, Provenance, Store
from killing import is_killed_before_change
from visitor import Visitor, can_become_others, some_group

NAME = "example.test"
AUTHORITY = Authority()
KEYS = [keys.generate("ecdsa-p256") for _ in range(3)]
NOW = datetime(2026, 11, 21, 10, 15, tzinfo=UTC)
FROM = Provenance("https://ca.test/dir", NOW)
FILES = {"privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "combined.pem"}
SECRET = {"privkey.pem", "combined.pem"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "state")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where copies go, not there yet."""
    return tmp_path / "daemon"


def live(store: Store, serial: int = 1) -> Lineage:
    key = KEYS[serial % len(KEYS)]
    return store.save(NAME, key, AUTHORITY.issue(key, [NAME], serial=serial), Access(), FROM)


def facts(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_mode


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_gets_all_files_under_their_usual_names(store: Store, target: Path) -> None:
    """Those with the key in their mode, the others readable; the directory is made for them."""
    lineage = live(store)
    copy = CopyConfig(to=target, mode=0o640)
    assert not are_current(copy, lineage)
    assert {path.name for path in make(copy, lineage, NOW)} == FILES
    assert {path.name for path in target.iterdir()} == FILES
    for file in FILES:
        assert (target / file).read_bytes() == (lineage.archive / file).read_bytes()
        assert mode_of(target / file) == (0o640 if file in SECRET else 0o644)
    assert mode_of(target) == 0o755
    assert are_current(copy, lineage)


def test_each_file_may_have_a_path_of_its_own(store: Store, target: Path) -> None:
    """Only those that are asked for, the certificate as the last one to change."""
    target.mkdir()
    lineage = live(store)
    copy = CopyConfig(key=target / "x.key", fullchain=target / "x.crt", combined=target / "x.pem")
    assert [path.name for path in make(copy, lineage, NOW)] == ["x.pem", "x.key", "x.crt"]
    assert (target / "x.key").read_text() == lineage.private_key
    assert (target / "x.crt").read_text() == lineage.fullchain
    assert (target / "x.pem").read_text() == lineage.private_key + lineage.fullchain


def test_what_is_right_already_is_not_touched(store: Store, target: Path) -> None:
    """Neither written nor given another time."""
    lineage, copy = live(store), CopyConfig(to=target)
    make(copy, lineage, NOW)
    before = {path: facts(path) for path in target.iterdir()}
    assert make(copy, lineage, NOW + timedelta(days=1)) == ()
    assert {path: facts(path) for path in target.iterdir()} == before


def test_older_copies_are_kept_with_their_date_and_no_more_than_asked_for(store: Store, target: Path) -> None:
    """All that changed under one date, not so the CA's own; a person's files beside them are left alone.

    In a directory of their own their names begin with a dot, so that a daemon that reads it whole finds none of them.
    """
    copy = CopyConfig(to=target, keep=2, mode=0o640)
    for day in range(5):
        make(copy, live(store, day + 1), NOW + timedelta(days=day))
        (target / "privkey.pem.bak").touch()
    dates = ("20261124T101500Z", "20261125T101500Z")
    assert {path.name for path in target.iterdir()} == {
        *FILES,
        "privkey.pem.bak",
        *(f".{file}.{date}" for file in FILES - {"chain.pem"} for date in dates),
    }
    old = target / f".privkey.pem.{dates[1]}"
    assert old.read_text() == (store.state_dir / "archive" / NAME / "4" / "privkey.pem").read_text()
    assert mode_of(old) == 0o640


def test_no_older_copy_is_kept_where_none_is_wanted(store: Store, target: Path) -> None:
    """As for a daemon that loads whatever is in the directory."""
    for serial in (1, 2):
        make(CopyConfig(to=target, keep=0), live(store, serial), NOW)
    assert {path.name for path in target.iterdir()} == FILES


def test_a_changed_mode_or_group_makes_the_copy_anew_without_an_older_one(store: Store, target: Path) -> None:
    """Its content is the same; there is nothing to keep."""
    lineage, group = live(store), some_group()
    make(CopyConfig(to=target), lineage, NOW)
    copy = CopyConfig(to=target, group=str(group), mode=0o640)
    assert not are_current(copy, lineage)
    assert {path.name for path in make(copy, lineage, NOW)} >= SECRET
    assert {path.name for path in target.iterdir()} == FILES
    assert {(target / file).stat().st_gid for file in FILES} == {group}
    assert mode_of(target / "privkey.pem") == 0o640
    assert are_current(copy, lineage)


def test_a_copy_that_somebody_changed_or_removed_is_made_again(store: Store, target: Path) -> None:
    """The configuration says what is to be there."""
    lineage, copy = live(store), CopyConfig(to=target)
    make(copy, lineage, NOW)
    (target / "cert.pem").write_text("x")
    (target / "chain.pem").unlink()
    assert not are_current(copy, lineage)
    assert {path.name for path in make(copy, lineage, NOW)} == {"cert.pem", "chain.pem"}
    assert are_current(copy, lineage)


def test_the_owner_of_copies_reads_them_and_nobody_else_reads_the_key(store: Store, target: Path) -> None:
    """In a directory that was made for it, and that stays ours: its owner could lead us elsewhere from there."""
    if not can_become_others():
        assert os.geteuid() != 65000
        with pytest.raises(StoreError, match=r"not permitted|invalid argument"):
            make(CopyConfig(to=target, owner="65000"), live(store), NOW)
        return
    make(CopyConfig(to=target, owner="65000"), live(store), NOW)
    assert target.stat().st_uid == os.geteuid()
    assert {(target / file).stat().st_uid for file in FILES} == {65000}
    for file in FILES:
        assert Visitor(65000, 65000).can_read(target, file)
        assert Visitor(65001, 65001).can_read(target, file) is (file not in SECRET)


def test_a_link_at_the_place_is_replaced_and_not_followed(store: Store, target: Path, tmp_path: Path) -> None:
    """What it led to stays what it was; so with a pipe, which nobody must wait at."""
    target.mkdir()
    (tmp_path / "victim").write_text("precious")
    (target / "privkey.pem").symlink_to(tmp_path / "victim")
    (target / ".cert.pem.new").symlink_to(tmp_path / "victim")
    os.mkfifo(target / "chain.pem")
    lineage = live(store)
    make(CopyConfig(to=target), lineage, NOW)
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (target / "privkey.pem").is_symlink()
    assert {path.name for path in target.iterdir()} == FILES
    assert (target / "privkey.pem").read_text() == lineage.private_key


def test_a_list_on_the_directory_stays_in_force(store: Store, target: Path) -> None:
    """Its reader reads a key of the default mode."""
    target.mkdir()
    reader = 65000 if can_become_others() else os.geteuid()
    if subprocess.run(["setfacl", "-d", "-m", f"u:{reader}:rX", target], capture_output=True, check=False).returncode:
        pytest.fail("the file system of the tests' own directory has no access control lists")
    copy, lineage = CopyConfig(to=target), live(store)
    make(copy, lineage, NOW)
    told = subprocess.run(["getfacl", "-cpnE", target / "privkey.pem"], capture_output=True, text=True, check=True)
    assert {f"user:{reader}:r-x", "mask::r--", "other::---"} <= set(told.stdout.split())
    assert are_current(copy, lineage)


def test_a_reader_of_a_combined_copy_never_sees_an_unmatched_pair(store: Store, target: Path) -> None:
    """While it is replaced again and again."""
    target.mkdir()
    copy, ended = CopyConfig(combined=target / "x.pem", keep=0), threading.Event()
    lineages = [live(store, serial) for serial in range(1, 31)]
    make(copy, lineages[0], NOW)
    seen: set[str] = set()

    def look() -> None:
        while not ended.is_set():
            seen.add((target / "x.pem").read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for lineage in lineages[1:]:
        make(copy, lineage, NOW)
    ended.set()
    reader.join()
    assert seen <= {lineage.private_key + lineage.fullchain for lineage in lineages}


# What goes wrong


def test_without_a_key_the_rest_is_copied_and_a_key_that_is_asked_for_is_an_error(store: Store, target: Path) -> None:
    """A certificate for a request from elsewhere."""
    chain, request = AUTHORITY.issue(KEYS[0], [NAME], serial=9), keys.csr(KEYS[0], [NAME])
    lineage = store.save(NAME, None, chain, Access(), FROM, request=request)
    make(CopyConfig(to=target), lineage, NOW)
    assert {path.name for path in target.iterdir()} == FILES - SECRET
    for copy in (CopyConfig(key=target / "x.key"), CopyConfig(combined=target / "x.pem", cert=target / "x.crt")):
        with pytest.raises(StoreError, match="has no key here") as caught:
            make(copy, lineage, NOW)
        assert "leave key and combined out" in caught.value.hint
        assert not are_current(copy, lineage)
    assert not (target / "x.crt").exists()


@pytest.mark.parametrize("keep", [0, 1])
def test_an_older_key_does_not_stay_beside_a_certificate_whose_key_is_elsewhere(
    store: Store, target: Path, keep: int
) -> None:
    """A daemon would take both for a pair; what `keep` says is kept, and a key that was never ours is left alone."""
    copy = CopyConfig(to=target, keep=keep)
    make(copy, live(store, 1), NOW)
    chain, request = AUTHORITY.issue(KEYS[0], [NAME], serial=9), keys.csr(KEYS[0], [NAME])
    lineage = store.save(NAME, None, chain, Access(), FROM, request=request)
    make(copy, lineage, NOW)
    dated = {f".{file}.{NOW:%Y%m%dT%H%M%SZ}" for file in FILES - {"chain.pem"}} if keep else set()
    assert {path.name for path in target.iterdir()} == FILES - SECRET | dated
    assert are_current(copy, lineage)

    (target / "privkey.pem").write_text(KEYS[0])
    (target / "combined.pem").mkdir()
    assert are_current(copy, lineage)
    assert make(copy, lineage, NOW) == ()
    assert (target / "privkey.pem").read_text() == KEYS[0]


def test_a_directory_that_is_not_there_is_named_with_the_cure(store: Store, target: Path) -> None:
    """For a path of its own, which may as well be a slip of the pen; nothing is made."""
    with pytest.raises(StoreError, match="no such file or directory") as caught:
        make(CopyConfig(key=target / "x.key"), live(store), NOW)
    assert str(target) in caught.value.path
    assert "make that directory" in caught.value.hint
    assert not target.exists()


def test_a_directory_in_the_place_of_a_file_is_left_there(store: Store, target: Path) -> None:
    """And none of the other files changes either."""
    (target / "x.crt").mkdir(parents=True)
    with pytest.raises(StoreError, match="is a directory") as caught:
        make(CopyConfig(key=target / "x.key", cert=target / "x.crt"), live(store), NOW)
    assert caught.value.path == str(target / "x.crt")
    assert [path.name for path in target.iterdir()] == ["x.crt"]


def test_an_unknown_owner_is_the_configuration_s_fault(store: Store, target: Path) -> None:
    """Named with its table."""
    with pytest.raises(ConfigError, match="no user 'no-such-user'") as caught:
        make(CopyConfig(to=target, owner="no-such-user"), live(store), NOW)
    assert caught.value.key == '[[certificates."example.test".copies]] owner'
    assert not target.exists()


def test_copies_killed_anywhere_are_whole_files_and_made_right_by_the_next_run(store: Store, target: Path) -> None:
    """Each file is the old one or the new one, for they change one by one; nothing is left beside them."""
    copy = CopyConfig(to=target, keep=1)
    make(copy, live(store, 1), NOW)
    step, serial, mixed = 0, 1, 0
    while True:
        old, serial = live(store, serial), serial + 1
        new = live(store, serial)
        killed = is_killed_before_change(step, partial(make, copy, new, NOW + timedelta(seconds=step)))
        states = {}
        for file in FILES:
            content = (target / file).read_bytes()
            assert content in {(lineage.archive / file).read_bytes() for lineage in (old, new)}
            states[file] = content == (new.archive / file).read_bytes()
        mixed += len({states[file] for file in FILES - {"chain.pem"}}) == 2
        assert are_current(copy, new) is all(states.values())

        make(copy, new, NOW + timedelta(seconds=step))
        assert are_current(copy, new)
        assert not [path.name for path in target.iterdir() if path.name.endswith(".new")]
        if not killed:
            break
        step += 1
    assert step > 20
    assert mixed == 3


FULL_DISK = """
import sys
from pathlib import Path
from test_deploying_copies import FILES, NOW, live
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying.copies import make
from dnsbroker.errors import StoreError
from dnsbroker.store import Store

store, target = Store(Path(sys.argv[2])), Path(sys.argv[1]) / "daemon"
old, copy = live(store, 1), CopyConfig(to=target)
make(copy, old, NOW)
new = live(store, 2)
try:
    with (target.parent / "ballast").open("wb", buffering=0) as file:
        while file.write(bytes(4096)) == 4096:
            pass
except OSError:
    pass
try:
    make(copy, new, NOW)
except StoreError as error:
    assert "no space left on device" in str(error), error
    assert "make room" in error.hint
    print("refused")
assert {path.name for path in target.iterdir()} == FILES
assert all((target / file).read_bytes() == (old.archive / file).read_bytes() for file in FILES)
"""


def test_a_full_disk_changes_none_of_a_set(tmp_path: Path) -> None:
    """The old pair stays a pair."""
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=64k,mode=700 tmpfs "$1" && exec "$3" -c "$4" "$1" "$2"'
    arguments = [str(tmp_path / "disk"), str(tmp_path / "state"), sys.executable, FULL_DISK]
    result = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *arguments],
        env={"PYTHONPATH": ":".join((*sys.path, str(Path(__file__).parent))), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "refused\n"), result.stderr
