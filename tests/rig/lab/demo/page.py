"""The demonstration's page: plain text for a person, and a count of what is not as it should be.

Rule: every claim is looked at when it is made; one that does not hold is marked, counted, and stops nothing. Refused:
colours, and anything that only a terminal can show.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 100


class Page:
    """Prints the demonstration; ``failed`` counts claims that do not hold."""

    def __init__(self) -> None:
        self.claims = 0
        self.failed = 0
        self._last = ""

    def line(self, text: str = "") -> None:
        """One line; of several empty ones in a row only the first."""
        if text or self._last:
            print(text.rstrip(), flush=True)
        self._last = text

    def title(self, text: str) -> None:
        """The page's first line."""
        self.line(text)
        self.line("=" * len(text))

    def section(self, text: str) -> None:
        """What the following lines are about."""
        self.line()
        self.line(text)
        self.line("-" * len(text))

    def text(self, text: str) -> None:
        """A paragraph."""
        for line in textwrap.wrap(" ".join(text.split()), WIDTH, break_on_hyphens=False):
            self.line(line)

    def command(self, *words: str) -> None:
        """What a person would type."""
        self.line()
        self.line(f"  $ {' '.join(words)}")

    def quoted(self, lines: Iterable[str]) -> None:
        """What a file holds or a program printed."""
        for line in lines:
            for part in textwrap.wrap(line, WIDTH - 4, subsequent_indent=" " * 10, break_on_hyphens=False) or [""]:
                self.line(f"  | {part}")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Rows of equally many cells, the first row as heads; numbers stand at the right."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        self.line()
        for row in rows:
            self.line("  " + "  ".join(_cell(text, width) for text, width in zip(row, widths, strict=True)))
        self.line()

    def claim(self, holds: bool, claim: str, found: object = "") -> None:
        """Say that something is so; where it is not, ``found`` is what is instead."""
        self.claims += 1
        self.failed += not holds
        mark = "ok" if holds else "NOT SO"
        self.line(f"  {mark}: {claim}{'' if holds or found == '' else f' -- found: {found}'}")


def _cell(text: str, width: int) -> str:
    return text.rjust(width) if text.replace(".", "", 1).isdigit() else text.ljust(width)
