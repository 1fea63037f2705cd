"""What mail domains and SRV names lead to: the hosts that clients connect to, whose names the TLSA records have.

Rule: as clients go there. A domain's MX hosts, each of them, or the domain itself where it has none (RFC 5321 section
5.1); the target and port of an SRV record (RFC 7673 section 3). That the way there is not protected is told, and the
hosts are looked at all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dnsbroker.dane.believing import Believing
from dnsbroker.dane.faults import fault
from dnsbroker.endpoints import STARTTLS_PORTS, TLS_PORTS, Endpoint, parse
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.findings import Evidence, Finding
from dnsbroker.lookup.validating import Believed, Standing
from dnsbroker.names import labels, owner, shown
from dnsbroker.settings import Rejected

_SMTP = 25
#: Services of SRV records whose names are no scheme of ours.
_SCHEMES = {"xmpps-client": "tls", "xmpps-server": "tls", "postgresql": "postgres"}


@dataclass(frozen=True)
class Target:
    """An endpoint to look at, and how it was come by.

    ``via`` is the mail domain (``example.org MX``) or SRV name, empty where the endpoint itself was named. ``domain``
    is what an XMPP stream is for; ``names`` are further names that its certificate may have (RFC 7672 section 3.2.2).
    """

    endpoint: Endpoint
    via: str = ""
    domain: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expanded:
    """The targets that one name led to, and what is to be said of the way."""

    targets: tuple[Target, ...] = ()
    findings: tuple[Finding, ...] = field(default=())


async def of_mail(domain: str, believing: Believing) -> Expanded:
    """The mail servers of ``domain``. Raises ConfigError where that is no name."""
    name = domain_of(domain)
    found = await believing.ask(name, "MX")
    subject = f"{shown(name)} MX"
    if not found.standing.is_known:
        return Expanded(findings=(unanswered(found, subject),))
    way = (_insecure(found, subject),) if found.standing is Standing.INSECURE else ()
    names = (name[:-1], found.end[:-1]) if found.standing is not Standing.INSECURE else ()
    if not found.values:
        message = f"it has no MX, so that mail goes to {shown(found.end)} itself"
        implicit = fault("implicit-mx", subject, message, "an MX that names the host says so to everybody")
        return Expanded((_mail(found.end[:-1], subject, names),), (*way, implicit))
    values = sorted(found.values, key=_preference)
    hosts = [value.split()[-1] for value in values]
    if hosts == ["."]:
        return Expanded(findings=(*way, fault("null-mx", subject, "it takes no mail (RFC 7505): nothing to look at")))
    targets, findings = list[Target](), list[Finding](way)
    for host, value in zip(hosts, values, strict=True):
        try:
            targets.append(_mail(host, subject, names))
        except Rejected as error:
            hint = "have the MX name a host of letters, digits and hyphens that has an address itself"
            words = f"no mail can be sent to {shown(host)}: {str(error).partition(': ')[2]}"
            findings.append(fault("mx-host-unusable", subject, words, hint, (Evidence(record=f"MX {value}"),)))
    return Expanded(tuple(dict.fromkeys(targets)), tuple(findings))


async def of_service(name: str, believing: Believing) -> Expanded:
    """Where the SRV records at ``name`` lead. Raises ConfigError where that is no such name."""
    scheme, domain = service_of(name)
    srv = owner(name)
    found = await believing.ask(srv, "SRV")
    subject = f"{shown(srv)} SRV"
    if not found.standing.is_known:
        return Expanded(findings=(unanswered(found, subject),))
    way = (_insecure(found, subject),) if found.standing is Standing.INSECURE else ()
    if not found.values:
        hint = "is the name right? it is _SERVICE._tcp.DOMAIN"
        return Expanded(findings=(*way, fault("no-srv", subject, "there is no SRV record", hint)))
    targets, findings = list[Target](), list[Finding](way)
    for value in sorted(found.values, key=_preference):
        *_, port, host = value.split()
        if host == ".":
            findings.append(fault("srv-not-offered", subject, "the service is not offered (RFC 2782): target ."))
            continue
        try:
            endpoint = parse(f"{scheme}://{host}:{port}")
            targets.append(Target(endpoint, subject, domain if scheme.startswith("xmpp-") else ""))
        except Rejected as error:
            words = f"no client can connect to {shown(host)}, port {port}: {str(error).partition(': ')[2]}"
            hint = "have the SRV name a host of letters, digits and hyphens"
            findings.append(fault("srv-target-unusable", subject, words, hint, (Evidence(record=f"SRV {value}"),)))
    return Expanded(tuple(dict.fromkeys(targets)), tuple(findings))


def domain_of(text: str) -> str:
    """The owner name of a mail domain. Raises ConfigError."""
    return _name(text, "mail domain")


def service_of(name: str) -> tuple[str, str]:
    """The scheme by which the service of an SRV name is spoken to, and its domain. Raises ConfigError."""
    parts = labels(_name(name, "SRV name"))
    known = (*STARTTLS_PORTS, *(scheme for scheme in TLS_PORTS if scheme != "tls"), *_SCHEMES)
    hint = f"write _SERVICE._tcp.DOMAIN, SERVICE being one of {', '.join(known)}"
    if len(parts) < 3 or not parts[0].startswith("_") or parts[1] != "_tcp":
        raise ConfigError(f"{name!r} is no SRV name of a service over TCP", hint=hint)
    service = parts[0].removeprefix("_")
    if service not in known:
        raise ConfigError(f"{name!r}: how the service {service} is spoken to is not known", hint=hint)
    return _SCHEMES.get(service, service), ".".join(parts[2:])


def unanswered(found: Believed, subject: str) -> Finding:
    """What is to be said where nothing can be believed: it is bogus, or nobody answers."""
    what = f"{shown(found.name)} {found.type}"
    evidence = (Evidence(record=found.reason),)
    if found.standing is Standing.BOGUS:
        hint = "mend its signatures or its DS: `dnsbroker doctor` names what is wrong with a zone"
        return fault("bogus", subject, f"{what} fails validation: clients do not connect, mail waits", hint, evidence)
    message = f"no answer about {what}, which is no denial: clients do not connect, mail waits"
    return fault("unanswered", subject, message, "let the zone's servers answer, by UDP and by TCP", evidence)


def _insecure(found: Believed, subject: str) -> Finding:
    message = "it is not protected by DNSSEC: whoever changes it on the way leads clients where no DANE is"
    return fault("insecure", subject, message, f"sign the zone of {shown(found.name)}, and have its DS in the parent")


def _mail(host: str, via: str, names: tuple[str, ...]) -> Target:
    """Raises Rejected."""
    return Target(parse(f"smtp://{host}:{_SMTP}"), via, names=tuple(dict.fromkeys(names)))


def _preference(value: str) -> tuple[int, str]:
    return int(value.split()[0]), value


def _name(text: str, what: str) -> str:
    try:
        return owner(text)
    except NameInvalid as error:
        raise ConfigError(f"{text!r} is no {what}: {error.reason}", hint="write a name such as example.org") from error
