"""A place where TLS is served, as people write it: ``smtp://mail.example.org``, ``https://www.example.org:8443``.

The scheme says how TLS is reached and on which port; a port is written only where it is another one. Pure text: this
module looks nothing up and connects to nothing. It refuses addresses, user names, paths and what else a URL may carry.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from dnsbroker import names
from dnsbroker.errors import NameInvalid
from dnsbroker.settings import Rejected

STARTTLS_PORTS = {
    "smtp": 25,
    "submission": 587,
    "imap": 143,
    "pop3": 110,
    "xmpp-client": 5222,
    "xmpp-server": 5269,
    "ftp": 21,
    "ldap": 389,
    "sieve": 4190,
    "postgres": 5432,
}
"""Schemes that begin in the clear and change over to TLS, with their usual ports."""

TLS_PORTS = {"submissions": 465, "imaps": 993, "pop3s": 995, "https": 443, "ldaps": 636, "tls": None}
"""Schemes that begin with TLS, with their usual ports; ``tls`` is for every other service, so it has none."""

_PORTS: dict[str, int | None] = {**STARTTLS_PORTS, **TLS_PORTS}
_WRITTEN = re.compile(r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_SCHEMES = "an endpoint is written scheme://host or scheme://host:port, with one of the schemes " + ", ".join(_PORTS)
_NAMED = "write the host name that the certificate and the TLSA record have"


@dataclass(frozen=True, order=True)
class Endpoint:
    """A service at ``host`` (lower-case A-labels, no final dot) and ``port``, spoken to as ``scheme`` says."""

    scheme: str
    host: str
    port: int

    @property
    def starttls(self) -> bool:
        """Whether the service begins in the clear and is asked to change over to TLS."""
        return self.scheme in STARTTLS_PORTS

    @property
    def tlsa_name(self) -> str:
        """The owner name of the service's TLSA records, with its final dot (RFC 6698 section 3)."""
        return f"_{self.port}._tcp.{self.host}."

    def __str__(self) -> str:
        """The shortest text that ``parse`` reads as this endpoint."""
        return self._written(self.host)

    def shown(self) -> str:
        """The same for people, internationalised names as they write them."""
        return self._written(names.shown(self.host))

    def _written(self, host: str) -> str:
        port = "" if self.port == _PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def parse(text: str) -> Endpoint:
    """The endpoint that ``text`` names, host in any case, in Unicode, with or without a final dot.

    A lone ``/`` is tolerated after ``https``. Raises settings.Rejected, whose hint tells what to write instead.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise Rejected(f"{text!r} is no endpoint: it has no scheme", hint=_SCHEMES)
    scheme = match["scheme"].lower()
    if scheme not in _PORTS:
        raise Rejected(f"{text!r} is no endpoint: scheme {match['scheme']!r} is not known", hint=_SCHEMES)
    if match["rest"] and not (scheme == "https" and match["rest"] == "/"):
        raise Rejected(
            f"{text!r} is no endpoint: {match['rest']!r} follows the host",
            hint="leave it out: TLS is the same for every path of a service",
        )
    host, port = _authority(match["authority"], text)
    return Endpoint(scheme, _host(host, text), _port(port, scheme, text))


def _authority(authority: str, text: str) -> tuple[str, str | None]:
    """Host and port as written, the port None where there is no colon."""
    if "@" in authority:
        raise Rejected(f"{text!r} is no endpoint: it carries a user name", hint="leave out what stands before the @")
    if authority.startswith("[") or authority.count(":") > 1:
        raise Rejected(f"{text!r} is no endpoint: it has an address for a host", hint=_NAMED)
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _host(host: str, text: str) -> str:
    if not host:
        raise Rejected(f"{text!r} is no endpoint: it has no host", hint=_SCHEMES)
    if "*" in host:
        raise Rejected(f"{text!r} is no endpoint: nobody can connect to a wildcard", hint=_NAMED)
    try:
        canonical = names.owner(host).rstrip(".")
    except NameInvalid as error:
        raise Rejected(f"{text!r} is no endpoint: {error.message}", hint=_NAMED) from None
    if "_" in canonical:  # RFC 6698 section 3 and every certificate
        raise Rejected(f"{text!r} is no endpoint: a host name has no underscore", hint=_NAMED)
    if not canonical:
        raise Rejected(f"{text!r} is no endpoint: it has no host", hint=_SCHEMES)
    if _is_address(canonical):
        raise Rejected(f"{text!r} is no endpoint: it has an address for a host", hint=_NAMED)
    return canonical


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _port(written: str | None, scheme: str, text: str) -> int:
    usual = _PORTS[scheme]
    if written is None:
        if usual is None:
            hint = f"add one: {text.rstrip('/')}:443"
            raise Rejected(f"{text!r} is no endpoint: {scheme} has no usual port", hint=hint)
        return usual
    if not (written.isascii() and written.isdigit() and 0 < int(written) < 65536):
        raise Rejected(f"{text!r} is no endpoint: {written!r} is no port", hint="a port is a number from 1 to 65535")
    if written.startswith("0"):  # as owner names have it (RFC 6698 section 3)
        raise Rejected(f"{text!r} is no endpoint: {written!r} begins with a zero", hint=f"write {int(written)}")
    return int(written)
