"""CAA: do the records that govern a name let our CA issue, to our account and by our method (RFC 8659, RFC 8657)?

Rule: what the zones' own servers say is judged as a CA that follows the RFCs must judge it. A CAA set without a record
about issuing restricts nothing; a lookup that fails is no permission.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dnsbroker.checks.servers import is_ignored
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.caa import CAASet, CAASets, CAAUnanswered, Property, read_issue
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.names import labels, shown
from dnsbroker.tasks import together

#: Tags that a CA must know, or that do not concern it when it issues for servers (RFC 8659, RFC 9495).
_KNOWN = frozenset({"issue", "issuewild", "iodef", "issuemail"})
#: Tags of the CA/B Forum, for methods of validation that not every CA offers; Boulder for one does not know them.
_KNOWN_TO_SOME = frozenset({"contactemail", "contactphone"})
#: How a server fails, whoever asks: others (REFUSED, silence) may be meant for this host alone.
_FAILURES = frozenset({"SERVFAIL", "NOTIMP", "FORMERR"})


@dataclass(frozen=True)
class Authority:
    """Who is to be permitted: the CA by its ``identities`` (``caaIdentities`` of its directory), and our account there.

    ``identities`` is empty where the CA publishes none, ``account_url`` where the account is not registered yet.
    """

    identities: tuple[str, ...]
    account_url: str
    method: str = "dns-01"


async def caa(name: str, sets: CAASets, authority: Authority) -> tuple[Finding, ...]:
    """What about the CAA records of ``name``, as a certificate names it, keeps ``authority`` from issuing."""
    try:
        found = await sets.governing(name)
    except CAAUnanswered as error:
        return (_unanswered(name, error),)
    return _judged(name, found, authority) if found else ()


async def caa_servers(
    zone: Zone, exchange: Exchange, *, ignore: Collection[str] = (), patience: float | None = None
) -> tuple[Finding, ...]:
    """Which servers of ``zone`` fail when they are asked for CAA at its apex, though they answer for the zone.

    A CA that meets one of them is not permitted to issue (RFC 8659 section 3; a failure is no permission). Those in
    ``ignore`` (owner names, IP addresses) are left out, and those that take longer than ``patience`` seconds.
    """
    counted = [server for server in zone.servers if not is_ignored(server, ignore)]
    told = await together(_trouble(zone, server, exchange, patience) for server in counted)
    answering = [words for words in told if words is not None]
    failing = [Evidence(server.label, f"CAA: {words}") for server, words in zip(counted, told, strict=True) if words]
    if not failing:
        return ()
    is_all = len(failing) == len(answering)
    who = "every server" if is_all else f"{len(failing)} of {len(answering)} addresses of its servers"
    return (
        Finding(
            check="caa-servfail",
            severity=Severity.ERROR if is_all else Severity.WARNING,
            subject=shown(zone.name),
            message=f"{who} cannot say whether the zone has CAA records, and a CA that is not told must not issue",
            hint="let them answer NOERROR for type CAA (257), with records or without; old servers need an update",
            evidence=tuple(failing),
        ),
    )


async def _trouble(zone: Zone, server: NameServer, exchange: Exchange, patience: float | None) -> str | None:
    """What is wrong with the answer for CAA; empty where nothing is, None where the server answers for nothing."""
    try:
        async with asyncio.timeout(patience):
            words = await _failure(zone, server, exchange)
            return words and (words if await _serves(zone, server, exchange) else None)
    except TimeoutError:
        return None


async def _failure(zone: Zone, server: NameServer, exchange: Exchange) -> str:
    try:
        answer = await exchange.ask(server.address, zone.name, "CAA")
    except Silent as error:
        return error.reason
    return "" if answer.rcode == "NOERROR" else answer.rcode


async def _serves(zone: Zone, server: NameServer, exchange: Exchange) -> bool:
    try:
        answer = await exchange.ask(server.address, zone.name, "SOA")
    except Silent:
        return False
    return answer.rcode == "NOERROR" and answer.authoritative


def _unanswered(name: str, error: CAAUnanswered) -> Finding:
    """For a top-level domain it says more about this host's ways than about what the CA sees."""
    at = shown(error.at)
    message = f"whether {at} has CAA records cannot be learnt: {error.reason}"
    if len(labels(error.at)) == 1:
        return Finding(check="caa-unknown", severity=Severity.NOTICE, subject=shown(name), message=message)
    return Finding(
        check="caa-servfail",
        severity=Severity.ERROR if error.rcode in _FAILURES else Severity.WARNING,
        subject=shown(name),
        message=message,
        hint=f"a CA that cannot learn it must not issue: have the servers of {at} answer",
    )


def _judged(name: str, found: CAASet, authority: Authority) -> tuple[Finding, ...]:
    """The verdict of RFC 8659 section 4 on one set."""
    critical = [one for one in found.properties if one.is_critical and one.tag not in _KNOWN]
    unknown = [one for one in critical if one.tag not in _KNOWN_TO_SOME]
    if unknown:
        return (_unknown_critical(name, found, unknown, authority),)
    doubts = (_doubtful(name, found, critical),) if critical else ()
    return (*_permitted(name, found, authority), *doubts)


def _permitted(name: str, found: CAASet, authority: Authority) -> tuple[Finding, ...]:
    relevant = _relevant(name, found)
    if not relevant:
        return ()
    objections = [_objection(one, authority) for one in relevant]
    told = [one for one in objections if one]
    if not authority.identities:
        is_closed = len(told) == len(relevant) and all(one.is_for_all for one in told)
        return (_closed(name, found, relevant, told) if is_closed else _no_identities(name, found, relevant),)
    return (_forbidden(name, found, relevant, told, authority),) if len(told) == len(relevant) else ()


def _relevant(name: str, found: CAASet) -> list[Property]:
    """The records about issuing for ``name``: for a wildcard ``issuewild``, where there is any (section 4.3)."""
    wild = [one for one in found.properties if one.tag == "issuewild"]
    if name.startswith("*.") and wild:
        return wild
    return [one for one in found.properties if one.tag == "issue"]


@dataclass(frozen=True)
class _Objection:
    """Why one record does not permit.

    ``is_ours``: it names our CA; ``is_open``: only the account is not known yet; ``is_for_all``: it permits no CA.
    """

    words: str
    is_ours: bool = False
    is_open: bool = False
    is_for_all: bool = False


def _objection(one: Property, authority: Authority) -> _Objection | None:
    said = read_issue(one.value)
    if said is None:
        return _Objection(f"'{one}' is malformed and permits nobody", is_for_all=True)
    if not said.issuer:
        return _Objection(f"'{one}' permits nobody", is_for_all=True)
    if said.issuer not in {identity.lower().rstrip(".") for identity in authority.identities}:
        return _Objection(f"'{one}' permits {said.issuer}")
    accounts, methods = said.all("accounturi"), said.all("validationmethods")
    if len(accounts) > 1 or len(methods) > 1:
        return _Objection(f"'{one}' has a parameter twice and permits nobody", is_ours=True)  # RFC 8657 sections 3, 4
    if methods and authority.method not in methods[0].split(","):
        return _Objection(f"'{one}' does not permit {authority.method}", is_ours=True)
    if accounts and not authority.account_url:
        return _Objection(f"'{one}' permits one account only", is_ours=True, is_open=True)
    if accounts and accounts[0] != authority.account_url:
        return _Objection(f"'{one}' permits another account than {authority.account_url}", is_ours=True)
    return None


def _forbidden(
    name: str, found: CAASet, relevant: Sequence[Property], objections: Sequence[_Objection], authority: Authority
) -> Finding:
    if any(objection.is_open for objection in objections):
        return Finding(
            check="caa-account",
            severity=Severity.NOTICE,
            subject=shown(name),
            message=f"CAA at {shown(found.owner)} permits one account of {authority.identities[0]} only, and ours is "
            "not registered yet",
            hint="run `dnsbroker account register`; then make sure that accounturi is the URL that it tells",
            evidence=_evidence(found, relevant),
        )
    nearest = [objection for objection in objections if objection.is_ours] or objections
    return Finding(
        check="caa-forbids",
        severity=Severity.ERROR,
        subject=shown(name),
        message=f"CAA at {shown(found.owner)} does not permit {authority.identities[0]} to issue: "
        + "; ".join(objection.words for objection in nearest),
        hint=f"add beside it: {_line(found.owner, relevant[0].tag, authority)}{_behind_alias(found)}",
        evidence=_evidence(found, relevant),
    )


def _line(owner: str, tag: str, authority: Authority) -> str:
    """The record that would permit, as zone files have it."""
    account = f"; accounturi={authority.account_url}" if authority.account_url else ""
    return f'{owner} CAA 0 {tag} "{authority.identities[0]}{account}"'


def _behind_alias(found: CAASet) -> str:
    """What else would do where an alias leads to the set."""
    if not found.alias:
        return ""
    return f", or have {shown(found.alias)}, an alias that leads there, stand for itself with CAA records of its own"


def _unknown_critical(name: str, found: CAASet, unknown: Sequence[Property], authority: Authority) -> Finding:
    return Finding(
        check="caa-forbids",
        severity=Severity.ERROR if authority.identities else Severity.WARNING,  # as in _closed
        subject=shown(name),
        message=f"CAA at {shown(found.owner)} has a critical record of a kind that CAs do not know, so none may "
        "issue: " + "; ".join(f"'{one}'" for one in unknown),
        hint=f"remove it from {shown(found.owner)}, or set its flags to 0{_behind_alias(found)}",
        evidence=_evidence(found, unknown),
    )


def _doubtful(name: str, found: CAASet, critical: Sequence[Property]) -> Finding:
    return Finding(
        check="caa-forbids",
        severity=Severity.WARNING,
        subject=shown(name),
        message=f"CAA at {shown(found.owner)} has a critical record of a kind that some CAs do not know, and they may "
        "not issue: " + "; ".join(f"'{one}'" for one in critical),
        hint=f"set its flags to 0 at {shown(found.owner)}",
        evidence=_evidence(found, critical),
    )


def _closed(name: str, found: CAASet, relevant: Sequence[Property], objections: Sequence[_Objection]) -> Finding:
    return Finding(
        check="caa-forbids",
        severity=Severity.WARNING,  # who publishes no name may be a private CA, which does not look at CAA either
        subject=shown(name),
        message=f"CAA at {shown(found.owner)} permits no CA at all: "
        + "; ".join(objection.words for objection in objections),
        hint=f"add beside it a record {found.owner} CAA 0 {relevant[0].tag} with the name that the CA's documentation "
        f"gives{_behind_alias(found)}; a private CA that does not look at CAA issues all the same",
        evidence=_evidence(found, relevant),
    )


def _no_identities(name: str, found: CAASet, relevant: Sequence[Property]) -> Finding:
    return Finding(
        check="caa-unknown",
        severity=Severity.NOTICE,
        subject=shown(name),
        message=f"CAA at {shown(found.owner)} says who may issue, but the CA does not publish by which name it goes",
        hint="compare these records with the CA's own documentation",
        evidence=_evidence(found, relevant),
    )


def _evidence(found: CAASet, properties: Sequence[Property]) -> tuple[Evidence, ...]:
    return tuple(Evidence(found.server, f"{found.owner} CAA {one}") for one in properties)
