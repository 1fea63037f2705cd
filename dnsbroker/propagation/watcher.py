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
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.propagation import report
from dnsbroker.propagation.poller import Poller, until_set
from dnsbroker.propagation.recursors import Recursors
from dnsbroker.propagation.verdict import Policy, ServerVerdict, Verdict, Want, decide
from dnsbroker.records import RecordType
from dnsbroker.tasks import together

_GLANCE = 0.5


@dataclass(frozen=True)
class Expectation:
    """``values`` of ``type`` at the owner of ``place``; ``serial`` is the served one that includes them, if known.

    ``returned``: some of them were taken away before, and an address counts only from that serial on.
    """

    place: Place
    type: RecordType
    values: frozenset[str]
    serial: int | None
    returned: bool = False


@dataclass(frozen=True)
class Outcome:
    """The servers agree. ``at`` is the moment of the verdict, ``ttl`` the RRset's largest TTL seen (seconds).

    ``verdicts`` are those of every address that counted, also on the way there.
    """

    at: datetime
    ttl: int
    verdicts: tuple[ServerVerdict, ...]
    warnings: tuple[str, ...] = ()


class Watcher:
    """Watches for one run. ``jitter`` gives numbers from 0 to 1.

    An address that is silent for ``patience`` seconds counts as not there.
    """

    def __init__(
        self,
        exchange: Exchange,
        resolvers: Callable[[], Sequence[Address]],
        clock: Clock,
        emit: Emitter,
        config: PropagationConfig,
        jitter: Callable[[], float] = random.random,
        *,
        patience: float = 10.0,
    ) -> None:
        self._exchange = exchange
        self._recursors = Recursors(exchange, resolvers, clock, config.interval)
        self._clock = clock
        self._emit = emit
        self._config = config
        self._jitter = jitter
        self._patience = patience
        self._pollers: dict[object, Poller] = {}

    async def wait(self, expectation: Expectation, deadline: Deadline, *, settle: float = 0.0) -> Outcome:
        """Wait until the servers have what is expected, then the configured time, or else ``settle`` seconds.

        The settling was asked for and waits for no answer: it comes on top of ``deadline``. For TLSA every address must
        answer, whatever is configured. Raises NotPropagated at ``deadline``, or at once where nobody is left to ask.
        """
        begun = self._clock.monotonic()
        configured = self._config.settle
        outcome = await self._outcome(expectation, deadline, settle if configured is None else configured)
        self._emit(
            "propagated",
            name=expectation.place.challenge,
            zone=expectation.place.zone.name,
            seconds=round(self._clock.monotonic() - begun, 3),
        )
        return outcome

    async def _outcome(self, expectation: Expectation, deadline: Deadline, settle: float) -> Outcome:
        place, require = expectation.place, self._config.require
        if expectation.type == "TLSA" or require in ("all", "all-reachable"):
            outcome = await self._authoritative(expectation, deadline)
            await self._clock.sleep(settle)
            return outcome
        await self._clock.sleep(settle)
        ttl = place.zone.soa.negative_ttl
        if require == "resolvers":
            ttl = max(ttl, await self._recursors.wait(place, expectation.type, expectation.values, deadline))
        return Outcome(self._clock.now(), ttl, ())

    async def _authoritative(self, expectation: Expectation, deadline: Deadline) -> Outcome:
        """Every zone on the way; the last one to agree decides the moment."""
        place = expectation.place
        wants = [(hop.zone, Want(hop.owner, hop.kind, frozenset({hop.target}))) for hop in place.hops]
        final = Want(place.owner, expectation.type, expectation.values, expectation.serial, expectation.returned)
        wants.append((place.zone, final))
        outcomes = await together(self._agreed(place, zone, want, deadline) for zone, want in wants)
        warnings = tuple(dict.fromkeys(text for outcome in outcomes for text in outcome.warnings))
        verdicts = {(item.server, item.address): item for outcome in outcomes for item in outcome.verdicts}
        return Outcome(max(item.at for item in outcomes), outcomes[-1].ttl, tuple(verdicts.values()), warnings)

    async def _agreed(self, place: Place, zone: Zone, want: Want, deadline: Deadline) -> Outcome:
        """Wait for one zone."""
        begun = self._clock.monotonic()
        is_strict = want.type == "TLSA" or self._config.require == "all"
        policy = Policy("all" if is_strict else "all-reachable", self._config.rounds, patience=self._patience)
        async with self._looking(zone, want) as (poller, looked):
            while True:
                states = poller.states(want)
                counted = [state for state in states if not self._is_ignored(state, want)]
                self._tell(zone, poller)
                decision = decide(counted, policy)
                if decision.through:
                    warnings = report.warnings(states, counted, decision.tolerated)
                    self._warn(zone, poller, warnings)
                    return Outcome(self._clock.now(), poller.ttl(want), tuple(counted), warnings)
                if deadline.has_passed() or not counted:
                    raise self._not_propagated(place, zone, want, counted, begun)
                if decision.agreed_at is not None:
                    poller.agreed(want, decision.agreed_at)
                await until_set(looked, min(deadline.left(), _GLANCE))

    @asynccontextmanager
    async def _looking(self, zone: Zone, want: Want) -> AsyncIterator[tuple[Poller, asyncio.Event]]:
        key = (zone.name, zone.servers, zone.ds)
        poller = self._pollers.get(key)
        if poller is None:
            poller = Poller(zone, self._exchange, self._clock, self._config.interval, self._jitter)
            self._pollers[key] = poller
        looked = poller.want(want)
        try:
            yield poller, looked
        finally:
            if poller.unwant(want, looked):
                del self._pollers[key]
                await poller.rest()

    def _is_ignored(self, state: ServerVerdict, want: Want) -> bool:
        return want.type != "TLSA" and not {state.ip, *state.names}.isdisjoint(self._config.ignore)

    def _tell(self, zone: Zone, poller: Poller) -> None:
        """An event for each address where the gravest that is known of it is another verdict than was told."""
        for want, state in poller.news():
            is_new = state.verdict not in (Verdict.UNASKED, poller.told.get(state.address))
            if not is_new or self._is_ignored(state, want):
                continue
            poller.told[state.address] = state.verdict
            self._emit(
                "server",
                zone=zone.name,
                server=state.server,
                address=state.address,
                verdict=str(state.verdict),
                serial=state.serial,
                detail=state.finding.detail or None,
                name=want.name if state.verdict is not Verdict.GREEN else None,
            )

    def _warn(self, zone: Zone, poller: Poller, warnings: Sequence[str]) -> None:
        """A warning for each that this poller's waits have not had yet."""
        for warning in warnings:
            if warning not in poller.warned:
                poller.warned.add(warning)
                self._emit("warning", message=warning, zone=zone.name)

    def _not_propagated(
        self, place: Place, zone: Zone, want: Want, states: Sequence[ServerVerdict], begun: float
    ) -> NotPropagated:
        waited = self._clock.monotonic() - begun
        failure = report.Failure(zone, want, states, waited, self._config.timeout)
        return NotPropagated(
            failure.message(),
            name=place.challenge,
            expected=sorted(want.values),
            seen_by_server=failure.seen(),
            waited=round(waited, 1),
            hint=failure.hint(),
        )
