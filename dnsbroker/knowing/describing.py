"""One certificate whole, as data: what ``show`` prints and ``--json`` gives.

Moments are in RFC 3339, UTC; what is not known is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dnsbroker.due import next_moment, reason, wanted_profile
from dnsbroker.journal import Answer, Attempt, Backoff, Lease
from dnsbroker.journal.moments import at
from dnsbroker.knowing.health import Health, Known

if TYPE_CHECKING:
    from dnsbroker.knowing.rollovers import Place, Rollover, Unmanaged

Facts = dict[str, object]


def summary(known: Known, health: Health) -> Facts:
    """A certificate in short: what is there, and how it is."""
    lineage = known.lineage
    names = lineage.names if lineage is not None else known.configured.names if known.configured is not None else ()
    valid = f"valid until {lineage.not_after:%Y-%m-%d}" if lineage is not None else ""
    return {
        "name": known.name,
        "names": list(names),
        "not_after": told(lineage.not_after) if lineage is not None else None,
        "serial": lineage.serial if lineage is not None else None,
        "path": str(lineage.path) if lineage is not None else None,
        "status": health.status,
        "reason": health.findings[0] if health.findings else valid,
        "needs_person": health.needs_person,
        "findings": list(health.findings),
    }


def whole(known: Known, health: Health, leases: Sequence[Lease], now: datetime) -> Facts:
    """All of it; ``leases`` are open for it at the moment ``now``."""
    return {
        **summary(known, health),
        **_origin(known),
        "renewal": _renewal(known, now),
        "failures": _failures(known.attempt),
        "backoff": _backoff(known.backoff),
        "deployment": [
            {"step": step.name, "state": step.state, "at": told(step.at), "message": step.message}
            for step in known.steps
        ],
        "tlsa": [
            {"endpoint": seen.endpoint, "covered": seen.covered, "at": told(seen.at), "message": seen.message}
            for seen in known.observed
        ],
        "rollover": rollover(known.rollover) if known.rollover is not None else None,
        "records": [record(lease) for lease in leases],
    }


def _origin(known: Known) -> Facts:
    """What the certificate is and where it comes from; of one that is not there, what is configured."""
    wanted, lineage = known.configured, known.lineage
    if lineage is None:
        ordered = wanted if wanted is not None and wanted.lineage is None else None
        key_type = ordered.key_type if ordered is not None else None
        account, profile = (ordered.account, wanted_profile(ordered)) if ordered is not None else (None, None)
        facts: Facts = dict.fromkeys(("issuer", "not_before", "has_key", "key_created"))
        return {**facts, "key_type": key_type, "account": account, "directory": known.directory, "profile": profile}
    origin = lineage.provenance
    return {
        "issuer": lineage.leaf.issuer,
        "not_before": told(lineage.leaf.not_before),
        "has_key": lineage.has_key,
        "key_created": told(origin.key_created) if origin is not None else None,
        "key_type": lineage.leaf.key_type,
        "account": origin.account if origin is not None else None,
        "directory": origin.directory if origin is not None else None,
        "profile": origin.profile if origin is not None else None,
    }


def _renewal(known: Known, now: datetime) -> Facts | None:
    """When it is due and why; None where nothing renews it."""
    if known.lineage is None or known.configured is None or known.configured.lineage is not None:
        return None
    answer = known.answer
    return {
        "due": reason(known.lineage, known.configured, known.directory, now, answer),
        "moment": told(next_moment(known.lineage.leaf, answer)),
        "by": "ari" if answer is not None and answer.moment is not None else "lifetime",
        **_advice(answer),
    }


def _advice(answer: Answer | None) -> Facts:
    if answer is None or answer.source == "none":
        return {"source": None, "start": None, "end": None, "explanation": None, "asked_at": None, "revoked_at": None}
    return {
        "source": answer.source,
        "start": _maybe(answer.start),
        "end": _maybe(answer.end),
        "explanation": answer.explanation or None,
        "asked_at": told(answer.asked_at),
        "revoked_at": _maybe(answer.revoked_at),
    }


def _failures(attempt: Attempt | None) -> Facts | None:
    if attempt is None:
        return None
    moments = {"since": told(attempt.since), "last": told(attempt.last), "next_try": told(attempt.next_try)}
    words = {"kind": attempt.kind, "message": attempt.message, "hint": attempt.hint}
    return {"count": attempt.failures, **moments, **words}


def _backoff(backoff: Backoff | None) -> Facts | None:
    return None if backoff is None else {"until": told(backoff.until), "message": backoff.message}


def record(lease: Lease) -> Facts:
    """A record that is, or may be, in DNS by us."""
    return {
        "name": lease.record.name,
        "type": lease.record.type,
        "provider": lease.provider,
        "zone": lease.zone,
        "state": str(lease.state),
        "since": told(datetime.fromtimestamp(lease.created, UTC)),
        "run": lease.run,
        "message": lease.trouble or "",
    }


def rollover(one: Rollover) -> Facts:
    """Where a roll-over stands, and what stands in DNS for it."""
    from dnsbroker.knowing.rollovers import THEN  # whoever has none of these does not wait for its import

    return {
        "certificate": one.reference,
        "step": str(one.step),
        "since": _second(one.since),
        "until": _second(one.until),
        "reason": one.reason,
        "then": THEN[one.step],
        "asked": one.is_asked,
        "emergency": one.is_emergency,
        "held": one.held or None,
        "objections": list(one.objections),
        "endpoints": [
            {
                "endpoint": site.endpoint,
                "uncovered": list(site.uncovered),
                "owners": [_place(place) for place in site.places],
            }
            for site in one.sites
        ],
    }


def _place(place: Place) -> Facts:
    records = [
        {
            "record": one.value,
            "is": str(one.role),
            "since": _second(one.since),
            "withdrawn": one.is_withdrawn,
        }
        for one in place.records
    ]
    return {
        "owner": place.owner,
        "looked_at": _second(place.seen),
        "all_answered": place.is_whole,
        "records": records,
    }


def unmanaged(one: Unmanaged) -> Facts:
    """An endpoint that nobody looks after any more."""
    return {
        "endpoint": one.endpoint,
        "withdrawn": one.is_withdrawn,
        "serve_until": _second(one.serve_until),
        "given_by": list(one.given_by),
        "certificates": list(one.certificates),
        "records": list(one.records),
        "uncovered": list(one.uncovered),
    }


def _second(seconds: float | None) -> str | None:
    """A moment in seconds since the epoch; None and 0.0 are none."""
    return told(at(seconds)) if seconds else None


def told(moment: datetime) -> str:
    """A moment (aware) in RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _maybe(moment: datetime | None) -> str | None:
    return None if moment is None else told(moment)
