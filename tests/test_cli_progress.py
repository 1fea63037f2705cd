"""The live table: on a terminal only, one row for each address, and gone when nobody waits."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from dnsbroker.cli.progress import Progress
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree

NAME = "_acme-challenge.example.test"
ZONE = f"@ NS ns\n@ NS ns2\nns A 127.0.0.12\nns2 A 127.0.0.13\n{NAME}. TXT here\n"


@pytest.fixture
def screen() -> Console:
    """A terminal that is text."""
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def shown_on(screen: Console) -> str:
    """All that was ever printed there, without control sequences."""
    assert isinstance(screen.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.file.getvalue())


def seen(verdict: str, **fields: object) -> dict[str, object]:
    """An event about an address."""
    told = {"zone": "example.test.", "server": "ns.example.test.", "address": "127.0.0.12", "serial": 7}
    return {"event": "server", "verdict": verdict, **told, **fields}


def test_each_address_has_a_row_with_its_latest_verdict(screen: Console) -> None:
    """And none of these events needs a line of its own."""
    progress = Progress(screen)
    assert progress.takes(seen("stale", detail="at serial 6, needs 7"))
    assert progress.takes(seen("green"))
    assert progress.takes(seen("lame", server="ns2.example.test.", address="127.0.0.13", detail="answers REFUSED"))
    progress.stop()
    last = [line.split() for line in shown_on(screen).splitlines() if "127.0.0.1" in line][-2:]
    assert last[0] == ["ns.example.test", "127.0.0.12", "has", "it", "serial", "7"]
    assert last[1] == ["ns2.example.test", "127.0.0.13", "lame", "serial", "7", "answers", "REFUSED"]


def test_an_address_with_brackets_is_shown_with_them(screen: Console) -> None:
    """They are no markup, nor is what a server said."""
    progress = Progress(screen)
    progress.takes(seen("unreachable", address="[fd00::12]:5353", detail="[bold]no answer[/bold] \udcff"))
    progress.stop()
    assert "[fd00::12]:5353" in shown_on(screen)
    assert "[bold]no answer[/bold]" in shown_on(screen)


def test_other_events_are_left_to_others(screen: Console) -> None:
    """The table neither tells nor swallows them."""
    progress = Progress(screen)
    assert not progress.takes({"event": "written", "zone": "example.test."})
    assert not progress.takes({"event": "propagated", "zone": "example.test."})
    assert shown_on(screen) == ""


def test_a_zone_that_is_through_leaves_the_rows_of_others(screen: Console) -> None:
    """Several are waited for at once."""
    progress = Progress(screen)
    progress.takes(seen("green"))
    progress.takes(seen("stale", zone="other.test.", server="ns.other.test."))
    progress.takes({"event": "propagated", "zone": "example.test."})
    progress.print("a line above")
    progress.takes({"event": "propagated", "zone": "other.test."})
    after = shown_on(screen).partition("a line above")[2]
    assert "ns.other.test" in after
    assert "ns.example.test" not in after
    progress.stop()


@contextmanager
def configured(directory: Path) -> Iterator[Path]:
    """Name servers with a zone, and a configuration that leads there."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("example NS ns.example", "ns.example A 127.0.0.12")
        tree.zone("example.test.", ZONE, "127.0.0.12", "127.0.0.13")
        path = directory / "dnsbroker.toml"
        path.write_text(
            f'state_dir = "{directory}/state"\n[dns]\nresolvers = ["127.0.0.53:{servers.port}"]\n'
            f"nameserver_port = {servers.port}\n"
        )
        yield path


def on_terminal(command: Sequence[str]) -> tuple[int, str, str]:
    """Run ``command`` with stderr on a terminal: its status, stdout, and what the terminal got."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.defpath, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    got: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(ours, got))
    reader.start()
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment, timeout=60, check=False
        )
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    return done.returncode, done.stdout, b"".join(got).decode()


def read_all(descriptor: int, got: list[bytes]) -> None:
    """Read until the other side is closed."""
    while select.select([descriptor], [], [], 60)[0]:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # how Linux says that nobody holds the other side any more
            return
        if not data:
            return
        got.append(data)


def test_a_wait_on_a_terminal_shows_the_table_and_takes_it_away(tmp_path: Path) -> None:
    """With the result on stdout as ever."""
    with configured(tmp_path) as path:
        command = [sys.executable, "-m", "dnsbroker", "--config", str(path), "wait", NAME, "--value", "here"]
        status, out, terminal = on_terminal(command)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["ns.example.test", "ns2.example.test"]
    assert "has it" in terminal
    assert "\x1b[2K" in terminal  # rows are wiped
    assert "every server has" in terminal


@pytest.mark.parametrize("option", ["-q", "--json", "-v"])
def test_there_is_no_table_where_lines_are_wanted(tmp_path: Path, option: str) -> None:
    """Nothing moves the cursor."""
    with configured(tmp_path) as path:
        command = [sys.executable, "-m", "dnsbroker", option, "--config", str(path), "wait", NAME, "--value", "here"]
        status, _, terminal = on_terminal(command)
    assert status == 0
    assert "\x1b" not in terminal


def test_there_is_no_table_in_a_file(tmp_path: Path) -> None:
    """One line for each change; the module that draws is not even imported."""
    with configured(tmp_path) as path:
        command = [sys.executable, "-X", "importtime", "-m", "dnsbroker", "--config", str(path), "wait", NAME]
        done = subprocess.run([*command, "--value", "here"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "\x1b" not in done.stderr
    assert "  ns.example.test 127.0.0.12" in done.stderr
    assert "dnsbroker.cli.progress" not in done.stderr
    assert "dnsbroker.cli.story" in done.stderr  # the twin: what is imported is seen
