"""Who may read the live key: by owner, group and mode as they are configured now, and by access control lists."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError
from dnsbroker.store import Access, Provenance, Store
from visitor import Visitor, can_become_others, some_group

NAME = "example.test"
AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC))
SECRET_FILES = {"privkey.pem", "combined.pem"}
OURS = Access()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "state")


def chain(serial: int) -> str:
    return AUTHORITY.issue(KEY, [NAME], serial=serial)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_live_key_follows_a_changed_mode_and_group(store: Store) -> None:
    """And is left alone where nothing has changed; a member of the group gets there."""
    gid = some_group()
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    access = Access(group=str(gid), mode=0o640)
    assert store.conform(NAME, OURS) is False
    assert store.conform(NAME, access) is True
    assert store.conform(NAME, access) is False
    for file in SECRET_FILES:
        facts = (lineage.path / file).stat()
        assert (facts.st_gid, mode_of(lineage.path / file)) == (gid, 0o640)
    assert Visitor(uid=65000, gid=gid).can_read(store.state_dir, f"live/{NAME}/privkey.pem")
    assert not Visitor(uid=65000, gid=65000).can_read(store.state_dir, f"live/{NAME}/privkey.pem")
    assert mode_of(lineage.path / "cert.pem") == 0o644

    assert store.conform(NAME, OURS) is True
    assert mode_of(lineage.path / "privkey.pem") == 0o600


def test_a_certificate_that_is_not_there_conforms(store: Store) -> None:
    """And an owner who does not exist is the configuration's fault."""
    assert store.conform(NAME, OURS) is False
    store.save(NAME, KEY, chain(1), OURS, FROM)
    with pytest.raises(ConfigError, match="no user"):
        store.conform(NAME, Access(owner="no-such-user"))


# Access control lists


def default_list(directory: Path, *entries: str) -> None:
    """Give ``directory`` a default ACL; a file system without any is no place for these tests."""
    for scope in ([], ["-d"]):
        subprocess.run(["setfacl", *scope, "-m", ",".join(entries), directory], check=True, capture_output=True)


@pytest.fixture
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store on a file system that has access control lists: where pytest's has none, in memory."""
    for place in (tmp_path_factory.mktemp("listed"), Path("/dev/shm")):
        with tempfile.TemporaryDirectory(dir=place) as directory:
            Path(directory).chmod(0o711)
            try:
                default_list(Path(directory), f"u:{reader()}:--x")
            except subprocess.CalledProcessError:
                continue
            subprocess.run(["setfacl", "-b", directory], check=True)
            yield Store(Path(directory) / "state")
            return
    pytest.fail("no file system with access control lists here")


def reader() -> int:
    """Somebody else's user number; where this process knows none but its own, that one, named once more."""
    return 65000 if can_become_others() else os.geteuid()


def entries(path: Path) -> set[str]:
    """The entries of its list, each with what is effective of it."""
    told = subprocess.run(["getfacl", "-cpnE", path], check=True, capture_output=True, text=True).stdout
    return set(told.split())


def test_a_default_list_lets_its_reader_read_the_key(listed: Store) -> None:
    """With the default mode, which would void the list; and nobody else."""
    listed.prepare()
    default_list(listed.state_dir, f"u:{reader()}:rX")
    lineage = listed.save(NAME, KEY, chain(1), OURS, FROM)
    for file in SECRET_FILES:
        assert mode_of(lineage.path / file) == 0o640
        assert {f"user:{reader()}:r-x", "mask::r--", "group::--x", "other::---"} <= entries(lineage.path / file)
        if can_become_others():
            assert Visitor(65000, 65000).can_read(listed.state_dir, f"live/{NAME}/{file}")
            assert not Visitor(65001, 65001).can_read(listed.state_dir, f"live/{NAME}/{file}")
            assert not Visitor(65001, os.getegid()).can_read(listed.state_dir, f"live/{NAME}/{file}")
    assert listed.conform(NAME, OURS) is False


@pytest.mark.parametrize("entry", ["u:READER:--x", "g::r-x"])
def test_a_list_that_lets_nobody_named_read_changes_nothing(listed: Store, entry: str) -> None:
    """The mode is then as it is configured, and the owning group gets nothing by it."""
    listed.prepare()
    default_list(listed.state_dir, entry.replace("READER", str(reader())))
    lineage = listed.save(NAME, KEY, chain(1), OURS, FROM)
    assert mode_of(lineage.path / "privkey.pem") == 0o600


def test_a_list_given_to_the_key_by_hand_stays_in_force(listed: Store) -> None:
    """Also when its mode is looked at again, and when it has to change."""
    lineage = listed.save(NAME, KEY, chain(1), OURS, FROM)
    key = lineage.archive / "privkey.pem"
    subprocess.run(["setfacl", "-m", f"u:{reader()}:r", key], check=True)
    assert listed.conform(NAME, OURS) is False
    assert {f"user:{reader()}:r--", "mask::r--"} <= entries(key)
    assert mode_of(lineage.archive / "combined.pem") == 0o600
