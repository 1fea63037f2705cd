"""One question to one server, and its answer or its silence.

Each try has a source port and an id of its own and counts only an answer that echoes the question, letter by letter:
questions to authoritative servers mix upper and lower case at random, as validating CAs do. UDP comes first, TCP where
the answer is truncated or nothing came. No server is chosen here, and no question asked twice that got an answer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode

from dnsbroker.lookup import wire
from dnsbroker.lookup.address import Address, parse_address
from dnsbroker.lookup.answer import SOA, Answer
from dnsbroker.lookup.senseless import put_back

__all__ = ["SOA", "Address", "Answer", "Exchange", "Silent", "Untestable", "parse_address"]

EDNS_PAYLOAD = 1232
_OPEN_SOCKETS = 200
# These may come back without the question: the server need not have understood it.
_BARE_RCODES = (dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED)


class Silent(Exception):
    """No usable answer from ``address``, neither by UDP nor by TCP; ``reason`` says what happened to each."""

    def __init__(self, address: Address, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class Untestable(Silent):
    """This host has no way to that address family, which says nothing about the server."""


class Exchange:
    """Asks name servers. ``udp_timeout`` and ``tcp_timeout`` are the seconds that one try may take."""

    def __init__(self, udp_timeout: float = 2.0, tcp_timeout: float = 5.0) -> None:
        self._udp_timeout = udp_timeout
        self._tcp_timeout = tcp_timeout
        self._sockets = asyncio.Semaphore(_OPEN_SOCKETS)

    async def ask(
        self,
        address: Address,
        name: str,
        type: str,
        *,
        dnssec: bool = False,
        recursion: bool = False,
        unchecked: bool = False,
        tcp: bool = False,
    ) -> Answer:
        """The answer of ``address`` about ``name``, an owner name, and ``type``, a mnemonic such as ``TXT``.

        ``dnssec`` asks for signatures (DO), ``recursion`` sets RD, ``unchecked`` keeps a resolver from validating (CD),
        ``tcp`` leaves UDP out. A server that answers FORMERR is asked again without EDNS. Whatever its rcode, an answer
        is an answer.
        Raises Silent where there is none, Untestable where this host lacks the address family.
        """
        question = _Question(name, type, dnssec, recursion, unchecked)
        async with self._sockets:
            try:
                return await self._by_tcp(address, question, "") if tcp else await self._by_udp(address, question)
            except wire.NoRoute as error:
                raise Untestable(address, str(error)) from error

    async def _by_udp(self, address: Address, question: _Question) -> Answer:
        try:
            reply = await _with_or_without_edns(wire.by_udp, address, question, self._udp_timeout)
        except wire.NoRoute:
            raise
        except wire.Nothing as error:
            return await self._by_tcp(address, question, f"UDP: {error}; ")
        if not reply.flags & dns.flags.TC:
            return _answer(address, reply)
        try:
            return await self._by_tcp(address, question, "")
        except Silent:
            return _answer(address, reply, tcp_refused=True)

    async def _by_tcp(self, address: Address, question: _Question, udp_failure: str) -> Answer:
        try:
            reply = await _with_or_without_edns(wire.by_tcp, address, question, self._tcp_timeout)
        except wire.NoRoute:
            raise
        except wire.Nothing as error:
            raise Silent(address, f"{udp_failure}TCP: {error}") from error
        return _answer(address, reply, tcp=True, udp_silent=bool(udp_failure))


@dataclass(frozen=True)
class _Question:
    """What is asked; each ``message`` made of it has a new id and new letter case."""

    name: str
    type: str
    dnssec: bool
    recursion: bool
    unchecked: bool
    edns: bool = True

    def message(self) -> dns.message.Message:
        # A recursor need not echo the case to be of use to anybody; an authoritative server must, for the CA's sake.
        name = dns.name.from_text(self.name)
        made = dns.message.make_query(
            name if self.recursion else _mixed_case(name),
            self.type,
            use_edns=0 if self.edns else -1,
            payload=EDNS_PAYLOAD,
            want_dnssec=self.dnssec and self.edns,
        )
        if not self.recursion:
            made.flags &= ~dns.flags.RD
        if self.unchecked:
            made.flags |= dns.flags.CD
        return made


def _mixed_case(name: dns.name.Name) -> dns.name.Name:
    return dns.name.Name([bytes(map(_either_case, label)) for label in name.labels])


def _either_case(letter: int) -> int:
    return letter ^ 0x20 if chr(letter).isalpha() and letter < 0x80 and secrets.randbits(1) else letter


async def _with_or_without_edns(
    send: _Send, address: Address, question: _Question, seconds: float
) -> dns.message.Message:
    reply = await _sent(send, address, question, seconds)
    if reply.rcode() != dns.rcode.FORMERR:
        return reply
    return await _sent(send, address, replace(question, edns=False, dnssec=False), seconds)


async def _sent(send: _Send, address: Address, question: _Question, seconds: float) -> dns.message.Message:
    message = question.message()
    return await send(address, message.to_wire(), lambda octets: _reply(message, octets), seconds)


def _reply(question: dns.message.Message, octets: bytes) -> dns.message.Message | None:
    """The message in ``octets`` if it answers ``question``, else None."""
    reply = _read(octets)
    if reply is None or reply.id != question.id or not reply.flags & dns.flags.QR:
        return None
    if not reply.question:
        return reply if reply.rcode() in _BARE_RCODES else None
    return reply if _asked(reply) == _asked(question) else None


def _read(octets: bytes) -> dns.message.Message | None:
    """The message in ``octets``, without records whose content means nothing, unless they are TLSA; None if none.

    A truncated one may break off anywhere.
    """
    try:
        return dns.message.from_wire(octets)
    except dns.exception.DNSException:
        pass
    try:
        read = dns.message.from_wire(octets, continue_on_error=True)
        if all(_is_only_senseless(error.exception) for error in read.errors):
            put_back(read, octets)
            return read
        return dns.message.from_wire(octets, question_only=True) if read.flags & dns.flags.TC else None
    except dns.exception.DNSException:
        return None


def _is_only_senseless(error: Exception) -> bool:
    """Whether a record of known extent has a value that its type cannot have, a digest of another length for one.

    dnspython then passes a ValueError on; what is wrong with the message itself has no such cause.
    """
    return isinstance(error, dns.exception.FormError) and isinstance(error.__cause__, ValueError)


def _asked(message: dns.message.Message) -> list[tuple[tuple[bytes, ...], int, int]]:
    """The question section, its names compared octet by octet as dnspython's own comparison does not."""
    return [(entry.name.labels, entry.rdtype, entry.rdclass) for entry in message.question]


def _answer(
    address: Address,
    reply: dns.message.Message,
    *,
    tcp: bool = False,
    udp_silent: bool = False,
    tcp_refused: bool = False,
) -> Answer:
    return Answer(
        address,
        dns.rcode.to_text(reply.rcode()),
        authoritative=bool(reply.flags & dns.flags.AA),
        tcp=tcp,
        udp_silent=udp_silent,
        tcp_refused=tcp_refused,
        message=reply,
    )


class _Send(Protocol):
    """Either transport of ``wire``."""

    def __call__(
        self, address: Address, message: bytes, accept: wire.Accept[dns.message.Message], seconds: float
    ) -> Awaitable[dns.message.Message]: ...
