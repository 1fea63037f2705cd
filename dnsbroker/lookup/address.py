"""Where a name server listens: an IP address and a port, as one value. Host names are refused."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

DNS_PORT = 53


@dataclass(frozen=True, order=True)
class Address:
    """An IP address in its canonical presentation form, and a port."""

    ip: str
    port: int = DNS_PORT

    @property
    def is_v6(self) -> bool:
        """Whether it is an IPv6 address."""
        return ":" in self.ip

    def __str__(self) -> str:
        if self.port == DNS_PORT:
            return self.ip
        return f"[{self.ip}]:{self.port}" if self.is_v6 else f"{self.ip}:{self.port}"


def parse_address(text: str, default_port: int = DNS_PORT) -> Address:
    """The address behind ``ADDRESS``, ``ADDRESS:PORT`` (IPv4) or ``[v6]:PORT``.

    Raises ValueError, with words for a person, where the text is none of these.
    """
    host, port = _split(text.strip())
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address, with or without a port") from None
    if port is None:
        return Address(str(ip), default_port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r}: {port!r} is not a port")
    return Address(str(ip), int(port))


def _split(text: str) -> tuple[str, str | None]:
    """Host and port, if there is one, without judging either."""
    if text.startswith("[") and "]" in text:
        host, _, rest = text[1:].partition("]")
        return host, rest[1:] if rest.startswith(":") else (rest or None)
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and ":" not in host else (text, None)
