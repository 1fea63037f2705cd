"""Waits until a zone's servers agree as the configuration asks, and tells who does not.

The pollers are shared by all who wait at the same time. Every CNAME or DNAME on the way is waited for too: a server
that lacks it fails the validation just as well.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from dnsbroker.clock import Clock, Deadline
from dnsbroker.config import PropagationConfig
from dnsbroker.errors import NotPropagated
from dnsbroker.events import Emitter
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.names import shown
from dnsbroker.propagation import report
from dnsbroker.propagation.poller import Poller
from dnsbroker.propagation.verdict import Decision, Policy, ServerVerdict, Verdict, Want, decide
from dnsbroker.records import RecordType
from dnsbroker.tasks import together

_GLANCE = 0.5


@dataclass(frozen=True)
class Expectation:
    """``values`` of ``type`` at the owner of ``place``; ``serial`` is the served one that includes them, if known."""

    place: Place
    type: RecordType
    values: frozenset[str]
    serial: int | None


@dataclass(frozen=True)
class Outcome:
    """The servers agree. ``at`` is the moment of the verdict, ``ttl`` the RRset's largest TTL seen (seconds)."""

    at: datetime
    ttl: int
    verdicts: tuple[ServerVerdict, ...]
    warnings: tuple[str, ...] = ()


class Watcher:
    """Watches for one run. ``jitter`` gives numbers from 0 to 1."""

    def __init__(
        self,
        exchange: Exchange,
        resolvers: Callable[[], Sequence[Address]],
        clock: Clock,
        emit: Emitter,
        config: PropagationConfig,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._exchange = exchange
        self._resolvers = resolvers
        self._clock = clock
        self._emit = emit
        self._config = config
        self._jitter = jitter
        self._pollers: dict[str, Poller] = {}

    async def wait(self, expectation: Expectation, deadline: Deadline, *, settle: float = 0.0) -> Outcome:
        """Wait until the servers have what is expected, then ``settle`` seconds (or the configured ones, if more).

        For TLSA every address must answer, whatever is configured. Raises NotPropagated at ``deadline``.
        """
        begun = self._clock.monotonic()
        settle = max(settle, self._config.settle)
        outcome = await self._verdict(expectation, deadline, begun, settle)
        self._emit(
            "propagated",
            name=expectation.place.challenge,
            zone=expectation.place.zone.name,
            seconds=round(self._clock.monotonic() - begun, 3),
        )
        return outcome

    async def _verdict(self, expectation: Expectation, deadline: Deadline, begun: float, settle: float) -> Outcome:
        require = self._config.require if expectation.type == "TXT" else "all"
        if require in ("all", "all-reachable"):
            outcome = await self._authoritative(expectation, deadline, begun)
            await self._clock.sleep(settle)
            return outcome
        await self._clock.sleep(settle)
        if require == "resolvers":
            await self._resolved(expectation, deadline, begun)
        return Outcome(self._clock.now(), expectation.place.zone.soa.negative_ttl, ())

    async def _authoritative(self, expectation: Expectation, deadline: Deadline, begun: float) -> Outcome:
        """Every zone on the way; the last one to agree decides the moment."""
        place = expectation.place
        wants = [(hop.zone, Want(hop.owner, hop.kind, frozenset({hop.target}))) for hop in place.hops]
        final = Want(place.owner, expectation.type, expectation.values, expectation.serial)
        wants.append((place.zone, final))
        outcomes = await together(self._agreed(place, zone, want, deadline, begun) for zone, want in wants)
        warnings = tuple(dict.fromkeys(text for outcome in outcomes for text in outcome.warnings))
        return Outcome(max(item.at for item in outcomes), outcomes[-1].ttl, outcomes[-1].verdicts, warnings)

    async def _agreed(self, place: Place, zone: Zone, want: Want, deadline: Deadline, begun: float) -> Outcome:
        """Wait for one zone."""
        told: dict[str, str] = {}
        async with self._looking(zone, want) as (poller, looked):
            while True:
                states = self._counted(poller.states(want), want)
                self._tell(zone, states, told)
                decision = decide(states, self._policy(want))
                if decision.through:
                    warnings = self._warnings(want, decision, poller)
                    return Outcome(self._clock.now(), poller.ttl(want), tuple(states), warnings)
                if deadline.has_passed():
                    raise self._not_propagated(place, zone, want, states, begun)
                await _next(looked, min(deadline.left(), _GLANCE))

    @asynccontextmanager
    async def _looking(self, zone: Zone, want: Want) -> AsyncIterator[tuple[Poller, asyncio.Event]]:
        poller = self._pollers.get(zone.name)
        if poller is None:
            poller = Poller(zone, self._exchange, self._clock, self._config.interval, self._jitter)
            self._pollers[zone.name] = poller
        looked = poller.want(want)
        try:
            yield poller, looked
        finally:
            if await poller.unwant(want, looked) and self._pollers.get(zone.name) is poller:
                del self._pollers[zone.name]

    def _policy(self, want: Want) -> Policy:
        strict = want.type == "TLSA" or self._config.require == "all"
        return Policy("all" if strict else "all-reachable", self._config.rounds)

    def _counted(self, states: Sequence[ServerVerdict], want: Want) -> list[ServerVerdict]:
        """Those of ``states`` that are not ignored."""
        return [state for state in states if not self._is_ignored(state, want)]

    def _is_ignored(self, state: ServerVerdict, want: Want) -> bool:
        return want.type != "TLSA" and any(ignored in state.names for ignored in self._config.ignore)

    def _tell(self, zone: Zone, states: Sequence[ServerVerdict], told: dict[str, str]) -> None:
        """An event for each address whose verdict is another than it was."""
        for state in states:
            if state.finding.verdict is not Verdict.UNASKED and told.get(state.address) != state.verdict:
                told[state.address] = state.verdict
                self._emit(
                    "server",
                    zone=zone.name,
                    server=state.server,
                    address=state.address,
                    verdict=state.verdict,
                    serial=state.serial,
                    detail=state.finding.detail or None,
                )

    def _warnings(self, want: Want, decision: Decision, poller: Poller) -> tuple[str, ...]:
        """What a person should know although the zone is through."""
        every = poller.states(want)
        ignored = [
            f"{shown(state.server)} ({state.address}) is ignored" for state in every if self._is_ignored(state, want)
        ]
        tolerated = [
            f"{shown(state.server)} ({state.address}) is {state.verdict} and was not waited for: {state.finding.detail}"
            for state in decision.tolerated
            if state.finding.verdict is not Verdict.UNTESTED
        ]
        noted = [
            f"{shown(state.server)} ({state.address}) {state.finding.detail}"
            for state in every
            if state.finding.verdict is Verdict.GREEN and state.finding.detail
        ]
        return (*ignored, *tolerated, *noted)

    def _not_propagated(
        self, place: Place, zone: Zone, want: Want, states: Sequence[ServerVerdict], begun: float
    ) -> NotPropagated:
        waited = self._clock.monotonic() - begun
        return NotPropagated(
            report.message(want.name, zone, states, waited),
            name=place.challenge,
            expected=sorted(want.values),
            seen_by_server=report.table(states),
            waited=round(waited, 1),
            hint=report.hint(zone, states, self._config.timeout),
        )

    async def _resolved(self, expectation: Expectation, deadline: Deadline, begun: float) -> None:
        """Wait until every configured resolver has the values; they were not asked before ``settle`` was over."""
        place = expectation.place
        missing = {str(address): address for address in self._resolvers()}
        pause = float(self._config.interval)
        while missing:
            for text, address in list(missing.items()):
                if expectation.values <= await self._values(address, place.challenge, place.owner, expectation.type):
                    del missing[text]
            if missing and deadline.has_passed():
                raise NotPropagated(
                    f"{shown(place.challenge)} is not at every resolver: {', '.join(missing)}",
                    name=place.challenge,
                    expected=sorted(expectation.values),
                    seen_by_server=dict.fromkeys(missing, "has not all values"),
                    waited=round(self._clock.monotonic() - begun, 1),
                    hint=f"raise propagation.settle: a resolver that asked too early stays wrong for up to "
                    f"{place.zone.soa.negative_ttl} s",
                )
            if missing:
                await self._clock.sleep(min(pause, deadline.left()))
                pause = min(5.0, pause * 1.5)

    async def _values(self, address: Address, challenge: str, owner: str, type: str) -> frozenset[str]:
        try:
            answer = await self._exchange.ask(address, challenge, type, recursion=True)
        except Silent:
            return frozenset()
        return answer.values(owner, type)


async def _next(looked: asyncio.Event, seconds: float) -> None:
    """Wait for the next look, at most ``seconds``."""
    looked.clear()
    try:
        async with asyncio.timeout(seconds):
            await looked.wait()
    except TimeoutError:
        return
