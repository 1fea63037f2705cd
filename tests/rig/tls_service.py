r"""A service with real TLS on loopback, inside the test's own event loop; what it says before TLS is a script.

::

    async def pop3(talk: Talk) -> None:
        await talk.say("+OK ready\r\n")
        await talk.hear("STLS\r\n")
        await talk.say("+OK begin\r\n")

    async with TlsService(pop3, key, chain) as service:
        …  # connect to service.address

Rule: what a client says must be what the script expects; else the test fails when the block ends. After the script
comes the handshake, unless the script never ends or raises HangUp.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from dnsbroker import keys


class HangUp(Exception):
    """Raised by a script: the service closes the connection."""


class Talk:
    """The service's side of one connection, in the clear."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, text: str | bytes) -> None:
        """Send ``text``."""
        self._writer.write(text if isinstance(text, bytes) else text.encode())

    async def hear(self, expected: str | bytes) -> None:
        """Take exactly ``expected`` from the client; HangUp where it has gone instead."""
        octets = expected if isinstance(expected, bytes) else expected.encode()
        try:
            heard = await self._reader.readexactly(len(octets))
        except asyncio.IncompleteReadError as error:
            assert octets.startswith(error.partial), error.partial
            raise HangUp from error
        assert heard == octets

    async def hear_until(self, end: str) -> str:
        """What the client says up to and with ``end``; HangUp where it goes before."""
        try:
            return (await self._reader.readuntil(end.encode())).decode()
        except asyncio.IncompleteReadError as error:
            raise HangUp from error

    async def hang(self) -> None:
        """Say nothing any more."""
        await asyncio.get_running_loop().create_future()


Script = Callable[[Talk], Awaitable[None]]


async def at_once(talk: Talk) -> None:
    """No word before TLS."""


class TlsService:
    """Listens at ``address`` and presents ``chain_pem``; ``names`` are the hosts asked for by SNI, in their order."""

    def __init__(self, script: Script, key_pem: str, chain_pem: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.names: list[str | None] = []
        self.address = ""
        self._script = script
        self._host = host
        self._port = port
        self._connections: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext
        self.present(key_pem, chain_pem)

    def present(self, key_pem: str, chain_pem: str) -> None:
        """Serve another certificate, and it alone, from the next connection on, as after a reload."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = self._note
        self.present_too(key_pem, chain_pem)

    def present_too(self, key_pem: str, chain_pem: str) -> None:
        """Serve a certificate for another algorithm beside the first."""
        assert keys.matches(key_pem, chain_pem)
        with tempfile.TemporaryDirectory() as scratch:
            combined = Path(scratch, "combined.pem")
            combined.write_text(key_pem + chain_pem)
            self._context.load_cert_chain(combined)

    def _note(self, connection: object, name: str | None, context: object) -> None:
        self.names.append(name)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, self._host, self._port)
        ip, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        ended = await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        for wrong in (result for result in ended if isinstance(result, Exception)):
            raise wrong

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.get_running_loop().create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._script(Talk(reader, writer))
            await writer.start_tls(self._context)
            await reader.read()
        except (HangUp, OSError):
            pass  # one of the two had enough
        finally:
            writer.close()
