"""docs/commands.md: help texts, options, exit statuses and the result object, held to the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import get_args

import click
import pytest

import pages
from dnsbroker import errors
from dnsbroker.certifying import Status
from dnsbroker.cli import exit_status, main
from dnsbroker.cli.program import program

PAGE = pages.text("docs/commands.md")


def commands(command: click.Command = program, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group by its words."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))


def called(words: tuple[str, ...]) -> str:
    """How the command is called."""
    return " ".join(("dnsbroker", *words))


@pytest.mark.parametrize("words", list(commands()), ids=called)
def test_each_help_text_is_the_program_s(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word for word, as wide as a terminal usually is."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*words, "--help"]) == 0
    wanted = f"$ {called(words)} --help\n{capsys.readouterr().out.rstrip()}\n"
    assert wanted in pages.blocks(PAGE, "console"), wanted


def test_no_help_text_is_shown_of_a_command_that_is_not_there() -> None:
    """What comes later is promised nowhere."""
    shown = {block.partition(" --help\n")[0].removeprefix("$ ") for block in pages.blocks(PAGE, "console")}
    assert shown == {called(words) for words in commands()}


def test_every_command_stands_in_the_overview() -> None:
    """With a link to its section."""
    overview = {word for row in pages.rows(PAGE.partition("## Exit status")[0]) for word in pages.words(row[0])}
    groups = {("txt",), ("tlsa",), ("config",), ("account",), ("hook",)}
    assert overview == {" ".join(words) for words in commands() if words and words not in groups}


def test_every_help_ends_in_real_examples() -> None:
    """That begin with the command itself, where there is one; groups show their commands instead."""
    for block in pages.blocks(PAGE, "console"):
        words = block.splitlines()[0].removeprefix("$ ").removesuffix(" --help")
        if "\nCommands:\n" in block:
            continue
        examples = block.partition("\n  Example")[2].splitlines()[1:]
        assert examples, words
        assert all(re.match(rf"    {words}\b|    dnsbroker -", line) for line in examples), words


def test_the_table_of_exit_statuses_is_the_program_s() -> None:
    """Every status that an error can have, and those of signals; no other."""
    statuses = {
        int(status) for row in pages.rows(pages.section(PAGE, "## Exit status")) for status in row[0].split(",")
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BrokerError)]
    by_errors = {exit_status.of(kind.__new__(kind)) for kind in kinds}
    assert statuses == by_errors | {exit_status.DONE, exit_status.CHECK, 130, 143}


def test_the_order_of_exit_statuses_is_the_program_s() -> None:
    """Each wins over all that come after it."""
    stated = re.search(r"the first of ([\d, ]+)\.", PAGE)
    assert stated
    order = [int(status) for status in stated[1].split(",")]
    assert [exit_status.gravest(order[index:]) for index in range(len(order))] == order


def test_getting_started_says_what_to_do_at_each_status() -> None:
    """For all but success."""
    table = pages.section(pages.text("docs/getting-started.md"), "## When it does not work")
    told = {row[0] for row in pages.rows(table)}
    listed = {row[0] for row in pages.rows(pages.section(PAGE, "## Exit status"))}
    assert told == listed - {"0"}


def test_the_result_object_has_the_fields_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of an example, and those of an error."""
    (example,) = pages.blocks(PAGE, "json")
    shown = set(json.loads(example))
    assert main(["--json", "config", "example"]) == 0
    good = set(json.loads(capsys.readouterr().out))
    assert good - {"text"} == shown
    assert main(["--json", "config", "example", "nonsense"]) == 2
    bad = set(json.loads(capsys.readouterr().out))
    documented = {word for row in pages.rows(pages.section(PAGE, "## --json")) for word in pages.words(row[0])}
    assert bad - {"event", "time"} == documented


def test_every_status_of_a_certificate_is_told() -> None:
    """On this page and in the library's."""
    for page in (pages.section(PAGE, "## --json"), pages.text("docs/library.md")):
        assert [status for status in get_args(Status) if f"`{status}`" not in page] == []


def test_every_option_stands_on_the_page() -> None:
    """By way of the help texts; so does its own help."""
    for words in commands():
        command: click.Command = program
        for word in words:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word) or command
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (words, parameter.name)
                assert all(option in PAGE for option in parameter.opts)
