"""Manual pages: whole, readable by roff, and the same words as ``--help``."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

import pages
from dnsbroker import __version__
from dnsbroker.cli import main, manual
from dnsbroker.cli.program import program

PAGES = manual.pages(program)
each_page = pytest.mark.parametrize("name", PAGES)


def command_of(name: str) -> click.Command:
    """The command that a page is about."""
    command: click.Command = program
    for word in name.removesuffix(".1").split("-")[1:]:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word) or pytest.fail(name)
    return command


def rendered(text: str) -> str:
    """The page as a terminal shows it, on one line; every complaint of roff is a failure."""
    assert shutil.which("groff"), "tests/rig/install-packages installs groff-base"
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-c"]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(r"\s+", " ", re.sub(".\b", "", done.stdout))


@each_page
def test_each_page_shows_its_command_with_every_option(name: str) -> None:
    """And what the command says of itself, character for character."""
    shown = rendered(PAGES[name])
    command = command_of(name)
    assert f"SYNOPSIS {name.removesuffix('.1').replace('-', ' ')} [OPTIONS]" in shown
    first = re.sub(r"\s+", " ", (command.help or "").split("\n\n")[0]).strip()
    assert first in shown
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert all(f"{option}" in shown for option in parameter.opts)
            assert re.sub(r"\s+", " ", parameter.help or "") in shown


def test_the_examples_can_be_copied() -> None:
    """Quotes and hyphens are those of a shell, not those of a typesetter."""
    shown = rendered(PAGES["dnsbroker.1"])
    assert "dnsbroker issue -d example.org -d '*.example.org'" in shown.partition("EXAMPLES")[2]


def test_there_is_a_page_for_every_command_and_each_is_reached() -> None:
    """From the first one, which names what is below it, and so on."""
    named = {f"{page}.1" for text in PAGES.values() for page in re.findall(r"\\fB([\w\\.-]+)\\fR\(1\)", text)}
    assert {name.replace("\\-", "-") for name in named} == set(PAGES)
    assert {"dnsbroker.1", "dnsbroker-issue.1", "dnsbroker-txt-present.1"} <= set(PAGES)


def test_the_first_page_has_the_exit_statuses_of_the_program() -> None:
    """Every one that is documented."""
    table = pages.section(pages.text("docs/commands.md"), "## Exit status")
    assert {row[0] for row in pages.rows(table)} <= set(manual.STATUSES)


def test_the_same_version_gives_the_same_pages() -> None:
    """No date, no machine, nothing of the terminal."""
    assert manual.pages(program) == PAGES
    assert all(f'1 "" "dnsbroker {__version__}"' in text for text in PAGES.values())


WORDS = '.TH is no macro here\n\n\'nor is this, \\fBnor\\fR that\n\n-x `a` ^b ~c "d" \\n(.x münchen.example … 名前'


def test_nothing_that_a_command_says_is_markup() -> None:
    """Dots and quotes at the beginning of a line, backslashes, and letters that roff has no name for."""

    @click.command(help=WORDS)
    def odd() -> None:
        """Replaced by the help above."""

    @click.group(help="A group.")
    def top() -> None:
        """Replaced by the help above."""

    top.add_command(odd)
    shown = rendered(manual.pages(top)["dnsbroker-odd.1"])
    assert re.sub(r"\s+", " ", WORDS) in shown


def test_roff_s_complaints_are_seen() -> None:
    """The twin: a page with a mistake does not pass."""
    with pytest.raises(AssertionError):
        rendered(PAGES["dnsbroker.1"].replace(".SH NAME", ".SHH NAME"))


def test_pages_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for the command that is named, or all of them."""
    assert main(["config", "man", "txt", "present"]) == 0
    assert capsys.readouterr().out == PAGES["dnsbroker-txt-present.1"]
    assert main(["config", "man", "--write", str(tmp_path / "man1")]) == 0
    assert capsys.readouterr().out.endswith("next: man dnsbroker\n")
    assert {path.name: path.read_text() for path in (tmp_path / "man1").iterdir()} == PAGES


@pytest.mark.parametrize("arguments", [["nonsense"], ["issue", "--write", "x"], ["issue", "more"]])
def test_a_page_that_is_not_there_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And so is the one page into a directory for all."""
    assert main(["config", "man", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
