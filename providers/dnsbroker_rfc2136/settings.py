"""The configuration keys of ``type = "rfc2136"``, and what can be said about them without contacting anybody.

Refused: a key name, port, server or algorithm that cannot work, and a secret that is no base64. The secret itself is in
no message.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import re
from dataclasses import dataclass

from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.names import owner
from dnsbroker.settings import Secret, key

#: By the names that key files use (RFC 8945 section 6, less GSS-TSIG), with the names on the wire.
ALGORITHMS = {
    "hmac-md5": "hmac-md5.sig-alg.reg.int.",
    "hmac-sha1": "hmac-sha1.",
    "hmac-sha224": "hmac-sha224.",
    "hmac-sha256": "hmac-sha256.",
    "hmac-sha256-128": "hmac-sha256-128.",
    "hmac-sha384": "hmac-sha384.",
    "hmac-sha384-192": "hmac-sha384-192.",
    "hmac-sha512": "hmac-sha512.",
    "hmac-sha512-256": "hmac-sha512-256.",
}
WEAK_ALGORITHMS = frozenset({"hmac-md5", "hmac-sha1"})
_MD5_ON_THE_WIRE = ALGORITHMS["hmac-md5"].rstrip(".")

# No blanks, quotes or escapes: a key name is pasted from a key file, and a slip of the hand is to be seen at once.
_KEY_LABEL = re.compile(r"""[^\s"'\\;(){}@]{1,63}""")


def _server(raw: object) -> object:
    text = _text(raw).strip("[]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return owner(text).rstrip(".")
    except NameInvalid as error:
        raise ValueError(f"{text!r} is neither an address nor a host name: {error.reason}") from error


def _port(raw: object) -> object:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return raw


def _key_name(raw: object) -> object:
    text = _text(raw).rstrip(".").lower()
    if len(text) > 253 or not all(_KEY_LABEL.fullmatch(label) for label in text.split(".")):
        raise ValueError(f"{text!r} is no key name; it is what stands between key and {{ in the server's key statement")
    return text + "."


def _algorithm(raw: object) -> object:
    text = _text(raw).rstrip(".").lower()
    name = "hmac-md5" if text == _MD5_ON_THE_WIRE else text
    if name in ALGORITHMS:
        return name
    if name in ("gss-tsig", "gss.microsoft.com"):
        raise ValueError("gss-tsig is not supported; the server needs a key with a shared secret")
    near = difflib.get_close_matches(name, ALGORITHMS, 1, 0.3)
    meant = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"{text!r} is no TSIG algorithm; {meant}known are {', '.join(ALGORITHMS)}")


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("it is a text that is not empty")
    return raw.strip()


@dataclass(frozen=True, kw_only=True)
class RFC2136Settings:
    """One server and the key that it knows us by."""

    server: str = key(
        doc="The server that takes the updates, usually the zone's primary: an address or a host name.",
        example='"192.0.2.10"',
        read=_server,
    )
    port: int = key(53, doc="The server's port; updates go by TCP.", read=_port)
    tsig_name: str = key(
        doc="The name of the TSIG key, as in the server's key statement.", example='"acme-key."', read=_key_name
    )
    tsig_algorithm: str = key(
        "hmac-sha256",
        doc=f"The TSIG key's algorithm: {', '.join(ALGORITHMS)}.",
        read=_algorithm,
    )
    tsig_secret: Secret = key(
        doc="The TSIG key's secret in base64, as in the server's key statement.",
        example='{ file = "/etc/dnsbroker/tsig.key" }',
    )

    def __post_init__(self) -> None:
        """Make settings that were built in Python the same as those read from a file; ValueError where they cannot."""
        readers = {"server": _server, "port": _port, "tsig_name": _key_name, "tsig_algorithm": _algorithm}
        for name, read in readers.items():
            object.__setattr__(self, name, read(getattr(self, name)))


def secret_octets(secret: Secret, provider: str) -> bytes:
    """The TSIG secret of ``provider``, decoded. May block, as revealing does.

    Raises ConfigError, which never shows any of it.
    """
    text = "".join(secret.reveal().split())
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if octets:
        return octets
    wrong = "is not base64" if text else "is empty"
    whole = ", not the whole statement" if "{" in text or '"' in text else ""
    raise ConfigError(
        f"the TSIG secret from {secret.source} {wrong}",
        key=f"providers.{provider}.tsig_secret",
        hint=f"give what stands between the quotes after 'secret' in the server's key statement{whole}; "
        "`tsig-keygen -a hmac-sha256 acme-key` makes a new key",
    )
