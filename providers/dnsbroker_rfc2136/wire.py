"""One message to one address, and its answer: signed, carried, checked. The wire's truth, without a judgement.

Rule: a question goes by TCP, and by UDP where that fails; an update goes by TCP alone (RFC 2136 section 2.1). An answer
that says all is well counts only with a MAC that verifies (RFC 8945 section 5.3); one that says no is believed
unsigned, too, for it can do no more harm than silence. No message is sent twice by the same transport.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.tsig
from dns.rdtypes.ANY import TSIG

from dnsbroker.lookup import wire
from dnsbroker.lookup.exchange import Address

_OCTETS_OF_TIME = 6
_TRUNCATED = dns.flags.TC >> 8


class Silent(Exception):
    """No answer: ``str`` says why."""


class Untrusted(Exception):
    """An answer that may be anybody's, and counts as none: ``str`` says what is wrong with it."""


@dataclass(frozen=True)
class Reply:
    """An answer that belongs to the question.

    ``tsig_error`` is the TSIG record's own error (RFC 8945 section 3), ``skew`` how many seconds the server's clock is
    ahead of ours, 0 where nothing that can be believed says so.
    """

    message: dns.message.Message
    tsig_error: dns.rcode.Rcode = dns.rcode.NOERROR
    skew: int = 0

    @property
    def rcode(self) -> dns.rcode.Rcode:
        """The response code."""
        return self.message.rcode()

    @property
    def is_authoritative(self) -> bool:
        """Whether the server answers for a zone of its own."""
        return bool(self.message.flags & dns.flags.AA)


@dataclass(frozen=True)
class Line:
    """The way to one address of the server; time-outs in seconds."""

    address: Address
    update_timeout: float
    question_timeout: float

    async def ask(self, question: dns.message.Message, key: dns.tsig.Key) -> Reply:
        """The checked answer to ``question``, signed with ``key``. Raises Silent, Untrusted."""
        sent = _signed(question, key)
        try:
            octets = await wire.by_tcp(self.address, sent, _answer_to(sent), self.question_timeout)
        except wire.Nothing as by_tcp:
            try:
                octets = await wire.by_udp(self.address, sent, _answer_to(sent), self.question_timeout)
            except wire.Nothing as by_udp:
                raise Silent(f"{self.address}: TCP: {by_tcp}; UDP: {by_udp}") from by_udp
            if octets[2] & _TRUNCATED:
                raise Silent(f"{self.address}: TCP: {by_tcp}; UDP: the answer is cut off") from by_tcp
        return understood(question, octets, key)

    async def update(self, message: dns.message.Message, key: dns.tsig.Key) -> Reply:
        """The checked answer to an UPDATE, signed with ``key``.

        Raises Silent, Untrusted, and dns.exception.TooBig where one message cannot hold it.
        """
        sent = _signed(message, key)
        try:
            octets = await wire.by_tcp(self.address, sent, _answer_to(sent), self.update_timeout)
        except wire.Nothing as error:
            raise Silent(f"{self.address}: TCP: {error}") from error
        return understood(message, octets, key)

    async def update_unsigned(self, message: dns.message.Message) -> Reply:
        """The answer to an UPDATE without a signature. Raises Silent, Untrusted."""
        sent = message.to_wire()
        try:
            octets = await wire.by_tcp(self.address, sent, _answer_to(sent), self.update_timeout)
        except wire.Nothing as error:
            raise Silent(f"{self.address}: TCP: {error}") from error
        return Reply(_read(message, octets))


def _signed(message: dns.message.Message, key: dns.tsig.Key) -> bytes:
    message.use_tsig(key)
    return message.to_wire()


def _answer_to(sent: bytes) -> Callable[[bytes], bytes | None]:
    """Takes whatever has the same id; what it is worth is judged once it is here."""
    return lambda octets: octets if octets[:2] == sent[:2] and len(octets) > 2 else None


def understood(question: dns.message.Message, wire: bytes, key: dns.tsig.Key) -> Reply:
    """The answer in ``wire`` to the signed ``question``. Raises Untrusted."""
    answer = _read(question, wire)
    tsig = answer.tsig[0] if answer.tsig else None
    if isinstance(tsig, TSIG.TSIG) and tsig.error:
        return Reply(answer, tsig.error, _skew(question, tsig))
    if isinstance(tsig, TSIG.TSIG):
        _verify(question, wire, key)
        return Reply(answer, skew=int(tsig.time_signed) - _signed_at(question, int(tsig.time_signed)))
    if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise Untrusted("an answer is not signed, although the request was")
    return Reply(answer)


def _read(question: dns.message.Message, wire: bytes) -> dns.message.Message:
    """The answer in ``wire``, if it is one to ``question``. Raises Untrusted."""
    try:
        # Unverified at first: a TSIG error, or an unsigned refusal, says more than that verification failed.
        answer = dns.message.from_wire(wire, keyring=False)
    except dns.exception.DNSException as error:
        raise Untrusted(f"an answer cannot be read: {error}") from error
    if not question.is_response(answer):
        raise Untrusted("an answer belongs to another question")
    return answer


def _verify(question: dns.message.Message, wire: bytes, key: dns.tsig.Key) -> None:
    try:
        dns.message.from_wire(wire, keyring=key, request_mac=question.mac)
    except dns.tsig.BadTime as error:
        raise Untrusted("an answer was signed at another time than now") from error
    except dns.tsig.BadSignature as error:
        raise Untrusted("an answer's signature does not verify") from error
    except (dns.tsig.BadKey, dns.tsig.BadAlgorithm) as error:
        raise Untrusted("an answer is signed with another key") from error


def _skew(question: dns.message.Message, tsig: TSIG.TSIG) -> int:
    """Seconds by which the server is ahead of us, from BADTIME's other data (RFC 8945 section 5.2.3)."""
    if tsig.error != dns.rcode.BADTIME or len(tsig.other) != _OCTETS_OF_TIME:
        return 0
    theirs = int.from_bytes(tsig.other, "big")
    return theirs - _signed_at(question, theirs)


def _signed_at(question: dns.message.Message, otherwise: int) -> int:
    """When we signed ``question``, in seconds since 1970."""
    ours = question.tsig[0] if question.tsig else None
    return int(ours.time_signed) if isinstance(ours, TSIG.TSIG) else otherwise
