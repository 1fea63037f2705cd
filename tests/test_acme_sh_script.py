"""The script for acme.sh: what it has the hook do, what it keeps, and what acme.sh is told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest

import pages

SCRIPT = files("dnsbroker.cli.hook").joinpath("dns_dnsbroker.sh")
STAND_IN = pages.ROOT / "tests" / "rig" / "acme_sh_stand_in"
NAME = "_acme-challenge.example.org"
APEX, WILDCARD = ["-d", "example.org"], ["-d", "*.example.org"]


class Host:
    """A host with acme.sh's own contract, our script, and a hook that notes its words and ends as it is told."""

    def __init__(self, home: Path) -> None:
        self.home, self.hook, self.noted = home, home / "hook", home / "noted"
        scripts = home / ".acme.sh" / "dnsapi"
        scripts.mkdir(parents=True)
        (scripts / "dns_dnsbroker.sh").write_text(SCRIPT.read_text(encoding="utf-8"))
        self.hook.write_text('#!/bin/sh\nprintf "%s|" "$@" >>"$HOME/noted"\necho >>"$HOME/noted"\n. "$HOME/then"\n')
        self.hook.chmod(0o755)
        self.then("exit 0")

    def then(self, line: str) -> None:
        """How the hook ends from now on, in shell."""
        (self.home / "then").write_text(line)

    def __call__(self, *domains: str, shell: str = "sh", **settings: str | Path) -> subprocess.CompletedProcess[str]:
        """Have a certificate issued."""
        environment: Mapping[str, str] = {name: str(value) for name, value in settings.items()}
        return subprocess.run(
            [shell, STAND_IN, "--issue", "--dns", "dns_dnsbroker", "--dnssleep", "0", *domains],
            env={"HOME": str(self.home), "PATH": os.defpath, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call of the hook."""
        lines = self.noted.read_text().splitlines() if self.noted.exists() else []
        return [line.removesuffix("|").split("|") for line in lines]

    @property
    def kept(self) -> list[str]:
        """What acme.sh keeps for renewals."""
        return (self.home / ".acme.sh" / "account.conf").read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host that has never had a certificate."""
    return Host(tmp_path)


def test_the_page_shows_the_script_whole() -> None:
    """Who has no link to the installed one copies it from there."""
    assert pages.blocks(pages.text("docs/acme.sh.md"), "shell") == [SCRIPT.read_text(encoding="utf-8")]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_hook_gets_name_and_value_as_they_are(host: Host, shell: str) -> None:
    """Apex and wildcard: two values at one name, each with a dash in front; both stand before the first is removed."""
    assert host(*APEX, *WILDCARD, shell=shell, DNSBROKER_HOOK=host.hook).returncode == 0
    (one, first, value), (two, second, other), *removed = host.calls
    assert (one, first, two, second) == ("add", NAME, "add", NAME)
    assert value != other and value.startswith("-") and len(value) == 43
    assert removed == [["rm", NAME, value], ["rm", NAME, other]]


def test_what_was_set_is_kept_for_renewals(host: Host) -> None:
    """A path with a blank too. The next call has nothing in its environment, and does the same."""
    configuration = host.home / "a directory" / "dnsbroker.toml"
    assert host(*APEX, DNSBROKER_HOOK=host.hook, DNSBROKER_CONFIG=configuration).returncode == 0
    assert host.kept == [f"SAVED_DNSBROKER_HOOK='{host.hook}'", f"SAVED_DNSBROKER_CONFIG='{configuration}'"]
    first = host.calls
    assert [call[:3] for call in first] == [
        ["--config", str(configuration), "add"],
        ["--config", str(configuration), "rm"],
    ]
    assert host(*APEX).returncode == 0
    assert host.calls == first * 2


def test_what_was_not_set_is_not_kept(host: Host) -> None:
    """The twin: what is found in PATH today may be elsewhere tomorrow."""
    (host.home / "dnsbroker-hook").symlink_to(host.hook)
    assert host(*APEX, PATH=f"{host.home}:{os.defpath}").returncode == 0
    assert host.kept == []
    assert [call[0] for call in host.calls] == ["add", "rm"]


@pytest.mark.parametrize("status", [1, 2, 3, 6, 143])
def test_any_failure_of_the_hook_is_status_1(host: Host, status: int) -> None:
    """The second value fails: acme.sh removes the first and ends; the hook itself has undone the second."""
    host.then(f'[ "$(wc -l <"$HOME/noted")" != 2 ] || {{ echo "error: why" >&2; exit {status}; }}')
    done = host(*APEX, *WILDCARD, DNSBROKER_HOOK=host.hook)
    assert done.returncode == 1
    assert [call[0] for call in host.calls] == ["add", "add", "rm"]
    assert host.calls[2] == ["rm", *host.calls[0][1:]]
    assert done.stderr == f"error: why\n{host.hook} could not add the value at {NAME}: the reason stands above.\n"


def test_a_removal_that_fails_is_told_and_stops_nothing(host: Host) -> None:
    """The other value is removed all the same."""
    host.then('[ "$1" = add ]')
    done = host(*APEX, *WILDCARD, DNSBROKER_HOOK=host.hook)
    assert done.returncode == 0
    assert [call[0] for call in host.calls] == ["add", "add", "rm", "rm"]
    assert done.stdout.count("could not be removed") == 2


def test_a_hook_that_is_not_there_is_named(host: Host) -> None:
    """With what to set; nothing is called."""
    done = host(*APEX)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no program dnsbroker-hook: set DNSBROKER_HOOK")
    assert host.calls == []
