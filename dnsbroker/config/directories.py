"""The CAs known by name, and what else may stand for one: the URL of an ACME directory (RFC 8555 section 7.1.1).

Always https, but for a server on this very machine.
"""

from __future__ import annotations

import difflib
from urllib.parse import urlsplit

from dnsbroker.settings import Rejected

KNOWN_DIRECTORIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
    "google-staging": "https://dv.acme-v02.test-api.pki.goog/directory",
    "sectigo-dv": "https://acme.sectigo.com/v2/DV",
    "sectigo-ov": "https://acme.sectigo.com/v2/OV",
    "sectigo-ev": "https://acme.sectigo.com/v2/EV",
}

_STAGING = {"letsencrypt": "letsencrypt-staging", "google": "google-staging"}


def staging_of(directory: str) -> str:
    """The URL at which the CA with this ``directory`` (URL) lets people rehearse; empty where none is known."""
    named = next((name for name, url in KNOWN_DIRECTORIES.items() if url == directory), "")
    if named in _STAGING.values():
        return directory
    return KNOWN_DIRECTORIES[_STAGING[named]] if named in _STAGING else ""


def read_staging(value: object) -> str:
    """As ``read_directory``, or empty for none."""
    return "" if value == "" else read_directory(value)


def read_directory(value: object) -> str:
    """The directory's URL, from a known name or a URL. Raises Rejected."""
    if not isinstance(value, str):
        raise Rejected(f"should be the name or URL of a CA, not {value!r}", hint=_known())
    if value in KNOWN_DIRECTORIES:
        return KNOWN_DIRECTORIES[value]
    if "://" not in value:
        _check_shown(value)
        nearest = difflib.get_close_matches(value.lower(), KNOWN_DIRECTORIES, 1)
        perhaps = f"; the nearest known one is {nearest[0]}" if nearest else ""
        raise Rejected(f"{value!r} is neither a known CA nor a URL{perhaps}", hint=_known())
    _check_url(value)
    return value


def _known() -> str:
    return f"known are {', '.join(KNOWN_DIRECTORIES)}; any other CA is named by its directory's URL, https://…"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        _check_shown(url)
        raise Rejected(f"{url!r} is no URL: {error}", hint=_known()) from error
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise _malformed()
    if parts.scheme == "http" and not _is_loopback(host):
        raise Rejected(
            f"{url!r} is not encrypted",
            hint="write https://…; http is for a server on a loopback address only",
        )


def _check_shown(value: str) -> None:
    """Raise Rejected where ``value``, which is to be shown, may have a password in it."""
    if "@" in value:
        raise _malformed() from None


def _malformed() -> Rejected:
    return Rejected("should be a URL of the form https://HOST/PATH", hint=_known())


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
