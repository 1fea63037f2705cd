"""A configured endpoint's records, held against what the configuration wants: missing, foreign, stale, too late.

Rule: nothing is asked here; what is believed, and what was seen, comes in. What is said of a key that comes next is a
warning at most, for what is served does not depend on it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dnsbroker import keys
from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.faults import brief, fault
from dnsbroker.dane.served import Sight
from dnsbroker.dane.subjects import Subject
from dnsbroker.due import renewal_moment
from dnsbroker.endpoints import Endpoint
from dnsbroker.findings import Evidence, Finding
from dnsbroker.names import shown
from dnsbroker.rolling.changes import wanted
from dnsbroker.rolling.gates import names
from dnsbroker.tlsa.computing import Presented, kinds
from dnsbroker.tlsa.records import Kind, Tlsa


@dataclass(frozen=True)
class Expectation:
    """What is to stand at an owner name: ``live`` for what is live or held, ``next`` for keys that come next.

    ``subjects`` are what the tables' certificates are now, ``min_wait`` is in seconds. ``is_shared``: other machines
    have keys of their own behind the name, of whose next ones nobody here knows.
    """

    live: frozenset[Tlsa]
    next: frozenset[Tlsa]
    subjects: tuple[Subject, ...]
    min_wait: float
    allow: frozenset[str]
    is_shared: bool = False


def expectation(
    tables: Sequence[DaneConfig],
    read: Callable[[str], Subject],
    without_authority: Callable[[str], bool] = lambda reference: False,
) -> Expectation:
    """What ``tables`` want; ``read`` gives what a reference is.

    ``without_authority`` says for which no record of a CA is to stand now, since a bad certificate is valid under it.
    """
    live, coming = set[Tlsa](), set[Tlsa]()
    subjects: dict[str, Subject] = {}
    for table in tables:
        for reference in table.certificate:
            subject = subjects.setdefault(reference, read(reference))
            there = [chain for chain in (subject.live, subject.held) if chain is not None]
            asked = [
                kind for kind in kinds(table.records) if not (kind.is_of_authority and without_authority(reference))
            ]
            live |= _of(table, asked, there)
            coming |= _of(table, asked, subject.next)
    allowed = frozenset(word for table in tables for word in table.allow)
    min_wait = max(float(table.min_wait) for table in tables)
    is_shared = any(table.addresses for table in tables)
    return Expectation(frozenset(live), frozenset(coming), tuple(subjects.values()), min_wait, allowed, is_shared)


def _of(table: DaneConfig, asked: Sequence[Kind], chains: Sequence[Presented]) -> frozenset[Tlsa]:
    return wanted(asked, chains, issuer=table.issuer, ta_pool=table.ta_pool) if chains else frozenset()


def of_records(
    endpoint: Endpoint,
    expected: Expectation,
    records: frozenset[Tlsa],
    seen: Sequence[Sight],
    known: frozenset[Tlsa] = frozenset(),
) -> Iterator[Finding]:
    """What is missing of what is wanted, and what is there without being wanted.

    What is ``known`` is no stranger: it is wanted elsewhere, or about to be gone.
    """
    subject = endpoint.shown()
    if missing := expected.live - records:
        message = "records of the live certificate, or of one that is about to be, are not published"
        yield fault("missing-record", subject, message, _publish(endpoint), _told(missing))
    if coming := expected.next - records - expected.live:
        message = "the next key has no record yet, so that it cannot be used at the next renewal"
        hint = "`dnsbroker renew` publishes it, or `dnsbroker tlsa advance`"
        yield fault("next-unpublished", subject, message, hint, _told(coming))
    strange = records - expected.live - expected.next - known
    others = [record for record in sorted(strange) if not (record.unusable or record.is_of_nothing)]
    chains = [sight.chain for sight in seen if sight.chain is not None]
    served = [record for record in others if any(names(record, chain) for chain in chains)]
    if served:
        message = "records that nothing here wants name what is served: they are somebody else's"
        yield fault("foreign-record", subject, message, "nothing of them is ever changed here", _told(served))
    stale = [record for record in others if record not in served]
    if stale and chains and all(sight.chain for sight in seen):
        message = "records that nothing here wants match nothing that is served: they may have been left behind"
        hint = "where nobody needs them, take them away: one of a kind that nothing else covers fails clients"
        word = "unmatched-record" if expected.is_shared else "stale-record"
        yield fault(word, subject, message, hint, _told(stale))


def of_subjects(
    endpoint: Endpoint, expected: Expectation, everywhere_since: Mapping[str, float], ttl: int, now: datetime
) -> Iterator[Finding]:
    """What is to be said of certificates and their next keys; ``ttl`` is that of the records, in seconds.

    ``everywhere_since`` has, by its value, since when each record was everywhere.
    """
    for one in expected.subjects:
        subject = f"{endpoint.shown()}, {shown(one.reference)}"
        if one.trouble is not None:
            yield fault("certificate-unreadable", subject, one.trouble.message, one.trouble.hint)
        if one.live is None:
            continue
        if not one.next:
            hint = "`dnsbroker renew` makes one" if one.is_ours else "see the page of the client that orders it"
            yield fault("no-next-key", subject, "there is no next key: renewals keep the present one", hint)
        elif one.is_ours and (message := _too_late(one, expected, everywhere_since, ttl, now)):
            hint = "renewal goes on with the present key, and the next one comes later; or make `min_wait` shorter"
            yield fault("next-unripe", subject, message, hint)


def _too_late(
    one: Subject, expected: Expectation, everywhere_since: Mapping[str, float], ttl: int, now: datetime
) -> str:
    """Words where renewal comes before the next key may be used; empty where it does not."""
    due = renewal_moment(keys.describe(one.live_pem))
    of_next = [str(record) for record in expected.next if any(names(record, key) for key in one.next)]
    since = [everywhere_since.get(record, now.timestamp()) for record in of_next]
    if not since:
        return ""
    ripe = datetime.fromtimestamp(max(since) + max(2.0 * ttl, expected.min_wait), UTC)
    if ripe <= max(due, now):
        return ""
    return f"it is due from {due:%Y-%m-%d %H:%M} UTC, and the next key may be used from {ripe:%Y-%m-%d %H:%M} UTC"


def _told(records: frozenset[Tlsa] | Sequence[Tlsa]) -> tuple[Evidence, ...]:
    return tuple(Evidence(record=brief(str(record))) for record in sorted(records))


def _publish(endpoint: Endpoint) -> str:
    return f"`dnsbroker tlsa publish {endpoint}` publishes them"
