"""How the program is called: options on either side, and words for every wrong call."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dnsbroker
from dnsbroker.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the program in a directory with an empty configuration; its status, stdout and stderr."""
    configuration = tmp_path / "dnsbroker.toml"
    configuration.write_text(f'state_dir = "{tmp_path}/state"\n')
    monkeypatch.setenv("DNSBROKER_CONFIG", str(configuration))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def result(out: str) -> dict[str, Any]:
    """The last object on stdout."""
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.parametrize("arguments", [*itertools.permutations(["--json", "list"]), ("list", "--json", "-q", "-v")])
def test_options_stand_on_either_side_of_the_command(run: Run, arguments: tuple[str, ...]) -> None:
    """And mean the same there."""
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert result(out)["command"] == "list"


@pytest.mark.parametrize(
    "arguments",
    [("--json", "config", "example"), ("config", "--json", "example"), ("config", "example", "--json")],
)
def test_options_stand_on_either_side_of_a_command_in_a_group(run: Run, arguments: tuple[str, ...]) -> None:
    """In all three places."""
    status, out, _ = run(*arguments)
    assert status == 0
    assert result(out)["command"] == "config example"


@pytest.mark.parametrize("arguments", [("--config", "other.toml", "list"), ("list", "--config", "other.toml")])
def test_the_configuration_named_is_the_one_that_is_read(run: Run, arguments: tuple[str, ...]) -> None:
    """On either side; before the environment's."""
    status, _, err = run(*arguments)
    assert status == 2
    assert "other.toml: there is no such file, named with --config" in err
    assert "\nhint: " in err


def test_of_two_the_one_nearer_to_the_end_is_read(run: Run) -> None:
    """As with every other program."""
    assert "last.toml" in run("--config", "first.toml", "list", "--config", "last.toml")[2]


def test_the_version(run: Run) -> None:
    """On stdout, by itself."""
    assert run("--version") == (0, f"dnsbroker {dnsbroker.__version__}\n", "")


def test_python_m_dnsbroker_is_the_program(tmp_path: Path) -> None:
    """By name and exit status."""
    command = [sys.executable, "-m", "dnsbroker"]
    good = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (good.returncode, good.stdout) == (0, f"dnsbroker {dnsbroker.__version__}\n")
    bad = subprocess.run([*command, "isue"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert bad.returncode == 2
    assert bad.stderr.startswith("error: no such command 'isue'")


@pytest.mark.parametrize("arguments", [("-h",), ("--help",), ("issue", "-h"), ("config", "example", "--help")])
def test_help_is_everywhere(run: Run, arguments: tuple[str, ...]) -> None:
    """On stdout, with status 0."""
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: dnsbroker")


@pytest.mark.parametrize("arguments", [(), ("txt",), ("config",)])
def test_a_group_called_alone_shows_its_help_as_an_answer_to_a_wrong_call(run: Run, arguments: tuple[str, ...]) -> None:
    """On stderr, with status 2: a script that forgot a word must not go on."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: dnsbroker")


WRONG = {
    ("isue",): ("no such command 'isue'; the nearest is issue", ""),
    ("zzz",): ("no such command 'zzz'", ""),
    ("config", "chekc"): ("no such command 'chekc'; the nearest is check", "config"),
    ("txt", "clean"): ("no such command 'clean'; the nearest is cleanup", "txt"),
    ("-q",): ("missing command", ""),
    ("issue", "--forse"): ("no such option --forse; the nearest is --force", "issue"),
    ("issue", "--zzz"): ("no such option --zzz", "issue"),
    ("-x", "list"): ("no such option -x", ""),
    ("issue", "--key"): ("option '--key' requires an argument", "issue"),
    ("list", "extra"): ("got unexpected extra argument (extra)", "list"),
    ("issue", "a", "-d", "b"): ("name configured certificates, or give names with -d, not both", "issue"),
    ("issue", "--name", "a"): ("--name goes with -d", "issue"),
    ("issue", "--key-type", "rsa2048"): ("--key-type goes with -d", "issue"),
    ("issue", "--key", "f"): ("--key goes with exactly one certificate", "issue"),
    ("renew", "a", "b", "--key", "f"): ("--key goes with exactly one certificate", "renew"),
    ("renew", "a", "--key", "f", "--new-key"): ("--key and --new-key contradict each other", "renew"),
    ("txt", "present"): ("missing argument 'NAME VALUE [NAME VALUE]...'", "txt present"),
    ("txt", "present", "a"): ("'a' has no value: give NAME VALUE, and again as often as needed", "txt present"),
    ("txt", "cleanup", "a", "v", "b"): (
        "'b' has no value: give NAME VALUE, and again as often as needed",
        "txt cleanup",
    ),
    ("txt", "present", "a", ""): ("the value for 'a' is empty", "txt present"),
    ("wait", "a"): ("missing option '--value'", "wait"),
    ("wait", "a", "--value", "v", "--type", "MX"): ("invalid value for '--type'", "wait"),
    ("wait", "a", "--value", "v", "--timeout", "5x"): ("invalid value for '--timeout'", "wait"),
    ("txt", "present", "a", "v", "--expires", "soon"): ("invalid value for '--expires'", "txt present"),
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_wrong_call_is_answered_in_words(run: Run, arguments: tuple[str, ...]) -> None:
    """One line that names the word, one that says where help is, and status 2."""
    words, command = WRONG[arguments]
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    error, hint = err.splitlines()
    assert error.startswith(f"error: {words}")
    assert not error.endswith(".")
    assert hint == f"hint: `{' '.join(('dnsbroker', *command.split()))} --help` shows how it is called"


@pytest.mark.parametrize(
    "arguments", [("--json", "isue"), ("issue", "--forse", "--json"), ("issue", "a", "-d", "b", "--json")]
)
def test_a_wrong_call_is_answered_in_json_where_that_was_asked_for(run: Run, arguments: tuple[str, ...]) -> None:
    """Even if the mistake comes first."""
    status, out, err = run(*arguments)
    assert (status, err) == (2, "")
    told = result(out)
    assert (told["event"], told["status"], told["error"]["kind"]) == ("result", 2, "usage")
    assert told["error"]["message"]
    assert told["error"]["hint"]


def test_quiet_silences_success_and_nothing_else(run: Run) -> None:
    """Failures are heard."""
    assert run("-q", "renew") == (0, "", "")
    assert run("renew", "-q") == (0, "", "")
    status, out, err = run("-q", "renew", "nope")
    assert (status, out) == (2, "")
    assert "no certificate 'nope' is configured" in err
