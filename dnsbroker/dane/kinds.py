"""What is to be said of a TLSA RRset by itself: records that no client can use, kinds that break, CAs by name.

Rule: what `tlsa compute` would not have made is told by the same words; nothing here depends on what is served, but
whether a CA is sent along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from dnsbroker.dane.faults import FAULTS, brief, fault
from dnsbroker.findings import Evidence, Finding
from dnsbroker.rolling.gates import names
from dnsbroker.tlsa import authorities
from dnsbroker.tlsa.authorities import Authority
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.objections import Circumstances, objections
from dnsbroker.tlsa.records import Tlsa


def of_kinds(subject: str, records: Sequence[Tlsa], port: int, allow: frozenset[str]) -> Iterator[Finding]:
    """What speaks against ``records``, whatever is served; ``allow`` are checks of `tlsa compute` that may fail."""
    for record in records:
        if record.unusable:
            message = f"no client can use {brief(str(record))}: {record.unusable}"
            yield fault("unusable-record", subject, message, "take it away")
        elif record.is_of_nothing:
            message = f"{brief(str(record))} is the digest of nothing: whoever made it read an empty file"
            yield fault("digest-of-nothing", subject, message, "take it away, and compute it anew")
    kinds = sorted({record.kind for record in records if not record.unusable})
    for one in objections(kinds, Circumstances(has_authority=True, port=port), count=len(records)):
        if one.check in FAULTS and one.check not in allow:
            yield fault(one.check, subject, one.message, one.hint)


def of_authorities(
    subject: str, records: Sequence[Tlsa], served: Sequence[Presented], today: date
) -> Iterator[Finding]:
    """What is known of the CA keys that ``records`` name."""
    named = [(record, known) for record in records if (known := authorities.named_by(record)) is not None]
    for record, known in named:
        evidence = (Evidence(record=brief(str(record))),)
        if known.state == "retired":
            message = f"{known} issues no more: the next renewal comes from another key"
            yield fault("issuer-retiring", subject, message, _COVER, evidence)
        elif known.state == "unsent" and not any(names(record, chain) for chain in served):
            message = f"{known} is not sent along, so that no client finds it (RFC 7671 section 5.2)"
            yield fault("issuer-unsent", subject, message, _COVER, evidence)
        elif authorities.is_by_chance(known, records):
            message = f"{known} issues by chance: at each renewal another CA key may be drawn, which no record names"
            yield fault("issuer-by-chance", subject, message, _cover(known), evidence)
    if named and authorities.is_outdated(today):
        message = f"CA keys are known here as of {authorities.AS_OF:%Y-%m}: which of them still issue is not"
        yield fault("authorities-outdated", subject, message, "install a newer dnsbroker")


_COVER = "publish the CA key that is sent along now, `dnsbroker tlsa compute --connect` shows it, then take this away"


def _cover(known: Authority) -> str:
    roots = [one for one in authorities.KNOWN if (one.state, one.family) == ("root", known.family)]
    told = " or ".join(f"{one.name}, 2 1 1 {one.digest}" for one in roots)
    return f"publish the CA above all of them, as long as it is sent along: {told}"
