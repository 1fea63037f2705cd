"""A real HTTP server on loopback, inside the test's own event loop, that answers as it is told and keeps what it got.

Rule: it speaks just enough HTTP/1.1 for a client to be honest with, and can be as rude as a test needs: hang, drip,
hang up. Nothing of it runs after the ``async with``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dnsbroker.clock import SystemClock


@dataclass(frozen=True)
class Request:
    """What a client sent: ``target`` as in the request line, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What to answer. ``drip`` is the pause in seconds after each octet of the body; ``hang`` answers never."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    drip: float = 0.0
    hang: bool = False
    hang_up: bool = False

    def header(self, name: str) -> str:
        """The first field of that name, or empty."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


Answer = Callable[[Request], Response | Awaitable[Response]]


@dataclass
class LoopbackServer:
    """Answers every request with ``answer(request)``; ``requests`` holds them all. An async context manager."""

    answer: Answer
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, self.host, 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        ended = await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        # What a test's own answer refused must not pass for a rude server.
        for wrong in (result for result in ended if isinstance(result, Exception)):
            raise wrong

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone, as clients are
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its response; false where the connection is at its end."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        fields = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.requests.append(request)
        answered = self.answer(request)
        response = answered if isinstance(answered, Response) else await answered
        if response.hang:
            await asyncio.get_running_loop().create_future()
        if response.hang_up:
            return False
        await _send(writer, response, has_body=method != "HEAD")
        return headers.get("connection", "") != "close"


async def _send(writer: asyncio.StreamWriter, response: Response, *, has_body: bool) -> None:
    length = () if response.header("content-length") else (("Content-Length", str(len(response.body))),)
    head = "".join(f"{name}: {value}\r\n" for name, value in (*response.headers, *length))
    writer.write(f"HTTP/1.1 {response.status} Told\r\n{head}\r\n".encode("latin-1"))
    octets = response.body if has_body else b""
    if not response.drip:
        writer.write(octets)
    for octet in octets if response.drip else b"":
        writer.write(bytes([octet]))
        await writer.drain()
        await SystemClock().sleep(response.drip)
    await writer.drain()
