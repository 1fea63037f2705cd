"""What a CA said about a certificate is kept, and asked for again when it is time, whatever clocks and lists do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.account import Accounts
from dnsbroker.advice import Advice
from dnsbroker.config import Config
from dnsbroker.events import Emitter
from dnsbroker.journal import Answer, Journal, RenewalAnswers
from dnsbroker.store import Access, Lineage, Provenance, Store
from dnsbroker.testing import FakeClock
from dnsbroker.transport import Connections
from fake_ca import Stage, scenario
from loopback import LoopbackServer, Response

AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERIAL = 0xA7
WINDOW = {"suggestedWindow": {"start": "2027-01-10T00:00:00Z", "end": "2027-01-12T00:00:00Z"}}


@asynccontextmanager
async def asking(stage: Stage, state: Path, lineage: Lineage, now: datetime) -> AsyncIterator[Answer | None]:
    """What is known in a process that asks at the moment ``now``, by its own clock."""
    clock = FakeClock(now)
    emit = Emitter(clock, None)
    config = Config.from_dict({"state_dir": state, "acme": {"directory": stage.ca.url("dir"), "agree_tos": True}})
    accounts = Accounts(config.known_accounts, 8, Store(state), Connections({}), clock, emit)
    journal = Journal(state)
    try:
        advice = Advice(RenewalAnswers(journal), Connections({}), clock)
        yield await advice.ask(lineage, accounts.get("default"), emit)
    finally:
        journal.close()
        await accounts.aclose()


def stored(stage: Stage, state: Path, *extensions: x509.ExtensionType) -> Lineage:
    """A live certificate that the CA issued."""
    chain = AUTHORITY.issue(KEY, ["a.test"], serial=SERIAL, extensions=extensions)
    return Store(state).save("a.test", KEY, chain, Access(), Provenance(stage.ca.url("dir"), START))


def renewal_questions(stage: Stage) -> int:
    return sum("renewal-info/" in path for path in stage.ca.paths)


def test_a_clock_that_was_ahead_silences_nobody(tmp_path: Path) -> None:
    """What was asked in a month that has not come is asked again; what was asked just now is not."""

    @scenario
    async def play(stage: Stage) -> None:
        lineage = stored(stage, tmp_path)
        stage.ca.windows[str(keys.renewal_id(lineage.fullchain))] = WINDOW
        moments = (NOW + timedelta(days=30), NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=7))
        counts = []
        for moment in moments:
            async with asking(stage, tmp_path, lineage, moment) as answer:
                assert answer is not None and answer.moment is not None
                counts.append(renewal_questions(stage))
        assert counts == [1, 2, 2, 3]

    play()


def test_what_was_revoked_from_here_is_not_taken_back_by_a_list_of_yesterday(tmp_path: Path) -> None:
    """A CA may take a day to publish a revocation, and the list that it has until then is in order."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.absent = frozenset({"renewalInfo"})
        old = AUTHORITY.revocations({}, next_update=NOW + timedelta(days=7))
        async with LoopbackServer(lambda request: Response(200, (), old)) as lists:
            name = x509.UniformResourceIdentifier(f"{lists.url}/list.crl")
            points = x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])
            lineage = stored(stage, tmp_path, points)
            async with asking(stage, tmp_path, lineage, NOW) as answer:
                assert answer is not None and (answer.source, answer.revoked_at) == ("crl", None)
            journal = Journal(tmp_path)
            RenewalAnswers(journal).keep(replace(answer, revoked_at=NOW))
            journal.close()
            async with asking(stage, tmp_path, lineage, NOW + timedelta(days=2)) as answer:
                assert answer is not None and answer.revoked_at == NOW
            assert len(lists.requests) == 2

    play()
