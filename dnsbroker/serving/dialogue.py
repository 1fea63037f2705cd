"""A connection to a service: what is said in the clear, within bounds, and then the TLS handshake.

Rule: not an octet that came in the clear outlives the change to TLS; a service that says more than its consent is
refused (the command injection of CVE-2011-0411, seen from the client).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl

#: Octets: no greeting, list of capabilities or certificate chain comes near.
_MOST = 256 * 1024
_SHOWN = 160
_END_OF_LINE = re.compile(rb"\n")


class Refused(Exception):
    """There is no way to TLS with this service; the text says what it did."""


def quoted(said: str | bytes) -> str:
    """What a service said, fit for an error: one line, not too long, printable."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    text = text.strip()
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
    return f'"{shown}{"…" if len(text) > _SHOWN else ""}"'


class Dialogue:
    """One connection. Everything raises Refused where the service hangs up or says too much, OSError where it broke."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._held = bytearray()
        self._received = 0

    @property
    def local_literal(self) -> str:
        """This end's address as SMTP writes it (RFC 5321 section 4.1.3)."""
        ip = ipaddress.ip_address(self._writer.get_extra_info("sockname")[0].partition("%")[0])
        return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"

    async def send(self, octets: bytes) -> None:
        """Say ``octets``."""
        self._writer.write(octets)
        await self._writer.drain()

    async def line(self) -> str:
        """The next line, without its end."""
        return (await self.until(_END_OF_LINE)).decode("utf-8", "replace").rstrip("\r\n")

    async def exactly(self, count: int) -> bytes:
        """The next ``count`` octets."""
        while len(self._held) < count:
            await self._more()
        return self._take(count)

    async def until(self, end: re.Pattern[bytes]) -> bytes:
        """Everything up to the end of the first place that ``end`` matches."""
        while (found := end.search(self._held)) is None:
            await self._more()
        return self._take(found.end())

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    async def _more(self) -> None:
        self._held += await self._received_octets()

    async def _received_octets(self) -> bytes:
        octets = await self._reader.read(16 * 1024)
        if not octets:
            raise Refused("it closed the connection")
        self._received += len(octets)
        if self._received > _MOST:
            raise Refused(f"it sent more than {_MOST // 1024} KiB")
        return octets

    async def shake_hands(self, context: ssl.SSLContext, host: str) -> ssl.SSLObject:
        """Begin TLS, asking for ``host`` by SNI; the connection as TLS sees it once the handshake is done."""
        if self._held:
            raise Refused(f"it goes on in the clear after agreeing to TLS: {quoted(bytes(self._held))}")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
        try:
            while not _is_done(tls):
                await self.send(outgoing.read())
                incoming.write(await self._received_octets())
        except ssl.SSLError as error:
            raise Refused(f"the TLS handshake fails: {_reason(error)}") from error
        await self.send(outgoing.read())
        return tls


def _is_done(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
