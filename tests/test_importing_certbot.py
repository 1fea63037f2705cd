"""Moving in from certbot: what each thing in its directory becomes, and what is refused; on trees made by hand."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from authority import START
from dnsbroker import keys
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.errors import ConfigError
from dnsbroker.importing.moving import Imported, bring_in
from dnsbroker.importing.reading import access_settings
from dnsbroker.store import Store
from older_clients import STAGING, CertbotTree, fingerprint

Import = Callable[[], Imported]


@pytest.fixture
def tree(tmp_path: Path) -> CertbotTree:
    """A directory with one account."""
    made = CertbotTree(tmp_path / "letsencrypt")
    made.account("main")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration that knows its state directory only."""
    path = tmp_path / "dnsbroker.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\n')
    return path


@pytest.fixture
def imported(tree: CertbotTree, place: Path) -> Import:
    """Import the directory, which is as it was afterwards."""

    def call() -> Imported:
        before = fingerprint(tree.root)
        result = bring_in(tree.root, str(place), {}, is_root=True)
        assert fingerprint(tree.root) == before
        return result

    return call


def configured(place: Path, name: str) -> CertificateConfig:
    """The certificate as it is configured now."""
    config = Config.load(place, environment={}, is_root=True)
    assert not config.broken
    return config.certificates[name]


def failure(result: Imported, name: str) -> str:
    """Why that one was not taken, with the hint that belongs to it."""
    (item,) = [item for item in result.certificates if item.name == name]
    assert item.status == "failed"
    assert item.error is not None
    assert item.error.hint
    return item.error.message


def test_a_lineage_comes_with_its_key_its_chain_and_its_account(
    tree: CertbotTree, place: Path, imported: Import, tmp_path: Path
) -> None:
    """All as they were; the account becomes the default one."""
    tree.lineage("example.org", ["example.org", "*.example.org"])
    result = imported()
    lineage = Store(tmp_path / "state").load("example.org")
    assert lineage is not None
    live = tree.root / "live" / "example.org"
    assert lineage.fullchain == (live / "fullchain.pem").read_text()
    assert lineage.private_key == (live / "privkey.pem").read_text()
    assert configured(place, "example.org").names == ("example.org", "*.example.org")
    config = Config.load(place, environment={}, is_root=True)
    account = Store(tmp_path / "state").account("default")
    assert account.url(config.acme.directory) == result.accounts[0].url == "https://ca.example/directory/account/main"
    assert keys.spki_sha256_of(account.key(str)) == keys.spki_sha256_of(tree.account_keys["main"])
    assert (config.acme.agree_tos, config.acme.contact) == (True, ("mailto:hostmaster@example.org",))


def test_settings_are_translated(tree: CertbotTree, place: Path, imported: Import) -> None:
    """A key that is used again, a chain that is preferred, a server that is reloaded; stapling is dropped, and said."""
    params = {"reuse_key": "True", "preferred_chain": "ISRG Root X1", "installer": "nginx", "must_staple": "True"}
    tree.lineage("example.org", params=params, keys_pem=[keys.generate("rsa2048")])
    (item,) = imported().certificates
    certificate = configured(place, "example.org")
    assert (certificate.key_type, certificate.key_rotation) == ("rsa2048", "never")
    assert (certificate.preferred_chain, certificate.reload) == ("ISRG Root X1", ("nginx",))
    assert "must_staple is dropped" in item.notes[0]


def test_without_a_word_of_re_use_each_renewal_has_a_new_key(tree: CertbotTree, place: Path, imported: Import) -> None:
    """The twin: as certbot did it."""
    tree.lineage("example.org")
    imported()
    certificate = configured(place, "example.org")
    assert (certificate.key_type, certificate.key_rotation, certificate.reload) == ("ecdsa-p256", "renewal", ())


def test_hooks_come_from_directories_and_from_the_lineage(tree: CertbotTree, place: Path, imported: Import) -> None:
    """Those of the directories first, in their order; what certbot would not run is not run here either."""
    tree.lineage("example.org", params={"renew_hook": "systemctl reload x", "post_hook": "true", "pre_hook": '"a # b"'})
    second, first = tree.hook("deploy", "20 two"), tree.hook("deploy", "10-one")
    tree.hook("deploy", "old~")
    tree.hook("deploy", "README", mode=0o644)
    imported()
    certificate = configured(place, "example.org")
    assert certificate.deploy_hooks == (str(first), f"'{second}'", "systemctl reload x")
    assert (certificate.pre_hooks, certificate.post_hooks) == (("a # b",), ("true",))


def test_a_hook_that_stands_in_both_places_runs_once(tree: CertbotTree, place: Path, imported: Import) -> None:
    """As at certbot."""
    path = tree.hook("deploy", "one")
    tree.lineage("example.org", params={"renew_hook": str(path)})
    imported()
    assert configured(place, "example.org").deploy_hooks == (str(path),)


def test_a_key_is_as_old_as_the_first_certificate_with_it(tree: CertbotTree, imported: Import) -> None:
    """Certbot's copies of a key that is used again are one key; a damaged old version does no harm."""
    one, two = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
    begins = [START + timedelta(days=days) for days in (0, 10, 20, 30)]
    tree.lineage("example.org", keys_pem=[one, two, two, two], begins=begins)
    (tree.root / "archive" / "example.org" / "cert3.pem").write_text("damaged")
    (item,) = imported().certificates
    assert item.lineage is not None
    assert item.lineage.provenance is not None
    assert item.lineage.provenance.key_created == START + timedelta(days=10)
    assert item.lineage.provenance.directory == "https://ca.example/directory"


def test_the_most_used_account_becomes_the_default_and_others_get_tables(
    tree: CertbotTree, place: Path, imported: Import
) -> None:
    """Each certificate keeps its own."""
    tree.account("other")
    tree.account("test", STAGING)
    for name in ("a.example", "b.example"):
        tree.lineage(name, params={"account": "other"})
    tree.lineage("c.example")
    tree.lineage("d.example", params={"account": "test", "server": STAGING})
    result = imported()
    urls = {item.name: item.url.rpartition("/")[2] for item in result.accounts}
    assert urls["default"] == "other"
    assert sorted(urls.values()) == ["main", "other", "test"]
    of = {name: configured(place, name).account for name in ("a.example", "b.example", "c.example", "d.example")}
    assert [urls[of[name]] for name in of] == ["other", "other", "main", "test"]
    config = Config.load(place, environment={}, is_root=True)
    assert config.accounts[of["d.example"]].directory == STAGING
    assert config.accounts[of["d.example"]].agree_tos


def test_an_account_that_nothing_uses_stays_where_it_is(tree: CertbotTree, imported: Import) -> None:
    """But it is named."""
    tree.account("test", STAGING)
    tree.lineage("example.org")
    result = imported()
    assert [item.name for item in result.accounts] == ["default"]
    assert any("account test" in note and "no certificate uses it" in note for note in result.notes)


def test_accounts_alone_are_taken(tree: CertbotTree, imported: Import) -> None:
    """Where there is no lineage to say which are in use."""
    result = imported()
    assert [(item.name, item.status) for item in result.accounts] == [("default", "imported")]
    assert result.certificates == ()


def test_the_first_protocol_s_server_is_the_second_s(tree: CertbotTree, place: Path, imported: Import) -> None:
    """Certbot reads old files so; the account's directory is then a link to the older one."""
    tree.account("le", "https://acme-v01.api.letsencrypt.org/directory")
    new = tree.root / "accounts" / "acme-v02.api.letsencrypt.org"
    new.mkdir()
    (new / "directory").symlink_to("../acme-v01.api.letsencrypt.org/directory")
    tree.lineage("example.org", params={"account": "le", "server": "https://acme-v01.api.letsencrypt.org/directory"})
    imported()
    config = Config.load(place, environment={}, is_root=True)
    assert config.acme.directory == "https://acme-v02.api.letsencrypt.org/directory"
    assert 'directory = "letsencrypt"\n' in place.read_text()


def credentials(tmp_path: Path, *more: str, server: str = "192.0.2.1") -> Path:
    """A file for certbot's plugin for dynamic updates."""
    path = tmp_path / "rfc2136.ini"
    lines = [f"dns_rfc2136_server = {server}", "dns_rfc2136_name = keyname.", "dns_rfc2136_secret = c2VjcmV0", *more]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def updating(path: Path) -> dict[str, str]:
    """A lineage's settings for that plugin."""
    return {"authenticator": "dns-rfc2136", "dns_rfc2136_credentials": str(path)}


def test_a_key_for_dynamic_updates_becomes_a_provider(
    tree: CertbotTree, place: Path, imported: Import, tmp_path: Path
) -> None:
    """The secret goes to a file of its own that only its owner can read."""
    path = credentials(tmp_path, "dns_rfc2136_algorithm = HMAC-SHA512", "dns_rfc2136_port = 5353")
    for name in ("a.example", "b.example"):
        tree.lineage(name, params=updating(path))
    result = imported()
    assert result.providers == ("rfc2136",)
    assert "c2VjcmV0" not in place.read_text()
    assert "c2VjcmV0" not in repr(result)
    settings = Config.load(place, environment={}, is_root=True).providers["rfc2136"].settings
    assert (settings.server, settings.port, settings.tsig_name) == ("192.0.2.1", 5353, "keyname.")
    assert (settings.tsig_algorithm, settings.tsig_secret.reveal()) == ("hmac-sha512", "c2VjcmV0")
    secret = tmp_path / "rfc2136.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    again = imported()
    assert (again.providers, again.changed) == ((), False)


def test_the_plugin_s_own_default_algorithm_is_written_out(
    tree: CertbotTree, place: Path, imported: Import, tmp_path: Path
) -> None:
    """It is another one than ours."""
    tree.lineage("example.org", params=updating(credentials(tmp_path)))
    imported()
    settings = Config.load(place, environment={}, is_root=True).providers["rfc2136"].settings
    assert settings.tsig_algorithm == "hmac-md5"


@pytest.mark.parametrize("server", ["", "in valid"])
def test_credentials_that_cannot_be_used_stop_no_certificate(
    tree: CertbotTree, imported: Import, tmp_path: Path, server: str
) -> None:
    """The provider's table is left to the reader, and that is said."""
    tree.lineage("example.org", params=updating(credentials(tmp_path, server=server)))
    result = imported()
    assert [item.status for item in result.certificates] == ["imported"]
    assert result.providers == ()
    assert any("no [providers] table is made" in note for note in result.notes)


def test_another_way_of_validation_is_named_once(tree: CertbotTree, imported: Import) -> None:
    """It does not come along."""
    for name in ("a.example", "b.example"):
        tree.lineage(name, params={"authenticator": "webroot"})
    assert sum("certbot validates by webroot" in note for note in imported().notes) == 1


def test_damaged_lineages_are_named_and_the_others_taken(tree: CertbotTree, place: Path, imported: Import) -> None:
    """Each with what is wrong with it."""
    tree.lineage("good.example")
    for name in ("cut", "encrypted", "foreign", "dangling", "circle", "mixed", "accountless", "text", "gone"):
        tree.lineage(f"{name}.example", params={"account": "nobody"} if name == "accountless" else {})
    archive, live = tree.root / "archive", tree.root / "live"
    (archive / "cut.example" / "fullchain1.pem").write_text("-----BEGIN CERTIFICATE-----\nMII")
    (archive / "encrypted.example" / "privkey1.pem").write_text(ENCRYPTED)
    outside = place.parent / "elsewhere.pem"
    outside.write_text(keys.generate("ecdsa-p256"))
    (archive / "foreign.example" / "privkey1.pem").unlink()
    (archive / "foreign.example" / "privkey1.pem").symlink_to(outside)
    (archive / "dangling.example" / "privkey1.pem").unlink()
    (archive / "circle.example" / "privkey1.pem").unlink()
    (archive / "circle.example" / "privkey1.pem").symlink_to("privkey1.pem")
    (archive / "mixed.example" / "privkey1.pem").write_text(keys.generate("ecdsa-p256"))
    (tree.root / "renewal" / "text.example.conf").write_text("nonsense\n")
    (live / "gone.example").rename(live / "renamed")
    result = imported()
    assert [item.name for item in result.certificates if item.status == "imported"] == ["good.example"]
    assert "there is none in PEM form" in failure(result, "cut.example")
    assert "it is encrypted" in failure(result, "encrypted.example")
    assert f"leads to {outside}, outside of" in failure(result, "foreign.example")
    assert "is a link that leads nowhere" in failure(result, "dangling.example")
    assert "circle" in failure(result, "circle.example") or "too many" in failure(result, "circle.example")
    assert "for another key" in failure(result, "mixed.example")
    assert "is not there" in failure(result, "accountless.example")
    assert "not made of lines" in failure(result, "text.example")
    assert "is not there" in failure(result, "gone.example")
    assert any(note.startswith("renamed: not taken") for note in result.notes)
    assert [path.name for path in sorted((place.parent / "certificates.d").iterdir())] == ["good.example.toml"]


def test_what_certbot_was_told_not_to_renew_is_left(tree: CertbotTree, imported: Import) -> None:
    """It would be ordered again from now on."""
    tree.lineage("example.org", params={"autorenew": "False"})
    result = imported()
    assert result.certificates == ()
    assert "example.org: not taken, its autorenew is off" in result.notes


def test_hooks_for_all_in_cli_ini_are_pointed_out(tree: CertbotTree, imported: Import) -> None:
    """They may or may not stand in the lineages too."""
    tree.lineage("example.org")
    (tree.root / "cli.ini").write_text("max-log-backups = 0\ndeploy-hook = reload\n")
    assert any("cli.ini has hooks" in note for note in imported().notes)


ACCESS = {
    "ours alone": ((0o600, 0, 0), {}),
    "everybody's, behind a closed directory": ((0o644, 0, 0), {}),
    "a group's": ((0o640, 0, 4711), {"group": "4711", "mode": "0640"}),
    "a group's and everybody's": ((0o755, 0, 4711), {"group": "4711", "mode": "0640"}),
    "a group's that may not read": ((0o600, 0, 4711), {}),
    "another user's": ((0o600, 4712, 0), {"owner": "4712"}),
    "our own group's": ((0o640, 5, 6), {}),
}


@pytest.mark.parametrize(("facts", "settings"), ACCESS.values(), ids=ACCESS)
def test_who_may_read_the_key_may_read_it_here(facts: tuple[int, int, int], settings: dict[str, str]) -> None:
    """Where somebody has set it; and nobody more than before."""
    mode, uid, gid = facts
    assert access_settings(os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0)), 5, 6) == settings


def test_an_empty_directory_is_an_error(tmp_path: Path, place: Path) -> None:
    """There is nothing to take over, and nothing is written."""
    tree = CertbotTree(tmp_path / "empty")
    before = place.read_text()
    with pytest.raises(ConfigError, match="without a certificate or an account"):
        bring_in(tree.root, str(place), {}, is_root=True)
    assert place.read_text() == before
    assert not (tmp_path / "state").exists()


ENCRYPTED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAiRZg/sux1a5wIBATAM
BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQWGy1q+nQ/5ErLjrIism98QSBkJk3
NxPy2KhYBnMIY/0xm/6urKCgV3cFZ8UwcCaRVoHuhHU/AgNgXkOLrzUaPl0BAk6z
lU+T+tXEa25fwwHVYkwTA2EaM3ZlCLWL9kvIm1BvCNQ18wVF7/omRHMAEqBmey6T
U/KAd+6AlO3yvmT7F4xw4vuB0M680gN+qOnwligmWa+sUG8ItijEgW2lU8TWnw==
-----END ENCRYPTED PRIVATE KEY-----
"""
