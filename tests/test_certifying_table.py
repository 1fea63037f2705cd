"""What a run does about a certificate is what the table of roll-overs says, through which the proof searches.

Every situation that its flags can make up is played by the program's own decisions, with the CA and DNS put aside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.certifying import Certifying, Wishes
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.dane import Brought, Wish
from dnsbroker.events import Emitter
from dnsbroker.journal import Progress
from dnsbroker.rolling import Act, Answer, Gate, Look, Memory, Site, Situation, move
from dnsbroker.rolling.situation import Case
from dnsbroker.run import Run
from dnsbroker.store import Access, HeldBack, Lineage, NextKey, Provenance
from dnsbroker.testing import FakeClock
from dnsbroker.tlsa.computing import Presented, of_chain, of_key
from dnsbroker.tlsa.records import Kind, made

CA, NAME, KIND, DAY = "https://ca.test/dir", "example.test", Kind(3, 1, 1), 86400.0
PRESENT, NEXT = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
AUTHORITY = Authority()
LIVE = AUTHORITY.issue(PRESENT, [NAME], serial=1)
CERTIFICATE = CertificateConfig(name=NAME, names=(NAME,), tlsa_guard=False)

#: How many days after its beginning the live certificate is not due, is, and ends soon.
AGES = {"young": 1, "due": 62, "pressing": 85}
ASKED: dict[str, dict[str, Any]] = {
    "nobody asks": {},
    "asked": {"is_asked": True},
    "emergency": {"is_asked": True, "is_emergency": True},
    "taken back": {"refused": "0a1b"},
}
#: For which key a certificate waits.
HELD = {"": "", "renewed": PRESENT, "newer": NEXT}
#: For how long the record of the next key has been everywhere, in seconds; None for not at all.
KNOWN = {"ripe": 9 * DAY, "fresh": 10.0, "unknown": None}


@dataclass(frozen=True)
class Scenario:
    """What is so: keys of the tables above, and whether records of an older key still stand."""

    asked: str
    known: str
    rotation: str = "always"
    held: str = ""
    is_old: bool = False


SCENARIOS = [
    *(
        Scenario(asked, known, rotation, is_old=is_old)
        for asked, known, rotation, is_old in product(ASKED, KNOWN, ("always", "never"), (False, True))
    ),
    *(Scenario(asked, known, held=held) for asked, known, held in product(ASKED, KNOWN, ("renewed", "newer"))),
]


class TableDane:
    """A Dane that looks at nothing: its situation is the scenario's, with what the run wishes and the journal has."""

    def __init__(self, run: Run, scenario: Scenario) -> None:
        self._run, self._scenario = run, scenario
        self.situation = self._situation(Wish())
        self.first: Situation | None = None

    def _situation(self, wish: Wish) -> Situation:
        now, known = self._run.clock.now().timestamp(), self._run.rollovers.progress(NAME)
        assert known is not None
        held = self._run.store.held_back(NAME)
        live, coming = of_chain(LIVE), of_key(NEXT)
        return Situation(
            now,
            live,
            coming,
            held=of_chain(held.chain_pem) if held is not None else None,
            is_due=wish.is_due,
            is_new_key_wanted=wish.is_new_key_wanted,
            is_pressing=wish.is_pressing,
            is_key_barred=wish.is_key_barred,
            is_asked=known.is_asked,
            is_emergency=known.is_emergency,
            refused=known.refused,
            served=(live,),
            verified_since=now - DAY,
            has_old_records=self._scenario.is_old,
            sites=(_site(now, live, coming, KNOWN[self._scenario.known]),),
        )

    def tends(self, reference: str) -> bool:
        """As the real one."""
        return self.manages(reference)

    def manages(self, reference: str) -> bool:
        return reference == NAME

    def owners(self, reference: str) -> frozenset[str]:
        return frozenset()

    async def bring(self, _: Sequence[str] = (), *, wishes: Mapping[str, Wish]) -> tuple[Brought, ...]:
        self.situation = self._situation(wishes[NAME])
        self.first = self.first or self.situation
        return (Brought(NAME, self.situation, move(self.situation)),)

    async def key_gate(self, _: str) -> Gate:
        return Case(self.situation).key_gate

    async def chain_gate(self, _: str, chain_pem: str) -> Gate:
        return Case(replace(self.situation, held=of_chain(chain_pem))).held_gate


def _site(now: float, live: Presented, coming: Presented, known: float | None) -> Site:
    old, new = made(KIND, live.leaf), made(KIND, coming.leaf)
    memory = Memory().after(Look(now - 10 * DAY, {"ns": Answer(frozenset({old}), 3600, now + DAY)}))
    if known is not None:
        memory = memory.after(Look(now - known, {"ns": Answer(frozenset({old, new}), 3600, now + DAY)}))
    return Site(f"_25._tcp.{NAME}.", (KIND,), memory)


async def done(run: Run, scenario: Scenario) -> tuple[list[Act], list[Act]]:
    """What a run does in ``scenario``, and what the table says."""
    run.rollovers.keep_progress(Progress(NAME, "steady", 0.0, "", **ASKED[scenario.asked]))
    held, now = "", run.clock.now()
    if key := HELD[scenario.held]:
        held = AUTHORITY.issue(key, [NAME], serial=2, not_before=now)
        run.store.hold_back(NAME, HeldBack(held, Provenance(CA, now, account="default"), key))
    run.dane = dane = TableDane(run, scenario)  # type: ignore[assignment] # it looks like one
    certifying = Certifying(run, Wishes(), is_named=False, is_mending=True)
    acts: list[Act] = []

    async def obtain(wanted: CertificateConfig, lineage: Lineage, emit: Emitter, **how: Any) -> Lineage:
        chosen = await certifying._keys.choose(wanted, lineage, emit, is_revoked=how["is_revoked"])
        if held:
            acts.append(Act.DISCARD)
        acts.append(Act.ORDER_NEXT if chosen.key_pem == NEXT else Act.ORDER_PRESENT)
        return lineage

    async def go_live(wanted: CertificateConfig, lineage: Lineage, emit: Emitter, **_: object) -> Lineage:
        closed = await certifying.covering.against_chain(NAME, held, lineage, emit)
        if closed is not None:
            raise closed.error(NAME, "it waits")
        acts.append(Act.GO_LIVE)
        return lineage

    certifying._obtaining.obtain = obtain  # type: ignore[method-assign,assignment] # nobody is asked
    certifying._obtaining.go_live = go_live  # type: ignore[method-assign,assignment] # nothing is moved
    rotated = replace(CERTIFICATE, key_rotation=scenario.rotation)  # type: ignore[arg-type] # one of two
    await certifying.bring([rotated])
    if held and run.store.held_back(NAME) is None and not acts:
        acts.append(Act.DISCARD)
    run.store.drop_held_back(NAME)
    assert dane.first is not None
    return acts, list(said(dane.first))


def said(situation: Situation) -> Iterator[Act]:
    """What the table says is to be done, one after the other, until something is ordered or live."""
    act = move(situation).act
    if act is Act.DISCARD:
        yield act
        yield from said(replace(situation, held=None))
    elif act is not Act.REST:
        yield Act.GO_LIVE if act is Act.GO_LIVE_LOUDLY else act


@pytest.mark.parametrize("is_barred", [False, True], ids=["usable", "barred"])
@pytest.mark.parametrize("age", AGES)
def test_the_program_does_what_the_table_says(tmp_path: Path, age: str, *, is_barred: bool) -> None:
    """Whatever is due, asked for, held, ripe, pressing, stolen or taken back."""
    config = Config.from_dict(
        {
            "state_dir": str(tmp_path),
            "acme": {"directory": CA, "agree_tos": True},
            "certificates": {NAME: {"names": [NAME]}},
            "dane": [{"endpoint": f"smtp://{NAME}", "certificate": NAME}],
        }
    )
    clock = FakeClock(START + timedelta(days=AGES[age]))

    seen: set[Act] = set()

    async def played() -> None:
        async with Run(config, clock, Emitter(clock, lambda _: None)) as run:
            run.advice = SimpleNamespace(known=lambda _: None, ask=silent)  # type: ignore[assignment] # of no CA
            run.store.save(NAME, PRESENT, LIVE, Access(), Provenance(CA, START, account="default"))
            run.store.keep_next_key(NAME, NextKey(NEXT, START))
            if is_barred:
                run.barred.bar(keys.spki_sha256_of(PRESENT), "it was stolen")
            for scenario in SCENARIOS:
                acts, expected = await done(run, scenario)
                assert acts == expected, scenario
                seen.update(acts)

    asyncio.run(played())
    assert {Act.ORDER_NEXT, Act.GO_LIVE, Act.DISCARD} <= seen


async def silent(*_: object) -> None:
    """A CA that gives no advice."""
