"""One message to one address, and its answer: signed, framed, checked. The wire's truth, without a judgement.

Rule: a question goes by TCP, and by UDP where TCP gets no connection; an update goes by TCP alone (RFC 2136 section
2.1, RFC 7766). An answer that says all is well counts only with a MAC that verifies (RFC 8945 section 5.3); one that
says no is believed unsigned, too, for it can do no more harm than silence. No message is sent twice from here.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
from dns.rdtypes.ANY import TSIG

_OCTETS_OF_TIME = 6
_UDP_SECONDS = 3.0
_LARGEST_DATAGRAM = 65535


class Silent(Exception):
    """No answer: ``str`` says why. ``sent`` is true where the server may have read the message."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Untrusted(Exception):
    """An answer that may be anybody's: ``str`` says what is wrong with it."""


@dataclass(frozen=True)
class Reply:
    """An answer that belongs to the question.

    ``tsig_error`` is the TSIG record's own error (RFC 8945 section 3), ``skew`` with BADTIME how many seconds the
    server's clock is ahead of ours.
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
    """The way to one address of the server. Time-outs are in seconds; ``timeout`` is for a whole exchange."""

    address: str
    port: int
    timeout: float
    connect_timeout: float

    async def exchange(self, message: dns.message.Message, key: dns.tsig.Key) -> Reply:
        """Sign ``message`` with ``key``, send it, and return the checked answer.

        Raises Silent, Untrusted, and dns.exception.TooBig for more than one message holds.
        """
        message.use_tsig(key)
        wire = message.to_wire()
        try:
            async with asyncio.timeout(self.timeout):
                return understood(message, await self._carried(message, wire), key)
        except TimeoutError as error:
            raise Silent(f"no answer within {self.timeout:g} s", sent=True) from error

    async def _carried(self, message: dns.message.Message, wire: bytes) -> bytes:
        with self._socket(socket.SOCK_STREAM) as stream:
            try:
                await self._connect(stream)
            except Silent:
                if message.opcode() == dns.opcode.UPDATE:
                    raise
                return await self._datagram(wire)
            return await _over_stream(stream, wire)

    async def _connect(self, stream: socket.socket) -> None:
        try:
            async with asyncio.timeout(self.connect_timeout):
                await asyncio.get_running_loop().sock_connect(stream, (self.address, self.port))
        except TimeoutError as error:
            raise Silent(f"no TCP connection within {self.connect_timeout:g} s", sent=False) from error
        except OSError as error:
            raise Silent(f"no TCP connection: {_words(error)}", sent=False) from error

    async def _datagram(self, wire: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with self._socket(socket.SOCK_DGRAM) as datagram:
            try:
                async with asyncio.timeout(_UDP_SECONDS):
                    await loop.sock_connect(datagram, (self.address, self.port))
                    await loop.sock_sendall(datagram, wire)
                    return await loop.sock_recv(datagram, _LARGEST_DATAGRAM)
            except TimeoutError as error:
                raise Silent(
                    f"neither a TCP connection nor an answer by UDP within {_UDP_SECONDS:g} s", sent=False
                ) from error
            except OSError as error:
                raise Silent(f"neither TCP nor UDP: {_words(error)}", sent=False) from error

    def _socket(self, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            made = socket.socket(family, kind)
        except OSError as error:
            raise Silent(f"this host cannot: {_words(error)}", sent=False) from error
        made.setblocking(False)
        return made


async def _over_stream(stream: socket.socket, wire: bytes) -> bytes:
    """Send with the two octets of length before it (RFC 1035 section 4.2.2) and receive likewise."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(stream, len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await _exactly(stream, 2), "big")
        return await _exactly(stream, length)
    except OSError as error:
        raise Silent(f"the connection broke: {_words(error)}", sent=True) from error


async def _exactly(stream: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        more = await asyncio.get_running_loop().sock_recv(stream, count - len(got))
        if not more:
            raise Silent("the server closed the connection without an answer", sent=True)
        got += more
    return bytes(got)


def understood(question: dns.message.Message, wire: bytes, key: dns.tsig.Key) -> Reply:
    """The answer in ``wire`` to the signed ``question``. Raises Untrusted."""
    try:
        # Unverified at first: a TSIG error, or an unsigned refusal, says more than that verification failed.
        answer = dns.message.from_wire(wire, keyring=False)
    except dns.exception.DNSException as error:
        raise Untrusted(f"it cannot be read: {error}") from error
    if not question.is_response(answer):
        raise Untrusted("it belongs to another question")
    if answer.flags & dns.flags.TC:
        raise Untrusted("it is truncated, and there is no TCP connection to ask for the rest")
    tsig = answer.tsig[0] if answer.tsig else None
    if isinstance(tsig, TSIG.TSIG) and tsig.error:
        return Reply(answer, tsig.error, _skew(question, tsig))
    if tsig is not None:
        _verify(question, wire, key)
    elif answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise Untrusted("it is not signed, although the request was")
    return Reply(answer)


def _verify(question: dns.message.Message, wire: bytes, key: dns.tsig.Key) -> None:
    try:
        dns.message.from_wire(wire, keyring=key, request_mac=question.mac)
    except dns.tsig.BadTime as error:
        raise Untrusted("it was signed at another time than now") from error
    except dns.tsig.BadSignature as error:
        raise Untrusted("its signature does not verify") from error
    except (dns.tsig.BadKey, dns.tsig.BadAlgorithm) as error:
        raise Untrusted("it is signed with another key") from error


def _skew(question: dns.message.Message, tsig: TSIG.TSIG) -> int:
    """Seconds by which the server is ahead of us, from BADTIME's other data (RFC 8945 section 5.2.3)."""
    ours = question.tsig[0] if question.tsig else None
    if tsig.error != dns.rcode.BADTIME or len(tsig.other) != _OCTETS_OF_TIME or not isinstance(ours, TSIG.TSIG):
        return 0
    return int.from_bytes(tsig.other, "big") - int(ours.time_signed)


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
