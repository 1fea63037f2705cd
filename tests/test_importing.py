"""Moving in: the configuration that is added to, the second time, and the command's words; whichever client it was."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.cli import main
from dnsbroker.config import Config
from dnsbroker.errors import ConfigError
from dnsbroker.importing.moving import bring_in
from dnsbroker.store import Store
from older_clients import CA, STAGING, CertbotTree, fingerprint

NAME = "example.org"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tree(tmp_path: Path) -> CertbotTree:
    """A directory with one account and one lineage."""
    made = CertbotTree(tmp_path / "letsencrypt")
    made.account("main")
    made.lineage(NAME, [NAME, f"*.{NAME}"])
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the configuration is to be, in a directory of its own."""
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "dnsbroker.toml"


@pytest.fixture
def run(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the program with a configuration that knows its state directory; its status, stdout and stderr."""
    place.write_text(f'state_dir = "{tmp_path}/state"\n')

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(["--config", str(place), *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def loaded(place: Path) -> Config:
    """The configuration now."""
    config = Config.load(place, environment={}, is_root=True)
    assert not config.broken
    return config


def test_the_first_configuration_is_made(tree: CertbotTree, tmp_path: Path) -> None:
    """Where an ordinary user's is looked for, and readable by nobody else."""
    home = {"HOME": str(tmp_path / "home")}
    result = bring_in(tree.root, "", home, is_root=False)
    path = tmp_path / "home" / ".config" / "dnsbroker" / "dnsbroker.toml"
    assert result.configuration == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = Config.load(environment=home, is_root=False)
    assert (config.acme.directory, config.acme.agree_tos) == (CA, True)
    assert config.certificates[NAME].names == (NAME, f"*.{NAME}")
    assert Store(tmp_path / "home" / ".local" / "state" / "dnsbroker").load(NAME) is not None


def test_an_existing_configuration_is_only_added_to(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """Its comments, its mode and its last line without an end stay; it is whole at every moment."""
    before = f'state_dir = "{tmp_path}/state" # mine\n\n[dns]\nresolvers = ["192.0.2.53"] # ours'
    place.write_text(before)
    place.chmod(0o640)
    bring_in(tree.root, str(place), {}, is_root=True)
    assert place.read_text().startswith(before + "\n\n# Taken over from certbot")
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert stat.S_IMODE((place.parent / "certificates.d" / f"{NAME}.toml").stat().st_mode) == 0o640
    assert loaded(place).dns.resolvers == ("192.0.2.53",)
    assert sorted(path.name for path in place.parent.iterdir()) == ["certificates.d", "dnsbroker.toml"]


def test_a_configuration_behind_a_link_stays_behind_it(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """It is the file that is added to."""
    real = tmp_path / "real.toml"
    real.write_text(f'state_dir = "{tmp_path}/state"\n')
    place.symlink_to(real)
    bring_in(tree.root, str(place), {}, is_root=True)
    assert place.is_symlink()
    assert "[acme]" in real.read_text()
    assert NAME in loaded(place).certificates


def test_the_second_time_nothing_changes(tree: CertbotTree, run: Run, tmp_path: Path) -> None:
    """And that is said."""
    status, out, _ = run("import", str(tree.root))
    assert status == 0
    assert f"{NAME}: taken, valid until" in out
    assert "next: `dnsbroker renew --dry-run` shows" in out
    before = fingerprint(tmp_path)
    status, out, _ = run("import", str(tree.root))
    assert (status, fingerprint(tmp_path)) == (0, before)
    assert f"{NAME}: it is configured already, and stays as it is" in out
    assert out.splitlines()[-1] == "nothing is changed"


def test_a_configured_certificate_is_never_written_over(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """Neither one in the main file, in whatever case, nor a broken one, nor what is live under its name."""
    tree.lineage("b.example")
    place.write_text(f'state_dir = "{tmp_path}/state"\n[acme]\ndirectory = "{CA}"\n[certificates."EXAMPLE.org"]\n')
    (place.parent / "certificates.d").mkdir()
    broken = place.parent / "certificates.d" / "b.example.toml"
    broken.write_text("nonsense")
    result = bring_in(tree.root, str(place), {}, is_root=True)
    assert [item.status for item in result.certificates] == ["kept", "kept"]
    assert broken.read_text() == "nonsense"
    assert Store(tmp_path / "state").names() == ()


@pytest.mark.parametrize(("name", "key"), [(NAME, ""), ("Example.ORG", ""), ("mail", ""), (NAME, 'key_type = "dsa"\n')])
def test_a_client_that_keeps_one_here_is_not_to_be_ended(
    tree: CertbotTree, place: Path, run: Run, name: str, key: str
) -> None:
    """By whatever name, in a table that is right or wrong: nobody would renew that one any more."""
    tree.lineage("b.example")
    live = tree.root / "live" / NAME
    place.write_text(f'{place.read_text()}[certificates."{name}"]\nlineage = "{live}"\n{key}')
    status, out, _ = run("import", str(tree.root))
    assert status == 0
    assert (f"{NAME}: certbot keeps it (lineage): to take it over, take its table out" in out) == (name != "mail")
    assert out.splitlines()[-1] == (
        f"then: point programs to the files here; certbot has to go on, for it keeps {name} (lineage)"
    )
    assert "end certbot's timer" not in out


def test_a_client_that_keeps_none_here_is(tree: CertbotTree, place: Path, run: Run, tmp_path: Path) -> None:
    """The twin: the certificate of that name is another client's by now."""
    live = tmp_path / "certs" / NAME
    live.mkdir(parents=True)
    (live / "fullchain.pem").write_text("")
    place.write_text(f'{place.read_text()}[certificates."{NAME}"]\nlineage = "{live}"\n')
    tree.lineage("b.example")
    _, out, _ = run("import", str(tree.root))
    assert f"{NAME}: it is configured already" in out
    assert out.splitlines()[-1] == "then: point programs to the files here, and end certbot's timer or cron job"


def test_another_certificate_that_is_live_under_the_name_stays(tree: CertbotTree, run: Run, tmp_path: Path) -> None:
    """With the way out."""
    other = CertbotTree(tmp_path / "other")
    other.account("main")
    other.lineage(NAME)
    run("import", str(other.root))
    (tmp_path / "etc" / "certificates.d" / f"{NAME}.toml").unlink()
    before = fingerprint(tmp_path / "state" / "archive")
    status, _, err = run("import", str(tree.root))
    assert status == 1
    assert f"{NAME}: another certificate of that name is live" in err
    assert "move " in err
    assert fingerprint(tmp_path / "state" / "archive") == before


def test_an_import_that_was_cut_off_is_finished(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """After any of its steps: what is there is found again, and nothing becomes double."""
    text = f'state_dir = "{tmp_path}/state"\n'
    place.write_text(text)
    bring_in(tree.root, str(place), {}, is_root=True)
    whole, live = place.read_text(), Store(tmp_path / "state").load(NAME)
    (place.parent / "certificates.d" / f"{NAME}.toml").unlink()
    place.write_text(text)
    result = bring_in(tree.root, str(place), {}, is_root=True)
    assert [item.name for item in result.accounts] == ["default"]
    assert place.read_text() == whole
    assert Store(tmp_path / "state").load(NAME) == live
    assert list(loaded(place).certificates) == [NAME]


def test_an_account_of_ours_at_the_same_ca_stays_the_default(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """The one that comes gets a table and a key of its own."""
    text = f'state_dir = "{tmp_path}/state"\n[acme]\ndirectory = "{CA}"\nagree_tos = true\n'
    place.write_text(text)
    own = Store(tmp_path / "state").account("default").key(lambda: keys.generate("ecdsa-p256"))
    bring_in(tree.root, str(place), {}, is_root=True)
    config = loaded(place)
    assert config.certificates[NAME].account == "certbot"
    assert config.accounts["certbot"].directory == CA
    store = Store(tmp_path / "state")
    assert store.account("default").key(str) == own
    assert keys.spki_sha256_of(store.account("certbot").key(str)) == keys.spki_sha256_of(tree.account_keys["main"])


def test_a_configured_ca_is_never_changed(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """Neither one that is written, nor the one that certificates without a word of it mean."""
    for text in (f'[acme]\ndirectory = "{STAGING}"\n', '[certificates."a.example"]\n'):
        place.write_text(f'state_dir = "{tmp_path}/state"\n{text}')
        before = loaded(place).acme
        bring_in(tree.root, str(place), {}, is_root=True)
        assert loaded(place).acme == before
        (place.parent / "certificates.d" / f"{NAME}.toml").unlink()


def test_terms_that_were_not_agreed_to_here_are_pointed_out(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """The table is the reader's, and is not changed."""
    place.write_text(f'state_dir = "{tmp_path}/state"\n[acme]\ndirectory = "{CA}"\n')
    result = bring_in(tree.root, str(place), {}, is_root=True)
    assert [item.name for item in result.accounts] == ["default"]
    assert "[acme] has no agree_tos = true, which is needed to order" in result.notes
    assert not loaded(place).acme.agree_tos


def test_what_would_not_load_is_not_written(tree: CertbotTree, place: Path, tmp_path: Path) -> None:
    """An inline table has no end to add to."""
    text = f'state_dir = "{tmp_path}/state"\naccounts = {{ x = {{ directory = "{STAGING}" }} }}\n'
    place.write_text(text + f'[acme]\ndirectory = "{STAGING}"\n')
    before = place.read_text()
    with pytest.raises(ConfigError, match="does not load") as caught:
        bring_in(tree.root, str(place), {}, is_root=True)
    assert "by hand" in caught.value.hint
    assert place.read_text() == before
    assert os.listdir(place.parent) == ["dnsbroker.toml"]


@pytest.mark.parametrize("kind", ["missing", "file", "other", "unreadable"])
def test_what_is_neither_client_s_is_a_wrong_call(run: Run, place: Path, tmp_path: Path, kind: str) -> None:
    """Said with what would be right; nothing is written."""
    path = tmp_path / ("x" * 300 if kind == "unreadable" else "x")
    if kind == "file":
        path.touch()
    elif kind == "other":
        path.mkdir()
    before = place.read_text()
    status, out, err = run("import", str(path))
    assert (status, out) == (2, "")
    assert ("file name too long" if kind == "unreadable" else "/etc/letsencrypt") in err
    assert place.read_text() == before
    assert not (tmp_path / "state").exists()


def test_json_tells_all_of_it_and_no_secret(tree: CertbotTree, run: Run) -> None:
    """What was taken, what was not, and whether anything changed."""
    tree.lineage("bad.example")
    (tree.root / "archive" / "bad.example" / "fullchain1.pem").unlink()
    status, out, _ = run("--json", "import", str(tree.root))
    result = json.loads(out)
    assert (status, result["status"], result["command"], result["changed"]) == (1, 1, "import", True)
    assert [item["status"] for item in result["certificates"]] == ["imported", "failed"]
    assert result["certificates"][0]["names"] == [NAME, f"*.{NAME}"]
    assert result["accounts"] == [
        {"name": "default", "directory": CA, "url": f"{CA}/account/main", "status": "imported"}
    ]
    assert result["error"]["certificate"] == "bad.example"
    assert result["providers"] == []
    assert "PRIVATE KEY" not in out


def test_one_bad_lineage_makes_the_status_1(tree: CertbotTree, run: Run) -> None:
    """Though what is wrong with it is in a file: the others are taken."""
    tree.lineage("bad.example", params={"account": "nobody"})
    status, out, err = run("import", str(tree.root))
    assert status == 1
    assert f"{NAME}: taken" in out
    assert "error: bad.example: " in err
    assert "hint: " in err
