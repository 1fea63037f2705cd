"""The certificates that a service presents at one address.

Rule: one connection, one handshake, then it is closed; all of it within the seconds given.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import ServiceUnreachable
from dnsbroker.lookup.address import Address, parse_address
from dnsbroker.serving.dialogue import Dialogue, Refused
from dnsbroker.serving.starttls import OPENINGS

#: Seconds for one look, from the first packet to the certificate.
LOOK = 10.0
Algorithm = Literal["rsa", "ecdsa"]

_CIPHERS: Mapping[Algorithm, str] = {"rsa": "aRSA", "ecdsa": "aECDSA"}
_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


async def leaf_served(
    endpoint: Endpoint, address: str, *, domain: str = "", algorithm: Algorithm | None = None, seconds: float = LOOK
) -> bytes:
    """The certificate alone: the first of ``chain_served``."""
    chain = await chain_served(endpoint, address, domain=domain, algorithm=algorithm, seconds=seconds)
    return chain[0]


async def chains_served(endpoint: Endpoint, address: str, *, domain: str = "") -> tuple[tuple[bytes, ...], ...]:
    """Every chain that ``endpoint`` presents at ``address``, its own choice first, then those for each algorithm.

    Which it has for an algorithm is seen with TLS 1.2 alone. ``domain`` as for ``chain_served``. Raises
    ServiceUnreachable, ValueError.
    """
    found = [await chain_served(endpoint, address, domain=domain)]
    for algorithm in get_args(Algorithm):
        try:
            found.append(await chain_served(endpoint, address, domain=domain, algorithm=algorithm))
        except ServiceUnreachable:  # it has none for that algorithm
            continue
    return tuple(dict.fromkeys(found))


def is_refusal(error: ServiceUnreachable) -> bool:
    """Whether the service was reached, and there is no way to TLS with it; else nobody answered, or the way broke."""
    return isinstance(error.__cause__, Refused)


async def chain_served(
    endpoint: Endpoint, address: str, *, domain: str = "", algorithm: Algorithm | None = None, seconds: float = LOOK
) -> tuple[bytes, ...]:
    """The certificates, in DER and as they are sent, leaf first, that ``endpoint`` presents at ``address``.

    That is an IP, with a port where it is another one. The endpoint's host is asked for by SNI (RFC 6066 section 3,
    RFC 7671 section 10.2). ``domain`` is what an XMPP stream is for, where that is not the host. A service may have a
    certificate for each ``algorithm``: the one for that is asked for, with TLS 1.2, whose ciphers tell; without, it is
    the service's choice. Neither chain nor name is judged.
    Raises ServiceUnreachable, ValueError where ``address`` is none.
    """
    at = parse_address(address, endpoint.port)
    try:
        async with asyncio.timeout(seconds):
            return await _chain(endpoint, at, domain or endpoint.host, _context(algorithm))
    except TimeoutError:
        raise _unreachable(endpoint, address, f"no certificate within {seconds:g} s") from None
    except Refused as error:
        raise _unreachable(endpoint, address, str(error)) from error
    except OSError as error:
        # asyncio's own text repeats the address, the system's names what happened.
        words = os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__
        raise _unreachable(endpoint, address, words, untested=error.errno in _NO_ROUTE) from error


async def _chain(endpoint: Endpoint, address: Address, domain: str, context: ssl.SSLContext) -> tuple[bytes, ...]:
    reader, writer = await asyncio.open_connection(address.ip, address.port)
    try:
        dialogue = Dialogue(reader, writer)
        if endpoint.starttls:
            await OPENINGS[endpoint.scheme](dialogue, replace(endpoint, host=domain))
        tls = await dialogue.shake_hands(context, endpoint.host)
    finally:
        writer.transport.abort()
    chain = _presented(tls)
    if not chain:
        raise Refused("it presents no certificate")
    return chain


def _presented(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """What was sent, none of it verified."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_unverified_chain())
    # Python 3.11 and 3.12, which change no more, have the same method one object below.
    from _ssl import ENCODING_DER

    seen: Any = tls
    return tuple(each.public_bytes(ENCODING_DER) for each in seen._sslobj.get_unverified_chain() or ())


def _context(algorithm: Algorithm | None) -> ssl.SSLContext:
    """For looking only: any certificate will do, because it is compared and never trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if algorithm is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS[algorithm])
    return context


def _unreachable(endpoint: Endpoint, address: str, words: str, *, untested: bool = False) -> ServiceUnreachable:
    hint = "" if untested else f"is the service up, and may this host connect to {address}?"
    return ServiceUnreachable(endpoint.shown(), address, words, untested=untested, hint=hint)
