"""Where a roll-over stands after a call, and what is to be said of one in an emergency. Values only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dnsbroker.certifying import Outcome
from dnsbroker.dane import Brought
from dnsbroker.errors import BrokerError
from dnsbroker.names import shown
from dnsbroker.rolling import Situation, Step
from dnsbroker.tlsa.records import SHA256, SPKI, Kind, made

_OWN = Kind(3, SPKI, SHA256)


@dataclass(frozen=True)
class Rekeyed:
    """The roll-over of one certificate, or of what a path stands for.

    Attributes:
        reference: the certificate's name, or the path.
        step: where it stands, as ``dnsbroker tlsa status`` calls it; empty where that could not be found out.
        reason: why, in words.
        until: when it goes on by itself (aware, UTC); None where that is not a matter of time, or it is over.
        is_over: whether nothing is left to move.
        errors: what failed.
        replayable_until: in an emergency, until when records that are taken away may be replayed with their signatures.
        refused_until: in an emergency, until when some clients refuse the new key; None where none do.
        advice: what a person can do beside.
    """

    reference: str
    step: str = ""
    reason: str = ""
    until: datetime | None = None
    is_over: bool = False
    errors: tuple[BrokerError, ...] = ()
    replayable_until: datetime | None = None
    refused_until: datetime | None = None
    advice: tuple[str, ...] = ()


def rekeyed(
    reference: str, brought: Brought | None, errors: tuple[BrokerError, ...] = (), outcome: Outcome | None = None
) -> Rekeyed:
    """What was ``brought`` about for ``reference``, and which ``errors`` there were beside.

    ``outcome`` is what became of its order: that of one that was postponed says why, and until when.
    """
    if brought is None or brought.move is None:
        return Rekeyed(reference, errors=errors)
    move = brought.move
    if outcome is not None and outcome.next_try is not None:
        return Rekeyed(reference, str(move.step), outcome.reason, outcome.next_try, errors=errors)
    return Rekeyed(reference, str(move.step), move.reason, moment(move.until), move.is_over, errors)


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as a moment; nought is none."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def is_unfinished(progress_step: str) -> bool:
    """Whether a new key is live already, and only its predecessor's records are left."""
    return progress_step in (Step.DEPLOYED, Step.VERIFIED)


def shared(owners: frozenset[str], situation: Situation | None) -> Iterator[str]:
    """What to do about owner names that are aliases: the records of a CA where they lead may be others' too.

    A certificate for the stolen key is accepted under them until it ends (RFC 7672 section 4).
    """
    if situation is None or situation.live is None:
        return
    places = {site.owner: site for site in situation.sites}
    has_authority = any(record.kind.is_of_authority for site in places.values() for record in site.memory.anywhere)
    if not has_authority:
        return
    record = made(_OWN, situation.live.leaf)
    for owner in sorted(owners - set(places)):
        yield f"replace the CNAME at {shown(owner)} by: {owner} IN TLSA {record}"
