"""What a service presents at each of its addresses, and what a client makes of it under the records that it believes.

Rule: every address counts, and both algorithms, for a client may come to any. An address that this host has no way to
says nothing; one that cannot be reached, or has no way to TLS, is a fault.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dnsbroker import keys
from dnsbroker.dane.faults import fault
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import NameInvalid, PemInvalid, ServiceUnreachable
from dnsbroker.findings import Evidence, Finding
from dnsbroker.rolling.gates import names
from dnsbroker.serving import chains_served, is_refusal
from dnsbroker.tasks import together
from dnsbroker.tlsa.computing import Presented, presented
from dnsbroker.tlsa.records import Tlsa, parse
from dnsbroker.tlsa.verifying import Verdict, verify

_SMTP = 25


@dataclass(frozen=True)
class Base:
    """A name under which clients look for records and which they ask for by SNI (RFC 7671 sections 7 and 10.2).

    ``names`` are those that the certificate may have, the base itself first; ``records`` what is believed.
    """

    endpoint: Endpoint
    names: tuple[str, ...]
    records: tuple[str, ...]
    domain: str = ""


@dataclass(frozen=True)
class Sight:
    """One chain that ``address`` presents to those who ask for ``base``, or the ``trouble`` in seeing one.

    ``algorithm`` is that of the leaf's key. ``verdict`` is a client's, None where there is nothing to judge, or nothing
    to judge by. ``word`` is the fault that the trouble is.
    """

    address: str
    base: str
    algorithm: str = ""
    chain: Presented | None = None
    verdict: Verdict | None = None
    trouble: str = ""
    hint: str = ""
    word: str = ""

    def __str__(self) -> str:
        if self.chain is None:
            return "not tested" if self.word == "address-untested" else f"not seen: {self.trouble}"
        if self.verdict is None:
            return f"not judged: {self.trouble or 'there are no records'}"
        return f"{'accepted' if self.verdict.accepted else 'refused'}: {self.verdict.why}"


async def sights(base: Base, addresses: Iterable[str], now: datetime) -> tuple[Sight, ...]:
    """What each of ``addresses`` (IPs, with a port where it is another one) presents."""
    found = await together(_at(base, address, now) for address in addresses)
    return tuple(sight for each in found for sight in each)


async def _at(base: Base, address: str, now: datetime) -> list[Sight]:
    host = base.endpoint.host
    try:
        chains = await chains_served(base.endpoint, address, domain=base.domain)
        return [_judged(base, address, chain, now) for chain in chains]
    except ServiceUnreachable as error:
        word = "address-untested" if error.untested else "no-tls" if is_refusal(error) else "unreachable"
        return [Sight(address, host, trouble=error.reason, hint=error.hint, word=word)]
    except PemInvalid as error:
        return [Sight(address, host, trouble=error.message, hint=error.hint, word="unreadable-chain")]


def _judged(base: Base, address: str, served: Sequence[bytes], now: datetime) -> Sight:
    """Raises PemInvalid."""
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, served))
    algorithm = keys.describe(pem).key_type.partition("-")[0].rstrip("0123456789")
    sight = Sight(address, base.endpoint.host, algorithm, presented(served))
    if not base.records:
        return sight
    verdict = verify(pem, base.names, base.records, now=now)
    if _is_for_others(sight, verdict, base):
        return replace(sight, trouble="usages 0 and 1 want a public CA as well, which is not looked at")
    return replace(sight, verdict=verdict)


def _is_for_others(sight: Sight, verdict: Verdict, base: Base) -> bool:
    """Whether only usages 0 and 1 speak of the chain: clients of mail drop them, others judge by roots of their own."""
    if verdict.accepted or base.endpoint.port == _SMTP or sight.chain is None:
        return False
    usable = [judged for judged in verdict.records if judged.state != "unusable"]
    return all(judged.state == "not_judged" for judged in usable) and any(
        names(judged.record, sight.chain) for judged in usable
    )


def readable(records: Iterable[str]) -> tuple[str, ...]:
    """Those of ``records`` that are TLSA values at all, sorted; data of no octets, for one, is none."""
    return tuple(str(record) for record in read(records))


def read(records: Iterable[str]) -> Iterator[Tlsa]:
    """The same as values."""
    for text in sorted(records):
        try:
            yield parse(text)
        except NameInvalid:
            continue


def findings(endpoint: Endpoint, seen: Sequence[Sight], *, cure: str) -> tuple[Finding, ...]:
    """What is wrong with what was seen; ``cure`` is what helps where a client refuses it."""
    told: dict[tuple[str, str, str], list[Evidence]] = {}
    for sight in seen:
        for word, message, hint in _of(sight, cure):
            told.setdefault((word, message, hint), []).append(Evidence(_where(sight)))
    found = [
        fault(word, endpoint.shown(), message, hint, tuple(dict.fromkeys(evidence)))
        for (word, message, hint), evidence in told.items()
    ]
    if seen and all(sight.word == "address-untested" for sight in seen):
        hint = "look from a host that has the address family, or set `connect` in its [[dane]] table"
        found.append(fault("unseen", endpoint.shown(), "it could be seen at none of its addresses", hint))
    return tuple(found)


def _of(sight: Sight, cure: str) -> Iterator[tuple[str, str, str]]:
    if sight.word == "address-untested":
        yield sight.word, f"not seen from here: {sight.trouble}", "look from a host that has that address family"
    elif sight.word:
        yield sight.word, f"{_WORDS[sight.word]}: {sight.trouble}", sight.hint or _BY_WORD.get(sight.word, "")
    if sight.verdict is None:
        return
    if not sight.verdict.accepted:
        yield "refused", f"clients refuse what is served: {sight.verdict.why}", cure
        return
    for kind in sight.verdict.uncovered:
        message = f"no record {kind} matches what is served, and each kind that is published has to (RFC 7671 8.1)"
        yield "kind-uncovered", message, f"publish a record {kind} for what is served, or take those of this kind away"
    for judged in sight.verdict.records:
        if judged.warning:
            yield "other-clients", judged.warning, "renew the certificate, for the use that it has"


_WORDS = {
    "no-tls": "there is no way to TLS",
    "unreachable": "it cannot be reached",
    "unreadable-chain": "what it presents cannot be read",
}
_BY_WORD = {
    "no-tls": "switch TLS on for all who connect, or take the records away: who sees them does not go on in the clear",
    "unreadable-chain": "have the service send its own certificate and those of the CAs above it",
}


def _where(sight: Sight) -> str:
    return f"{sight.address} {sight.algorithm}".strip()


def unmatched(records: Collection[Tlsa], seen: Iterable[Sight]) -> tuple[Tlsa, ...]:
    """Those of ``records`` that name nothing that anybody presents; none where not everything could be seen."""
    sighted = tuple(seen)
    if not sighted or any(sight.chain is None for sight in sighted):
        return ()
    chains = [sight.chain for sight in sighted if sight.chain]
    return tuple(record for record in sorted(records) if not any(names(record, chain) for chain in chains))
