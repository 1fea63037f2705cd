"""What one call says to the server: all of it at one address, signed with the one key.

Rule: only what the server itself has counts: recursion is not asked for, and an answer without authority is none
(RFC 1034 section 4.3.1). What a wildcard lends to a name does not stand there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
from dns.rdtypes.ANY import CNAME, SOA

from dnsbroker.names import ancestors, labels
from dnsbroker_rfc2136.explain import Blame
from dnsbroker_rfc2136.plan import Edit, Place
from dnsbroker_rfc2136.values import Standing, by_value
from dnsbroker_rfc2136.wire import Line, Reply, Silent, Untrusted

_AT_ONCE = 8

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Apex:
    """A zone's SOA, as far as it matters here."""

    zone: str
    serial: int
    primary: str


class Talk:
    """Questions to, and updates of, one server, of whose ``lines`` the first that answers is kept.

    Questions raise ProviderErrors about ``blame``'s zone.
    """

    def __init__(self, lines: Sequence[Line], key: dns.tsig.Key, blame: Blame) -> None:
        self._lines = tuple(lines)
        self._key = key
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.blame = blame

    async def zone_of(self, name: str) -> str | None:
        """The longest zone of the server that holds ``name``; None also where a zone cut leads away from the server.

        Only an SOA record of exactly the zone counts: that of an enclosing zone stands in negative answers (RFC 2308).
        """
        for zone in ancestors(name):
            reply = await self._ask(zone, "SOA")
            if self._apex(reply, zone):
                return zone
            if _referral(reply):
                return None
        return None

    async def apex(self, zone: str) -> Apex:
        """The SOA of ``zone``. Raises ZoneMissing; from here on the zone's primary is in every blame."""
        reply = await self._ask(zone, "SOA")
        apex = self._apex(reply, zone)
        if apex is None:
            raise self.blame.missing((zone,), dns.rcode.to_text(reply.rcode))
        self.blame = replace(self.blame, primary=apex.primary)
        return apex

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The hosts of the NS records at the apex of ``zone``. Raises ZoneMissing."""
        reply = await self._ask(zone, "NS")
        if reply.rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.REFUSED):
            raise self.blame.question(reply, zone)
        rrset = _answer(reply, zone, dns.rdatatype.NS)
        if rrset is None or not reply.is_authoritative:
            raise self.blame.missing((zone,), dns.rcode.to_text(reply.rcode))
        return frozenset(str(rdata).lower() for rdata in rrset)

    def _apex(self, reply: Reply, zone: str) -> Apex | None:
        if reply.rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.REFUSED):
            raise self.blame.question(reply, zone)
        rrset = _answer(reply, zone, dns.rdatatype.SOA)
        soa = rrset[0] if rrset and reply.is_authoritative else None
        return Apex(zone, soa.serial, soa.mname.to_text().lower()) if isinstance(soa, SOA.SOA) else None

    async def standing(self, place: Place) -> Standing:
        """What stands at ``place`` itself, less what a wildcard lends it (RFC 4592 section 3.3.1)."""
        shown = await self.shown(place)
        name, type = place
        if name.startswith("*.") or name == self.blame.zone or not (shown.rdatas or shown.alias):
            return shown
        # Where our node does not exist, this sibling is answered from the same wildcard, or is it.
        sibling = "*." + ".".join(labels(name)[1:]) + "."
        lent = await self.shown((sibling, type))
        return Standing(name, type) if shown.says_the_same(lent) else shown

    async def shown(self, place: Place) -> Standing:
        """What the server answers at ``place``."""
        name, type = place
        reply = await self._ask(name, type)
        if reply.rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise self.blame.question(reply, name)
        if not reply.is_authoritative:
            servers = _referral(reply)
            if not servers:
                raise self.blame.missing((self.blame.zone,), "an answer without authority")
            return Standing(name, type, delegated_to=servers)
        rrset = _answer(reply, name, dns.rdatatype.from_text(type))
        if rrset:
            return Standing(name, type, rrset.ttl, by_value(rrset))
        aliases = _answer(reply, name, dns.rdatatype.CNAME)
        alias = aliases[0] if aliases else None
        return Standing(name, type, alias=alias.target.to_text() if isinstance(alias, CNAME.CNAME) else "")

    async def is_done(self, edit: Edit) -> bool:
        """Whether the server shows ``edit`` made."""
        return edit.is_done(await self.shown(edit.place)) or edit.is_done(await self.standing(edit.place))

    async def update(self, message: dns.message.Message) -> Reply:
        """The server's answer to an UPDATE. After Silent or Untrusted nobody knows whether it was made."""
        return await self._lines[0].update(message, self._key)

    async def update_unsigned(self, message: dns.message.Message) -> Reply:
        """The server's answer to an UPDATE that nobody has signed. Raises Silent, Untrusted."""
        return await self._lines[0].update_unsigned(message)

    async def greet(self, name: str) -> Reply:
        """What the server answers about the SOA at ``name``, whatever it is: it shows what it makes of the key."""
        return await self._ask(name, "SOA")

    async def _ask(self, name: str, type: str) -> Reply:
        async with self._slots:
            silences = []
            for line in self._lines:
                question = dns.message.make_query(name, type, flags=dns.flags.Flag(0))
                try:
                    reply = await line.ask(question, self._key)
                except Silent as error:
                    silences.append(str(error))
                    continue
                except Untrusted as error:
                    raise self.blame.distrust(str(error)) from error
                self._lines = (line,)
                return reply
        raise self.blame.silence(", ".join(silences))


async def each(ask: Callable[[Item], Awaitable[T]], items: Iterable[Item]) -> list[T]:
    """What ``ask`` returns for each of ``items``, asked at once; the first error ends the others."""

    async def asked(item: Item) -> T:
        return await ask(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asked(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _answer(reply: Reply, name: str, type: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """The RRset of exactly this owner and type in the answer section."""
    message = reply.message
    return message.get_rrset(message.answer, dns.name.from_text(name), dns.rdataclass.IN, type)


def _referral(reply: Reply) -> tuple[str, ...]:
    """The name servers that a referral leads to (RFC 1034 section 4.3.2); none where it is no referral."""
    if reply.is_authoritative or reply.rcode != dns.rcode.NOERROR or reply.message.answer:
        return ()
    found = [rrset for rrset in reply.message.authority if rrset.rdtype == dns.rdatatype.NS]
    return tuple(sorted(str(rdata) for rrset in found for rdata in rrset))
