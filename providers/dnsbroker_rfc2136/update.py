"""Making changes: read, plan, send, and read back, because NOERROR is no proof.

Rule: what was sent and not answered is looked at and planned again, once; so nothing is repeated blindly. Nothing is
sent where nothing can come of it. Refused: waiting for any other server than the one that took the update.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import dns.exception
import dns.rcode

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import ProviderError
from dnsbroker.records import Change, Receipt, rfc1982_newer
from dnsbroker_rfc2136.explain import PREREQUISITE_FAILED
from dnsbroker_rfc2136.plan import Edit, Mismatch, message, place_of, plan
from dnsbroker_rfc2136.talk import Apex, Talk, each
from dnsbroker_rfc2136.wire import Silent

# An inline-signed BIND shows an update a few milliseconds after it has confirmed it.
READ_BACK_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.05


class Unsettled(Exception):
    """An update that may or may not have been made, or whose prerequisite failed; ``error`` if it stays so."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def apply(talk: Talk, zone: str, changes: Sequence[Change], clock: Clock) -> Receipt:
    """Make ``changes`` in ``zone`` and prove it. Raises ProviderErrors."""
    before = await talk.apex(zone)
    edits = await _planned(talk, changes)
    if not edits:
        return Receipt(changed=False, serial=before.serial)
    try:
        messages = await _send(talk, zone, edits)
    except Unsettled:
        try:
            messages = await _send(talk, zone, await _planned(talk, changes))
        except Unsettled as still:
            raise still.error from still
    if unseen := await _unseen(talk, edits, clock):
        await _take_back(talk, zone, edits)
        raise talk.blame.unchanged(await talk.standing(unseen[0].place))
    changed = any(edit.has_effect for edit in edits)
    after = await talk.apex(zone)
    warnings = _warnings(before, after) if changed else ()
    return Receipt(changed=changed, serial=after.serial, atomic=messages <= 1, warnings=warnings)


async def _planned(talk: Talk, changes: Sequence[Change]) -> tuple[Edit, ...]:
    places = dict.fromkeys(place_of(change) for change in changes)
    standing = dict(zip(places, await each(talk.standing, places), strict=True))
    try:
        edits = plan(changes, standing)
    except Mismatch as found:
        raise talk.blame.mismatch(found) from found
    for edit in edits:
        obstacle = talk.blame.obstacle(edit.before) if edit.add else None
        if obstacle:
            raise obstacle
    return edits


async def _send(talk: Talk, zone: str, edits: Sequence[Edit]) -> int:
    """Send ``edits`` in one message, or halved in as many as they need, no RRset divided; gives back how many.

    Raises Unsettled.
    """
    if not edits:
        return 0
    places = [edit.place for edit in edits]
    try:
        reply = await talk.update(message(zone, edits))
    except dns.exception.TooBig:
        if len(edits) == 1:
            raise talk.blame.too_big(places[0]) from None
        half = len(edits) // 2
        return await _send(talk, zone, edits[:half]) + await _send(talk, zone, edits[half:])
    except Silent as error:
        raise Unsettled(talk.blame.silence(str(error))) from error
    if reply.rcode in PREREQUISITE_FAILED:
        raise Unsettled(talk.blame.update(reply, places))
    if reply.rcode != dns.rcode.NOERROR:
        raise talk.blame.update(reply, places)
    return 1


async def _unseen(talk: Talk, edits: Sequence[Edit], clock: Clock) -> Sequence[Edit]:
    """Look until the server shows every edit made; those that it does not show in time."""
    deadline = Deadline.after(clock, READ_BACK_SECONDS)
    while True:
        is_last = deadline.has_passed()
        made = await each(talk.is_done, edits)
        edits = [edit for edit, is_made in zip(edits, made, strict=True) if not is_made]
        if not edits or is_last:
            return edits
        await clock.sleep(_LOOK_AGAIN_SECONDS)


async def _take_back(talk: Talk, zone: str, edits: Sequence[Edit]) -> None:
    """Delete what ``edits`` added, so that a failed call leaves nothing behind, not even what shows up later."""
    with contextlib.suppress(ProviderError, Unsettled):
        await _send(talk, zone, [back for edit in edits if (back := edit.taken_back()).remove])


def _warnings(before: Apex, after: Apex) -> tuple[str, ...]:
    if rfc1982_newer(after.serial, before.serial):
        return ()
    return (
        f"zone {after.zone}: the serial went from {before.serial} to {after.serial} with the update, so secondaries "
        "that go by it will not follow (PowerDNS: look at the zone's SOA-EDIT-DNSUPDATE)",
    )
