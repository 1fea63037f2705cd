"""Checks that run at once and fail alone: what a check cannot do, or breaks over, becomes a finding.

Its rule: nothing that a check raises reaches its neighbours or the user, and none outlasts the common end. Refuses:
knowing what is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import BrokerError
from dnsbroker.findings import Finding, Severity

#: How many checks may be under way together; each may ask several servers at once.
_AT_ONCE = 100
#: What a name adds, in seconds: a service may take so long for each.
MORE_FOR_EACH = 0.1


def patience(seconds: float, names: int) -> float:
    """How many seconds are enough for so many ``names``; where they are few, hardly more than ``seconds``."""
    return seconds + MORE_FOR_EACH * names


@dataclass(frozen=True)
class Job:
    """One ``check`` of ``subject``; ``what`` says what it looks at, for a person.

    ``severity`` is how grave it is where nothing can be learnt.
    """

    subject: str
    what: str
    check: Callable[[], Awaitable[Iterable[Finding]]]
    severity: Severity = Severity.WARNING


class Alone:
    """Runs each job by itself, all within ``seconds`` from now."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = Deadline.after(clock, seconds)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self, job: Job) -> tuple[Finding, ...]:
        """What the job's check finds; where it does not come to an end, one finding that says why."""
        failed = f"{job.what} could not be looked at"
        try:
            async with asyncio.timeout(self._deadline.left()), self._places:
                return tuple(await job.check())
        except TimeoutError:
            told = f"{failed}: no answer within {self._seconds:g} s"
            hint = (
                "see that this host reaches the name servers by UDP and TCP, and the services by HTTPS; then ask again"
            )
        except BrokerError as error:
            told, hint = f"{failed}: {error.message}", error.hint
        except Exception as error:  # noqa: BLE001 - a defect in one check keeps nobody from the others
            told = f"{failed}: {type(error).__name__}: {error}".rstrip(": ")
            hint = "this is a defect of dnsbroker or of an adapter: please report it"
        return (Finding("unexamined", job.severity, job.subject, told, hint),)
