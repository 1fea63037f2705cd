"""Sockets for a test's server: UDP and TCP at one address, served from a thread of its own.

What an answer is stands elsewhere: octets go to a responder, and what it returns is sent, late if it says so.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """Octets to send back after ``delay`` seconds; none of them means: reset the connection."""

    octets: bytes
    delay: float = 0.0


class Responder(Protocol):
    """Answers the message ``octets`` that came from source port ``port``; None: with nothing."""

    def __call__(self, octets: bytes, *, tcp: bool, port: int) -> Reply | None:
        """The reply to ``octets``, or None."""
        ...


class Thread:
    """An event loop in a thread; ``run`` hands it a coroutine and waits for the result."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test name servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """The result of ``work``, which runs in the thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Cancel what still runs there, and end the thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Listener:
    """UDP and TCP at one address, until closed. To be opened and closed in the thread that serves it."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._connections: set[asyncio.StreamWriter] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def open(self, ip: str, port: int) -> None:
        """Listen. Raises OSError where either port is taken."""
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._responder), local_addr=(ip, port))
        try:
            self._tcp = await asyncio.start_server(self._serve, ip, port)
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the sockets and every connection."""
        if self._udp is not None:
            self._udp.abort()
        if self._tcp is not None:
            self._tcp.close()
        for writer in self._connections:
            writer.transport.abort()
        self._udp = self._tcp = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client had enough
        finally:
            self._connections.discard(writer)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            port = writer.get_extra_info("peername")[1]
            reply = self._responder(await reader.readexactly(size), tcp=True, port=port)
            if reply is None:
                await reader.read()
                return
            await _pause(reply.delay)
            if not reply.octets:
                _reset(writer)
                return
            writer.write(struct.pack("!H", len(reply.octets)) + reply.octets)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._responder(data, tcp=False, port=addr[1])
        if reply is not None and reply.octets:
            asyncio.get_running_loop().call_later(reply.delay, self._send, reply.octets, addr)

    def _send(self, octets: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(octets, addr)


async def _pause(seconds: float) -> None:
    """Let ``seconds`` of real time pass: a slow server is slow by the wall, whatever clock the client has."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    await over


def _reset(writer: asyncio.StreamWriter) -> None:
    """Make closing the connection send RST, not FIN."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
