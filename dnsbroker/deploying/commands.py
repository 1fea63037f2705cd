"""The hooks of one run: one at a time, with what they are told in their environment.

Rule: hooks find themselves alone, as under certbot, so that two of them never work on the same daemon at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from dnsbroker.deploying.hooks import HookEnd, lines_of, run_hook
from dnsbroker.events import Emitter

LINEAGE, RENEWED, FAILED, CERTIFICATE = "RENEWED_LINEAGE", "RENEWED_DOMAINS", "FAILED_DOMAINS", "DNSBROKER_CERTIFICATE"

#: Octets: the kernel takes no longer string into an environment than four times this.
_LONGEST_LIST = 32 * 1024


class Commands:
    """Runs hooks with the variables of ``environment``, less those that only we set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours = (LINEAGE, RENEWED, FAILED, CERTIFICATE)
        self.environment = {name: value for name, value in environment.items() if name not in ours}
        self._alone = asyncio.Lock()

    async def run(
        self, phase: str, command: str, timeout: float, variables: Mapping[str, str], emit: Emitter
    ) -> HookEnd:
        """Run ``command`` when no other hook runs, for at most ``timeout`` seconds, and tell how it ended."""
        async with self._alone:
            end = await run_hook(command, {**self.environment, **variables}, timeout)
        emit(
            "hook",
            phase=phase,
            command=command,
            status=end.status,
            timed_out=end.timed_out,
            output=lines_of(end.output),
        )
        return end


def reason(end: HookEnd) -> str:
    """Why a hook counts as failed, with the last it said."""
    said = lines_of(end.output)[-1:]
    return ": ".join([end.told(), *said])


def listed(names: Iterable[str]) -> str:
    """Names separated by spaces, none twice; as many as a hook's environment takes, and none cut off."""
    told = ""
    for name in dict.fromkeys(names):
        longer = f"{told} {name}".strip()
        if len(longer.encode()) > _LONGEST_LIST:
            break
        told = longer
    return told
