"""TLSA records for a key, a request, or what a service presents.

Rule: a record for a CA is made only from a certificate that is sent along and leads to the leaf. What would break, at
once or at the next renewal, is refused until it is allowed by name; what merely may is told. Nothing is looked up.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnsbroker import keys
from dnsbroker.errors import ConfigError, PemInvalid
from dnsbroker.names import owner
from dnsbroker.tlsa.objections import CHECKS, Circumstances, Objection, objections
from dnsbroker.tlsa.paths import misnamed, named
from dnsbroker.tlsa.records import CERT, DANE_EE, DANE_TA, SHA256, SPKI, Kind, Subject, Tlsa, made

#: What is computed where nothing is asked for; the latter only where a CA is sent along.
USUAL = (Kind(DANE_EE, SPKI, SHA256), Kind(DANE_TA, SPKI, SHA256))

_KIND = re.compile(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s*", re.ASCII)
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_REQUESTS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


@dataclass(frozen=True)
class Presented:
    """What a service presents, or will: its leaf, or as yet its key, and the CAs on the way up from it that are sent.

    ``authorities`` begins with the CA that issued the leaf.
    """

    leaf: Subject
    authorities: tuple[Subject, ...] = ()


@dataclass(frozen=True)
class Computed:
    """Records, in the order in which their kinds were asked for, and what is to be said of them."""

    records: tuple[Tlsa, ...]
    warnings: tuple[Objection, ...]


def compute(
    pem: str, records: Iterable[str] = (), *, host: str = "", port: int | None = None, allow: Iterable[str] = ()
) -> tuple[str, ...]:
    """TLSA values, ``3 1 1 hex``, for what ``pem`` holds: a certificate or chain, leaf first, a key, or a request.

    ``records`` are kinds such as ``3 1 1``; none: 3 1 1, and 2 1 1 (the highest CA of the chain) where there is one.
    ``host`` and ``port`` are the service's, if they are known, ``allow`` the checks that may fail
    (dnsbroker.tlsa.objections.CHECKS).
    Raises PemInvalid, NameInvalid, and ConfigError where a kind is none, cannot be computed from this, or is refused.
    """
    found = computed([read(pem)], kinds(records), host=host, port=port, allow=allow)
    return tuple(str(record) for record in found.records)


def kinds(texts: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds that are written ``usage selector type``, each once. Raises ConfigError."""
    return tuple(dict.fromkeys(_kind(text) for text in texts))


def _kind(text: str) -> Kind:
    found = _KIND.fullmatch(text)
    hint = "write usage, selector and matching type as numbers, such as 3 1 1"
    if found is None:
        raise ConfigError(f"{text!r} is no kind of TLSA record", hint=hint)
    kind = Kind(*(int(field) for field in found.groups()))
    if kind.unknown:
        raise ConfigError(f"{text!r} is no kind of TLSA record: {kind.unknown}", hint=hint)
    return kind


def read(pem: str) -> Presented:
    """What ``pem`` holds: a certificate or chain, leaf first, or else a private key, or a signing request.

    Raises PemInvalid.
    """
    blocks = set(_BLOCK.findall(pem))
    if "CERTIFICATE" in blocks:
        return of_chain(pem)
    if blocks.intersection(_REQUESTS):
        return of_request(pem)
    if any(block.endswith("PRIVATE KEY") for block in blocks):
        return of_key(pem)
    hint = "give a file in PEM that holds a certificate, a private key or a signing request"
    raise PemInvalid("file", "there is nothing in it that a TLSA record could name", hint=hint)


def of_chain(pem: str) -> Presented:
    """What a service presents that has this chain. Raises PemInvalid, also where it is out of order."""
    return presented([ssl.PEM_cert_to_DER_cert(each) for each in keys.read_chain(pem)])


def of_key(pem: str) -> Presented:
    """What is known of a service that will have a certificate for this private key. Raises PemInvalid."""
    return Presented(Subject(b"", keys.public_key_of(pem)))


def of_request(pem: str) -> Presented:
    """What is known of a service that will have the certificate requested. Raises PemInvalid."""
    return Presented(Subject(b"", keys.public_key_in_request(pem)))


def presented(served: Sequence[bytes]) -> Presented:
    """What a service presents that sends the certificates ``served`` (DER), leaf first, the others in any order.

    What does not lead up from the leaf is passed over. Raises PemInvalid.
    """
    leaf, *others = (keys.link(der) for der in served)
    path = [leaf]
    while above := [link for link in others if link not in path and link.is_authority and link.has_signed(path[-1])]:
        path.append(above[0])
    found = tuple(Subject(link.der, link.public_key) for link in path)
    return Presented(found[0], found[1:])


def computed(
    services: Sequence[Presented],
    wanted: Sequence[Kind],
    *,
    host: str = "",
    port: int | None = None,
    allow: Iterable[str] = (),
) -> Computed:
    """The records of the kinds ``wanted``, none for the usual ones, that cover all of ``services``.

    There are several where one service has a certificate for each algorithm, or for each address.
    Raises ConfigError and NameInvalid, as ``compute`` does.
    """
    chosen = tuple(wanted) or _usual(services)
    records = tuple(dict.fromkeys(_record(kind, service) for kind in chosen for service in services))
    circumstances = Circumstances(all(service.authorities for service in services), port, _misnamed(services, host))
    found = objections(chosen, circumstances, count=len(records))
    allowed = _checked(allow)
    left = [objection for objection in found if objection.check not in allowed]
    if refused := [objection for objection in left if objection.is_refusal]:
        raise _refusal(refused)
    return Computed(records, tuple(left))


def _checked(allow: Iterable[str]) -> frozenset[str]:
    words = frozenset(allow)
    if unknown := sorted(words - set(CHECKS)):
        raise ConfigError(f"{unknown[0]!r} is no check that could be allowed", hint=f"there are {', '.join(CHECKS)}")
    return words


def _misnamed(services: Sequence[Presented], host: str) -> str:
    """The words for the first leaf that is not for ``host``; empty where all are, or are not there yet."""
    if not host:
        return ""
    hosts = [owner(host).removesuffix(".")]
    leaves = (keys.link(service.leaf.certificate) for service in services if service.leaf.certificate)
    return next((misnamed(leaf, hosts) for leaf in leaves if not named(leaf, hosts)), "")


def _usual(services: Sequence[Presented]) -> tuple[Kind, ...]:
    return USUAL if all(service.authorities for service in services) else USUAL[:1]


def _record(kind: Kind, service: Presented) -> Tlsa:
    """The record for the leaf, or for the highest CA; for the leaf also where there is no CA, which is objected to."""
    subject = service.authorities[-1] if kind.is_of_authority and service.authorities else service.leaf
    if kind.selector == CERT and not subject.certificate:
        hint = f"give the certificate itself, or ask for {kind.usage} {SPKI} {kind.matching}"
        raise ConfigError(f"{kind} is of a certificate, and there is only a key", hint=hint)
    return made(kind, subject)


def _refusal(refused: Sequence[Objection]) -> ConfigError:
    allowing = " ".join(f"--allow {check}" for check in dict.fromkeys(each.check for each in refused))
    message = "; ".join(each.message for each in refused)
    return ConfigError(message, hint=f"{refused[0].hint}; {allowing} computes it all the same")
