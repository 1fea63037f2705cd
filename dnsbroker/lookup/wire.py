"""One DNS message out and one back, by UDP or by TCP, within a time.

Every try has a socket of its own, hence a new source port, which is closed when the try ends, however it ends. What
does not satisfy the caller's ``accept`` is not an answer: by UDP the wait goes on, for anybody can send a datagram.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import Callable
from typing import Generic, TypeVar

from dnsbroker.lookup.address import Address

T = TypeVar("T")
Accept = Callable[[bytes], T | None]

_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_MISMATCH = "what came back is unreadable, or does not repeat the question letter by letter"


class Nothing(Exception):
    """No usable answer by this transport; the text says why."""


class NoRoute(Nothing):
    """This host has no address or route of that family."""


async def by_udp(address: Address, message: bytes, accept: Accept[T], seconds: float) -> T:
    """The first datagram that ``accept`` takes. Raises Nothing, or NoRoute."""
    loop = asyncio.get_running_loop()
    waiter: _Datagrams[T] = _Datagrams(loop.create_future(), accept)
    transport: asyncio.DatagramTransport | None = None
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_datagram_endpoint(lambda: waiter, remote_addr=(address.ip, address.port))
            transport.sendto(message)
            return await waiter.accepted
    except TimeoutError as error:
        raise Nothing(_MISMATCH if waiter.refused else f"no answer within {seconds:g} s") from error
    except OSError as error:
        raise _translated(error) from error
    finally:
        if transport is not None:
            transport.abort()


class _Datagrams(asyncio.DatagramProtocol, Generic[T]):
    """Fulfils ``accepted`` with what ``accept`` makes of a datagram, or with the error that the system reports."""

    def __init__(self, accepted: asyncio.Future[T], accept: Accept[T]) -> None:
        self.accepted = accepted
        self.refused = False
        self._accept = accept

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.accepted.done():
            return
        found = self._accept(data)
        if found is None:
            self.refused = True
        else:
            self.accepted.set_result(found)

    def error_received(self, exc: Exception) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(exc)


async def by_tcp(address: Address, message: bytes, accept: Accept[T], seconds: float) -> T:
    """The first message of a new connection (RFC 7766), if ``accept`` takes it. Raises Nothing, or NoRoute."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address.ip, address.port)
            writer.write(struct.pack("!H", len(message)) + message)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            found = accept(await reader.readexactly(size))
    except TimeoutError as error:
        raise Nothing(f"no answer within {seconds:g} s") from error
    except asyncio.IncompleteReadError as error:
        raise Nothing("the connection was closed without an answer") from error
    except OSError as error:
        raise _translated(error) from error
    finally:
        if writer is not None:
            writer.transport.abort()
    if found is None:
        raise Nothing(_MISMATCH)
    return found


def _translated(error: OSError) -> Nothing:
    # asyncio's own text repeats the address, the system's names what happened.
    words = os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__
    return NoRoute(words) if error.errno in _NO_ROUTE else Nothing(words)
