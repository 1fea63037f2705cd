"""Copies where others own the way to them, and where a file system takes less than others do."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying.copies import are_current, make
from dnsbroker.deploying.replacing import File, replace
from dnsbroker.errors import StoreError
from dnsbroker.store import Access, Lineage, Provenance, Store, disk
from visitor import can_become_others

NAME = "example.test"
AUTHORITY = Authority()
KEYS = [keys.generate("ecdsa-p256") for _ in range(2)]
NOW = datetime(2026, 11, 21, 10, 15, tzinfo=UTC)
DATE = "20261121T101500Z"
FROM = Provenance("https://ca.test/dir", NOW)
FILES = {"privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "combined.pem"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "state")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where copies go, not there yet."""
    return tmp_path / "daemon"


def live(store: Store, serial: int = 1) -> Lineage:
    key = KEYS[serial % 2]
    return store.save(NAME, key, AUTHORITY.issue(key, [NAME], serial=serial), Access(), FROM)


def owned_by_another(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``link`` belong to somebody else, or this process to root, by all that it can tell."""
    if os.geteuid() == 0:
        os.lchown(link, 65000, 65000)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)


def is_root_of_a_namespace() -> bool:
    """Whether there is nobody else: everything that this process makes is root's."""
    return os.geteuid() == 0 and not can_become_others()


def assert_refused(link: Path) -> None:
    """The rule alone, where nobody else is there to own a link; the wheel's tests have it with real owners."""
    disk._check_link(link, link.name, os.geteuid())
    with pytest.raises(StoreError, match="daemon is a link of another user's"):
        disk._check_link(link, link.name, 65000)


@pytest.mark.parametrize("way", ["", "certs"])
@pytest.mark.parametrize("is_directory", [True, False])
def test_a_directory_is_not_reached_by_a_link_of_another_user_s(
    store: Store, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, is_directory: bool
) -> None:
    """Who owns what is above it would choose what root writes to, be it the last step or one on the way."""
    (tmp_path / "precious" / "certs").mkdir(parents=True)
    target.symlink_to(tmp_path / "precious")
    copy = CopyConfig(to=target / way) if is_directory else CopyConfig(cert=target / way / "x.crt")
    lineage = live(store)
    if is_root_of_a_namespace():
        assert_refused(target)
        return
    owned_by_another(target, monkeypatch)
    with pytest.raises(StoreError, match="daemon is a link of another user's") as caught:
        make(copy, lineage, NOW)
    assert "write the path to which it leads" in caught.value.hint
    assert not are_current(copy, lineage)
    assert sorted(path.name for path in (tmp_path / "precious").rglob("*")) == ["certs"]


def test_no_directory_is_made_behind_a_link_of_another_user_s(
    store: Store, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor any above it."""
    (tmp_path / "precious").mkdir()
    target.symlink_to(tmp_path / "precious")
    lineage = live(store)
    if is_root_of_a_namespace():
        assert_refused(target)
        return
    owned_by_another(target, monkeypatch)
    with pytest.raises(StoreError, match="a link of another user's"):
        make(CopyConfig(to=target / "new" / "certs"), lineage, NOW)
    assert list((tmp_path / "precious").iterdir()) == []


def test_a_directory_is_reached_by_a_link_of_our_own(store: Store, target: Path, tmp_path: Path) -> None:
    """As by one of root's: that is how an administrator moves it to another disk."""
    (tmp_path / "elsewhere").mkdir()
    target.symlink_to("other")
    (tmp_path / "other").symlink_to(tmp_path / "elsewhere")
    lineage = live(store)
    make(CopyConfig(to=target / "certs"), lineage, NOW)
    assert {path.name for path in (tmp_path / "elsewhere" / "certs").iterdir()} == FILES
    target.unlink()
    target.symlink_to(target)
    with pytest.raises(StoreError, match="too many levels of symbolic links"):
        make(CopyConfig(to=target), lineage, NOW)


def test_a_directory_that_is_changed_for_a_link_meanwhile_leads_nowhere_else(target: Path, tmp_path: Path) -> None:
    """What is open stays what it was, whatever stands at its path."""
    target.mkdir()
    (tmp_path / "precious").mkdir()
    file = File(target / "x.crt", "x.crt", b"new", 0o644)
    with disk.opened(target) as descriptor:
        target.rename(tmp_path / "moved")
        target.symlink_to(tmp_path / "precious")
        replace([file], {target: descriptor}, DATE, 1)
    assert (tmp_path / "moved" / "x.crt").read_bytes() == b"new"
    assert list((tmp_path / "precious").iterdir()) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_without_hard_links_older_copies_are_written(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """With the owner and the mode that they had; a file system that takes no more of them is no failed renewal."""

    def refuse(*_paths: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    copy = CopyConfig(to=target, mode=0o640, owner="65000" if can_become_others() else "")
    make(copy, live(store, 1), NOW)
    monkeypatch.setattr(os, "link", refuse)
    make(copy, live(store, 2), NOW)
    old = target / f".privkey.pem.{DATE}"
    assert old.read_bytes() == (store.state_dir / "archive" / NAME / "1" / "privkey.pem").read_bytes()
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert old.stat().st_uid == (target / "privkey.pem").stat().st_uid
    kept = {f".{file}.{DATE}" for file in FILES - {"chain.pem"}}
    assert {path.name for path in target.iterdir()} == FILES | kept


def test_a_name_or_owner_that_a_file_system_does_not_take_is_told_with_a_cure(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its limits for both."""

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    target.mkdir()
    lineage = live(store)
    with pytest.raises(StoreError, match="file name too long") as caught:
        make(CopyConfig(cert=target / ("x" * 254)), lineage, NOW)
    assert "a shorter path" in caught.value.hint
    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(StoreError, match="invalid argument") as caught:
        make(CopyConfig(cert=target / "x.crt"), lineage, NOW)
    assert "another path" in caught.value.hint
    assert caught.value.path == str(target / "x.crt")
    assert list(target.iterdir()) == []
