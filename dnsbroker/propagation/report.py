"""Words about who disagrees, and the cure, computed from what was seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dnsbroker.config.durations import show
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import shown
from dnsbroker.propagation.verdict import ServerVerdict, Verdict, Want
from dnsbroker.records import rfc1982_newer

_MARGIN = 300
_NOTABLE_SILENCE = 2.5


@dataclass(frozen=True)
class Failure:
    """A wait that ended without agreement: ``waited`` and ``timeout`` (the configured one) in seconds.

    ``states`` are the addresses that counted.
    """

    zone: Zone
    want: Want
    states: Sequence[ServerVerdict]
    waited: float
    timeout: float

    def seen(self) -> dict[str, str]:
        """Each address, and what it has."""
        return {_labelled(state): _words(state) for state in self.states}

    def message(self) -> str:
        """One sentence that names every address that disagrees."""
        if not self.states:
            return f"no server of {shown(self.zone.name)} is left to ask"
        told = "; ".join(f"{_labelled(state)} is {_words(state)}" for state in self._wrong())
        what = f"{shown(self.want.name)} is not right on every server of {shown(self.zone.name)}"
        waited = show(round(self.waited, 0 if self.waited >= 1 else 2))
        return f"{what} after {waited}: {told or 'their agreement was not confirmed in time'}"

    def hint(self) -> str:
        """What to do about the gravest that disagrees, the primary first, with the numbers that belong to it."""
        if not self.states:
            return "leave at least one of its servers out of propagation.ignore and --ignore"
        wrong = self._wrong()
        if not wrong:
            return "set propagation.timeout to more"
        state = min(wrong, key=lambda one: (one.verdict.gravity, one.server != self.zone.soa.primary))
        return self._cure(state) + self._way_out(state)

    def _wrong(self) -> list[ServerVerdict]:
        """Those that are not green now; where all are, those that were not all the time."""
        return [state for state in self.states if _is_wrong(state)] or [one for one in self.states if one.wavers]

    def _way_out(self, state: ServerVerdict) -> str:
        """What leaves ``state`` out, where that is possible and would leave somebody: not everyone has options."""
        right = [other for other in self.states if other is not state and not _is_wrong(other)]
        if self.want.type == "TLSA" or state.verdict is Verdict.BOGUS or not right:
            return ""
        has_name = state.server != state.address and all(other.server != state.server for other in right)
        named = shown(state.server) if has_name else state.ip
        return f", or leave it out, with propagation.ignore or once with --ignore {named}"

    def _cure(self, state: ServerVerdict) -> str:
        server, zone = shown(state.server), shown(self.zone.name)
        if state.verdict in (Verdict.STALE, Verdict.PARTIAL) and not state.wavers:
            return self._catch_up(state)
        if state.verdict is Verdict.UNREACHABLE and self.waited < _NOTABLE_SILENCE:
            return f"set propagation.timeout to more: {server} had hardly time to answer"
        cures = {
            Verdict.HIDDEN: f"make the empty names of {zone} known on {server} (PowerDNS: pdnsutil rectify-zone {zone}"
            f", then pdns_control purge {zone}$): resolvers that go down name by name never reach the record",
            Verdict.LOST: f"{server} serves another copy of the zone, or the record was overwritten: compare the two",
            Verdict.LAME: f"load the zone on {server}, or take it out of the NS records",
            Verdict.BROKEN: f"look in the log of {server} for why it cannot answer",
            Verdict.BOGUS: f"a CA that validates will refuse that answer: have {server} serve the zone freshly signed",
            Verdict.UNREACHABLE: f"let {server} answer at {state.address} by UDP and TCP, or take it out of the NS set",
            Verdict.UNTESTED: f"ask from a host that has a way to {state.address}",
        }
        if state.wavers and state.verdict not in cures:
            return f"bring the machines that answer as {server} in step"
        return cures.get(state.verdict, cures[Verdict.UNREACHABLE])

    def _catch_up(self, state: ServerVerdict) -> str:
        """What helps one that has not followed."""
        server, primary = shown(state.server), self.zone.soa.primary
        newest = self._newest_serial()
        if state.serial is not None and newest is not None and not rfc1982_newer(newest, state.serial):
            if not any(other.verdict is Verdict.GREEN for other in self.states):
                return f"no server of {shown(self.zone.name)} has it: was it written, and to this zone?"
            zone = shown(self.zone.name)
            return (
                f"{server} serves other data under the same serial {state.serial}: compare the two (PowerDNS without "
                f"SOA-EDIT-API leaves the serial alone, and none follows: pdnsutil set-meta {zone} SOA-EDIT-API "
                f"INCREASE, then pdnsutil increase-serial {zone})"
            )
        if state.server == primary:
            return f"{server} is the zone's primary: look in its log for why it does not serve what was written"
        refresh = self.zone.soa.refresh
        if self.waited > refresh + _MARGIN:
            return (
                f"{server} refreshes every {refresh} s and yet is behind: look in its log for why its transfers from "
                f"{primary_of(self.zone)} fail"
            )
        return (
            f"{server} refreshes every {refresh} s and did not follow our NOTIFY: let it accept NOTIFY from "
            f"{primary_of(self.zone)}, set propagation.timeout to {time_to_refresh(self.zone, self.timeout)}"
        )

    def _newest_serial(self) -> int | None:
        """The newest serial known of, by RFC 1982: the expected one, or any that is served."""
        newest = self.want.serial
        for state in self.states:
            if state.serial is not None and (newest is None or rfc1982_newer(state.serial, newest)):
                newest = state.serial
        return newest


def primary_of(zone: Zone) -> str:
    """The primary that the SOA of ``zone`` names, with its addresses where it is one of the servers."""
    primary = zone.soa.primary
    addresses = [str(server.address) for server in zone.servers if primary in (server.name, *server.also)]
    return f"{shown(primary)} ({', '.join(addresses)})" if addresses else shown(primary)


def time_to_refresh(zone: Zone, timeout: float = 0.0) -> str:
    """A ``propagation.timeout`` in which secondaries of ``zone`` follow without NOTIFY; above ``timeout`` seconds."""
    return show(math.ceil((max(timeout, zone.soa.refresh) + _MARGIN) / 60) * 60)


def warnings(
    states: Sequence[ServerVerdict], counted: Sequence[ServerVerdict], tolerated: Sequence[ServerVerdict]
) -> tuple[str, ...]:
    """What a person should know about the addresses of a zone although it is through."""
    told = []
    for state in states:
        if state not in counted:
            told.append(f"{_labelled(state)} is ignored")
        elif state in tolerated and state.verdict is not Verdict.UNTESTED:
            told.append(f"{_labelled(state)} is {_words(state)}; it was not waited for")
        elif state.verdict is Verdict.GREEN and state.finding.detail:
            told.append(f"{_labelled(state)} {state.finding.detail}")
    return tuple(told)


def _is_wrong(state: ServerVerdict) -> bool:
    return state.verdict is not Verdict.GREEN or state.silent_for > _NOTABLE_SILENCE


def _labelled(state: ServerVerdict) -> str:
    name = shown(state.server)
    return name if name == state.address else f"{name} ({state.address})"


def _words(state: ServerVerdict) -> str:
    """The verdict, and what else is to be said of it."""
    if state.verdict is Verdict.UNASKED:
        return f"{Verdict.UNREACHABLE}: no answer for {state.silent_for:.1f} s"
    details = [state.finding.detail] if state.finding.detail else []
    if state.wavers:
        details.append("had the values and lost them again")
    if state.verdict is Verdict.GREEN and _is_wrong(state):
        return f"green, but has not answered for {state.silent_for:.0f} s"
    return f"{state.verdict}: {'; '.join(details)}" if details else str(state.verdict)
