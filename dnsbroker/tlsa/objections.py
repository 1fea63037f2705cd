"""What speaks against TLSA records before they are made: words for scripts, sentences for people.

Rule: a kind that fails clients, now or at the next renewal, is refused; what only may fail is warned of. Each check has
a word that stays, by which it can be allowed. Nothing is judged here but kinds, their number and their port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnsbroker.tlsa.records import CERT, DANE_EE, DANE_TA, FULL, PKIX_EE, PKIX_TA, SHA256, SHA512, SPKI, Kind

#: The words, and what is objected to.
CHECKS = {
    "ca-certificate": "usage 0 or 2 with selector 0: a CA has several certificates for one key",
    "full-data": "matching type 0: the octets themselves",
    "host-name": "usage 0, 1 or 2 where the certificate is not for the host: clients look at names then",
    "leaf-as-anchor": "usage 0 or 2 where no CA is sent along: the leaf would be the trust anchor",
    "many": "more records than every mail service takes",
    "pkix": "usage 0 or 1: refused on port 25, a warning elsewhere",
    "sha512-alone": "matching type 2 without its like of type 1",
    "whole-certificate": "usage 1 or 3 with selector 0: every renewal breaks it",
}
#: Records at one name above which mail services have been seen to fail.
MOST = 12
_SMTP = 25
_LEAF_KEY = f"ask for {Kind(DANE_EE, SPKI, SHA256)}"


@dataclass(frozen=True)
class Circumstances:
    """What kinds of records meet: whether a CA is sent along, and the service's port, None where it is not known.

    ``misnamed`` says that the certificate is not for the host; empty where it is, or no host is known.
    """

    has_authority: bool
    port: int | None = None
    misnamed: str = ""


@dataclass(frozen=True)
class Objection:
    """``check`` is one of CHECKS, ``message`` says what is wrong, ``hint`` what to do instead.

    ``is_refusal``: nothing is computed until the check is allowed; else it is a warning.
    """

    check: str
    message: str
    hint: str
    is_refusal: bool


def objections(wanted: Sequence[Kind], circumstances: Circumstances, *, count: int) -> tuple[Objection, ...]:
    """What speaks against the kinds ``wanted``, in their order, and against ``count`` records at one name."""
    found = [each for kind in wanted for each in (*_of_kind(kind, wanted), *_of_others(kind, circumstances))]
    if count > MOST:
        message = f"{count} records at one name: some mail services fail above {MOST}"
        found.append(Objection("many", message, "ask for fewer kinds; 3 1 1 is enough", is_refusal=False))
    return tuple(found)


def _of_kind(kind: Kind, wanted: Sequence[Kind]) -> Iterator[Objection]:
    """What is wrong with the kind itself: sections 5 and 10 of RFC 7671, and experience."""
    instead = _instead(kind)
    if kind.is_of_leaf and kind.selector == CERT:
        message = f"{kind} names the certificate itself: the next renewal breaks it, with the same key too"
        yield Objection("whole-certificate", message, instead, is_refusal=True)
    if kind.is_of_authority and kind.selector == CERT:
        message = f"{kind} names one certificate of a CA: another one for the same key breaks it, at any renewal"
        yield Objection("ca-certificate", message, instead, is_refusal=False)
    if kind.matching == FULL:
        message = f"{kind} holds the octets themselves: answers get too large for UDP (RFC 7671 section 10.1.2)"
        yield Objection("full-data", message, instead, is_refusal=True)
    shorter = Kind(kind.usage, kind.selector, SHA256)
    if kind.matching == SHA512 and shorter not in wanted:
        message = f"{kind} without {shorter}: SHA-512 is optional for clients (RFC 7671 section 9)"
        yield Objection("sha512-alone", message, f"ask for {shorter}, alone or beside it", is_refusal=True)


def _of_others(kind: Kind, circumstances: Circumstances) -> Iterator[Objection]:
    """What is wrong with the kind as things stand."""
    if kind.usage in (PKIX_TA, PKIX_EE):
        yield _pkix(kind, circumstances.port)
    if kind.is_of_authority and not circumstances.has_authority:
        message = f"{kind} would name the leaf as a trust anchor, on which clients disagree: no CA is sent along"
        cure = f"give the whole chain as it is served, leaf first, or {_LEAF_KEY}"
        yield Objection("leaf-as-anchor", message, cure, is_refusal=True)
    if kind.usage != DANE_EE and circumstances.misnamed:
        message = f"{kind} is for clients that look at names: {circumstances.misnamed}"
        cure = f"{_LEAF_KEY}, for which names do not matter, or have the host in the certificate"
        yield Objection("host-name", message, cure, is_refusal=True)


def _pkix(kind: Kind, port: int | None) -> Objection:
    if port == _SMTP:
        message = f"{kind} on port {_SMTP}: usage {kind.usage} is unusable for mail (RFC 7672 section 3.1.3)"
        return Objection("pkix", message, _instead(kind), is_refusal=True)
    message = f"{kind} is for clients that also trust the CA by roots of their own; for mail it is unusable"
    return Objection("pkix", message, _instead(kind), is_refusal=False)


def _instead(kind: Kind) -> str:
    return _LEAF_KEY if kind.is_of_leaf else f"ask for {Kind(DANE_TA, SPKI, SHA256)}"
