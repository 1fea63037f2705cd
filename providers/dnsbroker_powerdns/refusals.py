"""What a refusal of the API means: from status and text to a typed error. Pure.

Rule: the server's own words are passed on, whichever form they come in: JSON, plain text or HTML. PowerDNS says little
about its own trouble, so the hint says where to look.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dnsbroker.errors import (
    AuthRejected,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker.readable import line

_LONGEST = 500
_OTHER_DATA = "Conflicts with pre-existing RRset"
_LOCKED = "database is locked"


@dataclass(frozen=True)
class Asked:
    """Of whom what was asked: the provider's name, the zone if any, the URL of the server, the key's source."""

    provider: str
    zone: str
    url: str
    key_source: str


def words(body: str) -> str:
    """What an error body says, in one line."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        errors = document.get("errors")
        found = [document.get("error"), *(errors if isinstance(errors, list) else ())]
        text = "; ".join(dict.fromkeys(str(item) for item in found if item))
    else:
        text = re.sub(r"<[^>]*>", " ", body)
    return line(text, _LONGEST)


def refusal(status: int, headers: Mapping[str, str], body: str, asked: Asked) -> ProviderError:
    """The error for a reply that is no success."""
    error = _error(status, headers, words(body), asked)
    error.nothing_done = status < 500 and _is_its_own(body)
    return error


def _is_its_own(body: str) -> bool:
    """Whether PowerDNS itself says no, rather than something on the way; what it refuses, it has not done."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and "error" in document


def _error(status: int, headers: Mapping[str, str], said: str, asked: Asked) -> ProviderError:
    told = f"{asked.url} answered {status}" + (f": {said}" if said else "")
    if _LOCKED in said or status >= 500:
        return _trouble(told, asked)
    if status in (401, 403):
        return AuthRejected(
            told,
            provider=asked.provider,
            zone=asked.zone,
            hint=f"compare api_key (from {asked.key_source}) with api-key in the server's pdns.conf",
        )
    if status == 429:
        return _rate_limited(told, headers, asked)
    if status == 404 or (status == 422 and "Could not find domain" in said):
        return _missing(told, asked)
    if status in range(300, 400):
        return _moved(told, headers, asked)
    if _OTHER_DATA in said:
        return Conflict(
            told,
            provider=asked.provider,
            zone=asked.zone,
            hint="a CNAME cannot share its name with other records: remove one or the other",
        )
    return RecordRejected(told, provider=asked.provider, zone=asked.zone, status=str(status), detail=said)


def _trouble(told: str, asked: Asked) -> ProviderError:
    hint = (
        f"the log of PowerDNS says more; '{_LOCKED}' there means that somebody else is writing to its SQLite file: "
        "try again when pdnsutil, a backup or another client is done"
    )
    return ProviderUnavailable(told, provider=asked.provider, zone=asked.zone, hint=hint)


def _rate_limited(told: str, headers: Mapping[str, str], asked: Asked) -> ProviderError:
    after = headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else 5.0
    return RateLimited(told, provider=asked.provider, zone=asked.zone, retry_after=seconds)


def _missing(told: str, asked: Asked) -> ProviderError:
    if asked.zone:
        return ZoneMissing(told, provider=asked.provider, zone=asked.zone, tried=(asked.zone,))
    return ProviderError(
        told,
        provider=asked.provider,
        hint="set api=yes beside webserver=yes in pdns.conf, and leave server_id at localhost; "
        "url is the server's without /api/v1",
    )


def _moved(told: str, headers: Mapping[str, str], asked: Asked) -> ProviderError:
    target = headers.get("location", "")
    return ProviderError(
        f"{told}: a redirect" + (f" to {target}" if target else ""),
        provider=asked.provider,
        zone=asked.zone,
        hint="the API key is not sent on to where a redirect points: put the final address into url",
    )
