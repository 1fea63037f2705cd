"""docs/dane.md: its steps, words and configuration, held to the program; its picture, drawn by it."""

from __future__ import annotations

import re
import tomllib
from xml.etree import ElementTree

import click
import pytest

import pages
from dnsbroker.cli.program import program
from dnsbroker.config import Config
from dnsbroker.knowing.rollovers import THEN, Role
from dnsbroker.rolling import Step

PAGE = pages.text("docs/dane.md")
SVG = "{http://www.w3.org/2000/svg}"


def test_every_step_has_its_row() -> None:
    """With what comes next in the words of ``tlsa status``; no other."""
    told = {pages.words(row[0])[0]: row[2] for row in pages.rows(pages.section(PAGE, "## The steps"))}
    assert told == {str(step): THEN[step] for step in Step}


def test_every_part_that_a_record_plays_is_named() -> None:
    """As ``tlsa status`` has them."""
    assert [role for role in Role if f"`{role}`" not in pages.section(PAGE, "## The steps")] == []


def test_the_configuration_shown_is_one() -> None:
    """As it stands on the page."""
    (example,) = pages.blocks(PAGE, "toml")
    config = Config.from_dict(tomllib.loads(example))
    assert not config.broken
    (table,) = config.dane
    assert (table.certificate, table.endpoint[0]) == (("mail.example.org",), "smtp://mail.example.org")


def commands() -> list[list[str]]:
    """Every call of the program on the page, in words."""
    lines = [line.partition("#")[0] for block in pages.blocks(PAGE, "sh") for line in block.splitlines()]
    return [call.split()[1:] for call in [*lines, *pages.words(pages.prose(PAGE))] if call.startswith("dnsbroker ")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_shown_is_there(words: list[str]) -> None:
    """With the options that it has."""
    command: click.Command = program
    for word in [word for word in words if not word.startswith("-")]:
        if not isinstance(command, click.Group):
            break
        below = command.get_command(click.Context(command), word)
        assert below is not None, words
        command = below
    options = {name for item in (command, program) for parameter in item.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_ten_minutes_are_enough() -> None:
    """For whoever reads as fast as most do."""
    assert len(re.findall(r"\w+", pages.prose(PAGE))) < 1900


def test_the_picture_was_drawn_by_this_program() -> None:
    """Of a roll-over at several servers and addresses, each of which served one key and then the next."""
    from dnsbroker.dane.drawing import STYLE

    root = ElementTree.fromstring(pages.text("docs/dane-rollover.svg"))  # noqa: S314 - of the program's own making
    assert root.findtext(f"{SVG}style") == STYLE
    keys: dict[str, list[str]] = {}
    sets: dict[str, int] = {}
    for lane in root.iter(f"{SVG}g"):
        for bar in lane.iter(f"{SVG}rect"):
            if bar.get("class") == "key":
                keys.setdefault(lane.attrib["data-lane"], []).append(bar.attrib["data-record"])
            sets[lane.attrib["data-lane"]] = sets.get(lane.attrib["data-lane"], 0) + (bar.get("class") == "set")
    assert len(keys) >= 2
    assert {len(served) for served in keys.values()} == {2}
    assert len({tuple(served) for served in keys.values()}) == 1
    assert len([server for server, count in sets.items() if count >= 3]) >= 2
