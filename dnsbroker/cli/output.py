"""What the user sees: stdout carries the result, stderr the story; with --json, stdout carries both as objects.

Words begin small and end without a stop. After ``error:`` comes what failed and whose words those are, after ``hint:``
the way out. With -q nothing is printed where the status is 0. Live progress appears on a terminal only. A run goes on
where nobody can read it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dnsbroker.cli import exit_status
from dnsbroker.cli.options import Options
from dnsbroker.cli.story import line_for
from dnsbroker.cli.streams import say
from dnsbroker.errors import BrokerError
from dnsbroker.events import Event
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.cli.progress import Progress

#: What is told also where all else is only told with -v.
_TROUBLE = frozenset({"warning", "left", "deploy_failed"})
#: The commands whose result says where each roll-over stands.
_OF_ROLLOVERS = frozenset({"tlsa publish", "tlsa rollover", "tlsa advance"})

#: The commands that write nothing but TLSA records, which no signal takes back.
_OF_RECORDS_ALONE = frozenset({"tlsa publish", "tlsa withdraw"})
_WITHDRAWING = "stopping, and withdrawing what was written; once more leaves that to `dnsbroker gc`"
_STAYS = "stopping; what was done to TLSA records stays done, and the same command goes on from there"


@dataclass(frozen=True)
class Failure:
    """An error, and the certificate it concerns where there are several."""

    error: BrokerError
    certificate: str = ""

    def described(self) -> dict[str, object]:
        """As JSON takes it."""
        error = self.error
        told = {"kind": error.kind, "message": error.message, "hint": error.hint, **error.fields()}
        return {**told, "certificate": self.certificate} if self.certificate else told


@dataclass
class Result:
    """How a command ended: ``lines`` are for a person, ``fields`` and ``certificates`` for a program."""

    status: int = 0
    changed: bool = False
    lines: Sequence[str] = ()
    certificates: Sequence[Mapping[str, object]] = ()
    failures: Sequence[Failure] = ()
    fields: Mapping[str, object] = field(default_factory=dict)


def failed(error: BrokerError) -> Result:
    """The result of a command that ended with ``error``."""
    return Result(status=exit_status.of(error), failures=[Failure(error)])


class Output:
    """One command's output. ``event`` is the listener for a Broker."""

    def __init__(self, options: Options, command: str) -> None:
        self._options = options
        self._command = command
        self._progress: Progress | None = None
        self._lost: OSError | None = None
        self._is_live = sys.stderr.isatty() and not (options.json or options.quiet or options.verbose)

    def event(self, event: Event) -> None:
        """Tell ``event``: as JSON, as live progress, or as a line of the story."""
        if self._options.json:
            self._print_json(event)
        elif not self._options.quiet and not self._is_in_table(event):
            level, text = line_for(event)
            if self._is_for_more(str(event["event"])):
                level = max(level, 1)
            if text and level <= self._options.verbose:
                self.story(text)

    def _is_for_more(self, event: str) -> bool:
        """Whether it takes -v to hear of ``event`` from this command, since it is no trouble, or in the result."""
        is_in_result = event == "dane" and self._command in _OF_ROLLOVERS
        return is_in_result or (self._options.terse and event not in _TROUBLE)

    def _is_in_table(self, event: Event) -> bool:
        """Whether the live table shows ``event``; it takes long to import, and comes with the first server."""
        if self._progress is None and self._is_live and event["event"] == "server":
            from dnsbroker.cli.progress import Progress

            self._progress = Progress()
        return self._progress is not None and self._progress.takes(event)

    def story(self, text: str) -> None:
        """A line for the person who watches."""
        if self._progress:
            self._progress.print(text)
        else:
            say(text, sys.stderr)

    def stopping(self, *, looking: bool = False) -> None:
        """Say that a signal has come, and what another one would do; who is only ``looking`` has written nothing."""
        if not (self._options.json or self._options.quiet):
            writing = _STAYS if self._command in _OF_RECORDS_ALONE else _WITHDRAWING
            self.story("stopping; nothing was written" if looking else writing)

    def end(self, result: Result) -> None:
        """The result, and nothing after it. Where it could not be written, its status says so."""
        if self._progress:
            self._progress.stop()
        if self._options.json:
            self._print_json(self._object(result))
        else:
            self._tell(result)
        if self._lost is not None and not isinstance(self._lost, BrokenPipeError):
            result.status = result.status or exit_status.FAILED
            _print_error(f"standard output cannot be written: {self._lost.strerror}", "make room where it goes")

    def _tell(self, result: Result) -> None:
        if result.lines and (not self._options.quiet or result.status):
            self._print("\n".join(result.lines))
        for failure in result.failures:
            about = f"{shown(failure.certificate)}: " if failure.certificate else ""
            _print_error(about + failure.error.message, failure.error.hint)

    def _print(self, text: str) -> None:
        self._lost = say(text, sys.stdout) or self._lost

    def _print_json(self, event: Event) -> None:
        # ASCII alone is right in every character set, and escapes what is no character at all.
        self._print(json.dumps(dict(event), default=str))

    def _object(self, result: Result) -> dict[str, object]:
        described = [failure.described() for failure in result.failures]
        told: dict[str, object] = {
            "event": "result",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "schema": 1,
            "command": self._command,
            "status": result.status,
            "changed": result.changed,
            "certificates": [dict(item) for item in result.certificates],
            **result.fields,
        }
        return {**told, "error": described[0], "errors": described} if described else told


def usage_failed(options: Options, command: str, message: str, *, hint: str = "") -> int:
    """Say that the command line itself is wrong; returns the exit status."""
    text = message[:1].lower() + message[1:].rstrip(".").replace(". (Did ", " (did ")
    shown_how = f"`{' '.join(('dnsbroker', command)).strip()} --help` shows how it is called"
    error = BrokerError(text, hint=hint or shown_how)
    error.kind = "usage"
    ended_early(options, command, Result(status=exit_status.USAGE, failures=[Failure(error)]))
    return exit_status.USAGE


def ended_early(options: Options, command: str, result: Result) -> None:
    """The result of a command that did not come to its own output."""
    Output(Options(json=options.json, quiet=True), command).end(result)


def _print_error(message: str, hint: str) -> None:
    say(f"error: {message}", sys.stderr)
    if hint:
        say(f"hint: {hint}", sys.stderr)
