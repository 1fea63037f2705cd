"""Whose keys TLSA records name: read in one way from the store, from other clients' directories and from files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config import Config
from dnsbroker.dane import Subjects
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.lineages import Lineages
from dnsbroker.store import Access, HeldBack, NextKey, Provenance, Store
from dnsbroker.tlsa.computing import Presented, of_chain, of_key
from kept_elsewhere import CLIENTS, Kept

AUTHORITY = Authority()
LIVE, NEXT, THIRD = (keys.generate("ecdsa-p256") for _ in range(3))
NAME = "a.test"
CHAIN, RENEWED = (AUTHORITY.issue(key, [NAME], serial=serial) for key, serial in ((LIVE, 10), (NEXT, 11)))
MADE = datetime(2026, 11, 1, tzinfo=UTC)
FROM = Provenance("https://ca.test/dir", MADE)
STAGING = [client for client in CLIENTS if client != "certbot"]


def unwaited(_seconds: float) -> None:
    """Takes no time."""


def configured(root: Path, *certificates: str, **tables: object) -> Config:
    """One ``[[dane]]`` for each of ``certificates``; ``tables`` are those of the certificates, one of ours else."""
    dane = [{"endpoint": f"https://{n}.test", "certificate": one} for n, one in enumerate(certificates)]
    known = tables or {NAME: {}}
    return Config.from_dict({"state_dir": str(root / "state"), "certificates": known, "dane": dane})


def subjects(config: Config) -> Subjects:
    return Subjects(config, Lineages(config.state_dir, config.certificates, unwaited), unwaited)


@pytest.fixture
def ours(tmp_path: Path) -> Subjects:
    return subjects(configured(tmp_path, NAME))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "state")
    made.prepare()
    return made


def save(store: Store, key: str = LIVE, chain: str = CHAIN) -> None:
    store.save(NAME, key, chain, Access(), FROM)


def public(*keys_pem: str) -> tuple[Presented, ...]:
    """What is known of keys that have no chain."""
    return tuple(map(of_key, keys_pem))


# Ours


def test_a_certificate_of_ours_is_what_is_live(ours: Subjects, store: Store) -> None:
    """With its CAs and the end of its life."""
    save(store)
    found = ours.read(NAME)
    assert (found.reference, found.live, found.live_pem) == (NAME, of_chain(CHAIN), CHAIN)
    assert found.live is not None
    assert len(found.live.authorities) == 1
    assert (found.serial, found.live_until) == ("a", keys.describe(CHAIN).not_after.timestamp())
    assert (found.is_ours, found.client, found.trouble) == (True, "", None)
    assert (found.next, found.held, found.held_pem) == ((), None, "")


def test_one_that_was_never_issued_is_nothing_yet(ours: Subjects, store: Store) -> None:
    """That is no trouble. Its next key may be there already."""
    assert ours.read(NAME).live is None
    assert ours.read(NAME).trouble is None
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    assert ours.read(NAME).next == public(NEXT)


def test_what_is_pending_is_known(ours: Subjects, store: Store) -> None:
    """The key that comes next, and a chain that is held back."""
    save(store)
    store.keep_next_key(NAME, NextKey(THIRD, MADE))
    store.hold_back(NAME, HeldBack(RENEWED, FROM, NEXT))
    found = ours.read(NAME)
    assert (found.live, found.next, found.held) == (of_chain(CHAIN), public(THIRD), of_chain(RENEWED))
    assert found.held_pem == RENEWED


def test_what_went_live_is_pending_no_more(ours: Subjects, store: Store) -> None:
    """A run that died right after it left both behind."""
    save(store)
    store.keep_next_key(NAME, NextKey(LIVE, MADE))
    store.hold_back(NAME, HeldBack(CHAIN, FROM, LIVE))
    found = ours.read(NAME)
    assert (found.next, found.held, found.held_pem) == ((), None, "")


def test_a_next_key_of_another_type_than_configured_is_none(tmp_path: Path, store: Store) -> None:
    """What a person asked for instead is to come next."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    for key_type, wanted in (("ecdsa-p256", public(NEXT)), ("rsa2048", ())):
        config = configured(tmp_path, NAME, **{NAME: {"key_type": key_type}})
        assert subjects(config).read(NAME).next == wanted


def test_one_by_somebody_s_request_has_its_keys_elsewhere(ours: Subjects, store: Store) -> None:
    """So none is made for it here."""
    store.save(NAME, None, CHAIN, Access(), FROM, keys.csr(LIVE, [NAME]))
    found = ours.read(NAME)
    assert (found.live, found.is_ours) == (of_chain(CHAIN), False)


@pytest.mark.parametrize("word", ["held_back", "next_key", "load"])
def test_what_another_process_puts_live_meanwhile_is_never_missed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Its record would be an old one else, and go: whichever of the three is read just then."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    store.hold_back(NAME, HeldBack(RENEWED, FROM, NEXT))
    config = configured(tmp_path, NAME)
    lineages = Lineages(config.state_dir, config.certificates, unwaited)
    read = getattr(lineages, word)

    def meanwhile(name: str) -> object:
        save(store, NEXT, RENEWED)
        store.drop_held_back(NAME)
        store.drop_next_key(NAME)
        return read(name)

    monkeypatch.setattr(lineages, word, meanwhile)
    found = Subjects(config, lineages, unwaited).read(NAME)
    assert found.live == of_chain(RENEWED)
    assert (found.held, found.next) == (None, ())


def test_a_damaged_one_is_told_and_what_is_pending_is_read(ours: Subjects, store: Store) -> None:
    """It would be taken for one without a key that comes next otherwise."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    (store.state_dir / "archive" / NAME / "a/fullchain.pem").write_text("half")
    found = ours.read(NAME)
    assert isinstance(found.trouble, StoreError)
    assert (found.live, found.next) == (None, public(NEXT))


def test_what_cannot_be_read_in_pending_is_told(ours: Subjects, store: Store) -> None:
    """What is live is known all the same."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    path = store.state_dir / "pending" / NAME / "next.json"
    path.unlink()
    path.mkdir()
    found = ours.read(NAME)
    assert isinstance(found.trouble, StoreError)
    assert (found.live, found.next) == (of_chain(CHAIN), ())


def test_a_certificate_with_a_mistake_in_its_table_is_read(tmp_path: Path, store: Store) -> None:
    """It is live, and clients look at its records."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    config = configured(tmp_path, NAME, **{NAME: {"key_type": "rsa"}})
    assert set(config.broken) == {NAME}
    found = subjects(config).read(NAME)
    assert (found.live, found.next, found.is_ours) == (of_chain(CHAIN), public(NEXT), True)


def test_no_key_is_shown(ours: Subjects, store: Store) -> None:
    """Not even by accident: a subject holds public halves."""
    save(store)
    store.keep_next_key(NAME, NextKey(NEXT, MADE))
    assert "BEGIN" not in repr(ours.read(NAME))


# The next key


def test_a_staged_key_is_the_next_one(ours: Subjects, store: Store) -> None:
    """Of the type asked for, made now; asked again, it is the same."""
    save(store)
    staged = ours.stage(NAME, "ecdsa-p384", MADE.timestamp())
    kept = store.next_key(NAME)
    assert kept is not None
    assert (kept.created, keys.key_type_of(kept.key_pem)) == (MADE, "ecdsa-p384")
    assert staged == of_key(kept.key_pem)
    assert ours.read(NAME).next == ()  # for ecdsa-p256 is configured
    first = ours.stage(NAME, "ecdsa-p256", MADE.timestamp())
    assert ours.read(NAME).next == (first,)
    assert ours.stage(NAME, "ecdsa-p256", MADE.timestamp() + 1) == first


def test_a_key_that_is_live_is_not_staged_again(ours: Subjects, store: Store) -> None:
    """What a run that died left as the next one makes room."""
    save(store)
    store.keep_next_key(NAME, NextKey(LIVE, MADE))
    staged = ours.stage(NAME, "ecdsa-p256", MADE.timestamp())
    assert staged not in public(LIVE)
    assert ours.read(NAME).next == (staged,)


# Of other clients


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "bare"])
def test_another_client_s_certificate_is_read_where_it_is(tmp_path: Path, client: str, is_named: bool) -> None:
    """Whether it has a table of its own, or is a directory only."""
    kept = Kept(tmp_path, client)
    kept.renew(LIVE, CHAIN)
    if is_named:
        config = configured(tmp_path, "theirs", theirs={"lineage": str(kept.directory)})
    else:
        config = configured(tmp_path, str(kept.directory))
    read = subjects(config)
    (reference,) = read.references()
    found = read.read(reference)
    assert (found.live, found.live_pem, found.serial) == (of_chain(CHAIN), CHAIN, "a")
    assert (found.is_ours, found.client, found.trouble) == (False, client, None)
    assert (found.next, found.held) == ((), None)


@pytest.mark.parametrize("client", STAGING)
def test_the_key_that_a_client_has_laid_out_comes_next(tmp_path: Path, client: str) -> None:
    """After every run of it, whether it had something to do or not."""
    kept = Kept(tmp_path, client)
    kept.renew(LIVE, CHAIN)
    kept.next_key.write_text(NEXT)
    assert subjects(configured(tmp_path, str(kept.directory))).read(str(kept.directory)).next == public(NEXT)


@pytest.mark.parametrize("client", STAGING)
def test_the_key_of_a_renewal_that_failed_may_come_next_too(tmp_path: Path, client: str) -> None:
    """The staged one took its place before the order, and another was staged."""
    kept = Kept(tmp_path, client)
    kept.renew(LIVE, CHAIN)
    kept.key.unlink()
    kept.key.write_text(NEXT)
    kept.next_key.write_text(THIRD)
    found = subjects(configured(tmp_path, str(kept.directory))).read(str(kept.directory))
    assert found.next == public(NEXT, THIRD)
    assert (found.live, found.trouble) == (of_chain(CHAIN), None)


def test_the_key_that_dehydrated_orders_for_may_be_served_next(tmp_path: Path) -> None:
    """It stands in no place of a next key then, and its record must not go; nor that of the one laid out after it."""
    kept = Kept(tmp_path, "dehydrated")
    kept.renew(LIVE, CHAIN)
    read, reference = subjects(configured(tmp_path, str(kept.directory))), str(kept.directory)
    kept.next_key.write_text(THIRD)
    for stamp, key in ((1795300000, LIVE), (1795300001, NEXT)):
        (kept.directory / f"privkey-{stamp}.pem").write_text(key)
    assert read.read(reference).next == public(THIRD, NEXT)
    (kept.directory / "privkey-1795300002.pem").write_text(LIVE)
    assert read.read(reference).next == public(THIRD)  # of failed orders one is enough
    (kept.directory / "privkey-1795300002.pem").rename(kept.directory / "privkey-1.pem")
    kept.number += 100_000
    kept.renew(NEXT, RENEWED)
    found = read.read(reference)
    assert (found.live, found.next) == (of_chain(RENEWED), public(THIRD))


def test_a_key_that_is_seen_at_either_of_two_looks_may_come_next(tmp_path: Path) -> None:
    """Its client is at work meanwhile, and a key that goes live in between would seem to be nobody's."""
    kept = Kept(tmp_path, "acme.sh")
    kept.renew(LIVE, CHAIN)
    kept.key.write_text(NEXT)
    config = configured(tmp_path, str(kept.directory))

    def at_work(_seconds: float) -> None:
        kept.key.write_text(LIVE)
        kept.next_key.write_text(THIRD)

    found = Subjects(config, Lineages(config.state_dir, {}), at_work).read(str(kept.directory))
    assert (found.live, found.next) == (of_chain(CHAIN), public(THIRD, NEXT))


def test_a_renewal_with_the_same_key_is_no_other_key(tmp_path: Path) -> None:
    """With each certificate certbot writes a copy of it; there is one record still."""
    kept = Kept(tmp_path, "certbot")
    kept.renew(LIVE, CHAIN)
    again = AUTHORITY.issue(LIVE, [NAME])
    read, before = subjects(configured(tmp_path, str(kept.directory))), of_chain(CHAIN)
    kept.renew(LIVE, again)
    found = read.read(str(kept.directory))
    assert found.live is not None
    assert (found.live.leaf.public_key, found.next) == (before.leaf.public_key, ())
    assert found.serial != "a"


def test_a_next_key_that_leads_out_of_the_client_s_tree_is_told(tmp_path: Path) -> None:
    """A link that leads nowhere as well; what is live is known all the same."""
    kept = Kept(tmp_path, "dehydrated")
    kept.renew(LIVE, CHAIN)
    (tmp_path / "theirs.pem").write_text(NEXT)
    read = subjects(configured(tmp_path, str(kept.directory)))
    for target in (tmp_path / "theirs.pem", tmp_path / "nowhere.pem"):
        kept.next_key.unlink(missing_ok=True)
        kept.next_key.symlink_to(target)
        found = read.read(str(kept.directory))
        assert isinstance(found.trouble, ConfigError)
        assert (found.live, found.next) == (of_chain(CHAIN), ())


def test_a_directory_with_nothing_in_it_yet_is_nothing_yet(tmp_path: Path) -> None:
    """Its client has not been run."""
    config = configured(tmp_path, "theirs", theirs={"lineage": str(tmp_path / "certs/a.test")})
    found = subjects(config).read("theirs")
    assert (found.live, found.trouble, found.is_ours) == (None, None, False)
    (tmp_path / "empty").mkdir()
    found = subjects(configured(tmp_path, f"{tmp_path}/empty")).read(f"{tmp_path}/empty")
    assert (found.live, found.trouble) == (None, None)


def test_a_client_s_certificate_with_a_mistake_in_its_table_is_read(tmp_path: Path) -> None:
    """Where it is can be told; where it cannot, the mistake is."""
    kept = Kept(tmp_path, "dehydrated")
    kept.renew(LIVE, CHAIN)
    read = subjects(configured(tmp_path, "theirs", theirs={"lineage": str(kept.directory), "mode": "0600"}))
    assert read.read("theirs").live == of_chain(CHAIN)
    assert read.of_lineage(str(kept.directory)) == ("theirs",)
    config = configured(tmp_path, "theirs", theirs={"lineage": 5})
    assert subjects(config).read("theirs").trouble == config.broken["theirs"]


# Files


def test_a_file_is_a_chain_with_or_without_its_key(tmp_path: Path) -> None:
    """Leaf first; nothing is known of what comes next."""
    for text in (CHAIN, LIVE + CHAIN, CHAIN + LIVE):
        (tmp_path / "mail.pem").write_text(text)
        found = subjects(configured(tmp_path, f"{tmp_path}/mail.pem")).read(f"{tmp_path}/mail.pem")
        assert (found.live, found.live_pem, found.next) == (of_chain(CHAIN), CHAIN, ())
        assert (found.is_ours, found.client, found.trouble) == (False, "", None)


def test_a_file_that_holds_no_chain_is_told(tmp_path: Path) -> None:
    """Nothing is guessed from a key, or from certificates in another order."""
    path = tmp_path / "mail.pem"
    leaf, issuer = keys.read_chain(CHAIN)
    for text in ("", LIVE, issuer + leaf):
        path.write_text(text)
        found = subjects(configured(tmp_path, str(path))).read(str(path))
        assert isinstance(found.trouble, ConfigError)
        assert (found.live, found.trouble.path) == (None, str(path))


def test_what_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    """And not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere.pem", "pipe"):
        path = str(tmp_path / name)
        trouble = subjects(configured(tmp_path, path)).read(path).trouble
        assert isinstance(trouble, ConfigError)
        assert (trouble.path, bool(trouble.hint)) == (path, True)


# Which is meant


def test_each_reference_is_told_once(tmp_path: Path) -> None:
    """In the order of the tables."""
    config = configured(tmp_path, "b", "a", "b", "./x.pem", a={}, b={})
    assert subjects(config).references() == ("b", "a", str(Path("x.pem").absolute()))


def test_a_client_s_directory_is_meant_by_whatever_path(tmp_path: Path) -> None:
    """Named, bare, by a link, or as a file in it; another directory is not, nor is anything of ours."""
    kept, other = Kept(tmp_path, "certbot"), Kept(tmp_path, "dehydrated")
    (tmp_path / "link").symlink_to(kept.directory)
    references = ("theirs", f"{tmp_path}/link/fullchain.pem", str(other.directory), "ours")
    read = subjects(configured(tmp_path, *references, theirs={"lineage": str(kept.directory)}, ours={}))
    assert read.of_lineage(str(tmp_path / "link")) == references[:2]
    assert read.of_lineage(f"{other.directory}/") == (str(other.directory),)
    assert read.of_lineage(str(tmp_path / "elsewhere")) == ()
