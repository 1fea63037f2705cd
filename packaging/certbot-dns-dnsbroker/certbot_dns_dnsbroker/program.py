"""One call of the program dnsbroker: its events as they come, its result at the end.

Rule: a signal ends our own process group alone; the program is told by a signal of ours, once, and cleans up by itself.
Refused: killing it; what it could not take back expires, and ``dnsbroker gc`` withdraws it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

USAGE, NOT_WITHDRAWN = 2, 6

#: Set for certbot's Python, these would put its libraries before those of the program's own.
_CERTBOTS_OWN = ("PYTHONHOME", "PYTHONPATH")


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        status: the exit status; 128 and more after a signal.
        message: what failed, in the program's words; empty where nothing did.
        hint: what to do about it.
        changed: whether DNS may be different now.
    """

    status: int
    message: str = ""
    hint: str = ""
    changed: bool = True

    @property
    def reason(self) -> str:
        """What failed and what to do about it, in one line."""
        told = self.message or f"dnsbroker ended with status {self.status}"
        return f"{told} (hint: {self.hint})" if self.hint else told


def call(
    command: Sequence[str], environment: Mapping[str, str], told: Callable[[Event], None], said: Callable[[str], None]
) -> Ended:
    """Run ``command``, a dnsbroker with ``--json``, to its end.

    ``told`` gets each event, ``said`` each line that is none. Raises OSError where the program cannot be started.
    """
    own = {name: value for name, value in environment.items() if name not in _CERTBOTS_OWN}
    with subprocess.Popen(
        command,
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # else Ctrl-C would reach the program twice, and twice means: leave DNS as it is
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        try:
            result = _followed(process.stdout, told, said)
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return _ended(status if status >= 0 else 128 - status, result)


def _followed(lines: Iterable[str], told: Callable[[Event], None], said: Callable[[str], None]) -> Event | str:
    """The result, which is the last event; without one the last line said, which should tell why."""
    last: Event | str = ""
    for line in lines:
        event = _event(line)
        if event is None:
            said(line.rstrip())
            last = last if isinstance(last, dict) else line.strip() or last
        elif event["event"] == "result":
            last = event
        else:
            told(event)
    return last


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _ended(status: int, result: Event | str) -> Ended:
    if isinstance(result, str):
        return Ended(status, message=result if status else "")
    errors = result.get("errors") or []
    messages = "; ".join(str(error.get("message", "")) for error in errors)
    hint = next((str(error["hint"]) for error in errors if error.get("hint")), "")
    return Ended(status, messages, hint, changed=bool(result.get("changed", True)))
