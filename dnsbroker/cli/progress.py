"""A live table of the name servers that are waited for; on a terminal only, and ``rich``'s one door."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dnsbroker.events import Event
from dnsbroker.names import shown

_COLOURS = {"green": "green", "stale": "yellow", "partial": "yellow", "untested": "dim"}


class Progress:
    """Shows each address with its latest verdict for as long as somebody waits; afterwards the table is gone."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._rows: dict[tuple[str, str, str], Event] = {}

    def takes(self, event: Event) -> bool:
        """Whether ``event`` is shown in the table, and so needs no line of its own."""
        if event["event"] == "server":
            self._rows[str(event["zone"]), str(event["server"]), str(event["address"])] = event
            self._draw()
            return True
        if event["event"] == "propagated":
            self._forget(str(event["zone"]))
        return False

    def _forget(self, zone: str) -> None:
        """Nobody waits for ``zone`` any more, or whoever still does will tell what changes."""
        self._rows = {row: event for row, event in self._rows.items() if row[0] != zone}
        if self._rows:
            self._draw()
        else:
            self.stop()

    def print(self, text: str) -> None:
        """A line above the table."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _draw(self) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        table = Table.grid(padding=(0, 2))
        for _, event in sorted(self._rows.items(), key=lambda row: row[0]):
            table.add_row("", *_cells(event))
        self._live.update(table)

    def stop(self) -> None:
        """Take the table away; may be called more than once."""
        self._rows.clear()
        if self._live is not None:
            self._live.stop()
            self._live = None


def _cells(event: Event) -> list[Text]:
    """What is told of one address; not as bare strings, for rich would read the brackets of [::1]:53 as its markup."""
    verdict = str(event["verdict"])
    serial = f"serial {event['serial']}" if event.get("serial") is not None else ""
    return [
        Text(shown(str(event["server"]))),
        Text(str(event["address"])),
        Text("has it" if verdict == "green" else verdict, _COLOURS.get(verdict, "red")),
        Text(serial),
        Text(str(event.get("detail", ""))),
    ]
