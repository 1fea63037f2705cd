"""The story of a run as data: each event is one of the objects that ``--json`` prints.

An event is a mapping with ``event`` (its name), ``time`` (RFC 3339, UTC) and fields of its own; docs/library.md lists
them all. No event holds a secret. Fields are only ever added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dnsbroker.clock import Clock

Event = Mapping[str, object]
Listener = Callable[[Event], object]


def written(moment: datetime) -> str:
    """A moment (aware) as events and results have those that they tell of: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Emitter:
    """Stamps events with the time and hands them to one listener; fields given to ``bound`` go on every event."""

    def __init__(self, clock: Clock, listener: Listener | None, **fields: object) -> None:
        self._clock = clock
        self._listener = listener
        self._fields = fields

    def bound(self, **fields: object) -> Emitter:
        """An emitter that adds ``fields`` to whatever it emits."""
        return Emitter(self._clock, self._listener, **{**self._fields, **fields})

    def __call__(self, event: str, **fields: object) -> None:
        """Emit ``event``; None values are left out."""
        if self._listener is None:
            return
        told = {key: value for key, value in {**self._fields, **fields}.items() if value is not None}
        time = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._listener({"event": event, "time": time, **told})
