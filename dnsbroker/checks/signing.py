"""What each server of a signed zone proves: its keys, the apex, and that what is not there is not there.

Rule: each address is asked about the apex, and once about a random name one label below it, which is no name that
anybody will want; servers that do not answer for the zone are left to ``dnsbroker.checks.servers``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup import denial
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.proofs import Keys, Proof, State, proof, read_keys
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.names import shown
from dnsbroker.tasks import together

#: A type that stands at no apex: it belongs below _port._protocol.
_NEVER_AT_APEX = "TLSA"
_OVER = timedelta(hours=1)  # as the watcher judges; a CA looks a while after us
_SOON = timedelta(days=3)
_MANY_ITERATIONS = 100


@dataclass(frozen=True)
class View:
    """What one server has: its ``keys``, the ``proofs`` of the apex's RRsets by type, ``flaws`` of denials by question.

    ``iterations`` is the NSEC3 parameter.
    """

    server: NameServer
    keys: Keys
    proofs: Mapping[str, Proof]
    flaws: Mapping[str, str] = field(default_factory=dict)
    iterations: int = 0


async def look(zone: Zone, server: NameServer, exchange: Exchange, now: datetime) -> View | None:
    """What ``server`` has to show; None where it does not answer for the zone."""
    try:
        soa, ns = await together(exchange.ask(server.address, zone.name, type, dnssec=True) for type in ("SOA", "NS"))
    except Silent:
        return None
    if any(answer.rcode != "NOERROR" or not answer.authoritative for answer in (soa, ns)):
        return None
    keys = await _keys(zone, server, exchange, now)
    proofs = {"DNSKEY": keys.proof} | {
        type: proof(answer, zone.name, type, keys, now) for type, answer in (("SOA", soa), ("NS", ns))
    }
    if proofs["SOA"].state is not State.RIGHT:
        return View(server, keys, proofs)  # then its denials do not hold either
    return await _with_denials(View(server, keys, proofs), zone, exchange, now)


async def _keys(zone: Zone, server: NameServer, exchange: Exchange, now: datetime) -> Keys:
    """The keys; the answer with them is the largest of all, and the first to get lost on the way."""
    try:
        answer = await exchange.ask(server.address, zone.name, "DNSKEY", dnssec=True)
    except Silent as error:
        return Keys(Proof(State.ABSENT, error.reason))
    return read_keys(answer, zone.name, zone.ds, now)


async def _with_denials(view: View, zone: Zone, exchange: Exchange, now: datetime) -> View:
    random = f"{secrets.token_hex(8)}.{zone.name.lstrip('.')}"
    questions = (
        ("a name that is not there", random, "TXT"),
        (f"{shown(zone.name)} {_NEVER_AT_APEX}", zone.name, _NEVER_AT_APEX),
    )
    flaws: dict[str, str] = {}
    most = 0
    for question, name, type in questions:
        try:
            answer = await exchange.ask(view.server.address, name, type, dnssec=True)
        except Silent:
            continue  # which is told of the server as such
        found = denial.flaw(answer, zone.name, name, type, view.keys, now)
        if found:
            flaws[question] = found
        most = max(most, denial.iterations(answer))
    return replace(view, flaws=flaws, iterations=most)


def findings(zone: Zone, views: Sequence[View], now: datetime) -> Iterator[Finding]:
    """What is wrong with what ``views`` show, one finding for each kind of fault."""
    for fault in _FAULTS:
        found = [(view, record) for view in views if (record := fault.record(view, now))]
        if not found:
            continue
        fitting = sorted({f"{zone.name} DS {ds}" for view, _ in found for ds in view.keys.ds})
        words = {
            "where": "every address" if len(found) == len(views) else f"{len(found)} of {len(views)} addresses",
            "ds": ", ".join(fitting) or "the DS of a key that signs the zone",
        }
        are_others_right = bool(fault.hint_for_some) and any(view.keys.is_named for view in views)
        yield Finding(
            check=fault.check,
            severity=fault.severity,
            subject=shown(zone.name),
            message=fault.message.format_map(words),
            hint=(fault.hint_for_some if are_others_right else fault.hint).format_map(words),
            evidence=tuple(Evidence(view.server.label, record) for view, record in found),
        )


@dataclass(frozen=True)
class _Fault:
    """One kind of fault: ``record`` tells of a server what it has that is wrong, nothing where nothing is.

    In message and hint ``{where}`` says at how many addresses, ``{ds}`` which DS would fit. ``hint_for_some`` is for
    where other servers have the keys that the parent names.
    """

    check: str
    severity: Severity
    record: Callable[[View, datetime], str]
    message: str
    hint: str
    hint_for_some: str = ""


def _unsigned(view: View, now: datetime) -> str:
    if view.proofs["DNSKEY"].state is State.ABSENT:
        return f"no DNSKEY ({view.proofs['DNSKEY'].reason})"
    bare = [type for type, one in view.proofs.items() if one.state is State.UNSIGNED]
    return f"{', '.join(bare)} without a signature" if bare else ""


def _mismatched(view: View, now: datetime) -> str:
    if view.keys.is_named or not view.keys.tags:
        return ""
    return f"DNSKEY with the key tags {', '.join(map(str, view.keys.tags))}"


def _wrong(view: View, now: datetime) -> str:
    if view.keys.rrset is None:
        return ""  # there is nothing to verify by, which is told elsewhere
    return _listed(f"{type}: {one.reason}" for type, one in _in_state(view, State.WRONG))


def _early(view: View, now: datetime) -> str:
    return _listed(f"{type} signed from {_when(one.since)}" for type, one in _in_state(view, State.EARLY))


def _over(view: View, now: datetime) -> str:
    return _listed(f"{type} signed until {_when(one.until)}" for type, one in view.proofs.items() if _is_over(one, now))


def _ending(view: View, now: datetime) -> str:
    return _listed(
        f"{type} signed until {_when(one.until)}"
        for type, one in view.proofs.items()
        if one.ends_soon(now, _SOON) and not _is_over(one, now)
    )


def _is_over(one: Proof, now: datetime) -> bool:
    left = one.left(now)
    return one.state is State.OVER or (left is not None and left < _OVER)


def _unsound(view: View, now: datetime) -> str:
    return _listed(f"{question}: {flaw}" for question, flaw in view.flaws.items())


def _costly(view: View, now: datetime) -> str:
    return f"NSEC3 with {view.iterations} iterations" if view.iterations > _MANY_ITERATIONS else ""


def _iterated(view: View, now: datetime) -> str:
    return f"NSEC3 with {view.iterations} iterations" if 0 < view.iterations <= _MANY_ITERATIONS else ""


def _in_state(view: View, state: State) -> list[tuple[str, Proof]]:
    return [(type, one) for type, one in view.proofs.items() if one.state is state]


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"


_FAULTS = (
    _Fault(
        check="unsigned-server",
        severity=Severity.ERROR,
        record=_unsigned,
        message="its parent has a DS, but at {where} it is served without signatures or without its keys",
        hint="have that server take the signed zone from the one that signs it; where only its keys do not come, let "
        "large answers through by UDP and TCP; for a zone that is not to be signed have the DS taken out of the parent",
    ),
    _Fault(
        check="ds-mismatch",
        severity=Severity.ERROR,
        record=_mismatched,
        message="no DS in its parent names a key that is served at {where}",
        hint="put {ds} into the parent (at the registrar), or have the keys served that the DS there names",
        hint_for_some="leave the DS as it is, for the other servers have its keys: have that server take the zone anew "
        "from the one that signs it, and see that nobody else signs or writes its copy",
    ),
    _Fault(
        check="bogus-signature",
        severity=Severity.ERROR,
        record=_wrong,
        message="signatures that are served at {where} do not verify",
        hint="sign the zone again, then have every server take it anew, by AXFR if need be",
    ),
    _Fault(
        check="signature-early",
        severity=Severity.ERROR,
        record=_early,
        message="signatures that are served at {where} begin in the future",
        hint="set the clock of the host that signs, or of this one, then sign the zone again",
    ),
    _Fault(
        check="signature-expires",
        severity=Severity.ERROR,
        record=_over,
        message="signatures that are served at {where} are over, or will be within the hour",
        hint="sign the zone again; where only some servers have old signatures, let them follow the one that signs",
    ),
    _Fault(
        check="signature-expires",
        severity=Severity.WARNING,
        record=_ending,
        message="signatures that are served at {where} end soon, and should have been renewed by now",
        hint="look why the signer does not renew them, and whether the servers follow it",
    ),
    _Fault(
        check="denial-unsound",
        severity=Severity.ERROR,
        record=_unsound,
        message="at {where} the answer that something does not exist proves nothing: who validates gets no answer",
        hint="rectify the zone or sign it anew (PowerDNS: pdnsutil rectify-zone), then have every server take it anew",
    ),
    _Fault(
        check="nsec3-iterations",
        severity=Severity.WARNING,
        record=_costly,
        message="its NSEC3 has more iterations than validators accept: to them the zone is unsigned, or broken",
        hint="set NSEC3 to 0 iterations and no salt (RFC 9276): 1 0 0 -",
    ),
    _Fault(
        check="nsec3-iterations",
        severity=Severity.NOTICE,
        record=_iterated,
        message="its NSEC3 has additional iterations, which protect nothing and which validators give up",
        hint="set NSEC3 to 0 iterations and no salt (RFC 9276): 1 0 0 -",
    ),
)
