"""Words about who disagrees, and the cure, computed from what was seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnsbroker.config.durations import show
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import shown
from dnsbroker.propagation.verdict import ServerVerdict, Verdict

_MARGIN = 300


def table(states: Sequence[ServerVerdict]) -> dict[str, str]:
    """Each address that disagrees, and what it has."""
    return {
        f"{shown(state.server)} ({state.address})": f"{state.verdict}: {state.finding.detail}".removesuffix(": ")
        for state in states
        if state.finding.verdict is not Verdict.GREEN
    }


def message(name: str, zone: Zone, states: Sequence[ServerVerdict], waited: float) -> str:
    """One sentence that names every address that disagrees about ``name``."""
    told = "; ".join(f"{server} is {words}" for server, words in table(states).items())
    return f"{shown(name)} is not right on every server of {shown(zone.name)} after {show(round(waited))}: {told}"


def hint(zone: Zone, states: Sequence[ServerVerdict], timeout: float) -> str:
    """What to do about the first address that disagrees, with the numbers that belong to it."""
    wrong = [state for state in states if state.finding.verdict is not Verdict.GREEN]
    if not wrong:
        return ""
    primary = zone.soa.primary
    state = min(wrong, key=lambda one: (_URGENCY.index(one.finding.verdict), one.server != primary))
    server = shown(state.server)
    if state.finding.verdict is Verdict.STALE and state.server == primary:
        return f"even the zone's primary {server} does not have it: was it written, and to this copy of the zone"
    once = f"or try once with --ignore {server}"
    if state.finding.verdict in (Verdict.STALE, Verdict.PARTIAL, Verdict.UNASKED):
        refresh = zone.soa.refresh
        longer = show(max(timeout, refresh) + _MARGIN)
        return (
            f"{server} refreshes every {refresh} s and did not follow our NOTIFY: let it accept NOTIFY from "
            f"{_primary(zone)}, set propagation.timeout to {longer}, {once}"
        )
    cures = {
        Verdict.LOST: f"{server} serves another copy of the zone (a view, or a lost write): look at it, {once}",
        Verdict.LAME: f"load the zone on {server}, take it out of the zone's NS records, {once}",
        Verdict.BROKEN: f"look at the log of {server} for why it cannot answer, {once}",
        Verdict.BOGUS: f"a validating CA will refuse that answer: sign the zone anew for {server}",
        Verdict.UNREACHABLE: f"let {server} answer on port 53, UDP and TCP, take it out of the NS records, {once}",
    }
    return cures.get(state.finding.verdict, f"none of the zone's addresses can be asked from this host, {once}")


_URGENCY = (
    Verdict.BOGUS,
    Verdict.STALE,
    Verdict.PARTIAL,
    Verdict.LOST,
    Verdict.LAME,
    Verdict.BROKEN,
    Verdict.UNREACHABLE,
    Verdict.UNASKED,
    Verdict.UNTESTED,
    Verdict.GREEN,
)


def _primary(zone: Zone) -> str:
    """The primary that the SOA names, with its addresses where it is one of the servers."""
    addresses = [str(server.address) for server in zone.servers if server.name == zone.soa.primary]
    name = shown(zone.soa.primary)
    return f"{name} ({', '.join(addresses)})" if addresses else name
