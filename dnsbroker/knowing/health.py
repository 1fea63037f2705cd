"""How a certificate is, and whether that needs a person: decided from what is known of it, and from nothing else.

Pure functions over values. What the next run sees to by itself needs nobody, as long as there is reason to believe in
that run. Each finding is a sentence that ends in the next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from dnsbroker.config import CertificateConfig
from dnsbroker.due import next_moment, reason, renewal_moment, when
from dnsbroker.errors import BrokerError
from dnsbroker.journal import Answer, Attempt, Backoff, Lease, Observed, Step
from dnsbroker.journal.moments import at
from dnsbroker.lineages import ClientLineage
from dnsbroker.names import shown
from dnsbroker.store import Lineage

if TYPE_CHECKING:
    from dnsbroker.knowing.rollovers import Rollover

Word = Literal[
    "damaged",
    "misconfigured",
    "expired",
    "not covered",
    "stuck",
    "not deployed",
    "failing",
    "missing",
    "due",
    "held",
    "unmanaged",
    "ok",
]
#: From the gravest on: the word for a certificate is that of its gravest finding.
WORDS: tuple[Word, ...] = Word.__args__  # type: ignore[attr-defined] # the words of the type, in their order

_SHARE_OF_REST = 3
_SHARE_OF_CLIENT = 2
_COVER = "let a TLSA record there name the live key, or take the records away"
_NEXT_RUN = "the next `dnsbroker renew` tries again"
_UNTRIED = "and no run has tried; does the timer run? `dnsbroker renew {name}` tries now"


@dataclass(frozen=True)
class Known:
    """All that the configuration, the store and the journal know of the certificate ``name``.

    ``trouble`` is why its configuration (``configured`` is None then) cannot be used, ``damage`` why its files cannot.
    ``directory`` is the URL of its CA; ``changed`` is when the files that configure it were last changed. ``steps`` are
    those of its deployment, ``observed`` tells of its TLSA records, and ``rollover`` where that of its key stands.
    """

    name: str
    configured: CertificateConfig | None = None
    trouble: BrokerError | None = None
    lineage: Lineage | None = None
    damage: BrokerError | None = None
    directory: str = ""
    changed: datetime | None = None
    answer: Answer | None = None
    attempt: Attempt | None = None
    backoff: Backoff | None = None
    steps: tuple[Step, ...] = ()
    observed: tuple[Observed, ...] = ()
    rollover: Rollover | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, and those that are configured."""
        configured = self.configured.names if self.configured is not None else ()
        return tuple(dict.fromkeys((*(self.lineage.names if self.lineage is not None else ()), *configured)))

    @property
    def unfinished(self) -> tuple[Step, ...]:
        """The steps of its deployment that are not done."""
        return tuple(step for step in self.steps if step.state != "done")


@dataclass(frozen=True)
class Finding:
    """Something about a certificate: the ``word`` for it, a ``sentence``, and whether a person has to act."""

    word: Word
    sentence: str
    needs_person: bool = False


@dataclass(frozen=True)
class Health:
    """How the certificate ``name`` is, in a word and in sentences."""

    name: str
    status: Word
    needs_person: bool
    findings: tuple[str, ...]


def judge(known: Known, now: datetime, alert_after: timedelta) -> Health:
    """How a certificate is at the moment ``now`` (aware), where it may fail for ``alert_after`` and need nobody."""
    findings = list(_findings(known, now, alert_after))
    words = {finding.word for finding in findings}
    return Health(
        name=known.name,
        status=next((word for word in WORDS if word in words), "ok"),
        needs_person=any(finding.needs_person for finding in findings),
        findings=tuple(finding.sentence for finding in sorted(findings, key=lambda one: WORDS.index(one.word))),
    )


def _findings(known: Known, now: datetime, alert_after: timedelta) -> Iterator[Finding]:
    if known.trouble is not None:
        yield Finding("misconfigured", _told(known.trouble), needs_person=True)
    if known.damage is not None:
        yield Finding("damaged", _told(known.damage), needs_person=True)
    if known.lineage is not None:
        yield from _about_life(known, known.lineage, now, alert_after)
        yield from _about_deployment(known)
    elif known.damage is None:
        yield from _about_missing(known, now, alert_after)
        yield from _about_deployment(known)
    yield from (
        Finding("not covered", f"{seen.endpoint}: {seen.message}; {_COVER}", needs_person=True)
        for seen in known.observed
        if not seen.covered
    )
    if known.rollover is not None:
        yield from _about_rollover(known.rollover, now, alert_after, is_readable=known.damage is None)


def _about_missing(known: Known, now: datetime, alert_after: timedelta) -> Iterator[Finding]:
    if known.configured is None:
        return
    if known.configured.lineage is not None:
        told = f"there is no certificate in {known.configured.lineage}; look at the client that is to keep it there"
        yield Finding("missing", told, needs_person=True)
        return
    begun = known.changed if known.attempt is None else known.attempt.since
    is_late = begun is not None and now - begun > alert_after
    told = "there is no certificate yet"
    if is_late and _is_untried(known):
        yield Finding("missing", f"{told}, {_UNTRIED.format(name=known.name)}", needs_person=True)
    else:
        yield Finding("missing", f"{told}; the next `dnsbroker renew` obtains it")
    yield from _about_failing(known, is_late=is_late)


def _about_life(known: Known, lineage: Lineage, now: datetime, alert_after: timedelta) -> Iterator[Finding]:
    if isinstance(lineage, ClientLineage):
        yield from _about_client(lineage, now)
        return
    if now >= lineage.not_after:
        told = f"expired on {when(lineage.not_after)}; `dnsbroker renew {known.name}` tries now"
        yield Finding("expired", told, needs_person=True)
    if known.configured is None:
        if known.trouble is None:
            told = f"no configuration names it, and nothing renews it; `dnsbroker delete {known.name}` takes it away"
            yield Finding("unmanaged", told)
        return
    why = reason(lineage, known.configured, known.directory, now, known.answer)
    if why is not None:
        yield from _about_due(known, lineage, why, now, alert_after)
    elif known.attempt is not None and known.attempt.is_mistake:
        yield _failure(known.attempt, is_late=False)


def _about_client(lineage: ClientLineage, now: datetime) -> Iterator[Finding]:
    """How far another client has let its certificate come; it renews by rules of its own, so it has some time."""
    begun = renewal_moment(lineage.leaf)
    cure = f"{lineage.client} has not renewed it; look at what it says, and whether its timer runs"
    if now >= lineage.not_after:
        yield Finding("expired", f"expired on {when(lineage.not_after)}, and {cure}", needs_person=True)
    elif now >= begun + (lineage.not_after - begun) / _SHARE_OF_CLIENT:
        yield Finding("due", f"ends on {when(lineage.not_after)}, and {cure}", needs_person=True)


def _about_due(known: Known, lineage: Lineage, why: str, now: datetime, alert_after: timedelta) -> Iterator[Finding]:
    begun = _begun(known, lineage, now)
    is_late = begun is not None and _is_too_long(begun, lineage.not_after, now, alert_after)
    if not _is_untried(known):
        yield Finding("due", why, is_late)
    elif is_late:
        yield Finding("due", f"{why}, {_UNTRIED.format(name=known.name)}", needs_person=True)
    else:
        yield Finding("due", f"{why}; the next `dnsbroker renew` sees to it")
    yield from _about_failing(known, is_late=is_late)


def _is_untried(known: Known) -> bool:
    return known.attempt is None and known.backoff is None


def _begun(known: Known, lineage: Lineage, now: datetime) -> datetime | None:
    """Since when somebody should have succeeded: since due, or the first failure after that; None where unknown.

    What is due by the configuration alone has been since that was changed.
    """
    moments = [next_moment(lineage.leaf, known.answer)]
    if known.answer is not None and known.answer.revoked_at is not None:
        moments.append(known.answer.revoked_at)
    past = [moment for moment in moments if moment <= now]
    if not past and known.changed is not None and known.changed <= now:
        past = [known.changed]
    if known.attempt is None:
        return min(past, default=None)
    return max(known.attempt.since, min(past, default=known.attempt.since))


def _is_too_long(begun: datetime, not_after: datetime, now: datetime, alert_after: timedelta) -> bool:
    return now - begun > min(alert_after, (not_after - begun) / _SHARE_OF_REST)


def _about_failing(known: Known, *, is_late: bool) -> Iterator[Finding]:
    if known.attempt is not None:
        yield _failure(known.attempt, is_late=is_late)
    if known.backoff is not None:
        told = f"the CA asked not to come back before {when(known.backoff.until)}: {known.backoff.message}"
        yield Finding("due", f"{told}; a later run goes on")


def _failure(attempt: Attempt, *, is_late: bool) -> Finding:
    times = "failed once" if attempt.failures == 1 else f"failed {attempt.failures} times in a row"
    cure = f"; {attempt.hint}" if attempt.hint else ""
    told = f"{times} since {when(attempt.since)}: {attempt.message}{cure}"
    if attempt.is_mistake:
        return Finding("misconfigured", f"{told}; {_NEXT_RUN}", needs_person=True)
    return Finding("failing", f"{told}; tried again after {when(attempt.next_try)}", is_late)


def _about_deployment(known: Known) -> Iterator[Finding]:
    for step in known.unfinished:
        if step.state == "failed":
            told = f"{step.name} failed on {when(step.at)}: {step.message}; {_NEXT_RUN}"
            yield Finding("not deployed", told, needs_person=True)
        else:
            yield Finding("not deployed", f"{step.name} is still to be done; the next `dnsbroker renew` does it")


def _about_rollover(one: Rollover, now: datetime, alert_after: timedelta, *, is_readable: bool) -> Iterator[Finding]:
    """What stands against it, and what goes on without anybody as long as it does go on."""
    from dnsbroker.rolling import Step as RolloverStep  # where there are none, nobody needs to know their steps

    if one.trouble and is_readable:
        yield Finding("damaged", one.trouble, needs_person=True)
    yield from (Finding("stuck", f"TLSA: {objection}", needs_person=True) for objection in one.objections)
    if one.step is RolloverStep.STUCK:
        yield Finding("stuck", f"the roll-over of its key stands still: {one.reason}", needs_person=True)
        return
    waits = max(one.since, one.until or 0.0)
    if waits and one.step is not RolloverStep.STEADY and now - at(waits) > alert_after:
        told = f"the roll-over of its key has not gone on since {when(at(waits))}: {one.reason}"
        yield Finding("stuck", f"{told}; `dnsbroker tlsa advance` moves it now, and tells why not", needs_person=True)
    elif one.step is RolloverStep.DEPLOYED:
        yield Finding("not deployed", one.reason)
    elif one.step is RolloverStep.HELD:
        until = f" until {when(at(one.until))}" if one.until is not None else ""
        yield Finding("held", f"a new certificate is held back{until}: {one.reason}; a later run puts it live")


def _told(error: BrokerError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def judge_records(left: Sequence[Lease], now: datetime, alert_after: timedelta) -> Health:
    """How DNS is by the leases ``left``, those that nobody alive answers for."""
    findings = []
    for lease in left:
        trouble = f" ({lease.trouble})" if lease.trouble else ""
        told = f"{lease.record.type} at {shown(lease.record.name)}, left since {when(at(lease.created))}{trouble}"
        is_late = lease.trouble is not None and now - at(lease.created) > alert_after
        findings.append(Finding("due", f"{told}; `dnsbroker gc` or the next `dnsbroker renew` withdraws it", is_late))
    needs_person = any(finding.needs_person for finding in findings)
    return Health("", "due" if left else "ok", needs_person, tuple(finding.sentence for finding in findings))
