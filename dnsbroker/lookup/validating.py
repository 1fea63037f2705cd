"""What a recursive resolver thinks of signatures: its opinion of a zone, and what a client that trusts it believes.

An AD bit is told as it came; whether it is to be believed depends on the way to the resolver, and on who asks. A denial
that a resolver gives, it may remember: ``opinion`` asks only for what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import dns.edns
import dns.flags

from dnsbroker.errors import NameInvalid
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Answer, Exchange, Silent
from dnsbroker.names import owner
from dnsbroker.tasks import together


@dataclass(frozen=True)
class Opinion:
    """Of one resolver about one RRset. ``rcode`` is empty where it gave no answer, ``reason`` then says why.

    ``has_data``: the RRset came; ``is_validated``: with AD; ``explained`` are its own words (RFC 8914).
    """

    rcode: str
    reason: str = ""
    has_data: bool = False
    is_validated: bool = False
    explained: tuple[str, ...] = ()


async def opinion(exchange: Exchange, resolver: Address, name: str, type: str, *, unchecked: bool = False) -> Opinion:
    """What ``resolver`` answers about an RRset that exists; ``unchecked``: without validating (CD)."""
    try:
        answer = await exchange.ask(resolver, name, type, dnssec=True, recursion=True, unchecked=unchecked)
    except Silent as error:
        return Opinion("", error.reason)
    return Opinion(
        answer.rcode,
        has_data=bool(answer.values(name, type)),
        is_validated=bool(answer.message.flags & dns.flags.AD),
        explained=_explained(answer),
    )


class Standing(StrEnum):
    """What a client that trusts a validating resolver makes of its answer (RFC 4035 section 4.3); the best first."""

    SECURE = "secure"
    UNPROVED = "unproved"  # nobody who may be trusted has looked
    BOGUS = "bogus"
    INSECURE = "insecure"
    FAILED = "failed"  # no answer, which is neither yes nor no

    @property
    def is_known(self) -> bool:
        """Whether there is an answer to go by, be it that there is nothing."""
        return self in (Standing.SECURE, Standing.UNPROVED, Standing.INSECURE)


@dataclass(frozen=True)
class Believed:
    """What a client is told about ``type`` at ``name``, at the end of its ``aliases`` (each name on the way there).

    ``reason`` says why there is no answer, or why it is bogus, in the resolver's own words where it has some.
    """

    name: str
    type: str
    standing: Standing
    values: frozenset[str] = frozenset()
    aliases: tuple[str, ...] = ()
    ttl: int | None = None
    reason: str = ""

    @property
    def end(self) -> str:
        """Where the values stand."""
        return self.aliases[-1] if self.aliases else self.name


async def validated(exchange: Exchange, resolvers: Sequence[Address], name: str, type: str) -> Believed:
    """What a client that trusts ``resolvers`` is told; the best of their answers, as whoever goes on to the next gets.

    Asks for what may not be there: a resolver remembers the denial for as long as the zone says.
    """
    found = await together(_validated(exchange, resolver, name, type) for resolver in resolvers)
    return min(found, key=lambda one: list(Standing).index(one.standing))


async def _validated(exchange: Exchange, resolver: Address, name: str, type: str) -> Believed:
    try:
        answer = await exchange.ask(resolver, name, type, dnssec=True, recursion=True)
        if answer.rcode == "SERVFAIL":
            unchecked = await exchange.ask(resolver, name, type, dnssec=True, recursion=True, unchecked=True)
            standing = Standing.BOGUS if unchecked.rcode in ("NOERROR", "NXDOMAIN") else Standing.FAILED
            words = "; ".join(("SERVFAIL", *_explained(answer)))
            return Believed(name, type, standing, reason=f"{resolver} answers {words}")
    except Silent as error:
        return Believed(name, type, Standing.FAILED, reason=f"{resolver}: {error.reason}")
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        return Believed(name, type, Standing.FAILED, reason=f"{resolver} answers {answer.rcode}")
    is_secure = bool(answer.message.flags & dns.flags.AD)
    aliases = _aliases(answer, name)
    end = aliases[-1] if aliases else name
    standing = Standing.SECURE if is_secure else Standing.INSECURE
    return Believed(name, type, standing, answer.values(end, type), aliases, answer.ttl(end, type))


def _aliases(answer: Answer, name: str) -> tuple[str, ...]:
    """Every name that the answer leads ``name`` to, in order; a circle ends where it closes."""
    chain = [name]
    while target := answer.alias(chain[-1]):
        try:
            target = owner(target)
        except NameInvalid:  # no host has such a name, and nothing stands there
            break
        if target in chain:
            break
        chain.append(target)
    return tuple(chain[1:])


def _explained(answer: Answer) -> tuple[str, ...]:
    """The resolver's own words (RFC 8914)."""
    return tuple(option.to_text() for option in answer.message.options if isinstance(option, dns.edns.EDEOption))
