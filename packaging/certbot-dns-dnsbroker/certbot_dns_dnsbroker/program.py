"""One call of the program dnsbroker: its events as they come, its result at the end.

Rule: a signal ends our own process group alone; the program is told by a signal of ours, once, and cleans up by itself.
Without a result nothing has succeeded, whatever the status. Refused: killing what may have written; what that could not
take back expires, and ``dnsbroker gc`` withdraws it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]

FAILED, USAGE, NOT_WITHDRAWN = 1, 2, 6

#: Set for certbot's Python, these would put its libraries before those of the program's own.
_CERTBOTS_OWN = ("PYTHONHOME", "PYTHONPATH")

_DOUBT = "is that dnsbroker? Call it by hand, with --json list"


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        status: the exit status; 128 and more after a signal.
        message: what failed, in the program's words; empty where nothing did.
        hint: what to do about it.
        changed: whether DNS may be different now.
        is_answered: whether the program told a result, as dnsbroker always does.
    """

    status: int
    message: str = ""
    hint: str = ""
    changed: bool = True
    is_answered: bool = True

    @property
    def reason(self) -> str:
        """What failed and what to do about it, in one line."""
        told = self.message or f"dnsbroker ended with status {self.status}"
        return f"{told} (hint: {self.hint})" if self.hint else told


def call(
    command: Sequence[str],
    environment: Mapping[str, str],
    told: Callable[[Event], None],
    said: Callable[[str], None],
    limit: float | None = None,
) -> Ended:
    """Run ``command``, a dnsbroker with ``--json``, to its end.

    ``told`` gets each event, ``said`` each line that is none. A command that only looks may have a ``limit`` in
    seconds, after which it is killed. Raises OSError where the program cannot be started.
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
            lines = process.stdout if limit is None else process.communicate(timeout=limit)[0].splitlines()
            result = _followed(lines, told, said)
            status = process.wait()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Ended(FAILED, f"{command[0]} did not answer within {limit:g} seconds", _DOUBT, is_answered=False)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return _ended(command[0], status if status >= 0 else 128 - status, result)


def _followed(lines: Iterable[str], told: Callable[[Event], None], said: Callable[[str], None]) -> Event | str:
    """The result, which is the last event; without one the last line said, which should tell why."""
    last: Event | str = ""
    for line in lines:
        event = _event(line)
        if event is None:
            said(line.rstrip())
            last = last if isinstance(last, dict) else line.strip() or last
        elif event["event"] == "result" and isinstance(event.get("status"), int):
            last = event
        else:
            told(event)
    return last


def _event(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _ended(path: str, status: int, result: Event | str) -> Ended:
    if isinstance(result, str):
        if status in (0, NOT_WITHDRAWN):  # with these alone certbot would go on
            return Ended(FAILED, f"{path} ended with status {status} and no result", _DOUBT, is_answered=False)
        return Ended(status, result, is_answered=False)
    errors = [error for error in result.get("errors") or [] if isinstance(error, dict)]
    messages = "; ".join(str(error.get("message", "")) for error in errors)
    hint = next((str(error["hint"]) for error in errors if error.get("hint")), "")
    # A wrapper may lose the status on its way.
    return Ended(status or int(result["status"]), messages, hint, changed=bool(result.get("changed", True)))
