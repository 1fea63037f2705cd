"""One poller for each zone looks at every address of its servers, for all who wait on that zone.

Each address is looked at by a task of its own, so that one that hangs holds up nobody: SOA and values in the same look,
or, for many names, the SOA alone until the new serial has arrived. The interval starts short and grows with the time
waited; a new waiter makes it short again. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from dnsbroker.clock import Clock
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.exchange import Exchange, Silent, Untestable
from dnsbroker.lookup.signatures import Signatures
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.propagation.verdict import ABSENT, Finding, ServerVerdict, Sight, Verdict, Want, judge
from dnsbroker.records import rfc1982_newer

_LONGEST_INTERVAL = 5.0
_GROWTH = 0.08
_MANY = 4
_FULL_LOOK_EVERY = 5
#: A look that has had no answer for so long leaves what was seen before in doubt.
_LATE = 2.5


@dataclass
class _State:
    """What is known of one address with regard to one Want."""

    finding: Finding = field(default_factory=lambda: Finding(Verdict.UNASKED))
    steady: int = 0
    ttl: int = 0


@dataclass
class _Address:
    """One address under watch: when it last answered for the zone, and when the look under way began."""

    server: NameServer
    absent_since: float | None = None
    looking_since: float | None = None
    looks: int = 0
    states: dict[Want, _State] = field(default_factory=dict)


class Poller:
    """Looks at one zone for as long as somebody wants something there."""

    def __init__(
        self, zone: Zone, exchange: Exchange, clock: Clock, interval: float, jitter: Callable[[], float]
    ) -> None:
        self._zone = zone
        self._exchange = exchange
        self._clock = clock
        self._first_interval = interval
        self._jitter = jitter
        self._signatures = Signatures(zone, exchange) if zone.ds else None
        self._addresses = [_Address(server) for server in zone.servers]
        self._wants: dict[Want, int] = {}
        self._newest_waiter = clock.monotonic()
        self._tasks: list[asyncio.Task[None]] = []
        self._looked: set[asyncio.Event] = set()

    def want(self, want: Want) -> asyncio.Event:
        """Begin to look for ``want``; the event is set after each look at any address."""
        self._wants[want] = self._wants.get(want, 0) + 1
        self._newest_waiter = self._clock.monotonic()
        looked = asyncio.Event()
        self._looked.add(looked)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch(address)) for address in self._addresses]
        return looked

    async def unwant(self, want: Want, looked: asyncio.Event) -> bool:
        """End what ``want`` began; whether nobody is left, and the poller has come to rest."""
        self._looked.discard(looked)
        self._wants[want] -= 1
        if not self._wants[want]:
            del self._wants[want]
            for address in self._addresses:
                address.states.pop(want, None)
        if self._wants:
            return False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return True

    def states(self, want: Want) -> list[ServerVerdict]:
        """Every address with what is known of it now."""
        return [self._state(address, want) for address in self._addresses]

    def ttl(self, want: Want) -> int:
        """The largest TTL that any address gave for the values of ``want``, in seconds."""
        return max((address.states[want].ttl for address in self._addresses if want in address.states), default=0)

    def _state(self, address: _Address, want: Want) -> ServerVerdict:
        now = self._clock.monotonic()
        state = address.states.get(want, _State())
        finding, steady = state.finding, state.steady
        if address.looking_since is not None and now - address.looking_since > _LATE:
            steady = 0
            if finding.verdict in (Verdict.UNASKED, Verdict.GREEN):
                finding = Finding(Verdict.UNREACHABLE, f"no answer for {now - address.looking_since:.0f} s")
        since = address.absent_since if finding.verdict in ABSENT else None
        if since is None and finding.verdict is Verdict.UNREACHABLE:
            since = address.looking_since
        server = address.server
        names = frozenset({server.name, *server.also, server.address.ip})
        absent_for = now - since if since is not None else 0.0
        return ServerVerdict(server.name, str(server.address), finding, names, steady, absent_for)

    async def _watch(self, address: _Address) -> None:
        while True:
            address.looking_since = begun = self._clock.monotonic()
            findings = await self._look(address, tuple(self._wants))
            address.looking_since = None
            if any(finding.verdict in ABSENT for finding in findings):
                address.absent_since = begun if address.absent_since is None else address.absent_since
            else:
                address.absent_since = None
            for looked in self._looked:
                looked.set()
            await self._clock.sleep(self._interval(address))

    def _interval(self, address: _Address) -> float:
        """Short at first and while something is being confirmed, then a share of the time waited."""
        if any(state.steady > 0 for state in address.states.values()) or not address.states:
            return self._first_interval
        grown = min(_LONGEST_INTERVAL, _GROWTH * (self._clock.monotonic() - self._newest_waiter))
        return max(self._first_interval, grown) * (1 + 0.1 * self._jitter())

    async def _look(self, address: _Address, wants: Sequence[Want]) -> list[Finding]:
        """One look: the SOA and every value, or, for many names, the SOA first."""
        address.looks += 1
        serial: int | None = None
        if len(wants) > _MANY:
            serial = await self._serial(address)
            if self._is_behind(serial, wants) and address.looks % _FULL_LOOK_EVERY:
                sights = [Sight("NOERROR", True, serial=serial)] * len(wants)
                return [self._note(address, *pair) for pair in zip(wants, sights, strict=True)]
        asked = await asyncio.gather(self._serial(address), *(self._sight(address, want) for want in wants))
        serial = asked[0] if isinstance(asked[0], int) else serial
        sights = [sight for sight in asked[1:] if isinstance(sight, Sight)]
        return [
            self._note(address, want, replace(sight, serial=serial)) for want, sight in zip(wants, sights, strict=True)
        ]

    @staticmethod
    def _is_behind(serial: int | None, wants: Iterable[Want]) -> bool:
        """Whether no value can be there yet, going by the serial."""
        return serial is not None and all(
            want.serial is not None and rfc1982_newer(want.serial, serial) for want in wants
        )

    def _note(self, address: _Address, want: Want, sight: Sight) -> Finding:
        finding = judge(sight, want)
        state = address.states.setdefault(want, _State())
        if want not in self._wants:
            address.states.pop(want)
        state.finding = finding
        state.steady = state.steady + 1 if finding.verdict is Verdict.GREEN else 0
        state.ttl = max(state.ttl, sight.ttl or 0)
        return finding

    async def _serial(self, address: _Address) -> int | None:
        try:
            answer = await self._exchange.ask(address.server.address, self._zone.name, "SOA")
        except Silent:
            return None
        soa = answer.soa(self._zone.name) if answer.authoritative else None
        return soa.serial if soa else None

    async def _sight(self, address: _Address, want: Want) -> Sight:
        try:
            answer = await self._exchange.ask(
                address.server.address, want.name, want.type, dnssec=self._signatures is not None
            )
        except Untestable:
            return Sight(untestable=True)
        except Silent as error:
            return Sight(silent=error.reason)
        values = answer.values(want.name, want.type)
        return Sight(
            answer.rcode,
            answer.authoritative,
            answer.referral(want.name) is not None,
            values,
            answer.ttl(want.name, want.type),
            fault=await self._fault(answer, want) if want.values <= values else "",
            note=_note(answer),
        )

    async def _fault(self, answer: Answer, want: Want) -> str:
        if self._signatures is None:
            return ""
        return await self._signatures.fault(answer, want.name, want.type, self._clock.now())


def _note(answer: Answer) -> str:
    if answer.tcp_refused:
        return "answers by UDP, cut short, and not by TCP: a CA needs both"
    return "answers by TCP only: a CA needs UDP too" if answer.udp_silent else ""
