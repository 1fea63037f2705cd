"""docs/tlsa-check.md: every word that a finding can have, as grave as it is, and the examples as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pages
from dnsbroker.dane.faults import FAULTS

PAGE = pages.text("docs/tlsa-check.md")
SOURCES = sorted((pages.ROOT / "dnsbroker" / "dane").glob("*.py"))
#: A finding of ``dnsbroker.checks``, which is passed on.
PASSED_ON = {"wildcard-shadowing": "error"}


def rows() -> dict[str, str]:
    """The severity of each word by the page."""
    return {word: row[1] for row in pages.rows(pages.section(PAGE, "## The words")) for word in pages.words(row[0])}


def test_every_word_has_its_row() -> None:
    """With its severity, and no row is without its word."""
    assert rows() == {word: str(fault.severity) for word, fault in FAULTS.items()} | PASSED_ON


def test_every_row_says_something() -> None:
    """What it means, in more than a word."""
    for row in pages.rows(pages.section(PAGE, "## The words")):
        assert len(row[2].split()) > 4, row


def test_every_word_can_be_found() -> None:
    """Some module finds it: by a literal, or by the like-named check of `tlsa compute`."""
    from dnsbroker.tlsa.objections import CHECKS

    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != Path("faults.py").name)
    assert [word for word in FAULTS if f'"{word}"' not in source and word not in CHECKS] == []


def test_the_table_of_an_endpoint_is_as_it_is_printed() -> None:
    """The page's example has the lines that the program makes."""
    (block,) = pages.blocks(PAGE, "console")
    assert re.search(r"^fault: smtp://mail\.example\.org \(by example\.org MX\)$", block, re.MULTILINE)
