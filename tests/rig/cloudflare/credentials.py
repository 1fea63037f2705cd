"""Who asks, and what they may: API tokens and the global key.

Rule: "tokens" and "rights" of README.md beside this; the form of a credential is looked at before whose it is, and that
before what it may. Refused: rights on anything but zones.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cloudflare.replies import Failure, Refusal, refuse

TOKEN_FORM = re.compile(r"Bearer [A-Za-z0-9_-]{40,}")
KEY_FORM = re.compile(r"[0-9a-f]{37,45}")
EMAIL_FORM = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Identified(Protocol):
    """Anything with an identifier: a zone."""

    @property
    def id(self) -> str:
        """32 hex digits."""
        ...


@dataclass(frozen=True)
class Scope:
    """Zones by their identifiers; None: all there are."""

    ids: frozenset[str] | None

    def __contains__(self, zone: Identified) -> bool:
        return self.ids is None or zone.id in self.ids


ALL = Scope(None)
NONE = Scope(frozenset())


def only(*zones: Identified) -> Scope:
    """These zones."""
    return Scope(frozenset(zone.id for zone in zones))


@dataclass
class Token:
    """An API token and its rights: Zone:Read, DNS:Read, DNS:Edit (which includes DNS:Read).

    ``account_owned``: it belongs to an account, not to a user, and is not verified where a user's are.
    ``expires_on`` and ``not_before`` are only shown; ``status`` says whether the token works.
    """

    zone_read: Scope = ALL
    dns_edit: Scope = ALL
    dns_read: Scope = NONE
    status: Literal["active", "disabled", "expired"] = "active"
    expires_on: str | None = None
    not_before: str | None = None
    account_owned: bool = False
    user: str = "somebody"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def permissions(self, zone: Identified) -> list[str]:
        """As a zone object tells them."""
        edits, reads = zone in self.dns_edit, zone in self.dns_read or zone in self.dns_edit
        told = {"#zone:read": zone in self.zone_read, "#dns_records:read": reads, "#dns_records:edit": edits}
        return [name for name, holds in told.items() if holds]


@dataclass
class GlobalKey:
    """An account's global key, which may do everything, and its e-mail address."""

    email: str
    key: str = field(default_factory=lambda: secrets.token_hex(20)[:37])
    user: str = "somebody"

    zone_read = ALL
    dns_read = ALL
    dns_edit = ALL

    def permissions(self, zone: Identified) -> list[str]:
        """As a zone object tells them: all that there are here."""
        return ["#zone:read", "#zone:edit", "#dns_records:read", "#dns_records:edit"]


Credential = Token | GlobalKey


def identify(headers: Mapping[str, str], tokens: Iterable[Token], keys: Iterable[GlobalKey]) -> Credential:
    """Whose request it is; header names in lower case. Raises Refusal."""
    if "authorization" in headers:
        return _working(token_in(headers, tokens))
    email, key = headers.get("x-auth-email"), headers.get("x-auth-key")
    if email is None or key is None:
        raise refuse(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    if not EMAIL_FORM.fullmatch(email):
        raise malformed(6102, "X-Auth-Email")
    if not KEY_FORM.fullmatch(key):
        raise malformed(6103, "X-Auth-Key")
    found = next((one for one in keys if (one.email, one.key) == (email, key)), None)
    if found is None:
        raise refuse(403, 9103, "Unknown X-Auth-Key or X-Auth-Email")
    return found


def token_in(headers: Mapping[str, str], tokens: Iterable[Token]) -> Token | None:
    """The token of a request, whatever its state; None if nobody has it. Raises Refusal where it cannot be one."""
    field = headers.get("authorization", "")
    if not TOKEN_FORM.fullmatch(field):
        raise malformed(6111, "Authorization")
    return next((token for token in tokens if field == f"Bearer {token.secret}"), None)


def _working(token: Token | None) -> Token:
    if token is None or token.status != "active":
        raise refuse(403, 9109, "Invalid access token")
    return token


def malformed(code: int, header: str) -> Refusal:
    """The one error that still has a chain."""
    inner = Failure(code, f"Invalid format for {header} header")
    return Refusal(400, Failure(6003, "Invalid request headers", (inner,)))


def require_listing(asker: Credential) -> None:
    """Zone:Read on at least one zone, for the list of zones."""
    if asker.zone_read == NONE:
        raise no_listing(asker)


def no_listing(asker: Credential) -> Refusal:
    """Code 0, by which a token that is limited to some zones is told that it may not ask for another."""
    actor = f"com.cloudflare.api.token.{asker.id}" if isinstance(asker, Token) else "com.cloudflare.api.key"
    permission = "com.cloudflare.api.account.zone.list"
    return refuse(403, 0, f"Actor '{actor}' requires permission '{permission}' to list zones")


def require_zone(asker: Credential, zone: Identified) -> None:
    """Zone:Read on this zone."""
    if zone not in asker.zone_read:
        raise refuse(403, 9109, "Unauthorized to access requested resource")


def require_reading(asker: Credential, zone: Identified) -> None:
    """DNS:Read or DNS:Edit on this zone."""
    if zone not in asker.dns_read and zone not in asker.dns_edit:
        raise refuse(403, 10000, "Authentication error")


def require_editing(asker: Credential, zone: Identified) -> None:
    """DNS:Edit on this zone."""
    require_reading(asker, zone)
    if zone not in asker.dns_edit:
        raise refuse(403, 1009, "Unauthorized to edit the records of this zone")
