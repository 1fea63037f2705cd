"""What speaks against TLSA records before they are made: words for scripts, sentences for people.

Rule: a kind that fails clients, now or at the next renewal, is refused; what only may fail is warned of. Each check has
a word that stays, by which it can be allowed. Nothing is judged here but kinds, their number and their port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnsbroker.tlsa.records import CERT, DANE_EE, DANE_TA, FULL, PKIX_EE, SHA256, SHA512, SPKI, Kind

#: The words, and what is objected to.
CHECKS = {
    "ca-certificate": "usage 0 or 2 with selector 0: a CA has several certificates for one key",
    "full-data": "matching type 0: the octets themselves",
    "leaf-as-anchor": "usage 0 or 2 where no CA is sent along: the leaf would be the trust anchor",
    "many": "more records than every mail service takes",
    "pkix": "usage 0 or 1: refused on port 25, a warning elsewhere",
    "sha512-alone": "matching type 2 without its like of type 1",
    "whole-certificate": "usage 1 or 3 with selector 0: every renewal breaks it",
}
#: Records at one name above which mail services have been seen to fail.
MOST = 12
_SMTP = 25


@dataclass(frozen=True)
class Objection:
    """``check`` is one of CHECKS, ``message`` says what is wrong, ``hint`` what to do instead.

    ``is_refusal``: nothing is computed until the check is allowed; else it is a warning.
    """

    check: str
    message: str
    hint: str
    is_refusal: bool


def objections(wanted: Sequence[Kind], *, has_authority: bool, count: int, port: int | None) -> tuple[Objection, ...]:
    """What speaks against the kinds ``wanted``, in their order, and against ``count`` records at one name.

    ``has_authority``: whether a CA is sent along; ``port`` is the service's, None where it is not known.
    """
    found = [each for kind in wanted for each in _of_kind(kind, wanted, has_authority=has_authority, port=port)]
    if count > MOST:
        message = f"{count} records at one name: some mail services fail above {MOST}"
        found.append(Objection("many", message, "ask for fewer kinds; 3 1 1 is enough", is_refusal=False))
    return tuple(found)


def _of_kind(kind: Kind, wanted: Sequence[Kind], *, has_authority: bool, port: int | None) -> Iterator[Objection]:
    """Sections 5 and 10 of RFC 7671, and experience."""
    instead = f"ask for {DANE_EE if kind.is_of_leaf else DANE_TA} {SPKI} {SHA256}"
    if not kind.usage & 2:
        yield _pkix(kind, instead, port)
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
    if kind.is_of_authority and not has_authority:
        message = f"{kind} would name the leaf as a trust anchor, on which clients disagree: no CA is sent along"
        cure = f"give the whole chain as it is served, leaf first, or ask for {DANE_EE} {SPKI} {SHA256}"
        yield Objection("leaf-as-anchor", message, cure, is_refusal=True)


def _pkix(kind: Kind, instead: str, port: int | None) -> Objection:
    if port == _SMTP:
        message = f"{kind} on port {_SMTP}: usage {kind.usage} is unusable for mail (RFC 7672 section 3.1.3)"
        return Objection("pkix", message, instead, is_refusal=True)
    whom = "the certificate" if kind.usage == PKIX_EE else "the CA"
    message = f"{kind} is for clients that also trust {whom} by roots of their own; for mail it is unusable"
    return Objection("pkix", message, instead, is_refusal=False)
