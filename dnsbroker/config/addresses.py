"""Addresses of name servers as text: ``ADDRESS``, ``ADDRESS:PORT``, ``[ADDRESS]:PORT``.

Only addresses: whom to ask about names must not itself depend on a name.
"""

from __future__ import annotations

from dnsbroker.settings import Rejected

_FORMS = 'write "192.0.2.53", "192.0.2.53:5353", "2001:db8::53" or "[2001:db8::53]:5353"'


def split_address(text: str) -> tuple[str, int | None]:
    """The address in canonical form and the port, None where there is none. Raises Rejected."""
    from ipaddress import ip_address

    host, port = _parts(text)
    try:
        address = str(ip_address(host))
    except ValueError:
        raise Rejected(f"{text!r} is no address of a name server", hint=_FORMS) from None
    if port is None:
        return address, None
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise Rejected(f"{text!r} has no usable port", hint=_FORMS)
    return address, int(port)


def _parts(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        return (host, rest[1:]) if bracket and rest.startswith(":") else (host if not rest else text, None)
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def normalised_address(text: str) -> str:
    """``text`` with its address in canonical form, in brackets only where a port follows an IPv6 address."""
    address, port = split_address(text)
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
