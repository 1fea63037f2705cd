"""docs/propagation.md: every verdict and every way to require agreement, held to the code."""

from __future__ import annotations

import inspect
from typing import get_args, get_type_hints

import pages
from dnsbroker.config import Config
from dnsbroker.config.model import PropagationConfig
from dnsbroker.config.reference import entries
from dnsbroker.propagation import Verdict, Watcher

PAGE = pages.text("docs/propagation.md")


def test_every_verdict_is_explained() -> None:
    """And no other."""
    table = pages.rows(pages.section(PAGE, "## What it sees"))
    assert {pages.words(row[0])[0] for row in table} == {str(verdict) for verdict in Verdict}
    assert all(row[1] for row in table)


def test_every_way_to_require_agreement_is_explained() -> None:
    """The default first, and said to be it."""
    table = pages.rows(pages.section(PAGE, "## When it is enough"))
    told = [pages.words(row[0])[0].strip('"') for row in table]
    assert told == list(get_args(get_type_hints(PropagationConfig)["require"]))
    default = Config.from_dict({}).propagation
    assert told[0] == default.require
    assert "the default" in table[0][1]
    assert f"{inspect.signature(Watcher).parameters['patience'].default:g} s" in table[0][1]


def test_every_key_is_mentioned() -> None:
    """Of the table that it explains."""
    for entry in entries(PropagationConfig):
        name = pages.words(entry.row())[0]
        assert f"`{name}`" in PAGE, name
