"""Completion as shells do it, and what it may cost."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dnsbroker.cli import main

BIN = Path(sys.executable).parent
SECONDS = 30

#: Words of a call, the last one unfinished, and what is offered for it.
OFFERED: dict[str, tuple[list[str], list[str]]] = {
    "a command": (["dnsbroker", "rene"], ["renew"]),
    "a command of a group": (["dnsbroker", "config", "exam"], ["example"]),
    "an option": (["dnsbroker", "renew", "--dry"], ["--dry-run"]),
    "a certificate": (["dnsbroker", "renew", "a."], ["a.example"]),
    "a certificate in a file of its own": (["dnsbroker", "renew", "own"], ["own.example"]),
    "a certificate that was issued by -d": (["dnsbroker", "issue", "adhoc"], ["adhoc.example"]),
    "a certificate whose name is not ASCII": (["dnsbroker", "renew", "mü"], ["münchen.example"]),
    "no certificate that stands there already": (["dnsbroker", "renew", "a.example", "a"], ["adhoc.example"]),
    "a certificate to deploy": (["dnsbroker", "deploy", "own"], ["own.example"]),
    "a certificate to look at": (["dnsbroker", "status", "own"], ["own.example"]),
    "one certificate to show": (["dnsbroker", "show", "own"], ["own.example"]),
    "one certificate's log": (["dnsbroker", "log", "own"], ["own.example"]),
    "one certificate to revoke": (["dnsbroker", "revoke", "own"], ["own.example"]),
    "one certificate to delete": (["dnsbroker", "delete", "adhoc"], ["adhoc.example"]),
    "an account": (["dnsbroker", "account", "show", "--account", "te"], ["test"]),
    "a shell": (["dnsbroker", "config", "completion", "z"], ["zsh"]),
    "an adapter": (["dnsbroker", "config", "example", "powerd"], ["powerdns"]),
    "nothing for the name of a record": (["dnsbroker", "wait", "a"], []),
}


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration that names certificates in each of the places where one can stand."""
    path = tmp_path / "dnsbroker.toml"
    tables = '[certificates."a.example"]\n[certificates."münchen.example"]\n[accounts.test]\n'
    path.write_text(f'state_dir = "{tmp_path}/state"\n{tables}')
    for file in (tmp_path / "certificates.d" / "own.example.toml", tmp_path / "state/certificates/adhoc.example.toml"):
        file.parent.mkdir(parents=True)
        file.write_text("")
    return path


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Path]:
    """What the program prints for a shell, in a file."""

    def printed(shell: str) -> Path:
        assert main(["config", "completion", shell]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        path = tmp_path / f"completion.{shell}"
        path.write_text(said.out)
        return path

    return printed


def environment(configuration: Path) -> list[str]:
    """The beginning of a command that runs with the program at hand and nobody's start-up files."""
    home = configuration.parent
    return [
        "env",
        f"PATH={BIN}:/usr/bin:/bin",
        f"DNSBROKER_CONFIG={configuration}",
        f"HOME={home}",
        f"XDG_CONFIG_HOME={home}",
        "LC_ALL=C.UTF-8",
        "TERM=dumb",
    ]


def lines(command: Sequence[str | Path]) -> list[str]:
    """What ``command`` prints, sorted; without what fish tells of each behind a tabulator."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(line.partition("\t")[0] for line in done.stdout.splitlines() if line)


def installed(shell: str) -> str:
    """The path of ``shell``, which is among the packages of the lab."""
    found = shutil.which(shell)
    assert found, f"tests/rig/install-packages installs {shell}"
    return found


@pytest.mark.parametrize("case", OFFERED)
def test_bash_offers_what_fits(configuration: Path, script: Callable[[str], Path], case: str) -> None:
    """By the function that the script registers, called as bash calls it."""
    words, offered = OFFERED[case]
    program = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        "set -- $(complete -p dnsbroker); "
        'while [ "$1" != -F ]; do shift; done; "$2" dnsbroker; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    shell = [installed("bash"), "--norc", "-c", program, "bash", str(script("bash")), *words]
    assert lines([*environment(configuration), *shell]) == offered


@pytest.mark.parametrize("case", OFFERED)
def test_fish_offers_what_fits(configuration: Path, script: Callable[[str], Path], case: str) -> None:
    """As if typed and followed by the tabulator key."""
    words, offered = OFFERED[case]
    program = f"source {script('fish')}; complete --do-complete '{' '.join(words)}'"
    assert lines([*environment(configuration), installed("fish"), "--no-config", "-c", program]) == offered


@pytest.mark.parametrize("case", ["a command of a group", "a certificate whose name is not ASCII", "an option"])
def test_zsh_completes_what_fits(configuration: Path, script: Callable[[str], Path], case: str) -> None:
    """Typed on a terminal, for zsh completes nowhere else."""
    words, (offered,) = OFFERED[case]
    path = script("zsh")
    shell = [*environment(configuration), installed("zsh"), "-f", "-i"]
    before = (
        f"PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source {path}; echo READY''!\n"
    )
    type_on_terminal(shell, [(before, "READY!"), (" ".join(words) + "\t", offered)])


def type_on_terminal(command: Sequence[str], exchange: Sequence[tuple[str, str]]) -> None:
    """Type each text on a terminal, and read until what is to follow it has come."""
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    try:
        for text, wanted in exchange:
            os.write(keyboard, text.encode())
            read_until(keyboard, wanted)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def read_until(terminal: int, wanted: str) -> None:
    """Read what the shell writes until ``wanted`` is in it."""
    seen = b""
    while wanted.encode() not in seen:
        readable, _, _ = select.select([terminal], [], [], SECONDS)
        assert readable, seen.decode(errors="replace")
        seen += os.read(terminal, 4096)


@pytest.mark.parametrize(
    "text", ["= no TOML", '[certificates]\n"a.example" = 1\n[acme]\nnonsense = 1\n', "certificates = 1"]
)
def test_whatever_is_wrong_nothing_is_said(configuration: Path, text: str) -> None:
    """An error in the middle of somebody's line helps nobody; what can be read is offered all the same."""
    configuration.write_text(text)
    call = ["_DNSBROKER_COMPLETE=bash_complete", "COMP_WORDS=dnsbroker renew a", "COMP_CWORD=2", "dnsbroker"]
    found = lines([*environment(configuration), *call])
    assert found == (["plain,a.example"] if "a.example" in text else [])


def test_the_configuration_that_the_line_names_is_read(configuration: Path) -> None:
    """Not the usual one."""
    usual = configuration.with_name("usual.toml")
    usual.write_text('[certificates."other.example"]\n')
    words = f"COMP_WORDS=dnsbroker --config {configuration} renew mü"
    call = ["_DNSBROKER_COMPLETE=bash_complete", words, "COMP_CWORD=4", "dnsbroker"]
    assert lines([*environment(usual), *call]) == ["plain,münchen.example"]


def test_a_path_is_the_shell_s_affair(configuration: Path) -> None:
    """It is asked to complete files itself."""
    words = "COMP_WORDS=dnsbroker --config x"
    call = ["_DNSBROKER_COMPLETE=bash_complete", words, "COMP_CWORD=2", "dnsbroker"]
    assert lines([*environment(configuration), *call]) == ["file,x"]


def test_a_shell_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that are."""
    assert main(["config", "completion", "tcsh"]) == 2
    said = capsys.readouterr()
    assert "'bash', 'zsh', 'fish'" in said.err
    assert said.err.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize("words", ["dnsbroker ren", "dnsbroker renew a", "dnsbroker config example p"])
def test_completing_imports_nothing_that_is_heavy(configuration: Path, words: str) -> None:
    """It happens between two keystrokes."""
    code = (
        "import sys\nfrom dnsbroker.cli import main\n"
        "main([])\n"
        "print(*sorted({'acme', 'httpx', 'cryptography', 'dns', 'asyncio', 'rich', 'sqlite3'} & set(sys.modules)))"
    )
    count = f"COMP_CWORD={len(words.split()) - 1}"
    call = ["_DNSBROKER_COMPLETE=bash_complete", f"COMP_WORDS={words}", count, sys.executable, "-c", code]
    done = subprocess.run(
        [*environment(configuration), *call], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stdout.startswith("plain,")
    assert done.stderr == ""
