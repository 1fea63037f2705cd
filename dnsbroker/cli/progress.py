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
        if event["event"] in ("propagated", "result"):
            self.stop()
        return False

    def print(self, text: str) -> None:
        """A line above the table."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _draw(self) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        table = Table.grid(padding=(0, 2))
        for (_, server, address), event in sorted(self._rows.items(), key=lambda row: row[0]):
            verdict = str(event["verdict"])
            serial = f"serial {event['serial']}" if event.get("serial") is not None else ""
            table.add_row(
                "",
                shown(server),
                address,
                Text(verdict, style=_COLOURS.get(verdict, "red")),
                serial,
                str(event.get("detail", "")),
            )
        self._live.update(table)

    def stop(self) -> None:
        """Take the table away; may be called more than once."""
        self._rows.clear()
        if self._live is not None:
            self._live.stop()
            self._live = None
