"""Certificates in other clients' directories: read as one piece, by what the certificate says, and from there alone."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.lineages import Reading, client_of, next_public_keys, read
from dnsbroker.lineages.everyone import client_lineage
from dnsbroker.lineages.layouts import Layout
from dnsbroker.lineages.reading import PAUSES, _Place
from kept_elsewhere import CLIENTS, Kept
from older_clients import CertbotTree, DehydratedTree, fingerprint

AUTHORITY = Authority()
KEY, NEXT = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
CHAIN, RENEWED = AUTHORITY.issue(KEY, ["a.test"]), AUTHORITY.issue(NEXT, ["a.test"])
STAGING = [client for client in CLIENTS if client != "certbot"]


class Pauses:
    """Takes no time; ``act`` is done in the first pause."""

    def __init__(self, act: object = None) -> None:
        self.act = act
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        if callable(self.act) and not self.seconds:
            self.act()
        self.seconds.append(seconds)


def there(path: Path) -> Reading:
    """What is read, without a pause."""
    pauses = Pauses()
    found = read(path, pauses)
    assert found is not None
    assert pauses.seconds == []
    return found


def refused(path: Path) -> ConfigError:
    """The error that is left after all looks."""
    pauses = Pauses()
    with pytest.raises(ConfigError) as caught:
        read(path, pauses)
    assert pauses.seconds == list(PAUSES)
    return caught.value


# What there is


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_s_certificate_is_read(tmp_path: Path, client: str) -> None:
    """Chain, key and what they say; who keeps it is told by the layout. Nothing there is touched."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    before = fingerprint(tmp_path)
    found = there(kept.directory)
    assert (found.client, found.directory) == (client, kept.directory)
    assert (found.fullchain, found.key, found.key_pem, found.trouble) == (CHAIN, kept.key, KEY, "")
    assert found.leaf == keys.describe(CHAIN)
    assert found.public_key == keys.public_key_of(KEY)
    assert client_of(kept.directory) == client
    assert "PRIVATE" not in repr(found)
    assert fingerprint(tmp_path) == before


def test_the_trees_from_which_we_import_are_read_too(tmp_path: Path) -> None:
    """They are laid out by the same two clients."""
    CertbotTree(tmp_path / "letsencrypt").lineage("a.test")
    DehydratedTree(tmp_path / "dehydrated").certificate("a.test")
    assert there(tmp_path / "letsencrypt/live/a.test").client == "certbot"
    assert there(tmp_path / "dehydrated/certs/a.test").client == "dehydrated"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_link_to_the_directory_is_as_good(tmp_path: Path, client: str) -> None:
    """The administrator's own, somewhere else."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    (tmp_path / "here").symlink_to(kept.directory)
    assert there(tmp_path / "here").directory == kept.directory


def test_a_star_in_a_name_is_a_star(tmp_path: Path) -> None:
    """It is in acme.sh's names of files, and may be in dehydrated's; nothing else is found by it."""
    other = Kept(tmp_path, "acme.sh", "acme/b.a.test_ecc")
    other.renew(NEXT, RENEWED)
    star = Kept(tmp_path, "acme.sh", "acme/*.a.test_ecc")
    assert read(star.directory) is None
    star.renew(KEY, CHAIN)
    assert star.key.name == "*.a.test.key"
    assert there(star.directory).key_pem == KEY
    line = Kept(tmp_path, "dehydrated", "certs/*.a.test")
    line.renew(KEY, CHAIN)
    assert there(line.directory).fullchain == CHAIN


def test_where_nothing_is_yet_there_is_none(tmp_path: Path) -> None:
    """No directory, an empty one, or the files of a first run that has not come to its end; nobody waits for that."""
    pauses = Pauses()
    kept = Kept(tmp_path, "dehydrated")
    (kept.directory / "privkey-1795264092.pem").write_text(KEY)
    for path in (tmp_path, tmp_path / "missing", kept.directory):
        assert read(path, pauses) is None
        assert next_public_keys(path) == ()
        assert client_of(path) == "the client"
    assert pauses.seconds == []


def test_a_certificate_of_dehydrated_s_without_a_key_file_has_none_and_no_trouble(tmp_path: Path) -> None:
    """Its request was made elsewhere; but the link may be about to come back, so it is waited for."""
    kept = Kept(tmp_path, "dehydrated")
    kept.renew(KEY, CHAIN)
    kept.key.unlink()
    pauses = Pauses()
    found = read(kept.directory, pauses)
    assert found is not None
    assert (found.key_pem, found.trouble, found.fullchain) == ("", "", CHAIN)
    assert pauses.seconds == list(PAUSES)
    back = read(kept.directory, Pauses(lambda: kept.link("privkey", kept.directory / "privkey-1795264093.pem")))
    assert back is not None
    assert back.key_pem == KEY


@pytest.mark.parametrize("client", ["certbot", "acme.sh", "uacme"])
def test_without_a_key_file_one_of_another_client_s_is_in_trouble(tmp_path: Path, client: str) -> None:
    """It never has one: the file is lost, or about to come back."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    key = kept.key.read_text()
    kept.key.unlink()
    found = read(kept.directory, Pauses())
    assert found is not None
    assert (found.key_pem, found.public_key) == ("", keys.public_key_of(KEY))
    assert "is not there" in found.trouble
    assert found.hint
    back = read(kept.directory, Pauses(lambda: kept.key.write_text(key)))
    assert back is not None
    assert (back.key_pem, back.trouble) == (KEY, "")


def test_a_key_of_a_kind_that_we_never_order_is_read(tmp_path: Path) -> None:
    """Another client may have it, in the form that OpenSSL writes."""
    words = ["openssl", "ecparam", "-name", "secp521r1", "-genkey"]
    key = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "EC PARAMETERS" in key
    kept = Kept(tmp_path, "acme.sh")
    kept.renew(key, AUTHORITY.issue(key, ["a.test"]))
    assert there(kept.directory).key_pem == key


# Which keys


def test_certbot_s_copies_of_one_key_are_one_key(tmp_path: Path) -> None:
    """Each version has a file of its own; compared is what is in it."""
    tree = CertbotTree(tmp_path)
    tree.lineage("a.test", keys_pem=[KEY, KEY], begins=[keys.describe(CHAIN).not_before] * 2)
    archive = tmp_path / "archive/a.test"
    assert (archive / "privkey1.pem").read_text() == (archive / "privkey2.pem").read_text()
    live = tmp_path / "live/a.test"
    assert there(live).public_key == keys.public_key_of(KEY)
    assert next_public_keys(live) == ()


@pytest.mark.parametrize("client", STAGING)
def test_a_staged_key_is_the_next_one(tmp_path: Path, client: str) -> None:
    """Read beside the present one; without it, or with the present one staged again, there is none."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    assert next_public_keys(kept.directory) == ()
    kept.next_key.write_text(NEXT)
    assert next_public_keys(kept.directory) == (keys.public_key_of(NEXT),)
    assert there(kept.directory).public_key == keys.public_key_of(KEY)
    kept.next_key.write_text(KEY)
    assert next_public_keys(kept.directory) == ()


def test_after_a_failed_renewal_acme_sh_has_the_next_key_in_the_place_of_the_present_one(tmp_path: Path) -> None:
    """What is certified is told by the certificate; the key is no key for it, and may be the next one's."""
    kept = Kept(tmp_path, "acme.sh")
    kept.renew(KEY, CHAIN)
    kept.key.write_text(NEXT)
    pauses = Pauses()
    found = read(kept.directory, pauses)
    assert found is not None
    assert found.public_key == keys.public_key_of(KEY)
    assert found.key_pem == ""
    assert "a renewal may have failed" in found.trouble
    assert pauses.seconds == list(PAUSES)
    assert next_public_keys(kept.directory) == (keys.public_key_of(NEXT),)


@pytest.mark.parametrize("client", ["dehydrated", "uacme"])
def test_after_a_failed_renewal_the_staged_key_is_what_the_client_has_staged_by_then(
    tmp_path: Path, client: str
) -> None:
    """One that dehydrated has used up is followed by another; uacme keeps its own."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    for staged in (NEXT, keys.generate("ecdsa-p256")):
        kept.next_key.write_text(staged)
        assert there(kept.directory).key_pem == KEY
        assert next_public_keys(kept.directory) == (keys.public_key_of(staged),)


def test_a_staged_key_that_is_damaged_is_an_error_for_who_asks_for_it_alone(tmp_path: Path) -> None:
    """The present certificate is none the worse."""
    kept = Kept(tmp_path, "uacme")
    kept.renew(KEY, CHAIN)
    kept.next_key.write_text(NEXT[:100])
    with pytest.raises(ConfigError, match=r"newkey\.pem: private key: there is none"):
        next_public_keys(kept.directory)
    assert there(kept.directory).key_pem == KEY


# What is refused


@pytest.mark.parametrize("client", CLIENTS)
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, client: str) -> None:
    """As after a restored copy without its archive."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    kept.chain.unlink()
    kept.chain.symlink_to("gone/fullchain1.pem")
    error = refused(kept.directory)
    assert str(error) == f"{kept.chain}: is a link that leads nowhere"
    assert error.hint


@pytest.mark.parametrize("client", CLIENTS)
def test_a_link_that_leads_to_somebody_else_s_files_is_refused(tmp_path: Path, client: str) -> None:
    """For the chain, and for the key: then the certificate is there, and its key is not to be had."""
    kept = Kept(tmp_path / "client", client)
    kept.renew(KEY, CHAIN)
    (tmp_path / "foreign.key").write_text(KEY)
    (tmp_path / "foreign.pem").write_text(CHAIN)
    kept.key.unlink()
    kept.key.symlink_to(tmp_path / "foreign.key")
    found = read(kept.directory, Pauses())
    assert found is not None
    assert (found.key_pem, found.public_key) == ("", keys.public_key_of(KEY))
    assert f"leads to {tmp_path / 'foreign.key'}, outside of" in found.trouble
    assert "put the file itself below" in found.hint
    kept.chain.unlink()
    kept.chain.symlink_to(tmp_path / "foreign.pem")
    assert "outside of" in refused(kept.directory).message


def test_a_link_within_the_client_s_own_tree_is_followed(tmp_path: Path) -> None:
    """The twin: certbot's archive is there for that."""
    kept = Kept(tmp_path, "certbot")
    kept.renew(KEY, CHAIN)
    kept.key.unlink()
    (tmp_path / "letsencrypt/own.key").write_text(KEY)
    kept.key.symlink_to("../../own.key")
    assert there(kept.directory).key_pem == KEY


def test_another_user_s_file_in_a_user_s_directory_is_refused(tmp_path: Path) -> None:
    """Who owns the directory could have put it there without being able to read it: root would do that for him."""
    path = tmp_path / "a.test.key"
    path.write_text(KEY)
    layout = Layout("acme.sh", tmp_path, tmp_path / "fullchain.cer", path)
    stranger = os.geteuid() + 4711
    with pytest.raises(ConfigError, match=rf"belongs to another user .* than its directory \(number {stranger}\)"):
        _Place(tmp_path, layout, stranger).text(path)
    assert _Place(tmp_path, layout, os.geteuid()).text(path) == KEY


def test_a_pipe_or_a_directory_holds_nobody_up(tmp_path: Path) -> None:
    """It is no file."""
    kept = Kept(tmp_path, "uacme")
    kept.renew(KEY, CHAIN)
    kept.chain.unlink()
    os.mkfifo(kept.chain)
    assert "is no file" in refused(kept.directory).message
    kept.chain.unlink()
    kept.chain.mkdir()
    assert "is no file" in refused(kept.directory).message


@pytest.mark.parametrize("spoil", [CHAIN[:-200], CHAIN[:200], "", AUTHORITY.issuing_pem + CHAIN])
def test_a_damaged_chain_is_refused(tmp_path: Path, spoil: str) -> None:
    """Cut off, empty, or in the wrong order; the next step is the client's."""
    kept = Kept(tmp_path, "uacme")
    kept.renew(KEY, CHAIN)
    kept.chain.write_text(spoil)
    error = refused(kept.directory)
    assert error.path == str(kept.chain)
    assert "let uacme obtain that certificate anew" in error.hint


@pytest.mark.parametrize("text", ["", "nonsense", KEY[:80]])
def test_a_damaged_key_is_trouble_and_the_certificate_is_there(tmp_path: Path, text: str) -> None:
    """No word of the key is in what is told."""
    kept = Kept(tmp_path, "certbot")
    kept.renew(KEY, CHAIN)
    kept.key.resolve().write_text(text)
    found = read(kept.directory, Pauses())
    assert found is not None
    assert (found.key_pem, found.leaf.names) == ("", ("a.test",))
    assert "private key: there is none in PEM form" in found.trouble


def test_what_is_wrong_with_a_key_is_told_with_what_mends_it(tmp_path: Path) -> None:
    """To run the client again would mend none of these."""
    kept = Kept(tmp_path, "uacme")
    kept.renew(KEY, CHAIN)
    words = ["openssl", "pkey", "-in", str(kept.key), "-aes256", "-passout", "pass:x"]
    encrypted = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    kept.key.write_text(encrypted)
    assert "openssl pkey" in trouble(kept.directory).hint
    kept.key.unlink()
    kept.key.symlink_to(kept.key.name)
    assert "lead in a circle" in trouble(kept.directory).message
    assert f"ls -l {kept.key}" in trouble(kept.directory).hint


def trouble(path: Path) -> StoreError:
    """What is wrong with the key in ``path``, as every command tells it."""
    found = read(path, Pauses())
    assert found is not None
    told = client_lineage("a.test", path, found).trouble
    assert told is not None
    return told


def test_a_file_in_the_place_of_the_directory_is_told_with_the_directory(tmp_path: Path) -> None:
    """The commonest slip: the certificate instead of where it is."""
    kept = Kept(tmp_path, "certbot")
    kept.renew(KEY, CHAIN)
    pauses = Pauses()
    with pytest.raises(ConfigError, match="is a file, not the directory") as caught:
        read(kept.chain, pauses)
    assert str(kept.directory) in caught.value.hint
    assert pauses.seconds == []


# While the client is at it


@pytest.mark.parametrize("client", ["certbot", "dehydrated"])
@pytest.mark.parametrize("moved", [1, 2, 3])
def test_a_look_between_two_renames_is_repeated(tmp_path: Path, client: str, moved: int) -> None:
    """Whatever has been moved by then: what comes back is of one piece, with at most one pause."""
    kept = Kept(tmp_path, client)
    kept.renew(KEY, CHAIN)
    kept.number += 1
    leaf, issuer = keys.read_chain(RENEWED)
    files = kept.written({"cert": leaf, "privkey": NEXT, "chain": issuer, "fullchain": RENEWED})
    for kind in list(files)[:moved]:
        kept.link(kind, files.pop(kind))

    def finish() -> None:
        for kind, path in files.items():
            kept.link(kind, path)

    pauses = Pauses(finish)
    found = read(kept.directory, pauses)
    assert found is not None
    assert (found.fullchain, found.key_pem) in [(CHAIN, KEY), (RENEWED, NEXT)]
    assert len(pauses.seconds) == (0 if moved == 1 else 1)


def test_a_file_that_is_half_written_is_looked_at_again(tmp_path: Path) -> None:
    """acme.sh writes in place."""
    kept = Kept(tmp_path, "acme.sh")
    kept.renew(KEY, CHAIN)
    kept.chain.write_text(CHAIN[:300])
    pauses = Pauses(lambda: kept.renew(NEXT, RENEWED))
    found = read(kept.directory, pauses)
    assert found is not None
    assert (found.fullchain, found.key_pem, found.trouble) == (RENEWED, NEXT, "")


def test_no_certificate_is_held_for_another(tmp_path: Path) -> None:
    """The digest that a TLSA record has is that of what is certified."""
    kept = Kept(tmp_path, "dehydrated")
    kept.renew(KEY, CHAIN)
    found = there(kept.directory)
    assert hashlib.sha256(found.public_key).hexdigest() == found.leaf.spki_sha256
