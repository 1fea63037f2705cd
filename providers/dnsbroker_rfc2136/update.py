"""Making changes: read, plan, send, and read back, because NOERROR is no proof.

Rule: what was sent and not answered is looked at and planned again, once; so nothing is repeated blindly, and a signed
look, not the answer, is the proof. Nothing is sent where nothing can come of it, and a call that fails takes back what
it brought. Refused: waiting for any other server than the one that took the update.
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception
import dns.rcode

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import ProviderError, ProviderUnavailable
from dnsbroker.records import Change, Receipt, rfc1982_newer
from dnsbroker_rfc2136.explain import PREREQUISITE_FAILED
from dnsbroker_rfc2136.plan import Edit, Mismatch, message, place_of, plan
from dnsbroker_rfc2136.talk import Apex, Talk, each
from dnsbroker_rfc2136.wire import Silent, Untrusted

# An inline-signed BIND shows an update a few milliseconds after it has confirmed it.
READ_BACK_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.05


class Unsettled(Exception):
    """An update that may or may not have been made, or whose prerequisite failed; ``error`` if it stays so."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


async def apply(talk: Talk, zone: str, changes: Sequence[Change], deadline: Deadline) -> Receipt:
    """Make ``changes`` in ``zone`` and prove it; none is sent after ``deadline``. Raises ProviderErrors.

    After any of them but ProviderUnavailable, what was brought is gone again, as far as the server let us.
    """
    sending = _Sending(talk, zone, deadline)
    try:
        return await _applied(sending, talk, zone, changes)
    except ProviderError as error:
        error.nothing_done = not sending.has_acted
        raise


async def _applied(sending: _Sending, talk: Talk, zone: str, changes: Sequence[Change]) -> Receipt:
    before = await talk.apex(zone)
    edits = await _planned(talk, changes)
    if not edits:
        return Receipt(changed=False, serial=before.serial)
    try:
        try:
            await sending.send(edits)
        except Unsettled:
            await sending.send_again(await _planned(talk, changes))
        await _read_back(talk, edits, sending.deadline.clock)
    except ProviderUnavailable:
        raise
    except ProviderError:
        await sending.take_back()
        raise
    changed = any(edit.has_effect for edit in edits)
    after = await talk.apex(zone)
    warnings = _warnings(before, after) if changed else ()
    return Receipt(changed=changed, serial=after.serial, atomic=sending.messages <= 1, warnings=warnings)


async def _planned(talk: Talk, changes: Sequence[Change]) -> tuple[Edit, ...]:
    """What has to be sent as things stand now. Raises Conflict, RecordRejected where nothing can come of it."""
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


class _Sending:
    """Sends edits, until ``deadline``; ``messages`` counts those that the last call needed.

    ``has_acted`` is false while the server has refused, whole, whatever it was sent.
    """

    def __init__(self, talk: Talk, zone: str, deadline: Deadline) -> None:
        self._talk = talk
        self._zone = zone
        self._out: list[Edit] = []
        self.deadline = deadline
        self.messages = 0
        self.has_acted = False

    async def send(self, edits: Sequence[Edit]) -> None:
        """In one message, or halved in as many as they need, no RRset divided. Raises ProviderErrors, Unsettled."""
        self.messages = 0
        await self._send(edits)

    async def send_again(self, edits: Sequence[Edit]) -> None:
        """For the last time: what is unsettled then is an error. Raises ProviderErrors."""
        try:
            await self.send(edits)
        except Unsettled as still:
            raise still.error from still

    async def take_back(self) -> None:
        """Delete what was brought, even what shows up only later. Raises ProviderUnavailable where that is not sure."""
        edits = [back for edit in self._out if (back := edit.taken_back()).remove]
        try:
            await self.send(edits)
        except Unsettled as unknown:
            raise unknown.error from unknown
        except ProviderError:
            return  # the server takes nothing from us; the first error says more

    async def _send(self, edits: Sequence[Edit]) -> None:
        if not edits:
            return
        places = [edit.place for edit in edits]
        if self.deadline.has_passed() and any(edit.add for edit in edits):
            raise self._talk.blame.late()
        try:
            reply = await self._talk.update(message(self._zone, edits))
        except dns.exception.TooBig:
            if len(edits) == 1:
                raise self._talk.blame.too_big(places[0]) from None
            await self._send(edits[: len(edits) // 2])
            await self._send(edits[len(edits) // 2 :])
            return
        except (Silent, Untrusted) as error:
            self._out += edits
            self.has_acted = True
            raise Unsettled(_doubt(self._talk, error)) from error
        if reply.rcode in PREREQUISITE_FAILED:
            raise Unsettled(self._talk.blame.update(reply, places))
        if reply.rcode != dns.rcode.NOERROR:
            # A server that failed may have failed in the middle of it, or of passing it on.
            self.has_acted = self.has_acted or reply.rcode == dns.rcode.SERVFAIL
            raise self._talk.blame.update(reply, places)
        self._out += edits
        self.has_acted = True
        self.messages += 1


def _doubt(talk: Talk, error: Silent | Untrusted) -> ProviderError:
    """What to say if it stays unknown whether an update was made."""
    if isinstance(error, Silent):
        return talk.blame.silence(str(error))
    return talk.blame.distrust(str(error), after_update=True)


async def _read_back(talk: Talk, edits: Sequence[Edit], clock: Clock) -> None:
    """Look until the server shows every edit made. Raises Conflict or RecordRejected where it does not in time."""
    deadline = Deadline.after(clock, READ_BACK_SECONDS)
    while True:
        is_last = deadline.has_passed()
        made = await each(talk.is_done, edits)
        edits = [edit for edit, is_made in zip(edits, made, strict=True) if not is_made]
        if not edits:
            return
        if is_last:
            raise talk.blame.unchanged(await talk.standing(edits[0].place))
        await clock.sleep(_LOOK_AGAIN_SECONDS)


def _warnings(before: Apex, after: Apex) -> tuple[str, ...]:
    if rfc1982_newer(after.serial, before.serial):
        return ()
    return (
        f"zone {after.zone}: the serial went from {before.serial} to {after.serial} with the update, so secondaries "
        "that go by it will not follow (PowerDNS: look at the zone's SOA-EDIT-DNSUPDATE)",
    )
