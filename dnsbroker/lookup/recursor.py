"""The recursive resolvers, asked as little as can be: what they are asked, they and their caches remember.

Who may be asked for which name is decided by those who walk the tree; here one question goes to whoever answers first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from dnsbroker.config import DNSConfig
from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.address import Address, parse_address
from dnsbroker.lookup.exchange import Answer, Exchange, Silent
from dnsbroker.lookup.race import NoAnswer, race

RESOLV_CONF = Path("/etc/resolv.conf")


def resolvers(config: DNSConfig, resolv_conf: Path = RESOLV_CONF) -> tuple[Address, ...]:
    """The configured resolvers, else the system's, else, as resolv.conf(5) says, one on this host.

    Raises LookupFailed where the system's file cannot be read.
    """
    if config.resolvers:
        return tuple(map(parse_address, config.resolvers))
    try:
        text = resolv_conf.read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise LookupFailed(
            f"{resolv_conf}: {(error.strerror or str(error)).lower()}", name=".", hint="set dns.resolvers"
        ) from error
    return tuple(_named(text)) or (Address("127.0.0.1"),)


def _named(text: str) -> Iterator[Address]:
    """The addresses in a resolv.conf; lines that the C library would skip are skipped."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with suppress(ValueError):
                yield parse_address(words[1])


class Recursor:
    """All ``addresses`` as one resolver; the one that answered last is asked first."""

    def __init__(self, exchange: Exchange, addresses: tuple[Address, ...]) -> None:
        self._exchange = exchange
        self._addresses = list(addresses)

    async def ask(self, name: str, type: str) -> Answer:
        """The answer, NOERROR or NXDOMAIN, about owner name ``name``.

        Raises NoAnswer where every resolver that answered reported a failure, LookupFailed where none answered at all.
        """
        try:
            answer = await race([partial(self._ask, address, name, type) for address in self._addresses])
        except NoAnswer as error:
            if error.answered:
                raise
            raise LookupFailed(
                f"no resolver answers this host ({error})",
                name=name,
                server=", ".join(map(str, self._addresses)),
                hint="set dns.resolvers to resolvers that do",
            ) from error
        self._addresses.sort(key=lambda address: address != answer.address)
        return answer

    async def _ask(self, address: Address, name: str, type: str) -> Answer:
        try:
            answer = await self._exchange.ask(address, name, type, recursion=True)
        except Silent as error:
            raise NoAnswer({f"resolver {address}": error.reason}, answered=False) from error
        if answer.rcode not in ("NOERROR", "NXDOMAIN"):
            raise NoAnswer({f"resolver {address}": answer.rcode}, answered=True)
        return answer
