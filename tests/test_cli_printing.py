"""What reaches the user, whatever happens: words instead of tracebacks, through whatever the streams really are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from dnsbroker.cli import main, streams
from dnsbroker.cli.options import Options
from dnsbroker.cli.output import Failure, Output, Result
from dnsbroker.cli.program import _COMMANDS
from dnsbroker.environment import variables
from dnsbroker.errors import BrokerError

SECONDS = 30

FAULTY = """
import click
from dnsbroker.cli.grammar import common

@click.command()
@common
def fault():
    {}
"""

Plant = Callable[[str], None]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Let ``dnsbroker fault`` do something that no command does."""
    monkeypatch.setitem(_COMMANDS, "fault", (f"faulty_{tmp_path.name}:fault", "Fail."))
    monkeypatch.syspath_prepend(tmp_path)

    def planted(statement: str) -> None:
        (tmp_path / f"faulty_{tmp_path.name}.py").write_text(FAULTY.format(statement))

    return planted


def shell(
    line: str, *arguments: str | bytes, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which ``"$@"`` is the program with ``arguments``; pipes fail as their first part does."""
    command = ["bash", "-c", f"set -o pipefail; {line}", "bash", sys.executable, "-m", "dnsbroker", *arguments]
    return subprocess.run(
        command, capture_output=True, timeout=SECONDS, check=False, env={**variables(), **(environment or {})}
    )


def test_a_defect_is_told_in_words(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """No user sees a traceback; the hint says how to get one."""
    plant("raise KeyError('lost')")
    assert main(["fault"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "error: internal error: KeyError: 'lost'",
        "hint: this is a defect: run the same with -vv, and report what it prints",
    ]


def test_a_defect_is_told_whole_to_who_wants_everything(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """With -vv, for the report."""
    plant("raise KeyError('lost')")
    assert main(["fault", "-vv"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "error: internal error: KeyError: 'lost'\nhint: please report" in err


def test_a_defect_without_words_is_told_by_its_name(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing after it."""
    plant("assert False")
    assert main(["fault"]) == 1
    assert capsys.readouterr().err.startswith("error: internal error: AssertionError\n")


def test_a_defect_is_a_result_in_json(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that reads the last line finds one."""
    plant("raise KeyError('lost')")
    assert main(["--json", "fault"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["event"], told["command"], told["status"], told["error"]["kind"]) == ("result", "fault", 1, "internal")
    assert said.err == ""


def test_ctrl_c_before_the_work_begins_ends_quietly(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """With the status that shells expect."""
    plant("raise KeyboardInterrupt")
    assert main(["fault"]) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err


def test_ctrl_c_before_the_work_begins_is_a_result_in_json(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    """Even then."""
    plant("raise KeyboardInterrupt")
    assert main(["fault", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["status"] == 130


def test_ctrl_c_while_the_command_line_is_loading_ends_quietly(tmp_path: Path) -> None:
    """Nothing has been done yet, so nothing is told."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = shell('exec "$@"', "list", environment={"PYTHONPATH": f"{tmp_path}:{variables().get('PYTHONPATH', '')}"})
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_who_stops_reading_ends_nothing() -> None:
    """`| head` has seen enough; the program ends as it would have."""
    done = shell('"$@" | true', "config", "example", "--all")
    assert (done.returncode, done.stderr) == (0, b"")
    assert shell('"$@" | true', "--json", "config", "example", "--all").stderr == b""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_who_stops_reading_help_sees_no_traceback(argument: str) -> None:
    """Whatever status a pipe has there."""
    assert shell('"$@" | true', argument).stderr == b""


def test_a_run_goes_on_when_its_reader_has_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """Event after event; certificates are not given up for that."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        output, result = Output(Options(json=True), "renew"), Result()
        for number in range(3):
            output.event({"event": "waiting", "seconds": number})
        output.end(result)
    assert result.status == 0
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_told_and_is_no_success() -> None:
    """What was asked for is not there."""
    done = shell('"$@" >/dev/full', "config", "example")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        b"error: standard output cannot be written: No space left on device",
        b"hint: make room where it goes",
    ]


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_a_full_disk_brings_no_traceback(argument: str) -> None:
    """Nor a second complaint when the interpreter ends."""
    done = shell('"$@" >/dev/full', argument)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_full_disk_under_stderr_ends_nothing() -> None:
    """The story is lost, the result is not."""
    done = shell('"$@" 2>/dev/full', "config", "example")
    assert done.returncode == 0
    assert done.stdout.startswith(b"# The shortest configuration that works")


def test_without_streams_there_is_still_a_status() -> None:
    """A daemon may have closed them."""
    assert shell('"$@" >&- 2>&-', "config", "example").returncode == 0
    assert shell('"$@" >&- 2>&-', "isue").returncode == 2
    assert shell('"$@" <&-', "--version").returncode == 0


NOT_UTF8 = b"a\xff.example"


@pytest.mark.parametrize("character_set", ["C", "C.UTF-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("txt", "present", "_acme-challenge.example", NOT_UTF8),
        ("txt", "present", NOT_UTF8, "value"),
        ("issue", "-d", NOT_UTF8),
        ("issue", NOT_UTF8),
        ("--config", NOT_UTF8, "list"),
        (NOT_UTF8,),
    ],
    ids=lambda arguments: " ".join(str(word) for word in arguments),
)
def test_what_is_no_text_is_refused_in_words(
    tmp_path: Path, arguments: Sequence[str | bytes], character_set: str
) -> None:
    """In every character set, as JSON too; nobody is contacted."""
    configuration = tmp_path / "dnsbroker.toml"
    configuration.write_text(f'state_dir = "{tmp_path}/state"\n')
    environment = {"DNSBROKER_CONFIG": str(configuration), "LC_ALL": character_set}
    done = shell('"$@"', *arguments, environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr
    done = shell('"$@"', "--json", *arguments, environment=environment)
    assert (done.returncode, done.stderr) == (2, b"")
    assert json.loads(done.stdout)["error"]["message"]


def test_everything_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A value that no text can be, in the story, in the result, in an error and as JSON."""
    streams.prepare()
    value = "\udcff \ud800 ä 😀"
    for is_json in (False, True):
        output = Output(Options(json=is_json), "wait")
        output.event({"event": "warning", "message": value})
        output.end(Result(status=1, lines=[value], failures=[Failure(BrokerError(value, hint=value))]))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["message"] == value


def test_json_is_right_in_every_character_set(tmp_path: Path) -> None:
    """Even in one that has no other letters than ASCII."""
    (tmp_path / "dnsbroker.toml").write_text('"ä😀" = 1\n', encoding="utf-8")
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    arguments = ("--config", str(tmp_path / "dnsbroker.toml"), "list")
    done = shell('"$@"', "--json", *arguments, environment=environment)
    assert done.returncode == 2
    assert "ä😀" in json.loads(done.stdout.decode("ascii"))["error"]["message"]
    assert b"\\xe4\\U0001f600" in shell('"$@"', *arguments, environment=environment).stderr


def test_what_libraries_log_is_not_for_the_user(tmp_path: Path) -> None:
    """Only with -vv: Python would print it, tracebacks and all."""
    configuration = tmp_path / "dnsbroker.toml"
    configuration.write_text(f'state_dir = "{tmp_path}/state"\n')
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, logging\natexit.register(lambda: logging.getLogger('asyncio').error('odd'))\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{variables().get('PYTHONPATH', '')}"}
    arguments = ("--config", str(configuration), "providers")
    assert shell('"$@"', *arguments, environment=environment).stderr == b""
    assert shell('"$@"', "-vv", *arguments, environment=environment).stderr == b"odd\n"


def test_sigterm_before_the_work_begins_ends_the_program() -> None:
    """As it would end any other; nothing has been written yet."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\nfrom dnsbroker.cli import main\nprint(flush=True)\nopen(0).read()\nmain([])",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == -signal.SIGTERM
