"""The plugin before it is used: its options, what it finds out when certbot prepares it, and how it is packed."""

from __future__ import annotations

import ast
import os
import sys
import tomllib
from argparse import ArgumentParser
from pathlib import Path

import pytest
from certbot import errors

import dnsbroker
import pages
from certbot_dns_dnsbroker import authenticator
from certbot_dns_dnsbroker.authenticator import Authenticator
from certbot_plugin import DONE, NO_PROVIDER, NOT_EVERYWHERE, Made, Stub, makes

PACKAGING = Path(__file__).parent.parent / "packaging" / "certbot-dns-dnsbroker"


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    made = Stub(tmp_path / "dnsbroker")
    made.says(DONE)
    return made


@pytest.fixture
def plugin(stub: Stub, tmp_path: Path) -> Made:
    return makes(stub, tmp_path)


def test_a_missing_program_is_misconfiguration(plugin: Made) -> None:
    """With which certbot still lists the plugin."""
    with pytest.raises(errors.MisconfigurationError, match="--dns-dnsbroker-program"):
        plugin("--dns-dnsbroker-program", "/nowhere/dnsbroker").prepare()


def test_a_program_that_cannot_be_started_is_misconfiguration(plugin: Made, stub: Stub) -> None:
    """Its virtual environment may have gone."""
    stub.path.write_text("#!/nowhere/bin/python\n")
    with pytest.raises(errors.MisconfigurationError, match="cannot be run: No such file"):
        plugin().prepare()


def test_a_broken_configuration_is_found_before_an_order(plugin: Made, stub: Stub) -> None:
    """By the one command that reads the whole of it and asks nobody."""
    stub.says({**NO_PROVIDER, "errors": [{"message": "x.toml: stat_dir: unknown key", "hint": "state_dir"}]}, status=2)
    with pytest.raises(errors.MisconfigurationError, match="unknown key"):
        plugin().prepare()
    assert stub.calls == ["--json list"]


def test_a_program_that_is_no_dnsbroker_is_found_before_an_order(plugin: Made) -> None:
    """It ends with 0, whatever it is asked."""
    with pytest.raises(errors.MisconfigurationError, match="/true ended with status 0 and no result"):
        plugin("--dns-dnsbroker-program", "true").prepare()


def test_a_program_that_hangs_is_found_before_an_order(
    plugin: Made, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends, and so does what it started and left behind."""
    monkeypatch.setattr(authenticator, "_PATIENCE", 1.0)
    stub.does('echo $$ >"$0.group"', "sleep 600 &", "sleep 600")
    with pytest.raises(errors.MisconfigurationError, match="did not answer within 1 seconds"):
        plugin().prepare()
    with pytest.raises(ProcessLookupError):
        while True:
            os.killpg(int(Path(f"{stub.path}.group").read_text()), 0)


def test_paths_are_kept_as_absolute_ones(
    plugin: Made, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certbot stores its options for renewals, which begin in another directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    made = plugin("--dns-dnsbroker-program", "./dnsbroker", "--dns-dnsbroker-config", "x.toml")
    made.prepare()
    assert stub.calls == [f"--json --config {tmp_path}/x.toml list"]
    assert made.config.namespace.dns_dnsbroker_program == str(stub.path)
    assert made.config.namespace.dns_dnsbroker_config == f"{tmp_path}/x.toml"
    made = plugin("--dns-dnsbroker-program", str(stub.path), "--dns-dnsbroker-config", "~/x.toml")
    made.prepare()
    assert made.config.namespace.dns_dnsbroker_config == "/home/someone/x.toml"


def test_a_word_is_looked_for_on_the_path_each_time(plugin: Made, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program may stand elsewhere after the next upgrade; and no configuration is none."""
    monkeypatch.setenv("PATH", str(stub.path.parent), prepend=os.pathsep)
    made = plugin("--dns-dnsbroker-program", "dnsbroker")
    made.prepare()
    assert made.config.namespace.dns_dnsbroker_program == "dnsbroker"
    assert stub.calls == ["--json list"]


def test_a_certificate_of_dnsbrokers_own_that_is_ill_hinders_nothing(plugin: Made, stub: Stub) -> None:
    """Only a configuration that cannot be read does."""
    stub.says({**NOT_EVERYWHERE, "status": 1}, status=1)
    plugin().prepare()


@pytest.mark.parametrize("page", ["docs/certbot.md", "packaging/certbot-dns-dnsbroker/README.md"])
def test_every_option_is_on_the_page(page: str) -> None:
    """And no other is."""
    parser = ArgumentParser(add_help=False)
    Authenticator.inject_parser_options(parser, "dns-dnsbroker")
    rows = pages.rows(pages.text(page))
    assert {pages.words(row[0])[0] for row in rows if row[0].startswith("`--dns-dnsbroker-")} == {
        option for action in parser._actions for option in action.option_strings
    }


def test_it_imports_nothing_but_certbots_own_and_pythons() -> None:
    """Certbot loads each plugin for each of its commands: what could not be imported would break them all."""
    trees = [ast.parse(path.read_text()) for path in (PACKAGING / "certbot_dns_dnsbroker").glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign == {"acme", "certbot", "certbot_dns_dnsbroker"}


def test_it_depends_on_certbot_alone_and_has_dnsbrokers_version() -> None:
    """The two are released together; neither sees the other's packages."""
    project = tomllib.loads((PACKAGING / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == ["certbot>=2.1"]
    assert project["version"] == dnsbroker.__version__
    assert project["entry-points"] == {
        "certbot.plugins": {"dns-dnsbroker": f"{Authenticator.__module__}:{Authenticator.__name__}"}
    }
    assert (PACKAGING / "LICENSE").read_text() == (PACKAGING.parent.parent / "LICENSE").read_text()
