"""What a refusal of the API means: from status, headers and body to a typed error. Pure.

Rule: trouble on the server's side is told by the status before any code is looked at, for its body may be anybody's;
of the others every error is read, not the first alone. The service's own words are passed on.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
from dnsbroker.transport import Reply
from dnsbroker_cloudflare.credentials import Identity

_LONGEST = 500

#: Headers, key or e-mail, token, authentication.
_AUTHENTICATION = frozenset({6003, 6103, 6111, 9103, 9109, 10000})
_RIGHTS = 1009
_ALIAS = frozenset({81053, 81054})
#: A record that is there already, an identical one, one that is not there.
_OUTDATED = frozenset({81057, 81058, 81044})
#: A value, all values of a name.
_TOO_LONG = frozenset({9015, 83011})
_NO_ROUTE = 7003
_RATE = 971
_MAY_NOT_LIST = re.compile(r"account\.zone\.(list|read)")


class Outdated(Conflict):
    """What was listed is so no more: a record to add is there, or one to delete is not. Look again."""


class Unlisted(AuthRejected):
    """This token must not look for that zone; it says nothing of any other."""


@dataclass(frozen=True)
class Asked:
    """Who asked for what: the provider, the zone if any, the service's URL, the credential.

    ``has_zone_id`` says that the zone's id is the configuration's word; ``wait`` is what the service asks to wait, in
    seconds, if it does.
    """

    provider: str
    zone: str
    url: str
    identity: Identity
    has_zone_id: bool = False
    wait: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """A reply that is no success, read: every code in it, and its words in one line."""

    status: int
    codes: frozenset[int] = field(default_factory=frozenset)
    said: str = ""

    @property
    def is_trouble(self) -> bool:
        """Whether it is the server's own trouble, so that coming again may help."""
        return self.status >= 500 or self.status == 408

    @property
    def is_final(self) -> bool:
        """Whether it is the service's own no, after which nothing of what was asked is done."""
        return not self.is_trouble and bool(self.codes)

    @property
    def is_too_many(self) -> bool:
        """Whether too much was asked in too short a time."""
        return not self.is_trouble and (self.status == 429 or _RATE in self.codes)


def read(reply: Reply) -> Refusal:
    """What ``reply`` says."""
    document = None
    if reply.status < 500:
        with contextlib.suppress(ValueError):
            document = json.loads(reply.body)
    if not isinstance(document, dict):
        return Refusal(reply.status, said=line(re.sub(r"<[^>]*>", " ", reply.text()), _LONGEST))
    errors = list(_errors(document.get("errors")))
    said = "; ".join(dict.fromkeys(f"{error.get('message', '')} ({error.get('code', '?')})" for error in errors))
    codes = frozenset(error["code"] for error in errors if isinstance(error.get("code"), int))
    return Refusal(reply.status, codes, line(said, _LONGEST))


def _errors(found: Any) -> list[dict[str, Any]]:
    """Each error, and those that it was chained to."""
    every: list[dict[str, Any]] = []
    for error in found if isinstance(found, list) else ():
        if isinstance(error, dict):
            every += [error, *_errors(error.get("error_chain"))]
    return every


def error_for(refusal: Refusal, headers: Mapping[str, str], asked: Asked) -> ProviderError:
    """The error for a refusal."""
    told = f"{asked.url} answered {refusal.status}" + (f": {refusal.said}" if refusal.said else "")
    if refusal.is_trouble:
        hint = "it is the service's own trouble, or that of something on the way: see its status page, and try later"
        return ProviderUnavailable(told, provider=asked.provider, zone=asked.zone, hint=hint)
    if refusal.is_too_many:
        return _rate_limited(told, asked)
    found = _by_code(refusal, told, asked)
    if found is not None:
        return found
    if refusal.status in (401, 403):
        return _unauthorised(told, asked)
    if refusal.status in (404, 405) and asked.zone:
        return _missing(told, asked)
    if refusal.status in range(300, 400):
        return _moved(told, headers, asked)
    codes = ", ".join(map(str, sorted(refusal.codes))) or str(refusal.status)
    hint = (_FULL if refusal.codes & _TOO_LONG else _REFUSED) if refusal.codes else _STRANGE
    return RecordRejected(told, provider=asked.provider, zone=asked.zone, status=codes, detail=refusal.said, hint=hint)


def _by_code(refusal: Refusal, told: str, asked: Asked) -> ProviderError | None:
    if refusal.codes & _AUTHENTICATION:
        return _unauthorised(told, asked)
    if 0 in refusal.codes and _MAY_NOT_LIST.search(refusal.said):
        return Unlisted(told, provider=asked.provider, zone=asked.zone, hint=_list_hint(asked))
    if _RIGHTS in refusal.codes:
        hint = f"the token in {asked.identity.key} lacks DNS:Edit for this zone: add it to the token's permissions"
        return AuthRejected(told, provider=asked.provider, zone=asked.zone, hint=hint)
    if refusal.codes & _ALIAS:
        hint = "the name is an alias: write at the CNAME's target, or remove the CNAME"
        return Conflict(told, provider=asked.provider, zone=asked.zone, hint=hint)
    if refusal.codes & _OUTDATED:
        return Outdated(told, provider=asked.provider, zone=asked.zone, transient=True, hint=_LIST_HINT)
    return _missing(told, asked) if _NO_ROUTE in refusal.codes else None


_FULL = (
    "Cloudflare takes 2048 characters for a value and 8192 for all of a name, quotes and escapes included: shorten the "
    "value, or take others at the name away"
)
_REFUSED = "compare the name and the value with what the service says of them"
_STRANGE = "check base_url, and whether a proxy on the way answers in its place"
_LIST_HINT = "what the service lists and what it says of a record do not agree: look at the name in its dashboard"


def _list_hint(asked: Asked) -> str:
    return (
        f"the token in {asked.identity.key} must not look for zones beyond its own: give it Zone:Read for each zone "
        "that it is to write, or name the zones' ids in zone_ids"
    )


def _unauthorised(told: str, asked: Asked) -> AuthRejected:
    identity = asked.identity
    rights = "Zone:Read" if identity.key == "zone_api_token" else "DNS:Edit and Zone:Read"
    hint = (
        f"compare api_email and api_key (from {identity.source}) with the account's; a token is safer"
        if identity.key == "api_key"
        else f"see that the token in {identity.key} (from {identity.source}) is active, may be used from this address, "
        f"and has {rights} for this zone"
    )
    return AuthRejected(told, provider=asked.provider, zone=asked.zone, hint=hint)


def _missing(told: str, asked: Asked) -> ProviderError:
    if not asked.zone:
        hint = "base_url is the API's, as in the documentation"
        return ProviderError(told, provider=asked.provider, hint=hint)
    where = f"zone_ids of provider {asked.provider}"
    hint = (
        f"correct the id in {where}: it stands in the zone's overview in the dashboard"
        if asked.has_zone_id
        else "see in the dashboard whether the zone is still in this account"
    )
    return ZoneMissing(told, provider=asked.provider, zone=asked.zone, tried=(asked.zone,), hint=hint)


def _rate_limited(told: str, asked: Asked) -> RateLimited:
    return RateLimited(
        told,
        provider=asked.provider,
        zone=asked.zone,
        retry_after=asked.wait,
        hint=f"come back in {asked.wait:.0f} s; the limit is the user's, so other programs count too",
    )


def _moved(told: str, headers: Mapping[str, str], asked: Asked) -> ProviderError:
    target = line(headers.get("location", ""), _LONGEST)
    return ProviderError(
        f"{told}: a redirect" + (f" to {target}" if target else ""),
        provider=asked.provider,
        zone=asked.zone,
        hint="no token is sent on to where a redirect points: put the final address into base_url",
    )
