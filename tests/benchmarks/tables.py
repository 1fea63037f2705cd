"""Tables of plain text, and how a number is written in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Table:
    """A table with these heads: the first column stands at the left, the others at the right."""

    def __init__(self, heads: Sequence[str]) -> None:
        self._rows = [list(heads)]

    def row(self, *cells: str) -> None:
        """One row, a cell for each head."""
        assert len(cells) == len(self._rows[0])
        self._rows.append(list(cells))

    def print(self, title: str) -> None:
        """Print it below its title."""
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        print(f"\n{title}\n")
        for number, row in enumerate(self._rows):
            first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)]).rstrip())
            if number == 0:
                print("  ".join("-" * width for width in widths))
        print(flush=True)


def seconds(value: float | None) -> str:
    """Seconds with two decimals; a dash for what never came."""
    return "-" if value is None else f"{value:.2f}"


def worst(values: Iterable[float]) -> float:
    """The largest; 0 where there is none."""
    return max(values, default=0.0)
