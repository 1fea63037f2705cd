"""The certificate that a service presents at one address.

Rule: one connection, one handshake, then it is closed; all of it within the seconds given.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

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
    """The certificate, in DER, that ``endpoint`` presents at ``address``: an IP, with a port where it is another one.

    Its host is asked for by SNI (RFC 6066 section 3, RFC 7671 section 10.2). ``domain`` is what an XMPP stream is
    for, where that is not the host. A service may have a certificate for each ``algorithm``: the one for that is
    asked for, with TLS 1.2, whose ciphers tell; without, it is the service's choice. Neither chain nor name is judged.
    Raises ServiceUnreachable, ValueError where ``address`` is none.
    """
    at = parse_address(address, endpoint.port)
    try:
        async with asyncio.timeout(seconds):
            return await _leaf(endpoint, at, domain or endpoint.host, _context(algorithm))
    except TimeoutError:
        raise _unreachable(endpoint, address, f"no certificate within {seconds:g} s") from None
    except Refused as error:
        raise _unreachable(endpoint, address, str(error)) from error
    except OSError as error:
        # asyncio's own text repeats the address, the system's names what happened.
        words = os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__
        raise _unreachable(endpoint, address, words, untested=error.errno in _NO_ROUTE) from error


async def _leaf(endpoint: Endpoint, address: Address, domain: str, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(address.ip, address.port)
    try:
        dialogue = Dialogue(reader, writer)
        if endpoint.starttls:
            await OPENINGS[endpoint.scheme](dialogue, replace(endpoint, host=domain))
        tls = await dialogue.shake_hands(context, endpoint.host)
    finally:
        writer.transport.abort()
    der = tls.getpeercert(binary_form=True)
    if der is None:
        raise Refused("it presents no certificate")
    return der


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
