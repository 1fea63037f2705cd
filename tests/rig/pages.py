"""The project's pages as data: their blocks, tables, headers and links.

Rule: what a page shows is taken from it as it stands, so that a test that runs it runs what people read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))


def text(path: str) -> str:
    """The page ``path``, relative to the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> Sequence[str]:
    """The fenced blocks of ``page`` (its text) in ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def prose(page: str) -> str:
    """``page`` without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def section(page: str, header: str) -> str:
    """What stands below ``header`` (with its ``#``), up to the next header of the same depth or less."""
    depth = len(header) - len(header.lstrip("#"))
    plain = re.sub(r"^```.*?^```$", lambda block: block[0].replace("\n#", "\n "), page, flags=re.MULTILINE | re.DOTALL)
    found = re.search(rf"^{re.escape(header)}\n(.*?)(?=^#{{1,{depth}}} |\Z)", plain, re.MULTILINE | re.DOTALL)
    assert found, f"there is no header {header}"
    return page[found.start(1) : found.end(1)]


def rows(part: str) -> list[list[str]]:
    """The cells of each row of the tables in ``part``, without heads and rules."""
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in part.splitlines() if "|" in line]
    rules = [index for index, row in enumerate(cells) if all(re.fullmatch(r"-+", cell) for cell in row)]
    heads = {index - 1 for index in rules}
    return [row for index, row in enumerate(cells) if index not in heads and index not in rules]


def words(cell: str) -> list[str]:
    """What stands in backquotes in ``cell``."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: str) -> set[str]:
    """The anchors that a reader of ``page`` can be sent to, as GitHub makes them from headers."""
    headers = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", header.lower()).replace(" ", "-") for header in headers}


def links(page: str) -> Sequence[str]:
    """The targets of the links in the prose of ``page``."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))
