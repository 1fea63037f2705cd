"""The adapter as the broker sees it: who is asked, with which key; all else is done where dnspython is.

Rule: importing and constructing it contacts nobody and brings neither asyncio nor dnspython. Refused: listing zones,
which RFC 2136 cannot.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import BrokerError, ProviderError
from dnsbroker.findings import Finding
from dnsbroker.names import is_within, owner
from dnsbroker.records import Change, Receipt, RecordType, RRset
from dnsbroker_rfc2136.settings import ALGORITHMS, WEAK_ALGORITHMS, RFC2136Settings, secret_octets

if TYPE_CHECKING:
    import dns.tsig

    from dnsbroker_rfc2136.explain import Blame
    from dnsbroker_rfc2136.talk import Talk


class RFC2136:
    """One server, and one key that it knows."""

    Settings: ClassVar[type[RFC2136Settings]] = RFC2136Settings
    default_ttl: ClassVar[float] = 5.0
    default_settle: ClassVar[float] = 0.0
    request_timeout: ClassVar[float] = 30.0
    #: Seconds for an update, which may be sent twice within the above.
    update_timeout: ClassVar[float] = 10.0
    #: Seconds that a question may take at one address by TCP, and again by UDP, before the next address is tried.
    question_timeout: ClassVar[float] = 4.0

    def __init__(self, settings: RFC2136Settings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._key: dns.tsig.Key | None = None

    async def zones(self) -> tuple[str, ...] | None:
        """None: the protocol has no way to list them."""
        return None

    async def find_zone(self, name: str) -> str | None:
        """The longest zone of the server that holds ``name``; None also where it is delegated away."""
        return await (await self._talk()).zone_of(owner(name))

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` by one UPDATE message, as far as they fit into one, and read them back."""
        if not changes:
            raise ValueError("apply needs at least one change")
        from dnsbroker.clock import Deadline
        from dnsbroker_rfc2136 import update

        zone = owner(zone)
        deadline = Deadline.after(self._surroundings.clock, self.request_timeout)
        try:
            talk = await self._talk_of(zone, changes)
        except ProviderError as error:
            error.nothing_done = True
            raise
        receipt = await update.apply(talk, zone, changes, deadline)
        return replace(receipt, warnings=(*receipt.warnings, *self._key_warnings()))

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as the server has it; None also where a CNAME stands or the name is delegated away."""
        talk = await self._talk(owner(zone))
        return (await talk.standing((owner(name), type))).rrset()

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The NS records that the server has at the zone's apex: its own name, or those of whom it feeds."""
        return await (await self._talk(owner(zone))).name_servers(owner(zone))

    async def serial(self, zone: str) -> int:
        """The serial that the server has."""
        return (await (await self._talk(owner(zone))).apex(owner(zone))).serial

    async def examine(self, zones: Sequence[str], *, fix: bool) -> tuple[Finding, ...]:
        """What is wrong with the server, the key, the clock or ``zones``; nothing of it can be mended from here."""
        from dnsbroker_rfc2136.examination import Examination

        weaknesses = [warning.partition(": ")[2] for warning in self._key_warnings()]
        look = Examination(self._talk, self._surroundings.provider, self._blame().server, weaknesses)
        return await look.findings(zones)

    async def aclose(self) -> None:
        """Nothing is held: every exchange has a connection of its own."""

    async def _talk_of(self, zone: str, changes: Sequence[Change]) -> Talk:
        """A talk about ``changes``. Raises RecordRejected where one is not of ``zone``, ProviderUnavailable."""
        from dnsbroker_rfc2136.plan import place_of

        for name, _ in map(place_of, changes):
            if not is_within(name, zone):
                raise self._blame(zone).outside(name)
        return await self._talk(zone)

    async def _talk(self, zone: str = "") -> Talk:
        from dnsbroker.lookup.exchange import Address
        from dnsbroker_rfc2136.talk import Talk
        from dnsbroker_rfc2136.wire import Line

        blame = self._blame(zone)
        places = [Address(ip, self._settings.port) for ip in await self._addresses(blame)]
        lines = [Line(place, self.update_timeout, self.question_timeout) for place in places]
        return Talk(lines, await self._signing_key(), blame)

    async def _addresses(self, blame: Blame) -> tuple[str, ...]:
        server = self._settings.server
        if _is_address(server):
            return (server,)
        try:
            addresses = await self._surroundings.addresses(server)
        except (BrokerError, OSError) as error:
            raise blame.unresolved(str(error)) from error
        if not addresses:
            raise blame.unresolved("it has no address")
        return addresses

    async def _signing_key(self) -> dns.tsig.Key:
        if self._key is None:
            import asyncio

            import dns.tsig

            # Revealing may read a file or run a command.
            octets = await asyncio.to_thread(secret_octets, self._settings.tsig_secret, self._surroundings.provider)
            self._key = dns.tsig.Key(self._settings.tsig_name, octets, ALGORITHMS[self._settings.tsig_algorithm])
        return self._key

    def _blame(self, zone: str = "") -> Blame:
        from dnsbroker_rfc2136.explain import Blame

        server, port = self._settings.server, self._settings.port
        shown = server if port == 53 else f"{server} port {port}"
        key_name, algorithm = self._settings.tsig_name, self._settings.tsig_algorithm
        return Blame(self._surroundings.provider, shown, key_name, algorithm, zone)

    def _key_warnings(self) -> tuple[str, ...]:
        name, algorithm = self._settings.tsig_name, self._settings.tsig_algorithm
        if algorithm not in WEAK_ALGORITHMS:
            return ()
        return (
            f"provider {self._surroundings.provider}: key {name} uses {algorithm}, which is weak: make a new one "
            "with hmac-sha256",
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
