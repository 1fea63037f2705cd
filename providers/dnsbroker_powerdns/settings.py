"""The configuration keys of ``type = "powerdns"``.

Rule: a wrong value is refused here, in words for a person, before anything is contacted. Refuses a password in the
URL, for URLs are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnsbroker.settings import Secret, key, proxy_url
from dnsbroker.urls import http_parts
from dnsbroker_powerdns.serial import KINDS

AUTO = "auto"


def _url(raw: object) -> object:
    """The server's base URL without a slash or ``/api/v1`` at its end."""
    parts = http_parts(raw)
    if parts is None:
        raise ValueError("it is a URL such as http://127.0.0.1:8081")
    if parts.username or parts.password:
        raise ValueError("it must not hold a password; the key belongs into api_key")
    if parts.query or parts.fragment:
        raise ValueError("it ends with the path, without '?' or '#'")
    return str(raw).rstrip("/").removesuffix("/api/v1").rstrip("/")


def _soa_edit_api(raw: object) -> object:
    """``auto``, a kind in capitals, or False."""
    if raw is False or raw == AUTO:
        return raw
    if isinstance(raw, str) and raw.upper() in KINDS:
        return raw.upper()
    raise ValueError(f'it is "auto", false, or one of {", ".join(KINDS)}: no other value moves the serial')


@dataclass(frozen=True)
class PowerDNSSettings:
    """One PowerDNS Authoritative server, reached through its HTTP API."""

    url: str = key(
        doc="Base URL of the web server of PowerDNS.",
        example='"http://127.0.0.1:8081"',
        read=_url,
    )
    api_key: Secret = key(
        doc="The API key, as `api-key` in pdns.conf has it.",
        example='{ file = "/etc/dnsbroker/pdns.key" }',
    )
    server_id: str = key("localhost", doc="The server's name in the API; PowerDNS itself knows no other.")
    soa_edit_api: str | Literal[False] = key(
        AUTO,
        doc=(
            "What to do about a zone whose SOA-EDIT-API setting leaves the served serial as it is, so that secondaries "
            'would never follow: "auto" sets the gentlest value that moves it and leaves alone what works, another '
            "value is set as it is, false never touches the setting."
        ),
        example='"auto"',
        read=_soa_edit_api,
    )
    notify: bool = key(True, doc="Send NOTIFY after each change, rather than leave it to the server's own cycle.")
    proxy: str = key(
        "",
        doc="URL of an HTTP proxy to this server; the environment's are not used for near addresses.",
        read=proxy_url,
    )
