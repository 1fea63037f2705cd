"""Moving in from dehydrated: what its configuration, names, accounts and certificates become; on trees made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.importing.moving import Imported, bring_in
from dnsbroker.store import Store
from older_clients import CA, STAGING, DehydratedTree, fingerprint

Import = Callable[[], Imported]


@pytest.fixture
def tree(tmp_path: Path) -> DehydratedTree:
    """A directory without accounts and certificates."""
    return DehydratedTree(tmp_path / "dehydrated")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration that knows its state directory only."""
    path = tmp_path / "dnsbroker.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\n')
    return path


@pytest.fixture
def imported(tree: DehydratedTree, place: Path) -> Import:
    """Import the directory, which is as it was afterwards."""

    def call() -> Imported:
        before = fingerprint(tree.root)
        result = bring_in(tree.root, str(place), {}, is_root=True)
        assert fingerprint(tree.root) == before
        return result

    return call


def configured(place: Path, name: str) -> CertificateConfig:
    """The certificate as it is configured now."""
    return Config.load(place, environment={}, is_root=True).certificates[name]


def test_a_line_of_names_comes_with_its_key_its_chain_and_the_account(
    tree: DehydratedTree, place: Path, imported: Import, tmp_path: Path
) -> None:
    """The alias is the name here as well."""
    account_key = tree.account()
    key_pem = tree.certificate("wild", ["example.org", "*.example.org"])
    tree.domains("# mine", "", "Example.ORG  *.example.org >wild")
    result = imported()
    lineage = Store(tmp_path / "state").load("wild")
    assert lineage is not None
    assert lineage.private_key == key_pem
    assert lineage.fullchain == (tree.root / "certs" / "wild" / "fullchain.pem").read_text()
    certificate = configured(place, "wild")
    assert (certificate.names, certificate.key_type) == (("example.org", "*.example.org"), "ecdsa-p256")
    assert certificate.key_rotation == "renewal"
    account = Store(tmp_path / "state").account("default")
    assert keys.spki_sha256_of(account.key(str)) == keys.spki_sha256_of(account_key)
    assert result.accounts[0].url == account.url(CA) == f"{CA}/account/7"
    config = Config.load(place, environment={}, is_root=True)
    assert (config.acme.directory, config.acme.contact) == (CA, ("mailto:hostmaster@example.org",))


def test_what_was_never_issued_is_configured_by_its_settings(
    tree: DehydratedTree, place: Path, imported: Import
) -> None:
    """The next renewal issues it."""
    tree.account()
    tree.configure(f"CA={CA}", "KEY_ALGO=rsa", "KEYSIZE=3072", "PRIVATE_KEY_RENEW=no", 'PREFERRED_CHAIN="Root X"')
    tree.domains("example.org www.example.org")
    (item,) = imported().certificates
    assert (item.status, item.lineage) == ("imported", None)
    certificate = configured(place, "example.org")
    assert (certificate.key_type, certificate.key_rotation) == ("rsa3072", "never")
    assert (certificate.preferred_chain, certificate.names) == ("Root X", ("example.org", "www.example.org"))


def test_the_configuration_s_own_places_are_followed(
    tree: DehydratedTree, place: Path, imported: Import, tmp_path: Path
) -> None:
    """As Debian lays it out: the configuration here, the rest elsewhere, settings in files of their own."""
    elsewhere = tmp_path / "var"
    tree.configure(f"CONFIG_D={tree.root}/conf.d", f"BASEDIR={elsewhere}", f"DOMAINS_TXT={tree.root}/domains.txt")
    (tree.root / "conf.d").mkdir()
    (tree.root / "conf.d" / "ca.sh").write_text(f'CA="{STAGING}"\n')
    other = DehydratedTree(elsewhere)
    (elsewhere / "config").unlink()
    other.account(STAGING)
    other.certificate("example.org")
    tree.domains("example.org")
    result = imported()
    assert [item.status for item in result.certificates] == ["imported"]
    assert Config.load(place, environment={}, is_root=True).acme.directory == STAGING


def test_a_certificate_s_own_settings_win(tree: DehydratedTree, place: Path, imported: Import) -> None:
    """In its directory, or in DOMAINS_D."""
    tree.account()
    for name in ("a.example", "b.example"):
        tree.certificate(name)
    tree.domains("a.example", "b.example")
    (tree.root / "certs" / "a.example" / "config").write_text("PRIVATE_KEY_RENEW=no\n")
    imported()
    assert configured(place, "a.example").key_rotation == "never"
    assert configured(place, "b.example").key_rotation == "renewal"


def test_a_second_file_of_names_is_read(tree: DehydratedTree, imported: Import) -> None:
    """Newer versions have a directory beside the first."""
    tree.account()
    tree.domains("a.example")
    (tree.root / "domains.txt.d").mkdir()
    (tree.root / "domains.txt.d" / "more.txt").write_text("b.example\n")
    assert [item.name for item in imported().certificates] == ["a.example", "b.example"]


def test_without_a_file_of_names_each_certificate_speaks_for_itself(
    tree: DehydratedTree, place: Path, imported: Import
) -> None:
    """Where dehydrated was called with the names."""
    tree.account()
    tree.certificate("example.org", ["example.org", "www.example.org"])
    imported()
    assert configured(place, "example.org").names == ("example.org", "www.example.org")


def test_a_hook_script_goes_on_deploying(tree: DehydratedTree, place: Path, imported: Import) -> None:
    """With the arguments that it knows; a script that is not there is only named."""
    tree.account()
    hook = tree.root / "hook.sh"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    tree.configure(f"CA={CA}", 'HOOK="${BASEDIR}/hook.sh"', "CHALLENGETYPE=dns-01")
    tree.certificate("wild", ["*.example.org"])
    tree.certificate("b.example")
    tree.domains("*.example.org > wild", "b.example")
    (tree.root / "certs" / "b.example" / "config").write_text("HOOK=gone.sh\n")
    result = imported()
    (command,) = configured(place, "wild").deploy_hooks
    assert command.startswith(f"{hook} deploy_cert '*.example.org' \"$RENEWED_LINEAGE/privkey.pem\" ")
    assert configured(place, "b.example").deploy_hooks == ()
    assert f"{hook} is called with deploy_cert for new certificates, and for nothing else any more" in result.notes
    assert "HOOK gone.sh is no program, and not taken" in result.notes


def test_what_is_not_taken_is_named(tree: DehydratedTree, imported: Import) -> None:
    """A certificate without a line, a staged key, a line of shell, another way of validation."""
    tree.account()
    for name in ("a.example", "old.example"):
        tree.certificate(name)
    (tree.root / "certs" / "a.example" / "privkey.roll.pem").write_text(keys.generate("ecdsa-p256"))
    tree.domains("a.example")
    tree.configure(f"CA={CA}", "CONTACT_EMAIL=$(whoami)", "OCSP_MUST_STAPLE=yes")
    result = imported()
    (item,) = result.certificates
    assert "OCSP_MUST_STAPLE is dropped" in item.notes[0]
    assert "privkey.roll.pem, is not taken" in item.notes[1]
    told = "\n".join(result.notes)
    assert "old.example: not taken, it stands in no line" in told
    assert f"{tree.root}/config: not a plain assignment and passed over: line 2" in told
    assert "dehydrated validates over HTTP or TLS" in told


def test_one_that_cannot_be_read_stops_no_other(tree: DehydratedTree, imported: Import, tmp_path: Path) -> None:
    """A link out of the directory, an alias that is a path, a name that is none."""
    tree.account()
    for name in ("a.example", "b.example"):
        tree.certificate(name)
    outside = tmp_path / "key.pem"
    outside.write_text(keys.generate("ecdsa-p256"))
    link = tree.root / "certs" / "b.example" / "privkey.pem"
    link.unlink()
    link.symlink_to(outside)
    tree.domains("a.example", "b.example", "c.example > ../../c", "d_.example", "e.example > x y.example")
    result = imported()
    outcome = {item.name: (item.status, item.reason) for item in result.certificates}
    assert outcome["a.example"][0] == "imported"
    assert f"leads to {outside}, outside of {tree.root / 'certs'}" in outcome["b.example"][1]
    assert "is no name for a certificate" in outcome["../../c"][1]
    assert "underscore" in outcome["d_.example"][1]
    assert outcome["x"][0] == "imported"


@pytest.mark.parametrize("state", ["missing", "deactivated"])
def test_without_an_account_nothing_is_taken(tree: DehydratedTree, imported: Import, state: str) -> None:
    """Each certificate says why."""
    if state == "deactivated":
        tree.account()
        (home,) = (tree.root / "accounts").iterdir()
        (home / "deactivated").touch()
    tree.certificate("example.org")
    tree.domains("example.org")
    result = imported()
    (item,) = result.certificates
    assert item.status == "failed"
    assert ("deactivated" if state == "deactivated" else "is not there") in item.reason
    assert not result.changed


def test_the_ca_s_short_names_are_dehydrated_s_own(tree: DehydratedTree, place: Path, imported: Import) -> None:
    """And what is known here by a name is written by it."""
    tree.configure("CA=letsencrypt-test")
    tree.account("https://acme-staging-v02.api.letsencrypt.org/directory")
    imported()
    assert 'directory = "letsencrypt-staging"' in place.read_text()
