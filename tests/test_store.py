from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError, NameInvalid, PemInvalid, StoreError
from dnsbroker.store import Access, Provenance, Store
from visitor import Visitor, some_group

NAME = "example.test"
NAMES = ("example.test", "*.example.test")
AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
FROM = Provenance("https://ca.test/dir", datetime(2026, 11, 1, 12, tzinfo=UTC))
FILES = {"privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "combined.pem"}
SECRET_FILES = {"privkey.pem", "combined.pem"}
OURS = Access()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that does not exist yet."""
    return Store(tmp_path / "state")


def chain(serial: int, key: str = KEY) -> str:
    return AUTHORITY.issue(key, NAMES, serial=serial)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_saved_certificate_stands_in_the_archive_under_its_serial_number(store: Store) -> None:
    """The five files, each with what its name says, in a directory named in lower-case hex."""
    pem = chain(0xAB0C)
    store.save(NAME, KEY, pem, OURS, FROM)

    archive = store.state_dir / "archive" / NAME / "ab0c"
    assert {path.name for path in archive.iterdir()} == FILES
    texts = {path.name: path.read_text() for path in archive.iterdir()}
    assert texts["fullchain.pem"] == texts["cert.pem"] + texts["chain.pem"] == pem
    assert texts["chain.pem"] == AUTHORITY.issuing_pem
    assert texts["privkey.pem"] == KEY
    assert texts["combined.pem"] == KEY + pem


def test_every_live_file_is_reached_through_the_one_inner_link(store: Store) -> None:
    """So that one rename changes them all."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    store.save(NAME, KEY, chain(2), OURS, FROM)

    live = store.state_dir / "live" / NAME
    assert {path.name for path in live.iterdir()} == FILES | {"current"}
    assert {path: os.readlink(live / path) for path in FILES} == {path: f"current/{path}" for path in FILES}
    assert os.readlink(live / "current") == f"../../archive/{NAME}/2"
    assert keys.describe((live / "fullchain.pem").read_text()).serial == 2
    assert (store.state_dir / "archive" / NAME / "1" / "privkey.pem").exists()


def test_a_lineage_tells_what_was_saved(store: Store) -> None:
    """Saving and loading give the same values."""
    pem = chain(0xF00D)
    saved = store.save(NAME, KEY, pem, OURS, FROM)
    loaded = store.load(NAME)

    assert loaded == saved
    assert loaded is not None
    assert (loaded.name, loaded.names, loaded.serial) == (NAME, NAMES, "f00d")
    assert loaded.path == store.state_dir / "live" / NAME
    assert loaded.not_after == keys.describe(pem).not_after
    assert (loaded.fullchain, loaded.private_key) == (pem, KEY)
    assert loaded.provenance == FROM
    assert KEY not in repr(loaded)


def test_the_private_key_belongs_to_the_certificate_that_was_loaded(store: Store) -> None:
    """A newer pair that went live meanwhile does not mix with it."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    loaded = store.load(NAME)
    other = keys.generate("ecdsa-p256")
    store.save(NAME, other, chain(2, other), OURS, FROM)

    assert loaded is not None
    assert loaded.private_key == KEY
    newer = store.load(NAME)
    assert newer is not None
    assert newer.private_key == other


def test_saving_the_live_certificate_again_changes_nothing(store: Store) -> None:
    """A run that repeats its last step does no harm to readers."""
    pem = chain(1)
    first = store.save(NAME, KEY, pem, OURS, FROM)
    before = (first.archive / "privkey.pem").stat()
    assert store.save(NAME, KEY, pem, OURS, FROM) == first
    assert (first.archive / "privkey.pem").stat() == before


def test_names_are_those_that_ever_went_live(store: Store) -> None:
    """Neither an empty store nor a directory without its inner link has any."""
    assert store.names() == ()
    assert store.load(NAME) is None
    for name in ("b.test", "a.test"):
        store.save(name, KEY, chain(1), OURS, FROM)
    (store.state_dir / "live" / "unfinished.test").mkdir()
    assert store.names() == ("a.test", "b.test")
    assert store.load("unfinished.test") is None


def test_a_key_of_another_certificate_is_refused_before_anything_is_written(store: Store) -> None:
    """An unmatched pair never reaches the disk."""
    with pytest.raises(PemInvalid, match="for another key"):
        store.save(NAME, keys.generate("ecdsa-p256"), chain(1), OURS, FROM)
    assert not store.state_dir.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\0b", "n" * 241])
def test_a_name_that_leads_out_of_its_directory_is_refused(store: Store, name: str) -> None:
    """For each way in and out."""
    for use in (
        lambda: store.save(name, KEY, chain(1), OURS, FROM),
        lambda: store.load(name),
        lambda: store.remember(name, ""),
        lambda: store.account(name).url(""),
    ):
        with pytest.raises(NameInvalid):
            use()
    assert not (store.state_dir.parent / "x").exists()


@pytest.mark.parametrize("name", ["n" * 240, "bücher", "a b", "-x"])
def test_every_other_name_will_do(store: Store, name: str) -> None:
    """Certificate names need not be domain names."""
    store.save(name, KEY, chain(1), OURS, FROM)
    store.remember(name, "")
    assert store.names() == (name,)
    assert (store.state_dir / "certificates" / f"{name}.toml").exists()


# Damage


def test_a_link_that_leads_nowhere_is_an_error_with_the_way_out(store: Store) -> None:
    """An archive that is gone is no reason to think that nothing was ever issued."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    lineage.archive.rename(lineage.archive.with_name("elsewhere"))
    with pytest.raises(StoreError, match="which is no directory") as caught:
        store.load(NAME)
    assert caught.value.path == str(lineage.path / "current")
    assert f"dnsbroker issue {NAME} --force" in caught.value.hint
    assert store.names() == (NAME,)


def test_a_link_to_itself_is_an_error(store: Store) -> None:
    """Not a loop, nor a traceback."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    (lineage.path / "current").unlink()
    (lineage.path / "current").symlink_to("current")
    with pytest.raises(StoreError):
        store.load(NAME)


def test_a_damaged_chain_is_an_error(store: Store) -> None:
    """It is named."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    (lineage.archive / "fullchain.pem").write_text("")
    with pytest.raises(StoreError, match=r"fullchain\.pem: certificate: there is none"):
        store.load(NAME)


def test_a_missing_chain_is_an_error(store: Store) -> None:
    """It is named."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    (lineage.archive / "fullchain.pem").unlink()
    with pytest.raises(StoreError, match=r"fullchain\.pem: no such file"):
        store.load(NAME)


@pytest.mark.parametrize("file", ["privkey.pem", "combined.pem", "chain.pem"])
def test_a_file_that_is_gone_is_found_where_a_whole_lineage_is_wanted(store: Store, file: str) -> None:
    """The daemon that reads it fails at its next start, and nothing else would say so."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    assert store.load_whole(NAME) == lineage
    (lineage.archive / file).unlink()
    with pytest.raises(StoreError, match=rf"{file}: it is missing") as caught:
        store.load_whole(NAME)
    assert "--force" in caught.value.hint
    assert store.load(NAME) is not None


def test_what_is_remembered_can_be_taken_back(store: Store) -> None:
    """As for a certificate that never came about."""
    assert store.remembered(NAME) is None
    store.remember(NAME, "names = []")
    assert store.remembered(NAME) == "names = []"
    for _ in range(2):
        store.remember(NAME, None)
    assert store.remembered(NAME) is None


@pytest.mark.parametrize(
    ("content", "reason"), [(keys.generate("ecdsa-p256"), "not the key of the certificate"), ("x", "there is none")]
)
def test_a_key_that_does_not_fit_is_never_handed_out(store: Store, content: str, reason: str) -> None:
    """Whoever exchanged the file hears of it from us, not from a daemon that does not start."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    (lineage.archive / "privkey.pem").write_text(content)
    with pytest.raises(StoreError, match=reason):
        _ = lineage.private_key


def test_a_damaged_lineage_is_mended_by_the_next_certificate(store: Store) -> None:
    """Foreign links, and an archive that is gone, do not stand in its way."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    (lineage.path / "privkey.pem").unlink()
    (lineage.path / "privkey.pem").symlink_to("/nowhere")
    lineage.archive.rename(lineage.archive.with_name("elsewhere"))
    assert store.save(NAME, KEY, chain(2), OURS, FROM).private_key == KEY
    assert (lineage.path / "privkey.pem").read_text() == KEY


def test_provenance_that_was_lost_or_damaged_is_unknown(store: Store) -> None:
    """The certificate itself is not in doubt."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    for content in ("", "[]", "{}", '{"1": {}}', '{"1": {"directory": "x", "key_created": "never"}}'):
        (store.state_dir / "issued" / f"{NAME}.json").write_text(content)
        lineage = store.load(NAME)
        assert lineage is not None
        assert lineage.provenance is None


# Permissions


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest, store: Store) -> Iterator[None]:
    """A umask of nothing, the usual one, a strict one, an absurd one; not yet when the test's own place is made."""
    assert store.state_dir.parent.is_dir()
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_files_have_the_mode_that_is_meant_whatever_the_umask(store: Store) -> None:
    """Neither a loose nor a strict umask reaches them."""
    lineage = store.save(NAME, KEY, chain(1), Access(mode=0o640), FROM)
    modes = {file: mode_of(lineage.path / file) for file in FILES}
    assert modes == {file: 0o640 if file in SECRET_FILES else 0o644 for file in FILES}


@pytest.mark.usefixtures("umask")
def test_only_the_way_to_the_files_is_open(store: Store) -> None:
    """Directories on it let pass and do not list; everything else is closed."""
    lineage = store.save(NAME, KEY, chain(1), OURS, FROM)
    store.remember(NAME, "x = 1")
    store.account("default").key(lambda: KEY)

    top = store.state_dir
    way = {top, top / "live", lineage.path, top / "archive", top / "archive" / NAME, lineage.archive}
    directories = {top, *(path for path in top.rglob("*") if path.is_dir() and not path.is_symlink())}
    assert {path: mode_of(path) for path in directories} == {
        path: 0o711 if path in way else 0o700 for path in directories
    }
    others = {path for path in top.rglob("*") if path.is_file() and path.parent not in way}
    assert {path.name for path in others} == {f"{NAME}.toml", f"{NAME}.json", "key.pem"}
    assert {mode_of(path) for path in others} == {0o600}


def test_by_default_a_stranger_reads_the_certificate_and_not_the_key(store: Store) -> None:
    """The certificate is public anyhow."""
    store.save(NAME, KEY, chain(1), OURS, FROM)
    stranger = Visitor(uid=65000, gid=65000)
    readable = {file for file in FILES if stranger.can_read(store.state_dir, f"live/{NAME}/{file}")}
    assert readable == FILES - SECRET_FILES


def test_a_member_of_the_group_reads_the_key_and_a_stranger_does_not(store: Store) -> None:
    """Mode and group are enough: a daemon gets there through every directory, and nowhere else."""
    gid = some_group()
    store.account("default").key(lambda: KEY)
    store.save(NAME, KEY, chain(1), Access(group=str(gid), mode=0o640), FROM)

    member, stranger = Visitor(uid=65000, gid=gid), Visitor(uid=65000, gid=65000)
    for file in SECRET_FILES:
        assert member.can_read(store.state_dir, f"live/{NAME}/{file}")
        assert not stranger.can_read(store.state_dir, f"live/{NAME}/{file}")
    assert not member.can_read(store.state_dir, "accounts/default/key.pem")
    assert not member.can_read(store.state_dir, f"issued/{NAME}.json")


def test_an_older_and_stricter_state_dir_is_opened_where_others_are_to_read(store: Store) -> None:
    """As systemd's StateDirectory may have made it."""
    gid = some_group()
    for directory in (store.state_dir, store.state_dir / "live", store.state_dir / "archive"):
        directory.mkdir(mode=0o700)
    store.save("private.test", KEY, chain(1), OURS, FROM)
    assert mode_of(store.state_dir) == 0o700

    store.save(NAME, KEY, chain(1), Access(group=str(gid), mode=0o640), FROM)
    assert Visitor(uid=65000, gid=gid).can_read(store.state_dir, f"live/{NAME}/privkey.pem")
    assert not Visitor(uid=65000, gid=gid).can_read(store.state_dir, "live/private.test/privkey.pem")


def test_the_owner_gets_the_key_alone(store: Store) -> None:
    """Only the two files with the key follow owner and group."""
    me, group = os.geteuid(), some_group()
    owner = pwd.getpwuid(me).pw_name
    lineage = store.save(NAME, KEY, chain(1), Access(owner=owner, group=str(group), mode=0o400), FROM)
    for file in FILES:
        facts = (lineage.path / file).stat()
        assert facts.st_uid == me
        assert (facts.st_gid == group) is (file in SECRET_FILES or group == os.getegid())
        assert mode_of(lineage.path / file) == (0o400 if file in SECRET_FILES else 0o644)


@pytest.mark.parametrize(
    ("access", "reason"),
    [(Access(owner="no-such-user"), "no user 'no-such-user'"), (Access(group="no-such-group"), "no group 'no-such")],
)
def test_an_unknown_owner_or_group_is_found_before_anything_is_written(
    store: Store, access: Access, reason: str
) -> None:
    """It is the configuration's fault, and named with its key."""
    with pytest.raises(ConfigError, match=reason) as caught:
        store.save(NAME, KEY, chain(1), access, FROM)
    assert caught.value.key in ("owner", "group")
    assert "getent" in caught.value.hint
    assert not store.state_dir.exists()


def test_what_the_account_directory_was_copied_with_is_closed_again(store: Store) -> None:
    """A copy from another host often comes with the modes of its umask."""
    directory = store.state_dir / "accounts" / "default"
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    store.account("default").key(lambda: KEY)
    assert mode_of(directory) == 0o700
    assert mode_of(directory.parent) == 0o700


# Accounts and remembered names


def test_an_account_key_is_made_once(store: Store) -> None:
    """Whoever asks later gets the first one's."""
    assert store.account("default").key(lambda: KEY) == KEY
    assert store.account("default").key(lambda: keys.generate("ecdsa-p256")) == KEY
    assert (store.state_dir / "accounts" / "default" / "key.pem").read_text() == KEY


def test_a_file_that_holds_no_account_key_is_named(store: Store) -> None:
    """It is not replaced: perhaps a person can still restore it."""
    store.account("default").key(lambda: KEY)
    path = store.state_dir / "accounts" / "default" / "key.pem"
    path.write_text("x")
    with pytest.raises(StoreError, match="there is none") as caught:
        store.account("default").key(lambda: KEY)
    assert caught.value.path == str(path)
    assert path.read_text() == "x"


def test_an_account_url_belongs_to_one_directory(store: Store) -> None:
    """At another CA there is no account yet."""
    assert store.account("default").url("https://ca.test/dir") is None
    store.account("default").keep_url("https://ca.test/dir", "https://ca.test/account/1")
    assert store.account("default").url("https://ca.test/dir") == "https://ca.test/account/1"
    assert store.account("default").url("https://other.test/dir") is None
    assert store.account("other").url("https://ca.test/dir") is None


def test_a_damaged_account_file_counts_as_none(store: Store) -> None:
    """The CA finds the account by its key."""
    store.account("default").keep_url("https://ca.test/dir", "https://ca.test/account/1")
    for content in ("", "[]", "{}", "7"):
        (store.state_dir / "accounts" / "default" / "account.json").write_text(content)
        assert store.account("default").url("https://ca.test/dir") is None


def test_what_is_remembered_is_kept_until_it_is_remembered_anew(store: Store) -> None:
    """Each name has its own file, and there is no other beside them that looks like one."""
    store.remember(NAME, 'names = ["example.test"]\n')
    store.remember("other.test", "names = []\n")
    store.remember("other.test", 'key_type = "rsa2048"\n')
    texts = {path.name: path.read_text() for path in (store.state_dir / "certificates").iterdir()}
    assert texts == {f"{NAME}.toml": 'names = ["example.test"]\n', "other.test.toml": 'key_type = "rsa2048"\n'}
