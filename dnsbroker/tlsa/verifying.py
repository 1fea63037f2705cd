"""Would a client that follows RFC 7671 accept this chain under these records?

Rule: records that no client can use are dropped first, then those whose digest is not the strongest of their usage and
selector (section 9), and one match among the rest is enough. Usage 3 speaks of the leaf alone, whatever its names and
dates (section 5.1); usage 2 of a CA that is sent along, with a whole path to it, dates and names (section 5.2). Usages
0 and 1 need public CAs as well, and are not judged. DNS is not asked, nor is it seen whether a zone is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from dnsbroker import keys
from dnsbroker.clock import SystemClock
from dnsbroker.errors import PemInvalid
from dnsbroker.names import owner
from dnsbroker.tlsa import paths
from dnsbroker.tlsa.records import CERT, DANE_EE, DANE_TA, FULL, Kind, Subject, Tlsa, parse

State = Literal["matches", "differs", "refused", "passed_over", "unusable", "not_judged"]

_PKIX = (
    "usages 0 and 1 need a public CA besides, which is not looked at here; mail servers treat them as unusable "
    "(RFC 7672 section 3.1.3)"
)


@dataclass(frozen=True)
class Judged:
    """One record, and what a client makes of it, with the reason.

    ``state`` is ``matches``; ``differs`` (it names something else); ``refused`` (it names a certificate of the chain,
    but names, dates or path are not in order); ``passed_over`` (for a record with a stronger digest); ``unusable``
    (dropped by everybody); ``not_judged`` (usages 0 and 1). ``warning`` is what some clients would mind in a match.
    """

    record: Tlsa
    state: State
    why: str
    warning: str = ""

    def __str__(self) -> str:
        data = self.record.data.hex()
        return f"{self.record.kind} {data[:8]}{'...' if data[8:] else ''}: {self.state.replace('_', ' ')}: {self.why}"


@dataclass(frozen=True)
class Verdict:
    """Whether the chain is accepted, and the sentence why; each record's part in it, in the order given.

    ``warnings`` tell of what does not matter to this client, which accepts the chain, but does to others; ``uncovered``
    are the kinds that are published and of which no record matches (RFC 7671 section 8.1), whatever this client says.
    """

    accepted: bool
    why: str
    records: tuple[Judged, ...] = ()
    warnings: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()

    @property
    def matched(self) -> tuple[str, ...]:
        """The records that match, as ``usage selector type hex``."""
        return tuple(str(judged.record) for judged in self.records if judged.state == "matches")

    @property
    def unusable(self) -> tuple[str, ...]:
        """The records that every client drops, as ``usage selector type hex``."""
        return tuple(str(judged.record) for judged in self.records if judged.state == "unusable")


def verify(
    chain: str,
    host: str | Sequence[str],
    records: Iterable[str],
    *,
    now: datetime | None = None,
    ee_name_check: bool = False,
) -> Verdict:
    """Whether a client that follows RFC 7671 accepts ``chain`` (PEM, as a server sends it) under ``records``.

    ``host`` is the TLSA base domain, or several names of which the certificate need have but one, the base first (RFC
    7672 section 3.2.2 has mail's). Each record is ``usage selector type hex``. ``now`` is aware, and the present where
    it is not given; ``ee_name_check`` asks for names under usage 3 too.
    Raises PemInvalid, and NameInvalid for a host or a record that is none.
    """
    hosts = [host] if isinstance(host, str) else list(host)
    leaf, *others = keys.links(chain)
    moment = now or SystemClock().now()
    client = _Client(leaf, tuple(others), tuple(owner(name)[:-1] for name in hosts), moment, ee_name_check)
    judged = [client.judged(record) for record in dict.fromkeys(map(parse, records))]
    heeded = [_heeded(item, judged) for item in judged]
    matching = [item for item in heeded if item.state == "matches"]
    warnings = tuple(dict.fromkeys(item.warning for item in matching if item.warning))
    uncovered = unmatched(judged)
    if matching:  # else it is the verdict that says so
        warnings += tuple(map(_uncovered, uncovered))
    return Verdict(bool(matching), _sentence(heeded), tuple(heeded), warnings, tuple(map(str, uncovered)))


def unmatched(judged: Iterable[Judged]) -> tuple[Kind, ...]:
    """The kinds of which records are there and none matches, though a client may go by any (RFC 7671 section 8.1).

    ``judged`` holds what each record is by itself, before any is passed over.
    """
    usable = [item for item in judged if item.state not in ("unusable", "not_judged")]
    matching = {item.record.kind for item in usable if item.state == "matches"}
    return tuple(sorted({item.record.kind for item in usable} - matching))


def _uncovered(kind: Kind) -> str:
    return (
        f"no record {kind} matches this chain: a client may go by any kind that is published, "
        "and each has to match (RFC 7671 section 8.1)"
    )


def _heeded(judged: Judged, all_judged: Iterable[Judged]) -> Judged:
    """``judged``, passed over where another of its usage and selector has a stronger digest (RFC 7671 section 9)."""
    kind = judged.record.kind
    if judged.state in ("unusable", "not_judged") or kind.matching == FULL:
        return judged
    usable = (item.record.kind for item in all_judged if item.state != "unusable")
    strongest = max(other.matching for other in usable if replace(other, matching=kind.matching) == kind)
    if kind.matching == strongest:
        return judged
    return Judged(judged.record, "passed_over", f"clients go by {replace(kind, matching=strongest)}, a stronger digest")


def _sentence(judged: Sequence[Judged]) -> str:
    if not judged:
        return "there are no records, and without records nothing is authenticated"
    heeded = [item for item in judged if item.state in ("matches", "differs", "refused")]
    if not heeded:
        usages = "of usage 2 or 3 " if any(item.state == "not_judged" for item in judged) else ""
        return f"no record {usages}is usable, so nothing vouches for this chain, and no public CA does instead"
    matching = [item for item in heeded if item.state == "matches"]
    # What names the leaf itself needs no other certificate to be in order.
    said = sorted(matching, key=lambda item: item.record.kind.usage != DANE_EE)[:1] or heeded
    return "; ".join(dict.fromkeys(f"{item.record.kind}: {item.why}" for item in said))


@dataclass(frozen=True)
class _Client:
    """Who judges: by the chain that the server sent, the names that it may have, and the time."""

    leaf: keys.Link
    authorities: tuple[keys.Link, ...]
    hosts: tuple[str, ...]
    now: datetime
    names_matter: bool

    def judged(self, record: Tlsa) -> Judged:
        if reason := record.unusable:
            return Judged(record, "unusable", reason)
        if record.is_of_nothing:
            return Judged(record, "differs", "it is the digest of nothing: whoever made it read an empty file")
        if record.kind.usage == DANE_EE:
            return self._by_leaf(record)
        return self._by_authority(record) if record.kind.usage == DANE_TA else Judged(record, "not_judged", _PKIX)

    def _by_leaf(self, record: Tlsa) -> Judged:
        whole = record.kind.selector == CERT
        if not _is_named(record, self.leaf):
            return Judged(record, "differs", f"the leaf {'is another certificate' if whole else 'has another key'}")
        if self.names_matter and not paths.named(self.leaf, self.hosts):
            return Judged(record, "refused", paths.misnamed(self.leaf, self.hosts))
        expired = self.now > self.leaf.not_after
        warning = f"the leaf expired on {self.leaf.not_after:%Y-%m-%d}, which only clients of usage 3 do not mind"
        why = "it names the leaf" if whole else "it names the leaf's key"
        return Judged(record, "matches", why, warning if expired else "")

    def _by_authority(self, record: Tlsa) -> Judged:
        try:
            sent_or_held = (*self.authorities, *_in_full(record))
        except PemInvalid:
            return Judged(record, "unusable", "its data is no certificate")
        authorities = [link for link in sent_or_held if link != self.leaf]
        if not any(_is_named(record, link) for link in authorities):
            return Judged(record, "differs", self._nobody(record))
        try:
            found = paths.path(self.leaf, authorities, lambda link: _is_named(record, link), self.now)
        except paths.Broken as error:
            return Judged(record, "refused", str(error))
        if not paths.named(self.leaf, self.hosts):
            return Judged(record, "refused", paths.misnamed(self.leaf, self.hosts))
        unfit = [repr(link.called) for link in found if not link.is_for_servers]
        warning = f"{' and '.join(unfit)}: the extended key usage is not for TLS servers, and many clients look at it"
        why = f"it names {found[-1].called!r}, to which the leaf leads"
        return Judged(record, "matches", why, warning if unfit else "")

    def _nobody(self, record: Tlsa) -> str:
        if _is_named(record, self.leaf):
            return "it names the leaf, and usage 2 is for the CAs that are sent along"
        return "it names no CA that is sent along" if self.authorities else "no CA is sent along, for it to name"


def _is_named(record: Tlsa, link: keys.Link) -> bool:
    return record.names(Subject(link.der, link.public_key))


def _in_full(record: Tlsa) -> tuple[keys.Link, ...]:
    """The CA's certificate that need not be sent, for it stands in the record (RFC 7671 section 5.2.2). PemInvalid."""
    return (keys.link(record.data),) if (record.kind.selector, record.kind.matching) == (CERT, FULL) else ()
