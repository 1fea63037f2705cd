"""One poller for each zone looks at every address of its servers, for all who wait on that zone.

Each address is looked at by a task of its own, so that one that hangs holds up nobody: SOA and values in the same look;
where there are many names, the SOA first, and the values once it is new enough. The interval starts short and grows
with the time waited; who begins to wait, or has a first round to confirm, makes it short again. Nothing is decided
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dnsbroker.clock import Clock
from dnsbroker.lookup.exchange import Exchange, Silent, Untestable
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.names import between
from dnsbroker.propagation.verdict import ABSENT, Finding, ServerVerdict, Sight, Verdict, Want, confirmed, judge
from dnsbroker.records import rfc1982_newer
from dnsbroker.tasks import together

if TYPE_CHECKING:
    from dnsbroker.lookup.signatures import Signatures

#: However late a server is, the certificate is to follow within two seconds: one interval, a round more, the CA.
_LONGEST_INTERVAL = 1.0
_GROWTH = 0.08
_MANY = 4
#: Where the serial says that nothing can be there, every so many looks ask all the same: databases replicate without.
_FULL_LOOK_EVERY = 5
#: Silence grows without a look: so often, in seconds, it is worth looking through what is known all the same.
_NEWS = 0.5
#: Silence of so many seconds is told, although the look under way may yet bring an answer.
_LATE = 2.5


@dataclass
class _State:
    """What is known of one address with regard to one Want; ``looks`` as in ServerVerdict."""

    finding: Finding = field(default_factory=lambda: Finding(Verdict.UNASKED))
    looks: list[float] = field(default_factory=list)
    ttl: int = 0
    wavers: bool = False
    has_answered: bool = False
    absent_since: float | None = None

    def note(self, finding: Finding, begun: float, ttl: int | None) -> None:
        if finding.verdict is not self.finding.verdict:
            self.wavers = self.wavers or (self.finding.verdict is Verdict.GREEN and finding.verdict not in ABSENT)
            self.looks = []
        self.finding = finding
        self.has_answered = (
            self.has_answered or finding.serial is not None or finding.verdict not in (*ABSENT, Verdict.UNTESTED)
        )
        if finding.verdict not in ABSENT:
            self.absent_since = None
        elif self.absent_since is None:
            self.absent_since = begun
        self.looks.append(begun)
        self.ttl = max(self.ttl, ttl or 0)


@dataclass
class _Address:
    """One address under watch. ``silent_since``: the first look, also one under way, that has no answer to anything.

    ``admitted`` are names above those wanted that exist by its word.
    """

    server: NameServer
    begun: float = 0.0
    count: int = 0
    silent_since: float | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    states: dict[Want, _State] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)


class Poller:
    """Looks at one zone for as long as somebody wants something there.

    ``told``, by address, and ``warned`` are for those who tell people: nothing is told twice for one zone.
    """

    def __init__(
        self, zone: Zone, exchange: Exchange, clock: Clock, interval: float, jitter: Callable[[], float]
    ) -> None:
        self.told: dict[str, Verdict] = {}
        self.warned: set[str] = set()
        self._zone = zone
        self._exchange = exchange
        self._clock = clock
        self._first_interval = interval
        self._jitter = jitter
        self._signatures = _signatures(zone, exchange)
        self._addresses = [_Address(server) for server in zone.servers]
        self._wants: dict[Want, int] = {}
        self._agreed: dict[Want, float] = {}
        self._hurried = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None
        self._looked: set[asyncio.Event] = set()
        self._has_news = True
        self._news_read = clock.monotonic()

    def want(self, want: Want) -> asyncio.Event:
        """Begin to look for ``want``; the event is set after each look at any address."""
        self._wants[want] = self._wants.get(want, 0) + 1
        looked = asyncio.Event()
        self._looked.add(looked)
        self._hurry()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch(address)) for address in self._addresses]
            for task in self._tasks:
                task.add_done_callback(self._ended)
        return looked

    def unwant(self, want: Want, looked: asyncio.Event) -> bool:
        """End what ``want`` began; whether nobody is left, so that the poller may rest."""
        self._looked.discard(looked)
        self._wants[want] -= 1
        if not self._wants[want]:
            del self._wants[want]
            self._agreed.pop(want, None)
            for address in self._addresses:
                address.states.pop(want, None)
        return not self._wants

    async def rest(self) -> None:
        """Look no more; returns when every task has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def agreed(self, want: Want, at: float) -> None:
        """All had ``want`` in the round complete at ``at``: see soon whether they still have."""
        if at > self._agreed.get(want, float("-inf")):
            self._agreed[want] = at
            self._hurry()

    def states(self, want: Want) -> list[ServerVerdict]:
        """Every address with what is known of it now. Raises what made an address's task fail."""
        if self._failure is not None:
            raise self._failure
        return [self._state(address, want) for address in self._addresses]

    def news(self) -> list[tuple[Want, ServerVerdict]]:
        """Every address with the gravest that is known of it, and for which Want; nothing where none of it can be new.

        However many wait and ask, what is known is gone through once for each look.
        """
        is_old = not self._has_news and self._clock.monotonic() - self._news_read < _NEWS
        if is_old or not self._wants:
            return []
        self._has_news, self._news_read = False, self._clock.monotonic()
        tables = [[(want, state) for state in self.states(want)] for want in self._wants]
        return [min(row, key=lambda pair: pair[1].verdict.gravity) for row in zip(*tables, strict=True)]

    def ttl(self, want: Want) -> int:
        """The largest TTL that any address gave for the RRset of ``want``, whatever was in it, in seconds."""
        return max((address.states[want].ttl for address in self._addresses if want in address.states), default=0)

    def _state(self, address: _Address, want: Want) -> ServerVerdict:
        state = address.states.get(want, _State())
        now = self._clock.monotonic()
        silent_for = max(now - since for since in (address.silent_since, state.absent_since, now) if since is not None)
        finding = confirmed(state.finding, len(state.looks))
        if finding.verdict is Verdict.UNASKED and silent_for > _LATE:
            finding = Finding(Verdict.UNREACHABLE, f"no answer for {silent_for:.0f} s")
        server = address.server
        return ServerVerdict(
            server.name,
            str(server.address),
            finding,
            ip=server.address.ip,
            names=frozenset({server.name, *server.also}),
            looks=tuple(state.looks),
            silent_for=silent_for,
            wavers=state.wavers,
            has_answered=state.has_answered,
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An address's task ends only by being cancelled, or by a defect that must not look like silence."""
        if not task.cancelled():
            self._failure = task.exception()
            self._announce()

    def _announce(self) -> None:
        self._has_news = True
        for looked in self._looked:
            looked.set()

    def _hurry(self) -> None:
        self._hurried = self._clock.monotonic()
        for address in self._addresses:
            address.wake.set()

    async def _watch(self, address: _Address) -> None:
        while True:
            address.begun = begun = self._clock.monotonic()
            if address.silent_since is None:
                address.silent_since = begun
            sights = await self._look(address, tuple(self._wants))
            findings = {want: judge(sight, want) for want, sight in sights.items()}
            for want in findings.keys() & self._wants.keys():
                address.states.setdefault(want, _State()).note(findings[want], begun, sights[want].ttl)
            # A server may fail for one name alone; that makes it silent about no other.
            if not findings or any(finding.verdict not in ABSENT for finding in findings.values()):
                address.silent_since = None
            self._announce()
            await self._pause(address)

    async def _pause(self, address: _Address) -> None:
        stretch = 1 + 0.1 * self._jitter()
        while (left := address.begun + stretch * self._interval() - self._clock.monotonic()) > 0:
            await until_set(address.wake, left)

    def _interval(self) -> float:
        grown = min(_LONGEST_INTERVAL, _GROWTH * (self._clock.monotonic() - self._hurried))
        return max(self._first_interval, grown)

    async def _look(self, address: _Address, wants: Sequence[Want]) -> dict[Want, Sight]:
        """One look: the SOA and every value, or, for many names, the SOA first."""
        address.count += 1
        if len(wants) > _MANY:
            return await self._look_at_many(address, wants)
        questions = [self._soa(address), *(self._sight(address, want) for want in wants)]
        # Of two machines that answer by turns at one address, every other order makes each question meet both.
        order = -1 if address.count % 2 else 1
        soa, *sights = (await together(questions[::order]))[::order]
        return {want: replace(sight, serial=soa.serial) for want, sight in zip(wants, sights, strict=True)}

    async def _look_at_many(self, address: _Address, wants: Sequence[Want]) -> dict[Want, Sight]:
        soa = await self._soa(address)
        if soa.silent or soa.untestable:
            return dict.fromkeys(wants, soa)
        is_full = address.count % _FULL_LOOK_EVERY == 0
        asked = [want for want in wants if self._is_due(address, want, soa.serial, is_full=is_full)]
        sights = dict(zip(asked, await together(self._sight(address, want) for want in asked), strict=True))
        unseen = [want for want in wants if want not in sights and not self._has(address, want)]
        return {want: replace(sights.get(want, soa), serial=soa.serial) for want in (*asked, *unseen)}

    def _is_due(self, address: _Address, want: Want, serial: int | None, *, is_full: bool) -> bool:
        """Whether to ask for the values: not before they can be there, nor again before all have them."""
        if self._has(address, want, Verdict.GREEN):
            return want in self._agreed
        is_behind = serial is not None and want.serial is not None and rfc1982_newer(want.serial, serial)
        return is_full or not is_behind

    @staticmethod
    def _has(address: _Address, want: Want, *verdicts: Verdict) -> bool:
        """Whether values of ``want`` were there in the latest look that asked for them."""
        known = address.states.get(want)
        return known is not None and known.finding.verdict in (
            verdicts or (Verdict.GREEN, Verdict.HIDDEN, Verdict.PARTIAL)
        )

    async def _soa(self, address: _Address) -> Sight:
        try:
            answer = await self._exchange.ask(address.server.address, self._zone.name, "SOA")
        except Silent as error:
            return _silence(error)
        soa = answer.soa(self._zone.name) if answer.authoritative else None
        return Sight(answer.rcode, answer.authoritative, serial=soa.serial if soa else None)

    async def _sight(self, address: _Address, want: Want) -> Sight:
        signatures, name, type = self._signatures, want.name, want.type
        try:
            answer = await self._exchange.ask(address.server.address, name, type, dnssec=bool(signatures))
            values = answer.values(name, type)
            is_whole = want.values <= values
            fault = await signatures.fault(answer, name, type, self._clock.now()) if signatures and is_whole else ""
            denied = await self._denied(address, name) if is_whole else ""
        except Silent as error:
            return _silence(error)
        return Sight(
            answer.rcode,
            answer.authoritative,
            refers=answer.referral(name) is not None,
            values=values,
            ttl=answer.ttl(name, type),
            fault=fault,
            denied=denied,
            tcp_only=answer.udp_silent,
            cut_short=answer.tcp_refused,
        )

    async def _denied(self, address: _Address, name: str) -> str:
        """The first name above ``name`` in the zone that ``address`` denies; each is asked for until it is not.

        A resolver that goes down label by label (RFC 9156) turns back there, and never sees the record.
        """
        for above in between(name, self._zone.name):
            if above not in address.admitted:
                if (await self._exchange.ask(address.server.address, above, "A")).denies(above):
                    return above
                address.admitted.add(above)
        return ""


def _signatures(zone: Zone, exchange: Exchange) -> Signatures | None:
    """What proves the answers of ``zone``; None where nobody could, which most zones need not import anything for."""
    if not zone.ds:
        return None
    from dnsbroker.lookup.signatures import Signatures

    checked = Signatures(zone, exchange)
    return checked if checked.are_due else None


def _silence(error: Silent) -> Sight:
    return Sight(silent=error.reason, untestable=isinstance(error, Untestable))


async def until_set(event: asyncio.Event, seconds: float) -> None:
    """Wait until ``event`` is set from now on, at most ``seconds``."""
    event.clear()
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
