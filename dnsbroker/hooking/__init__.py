"""What other ACME clients have done through their hooks: values published, watched and taken back, files deployed.

A hook is a process of seconds, one of several that its client starts; what ties them together is the journal. What the
journal alone can answer is answered without an event loop. Nothing else is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsbroker.clock import Clock
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError
    from dnsbroker.hooking.calls import Call
    from dnsbroker.run import Run


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Attributes:
        line: what the client gets on its standard output; ASCII, no line end; mostly empty.
        told: for people, each a line: what went wrong and is no failure for the client.
        failures: what is one.
        changed: whether anything on disk or in DNS is different now.
    """

    line: str = ""
    told: Sequence[str] = ()
    failures: Sequence[BrokerError] = ()
    changed: bool = False


def at_once(call: Call, config: Config, clock: Clock) -> Answer | None:
    """The answer to ``call``, where the journal alone has it; None where it takes the network, or files.

    Raises StoreError, and what ``perform`` raises before it contacts anybody.
    """
    raise NotImplementedError


async def perform(call: Call, run: Run, *, wait: bool = True) -> Answer:
    """Do what ``call`` asks for; without ``wait``, values are only written, and the client looks itself.

    Raises BrokerError where the call has failed as a whole.
    """
    raise NotImplementedError


__all__ = ["Answer", "at_once", "perform"]
