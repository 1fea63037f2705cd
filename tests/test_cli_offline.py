"""Commands that contact nobody: the configuration, its errors, and what is there already."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.cli import main
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config
from dnsbroker.config.adapters import Adapters
from dnsbroker.journal import Journal, Leases
from dnsbroker.records import Record

#: No question can leave this machine, whatever is tried.
NOWHERE = '[dns]\nresolvers = ["127.0.0.99:1"]\n'
PROVIDER = '[providers.p]\ntype = "powerdns"\nurl = "http://127.0.0.99:1"\napi_key = { env = "KEY_OF_P" }\n'
GOOD = '[certificates."a.example"]\n'
BROKEN = '[certificates."b.example"]\nmood = 1\n'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a configuration, which the program then finds."""

    def write(text: str) -> Path:
        path = tmp_path / "dnsbroker.toml"
        path.write_text(f'state_dir = "{tmp_path}/state"\n{text}')
        monkeypatch.setenv("DNSBROKER_CONFIG", str(path))
        return path

    return write


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the program; its status, stdout and stderr."""

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def result(out: str) -> dict[str, Any]:
    """The last object on stdout."""
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.parametrize("types", [(), ("powerdns",), ("rfc2136",), ("rfc2136", "powerdns")], ids=" ".join)
@pytest.mark.parametrize("options", [(), ("--all",)], ids=" ".join)
def test_each_example_loads(tmp_path: Path, run: Run, types: tuple[str, ...], options: tuple[str, ...]) -> None:
    """As it is printed, and as JSON holds it."""
    status, out, err = run("config", "example", *types, *options)
    assert (status, err) == (0, "")
    (tmp_path / "printed.toml").write_text(out)
    config = Config.load(tmp_path / "printed.toml", environment={}, is_root=True)
    assert set(config.providers) >= set(types)
    assert list(config.certificates) == ["example.org"]
    assert result(run("--json", "config", "example", *types, *options)[1])["text"] == out


def test_an_example_of_a_type_that_is_not_installed_names_the_nearest(run: Run) -> None:
    """And all there are."""
    status, out, err = run("config", "example", "powrdns")
    assert (status, out) == (2, "")
    assert err == (
        "error: no adapter for type powrdns is installed; the nearest is powerdns\n"
        f"hint: installed are {', '.join(Adapters())}\n"
    )


def test_a_configuration_without_fault_is_said_to_have_none(
    configured: Callable[[str], Path], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is in it."""
    path = configured(NOWHERE + PROVIDER + GOOD)
    monkeypatch.setenv("KEY_OF_P", "x")
    assert run("config", "check") == (0, f"{path}: 1 certificate, 1 provider, no errors\n", "")
    assert run("-q", "config", "check") == (0, "", "")


def test_every_fault_is_told_at_once(configured: Callable[[str], Path], run: Run) -> None:
    """A secret that is not there, and a key that nobody knows; each with its cure."""
    path = configured(NOWHERE + PROVIDER + BROKEN)
    status, out, err = run("config", "check")
    assert (status, out) == (2, "")
    assert f"error: {path}: [providers.p] api_key: " in err
    assert f'error: {path}: [certificates."b.example"] mood: unknown key; the nearest known key is mode' in err
    assert err.count("\nhint: ") == 2
    told = result(run("--json", "config", "check")[1])
    assert (told["status"], len(told["errors"])) == (2, 2)


WRONG = {
    "a file that is not there": (None, (), "there is no such file"),
    "no TOML": ("= 1", (), "line 2, column 1"),
    "an unknown table": ("[propagatoin]", (), "propagatoin: unknown key; the nearest known key is propagation"),
    "an unknown key": (
        '[acme]\ndirectoy = "x"',
        (),
        "[acme] directoy: unknown key; the nearest known key is directory",
    ),
    "a value of another kind": ("parallel = true", (), "parallel: "),
    "a provider without a type": ("[providers.p]", (), "[providers.p] type: "),
    "a certificate that is not there": (GOOD, ("a.exmaple",), "no certificate 'a.exmaple' is configured"),
    "a certificate that is wrong": (BROKEN, ("b.example",), '[certificates."b.example"] mood: unknown key'),
    "terms that nobody agreed to": (GOOD, ("a.example",), "[acme] agree_tos: "),
    "a server to ignore that is none": (GOOD, ("--ignore", "a..b"), "--ignore: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_whatever_is_wrong_is_named_before_anybody_is_contacted(
    tmp_path: Path, configured: Callable[[str], Path], run: Run, case: str
) -> None:
    """File and key, or the argument; in one line, with a hint, and status 2."""
    text, arguments, words = WRONG[case]
    path = configured(text or "")
    if text is None:
        path.unlink()
    status, out, err = run("issue", *arguments)
    assert (status, out) == (2, "")
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert words in error
    assert hint.startswith("hint: ")
    assert not (tmp_path / "state" / "accounts").exists()


def test_a_key_that_is_none_is_named(tmp_path: Path, configured: Callable[[str], Path], run: Run) -> None:
    """With its file."""
    configured(f"[acme]\nagree_tos = true\n{NOWHERE}{GOOD}")
    (tmp_path / "key.pem").write_text("no key")
    status, _, err = run("issue", "a.example", "--key", str(tmp_path / "key.pem"))
    assert status == 2
    assert f"error: {tmp_path / 'key.pem'}: " in err


@pytest.mark.parametrize(
    "names", [("bad..name",), ("a.example", "b_c.example"), ("*.*.example",), ("x" * 64 + ".example",)]
)
def test_a_name_that_is_none_is_named(configured: Callable[[str], Path], run: Run, names: tuple[str, ...]) -> None:
    """Where a certificate in no file was asked for."""
    configured(NOWHERE + "[acme]\nagree_tos = true\n")
    status, _, err = run("issue", *(word for name in names for word in ("-d", name)))
    assert status == 2
    assert names[-1] in err.splitlines()[0]


def test_an_error_in_one_certificate_is_a_failure_where_all_are_meant(
    configured: Callable[[str], Path], run: Run
) -> None:
    """The others are worked on; the status is that of a failure."""
    configured(NOWHERE + BROKEN)
    status, _, err = run("renew")
    assert status == 1
    assert "mood: unknown key" in err
    told = result(run("--json", "renew")[1])
    assert (told["status"], told["certificates"][0]["status"]) == (1, "failed")


def test_where_nothing_is_there_nothing_is_listed(tmp_path: Path, configured: Callable[[str], Path], run: Run) -> None:
    """And nothing is made for it."""
    configured(NOWHERE)
    status, out, _ = run("list")
    assert (status, out) == (0, "")
    assert result(run("--json", "list")[1])["certificates"] == []
    assert not (tmp_path / "state").exists()


def test_where_nothing_is_to_be_done_that_is_said(configured: Callable[[str], Path], run: Run) -> None:
    """A silent success would leave a person in doubt."""
    configured(NOWHERE)
    assert run("renew") == (0, "nothing to do: no certificate is configured\n", "")
    assert run("issue") == (0, "nothing to do: no configured certificate is missing\n", "")
    assert run("gc") == (0, "nothing to withdraw\n", "")


def test_gc_tells_what_it_leaves_to_those_who_asked_for_it(
    tmp_path: Path, configured: Callable[[str], Path], run: Run
) -> None:
    """Values of hooks stand until somebody comes for them, or until they expire."""
    configured(NOWHERE)
    (tmp_path / "state").mkdir(mode=0o700)
    journal, clock = Journal(tmp_path / "state"), SystemClock()
    for value, expires in (("a", clock.now().timestamp() + 600), ("b", 4_102_444_800.0)):
        record = Record("_acme-challenge.example.org.", "TXT", value)
        Leases(journal, "dead", clock).want("corp", "example.org.", [record], ttl=5, expires=expires)
    journal.close()
    status, out, _ = run("gc")
    left = "left: 2 values of hooks or `txt present` stand, until 2100-01-01 00:00:00 UTC at most"
    assert (status, out) == (0, f"nothing to withdraw\n{left}\n")


def test_the_adapters_installed_are_shown(configured: Callable[[str], Path], run: Run) -> None:
    """Also where no provider is configured."""
    configured(NOWHERE)
    assert run("providers") == (0, f"adapters installed: {', '.join(Adapters())}\n", "")


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path, run: Run) -> None:
    """With what stands in the way."""
    (tmp_path / "file").write_text("")
    (tmp_path / "c.toml").write_text(f'state_dir = "{tmp_path}/file/state"\n')
    status, _, err = run("--config", str(tmp_path / "c.toml"), "gc")
    assert status in (1, 2)
    assert f"{tmp_path}/file" in err.splitlines()[0]
    assert err.splitlines()[1].startswith("hint: ")


def test_the_configuration_is_found_where_an_ordinary_user_has_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As printed by ``config example``; only root looks below /etc."""
    monkeypatch.delenv("DNSBROKER_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "dnsbroker").mkdir()
    (tmp_path / "dnsbroker" / "dnsbroker.toml").write_text(run("config", "example", "rfc2136")[1])
    config = Config.load(environment={"XDG_CONFIG_HOME": str(tmp_path)}, is_root=False)
    assert config.path == tmp_path / "dnsbroker" / "dnsbroker.toml"
    assert tomllib.loads(config.path.read_text())["providers"]["rfc2136"]["type"] == "rfc2136"
