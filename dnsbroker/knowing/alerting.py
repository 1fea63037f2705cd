"""Telling people that something needs them: when that begins, then daily, and once when it is over.

What was told is kept in the journal, and only once a hook has taken it: where none does, the next run tries again. One
process at a time tells. A hook that fails is a warning and no more; nothing it does or leaves undone fails a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dnsbroker.clock import Clock
from dnsbroker.deploying.hooks import run_hook
from dnsbroker.events import Emitter
from dnsbroker.journal import Alerts, FileLock, Told
from dnsbroker.knowing.health import Health
from dnsbroker.names import shown

#: How long each hook may take.
HOOK_SECONDS = 60.0
#: How many characters of a summary fit into a subject.
LONGEST_SUMMARY = 500

_DAILY = timedelta(days=1)
_LONGEST_QUOTE = 500
_RECORDS, _LEFT = "records in DNS", "not withdrawn"


@dataclass(frozen=True)
class News:
    """What is to be told now: all that needs a person by subject, a word each, and what is over since."""

    troubles: Mapping[str, str]
    over: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One line of it, for a subject or a short message: who, and in a word what."""
        parts = [f"{shown(subject)}: {word}" for subject, word in self.troubles.items()]
        parts += [f"{shown(subject)}: all is well again" for subject in self.over]
        text = "; ".join(parts)
        return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 1] + "…"


def news(healths: Sequence[Health], told: Sequence[Told], now: datetime) -> News | None:
    """What to tell by how things are and what people know; None where they have heard it all."""
    troubles = {_subject(health): _word(health) for health in healths if health.needs_person}
    known = {one.subject: one for one in told}
    over = tuple(subject for subject in known if subject not in troubles)
    is_news = any(subject not in known or now - known[subject].told >= _DAILY for subject in troubles)
    return News(troubles, over) if is_news or over else None


def _subject(health: Health) -> str:
    return health.name or _RECORDS


def _word(health: Health) -> str:
    return health.status if health.name else _LEFT


class Bell:
    """The alert ``hooks``, run by the shell in ``environment`` where there is news."""

    def __init__(
        self, hooks: Sequence[str], environment: Mapping[str, str], alerts: Alerts, clock: Clock, emit: Emitter
    ) -> None:
        self._hooks = hooks
        self._environment = environment
        self._alerts = alerts
        self._clock = clock
        self._emit = emit

    async def ring(self, healths: Sequence[Health], story: Sequence[str], lock: Path) -> None:
        """Tell people what is news in ``healths``, with the run's ``story``, unless another process has ``lock``.

        Raises StoreError.
        """
        claim = FileLock(lock)
        if not claim.try_acquire():
            return
        try:
            told = news(healths, self._alerts.all(), self._clock.now())
            if told is not None and await self._is_taken(told, _text(told, healths, story)):
                self._alerts.told(told.troubles, told.over)
        finally:
            claim.release()

    async def _is_taken(self, told: News, text: str) -> bool:
        """Whether any hook took the news."""
        environment = {**self._environment, "DNSBROKER_SUMMARY": told.summary}
        taken = [await self._run(hook, environment, text.encode()) for hook in self._hooks]
        return any(taken)

    async def _run(self, hook: str, environment: Mapping[str, str], text: bytes) -> bool:
        end = await run_hook(hook, environment, HOOK_SECONDS, text)
        if not end.succeeded:
            said = " ".join(end.output.split())[-_LONGEST_QUOTE:]
            message = f"the alert hook {hook!r} {end.told()}" + (f": {said}" if said else "")
            self._emit("warning", message=message, hint="where no hook takes an alert, the next run tells it again")
        return end.succeeded


def _text(told: News, healths: Sequence[Health], story: Sequence[str]) -> str:
    """The whole story: what needs a person and why, what is over, and what the run had to tell."""
    lines = []
    for health in healths:
        if health.needs_person:
            lines += [f"{shown(_subject(health))}: {_word(health)}", *(f"  {finding}" for finding in health.findings)]
    lines += [f"{shown(subject)}: all is well again" for subject in told.over]
    return "\n".join([*lines, "", *story, ""])
