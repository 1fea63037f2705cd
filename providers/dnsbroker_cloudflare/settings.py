"""The configuration keys of ``type = "cloudflare"``.

Rule: a wrong value, or keys that do not go together, are refused here, in words for a person, before anything is
contacted. Refuses a password in a URL, for URLs are shown, and an address to which a token would travel in the clear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dnsbroker.errors import NameInvalid
from dnsbroker.names import owner
from dnsbroker.settings import Rejected, Secret, key, proxy_url
from dnsbroker.urls import http_parts, is_near

BASE_URL = "https://api.cloudflare.com/client/v4"

_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
_EMAIL = re.compile(r"[!-~]+@[!-~]+")


def _base_url(raw: object) -> str:
    """The API's base URL without a slash at its end."""
    parts = http_parts(raw)
    if parts is None:
        raise Rejected("it is a URL", hint=f'leave it out, or write "{BASE_URL}"')
    if parts.username or parts.password:
        raise Rejected("it must not hold a password", hint="the token belongs into api_token")
    if parts.query or parts.fragment:
        raise Rejected("it ends with the path, without '?' or '#'", hint=f'for example "{BASE_URL}"')
    if parts.scheme == "http" and not is_near(parts.hostname or ""):
        raise Rejected("the token would travel there in the clear", hint="write https://")
    return str(raw).rstrip("/")


def _email(raw: object) -> str:
    if raw == "" or (isinstance(raw, str) and _EMAIL.fullmatch(raw)):
        return str(raw)
    raise Rejected("it is the mail address with which one signs in", hint='for example "hostmaster@example.org"')


def _zone_ids(raw: object) -> dict[str, str]:
    """From owner names of zones to their ids."""
    if not isinstance(raw, Mapping):
        raise Rejected("it is a table", hint='write { "example.org" = "ID" }')
    found: dict[str, str] = {}
    for name, ident in raw.items():
        try:
            zone = owner(str(name))
        except NameInvalid as error:
            raise Rejected(error.message, hint="correct the zone's name") from error
        if isinstance(ident, Mapping):
            raise Rejected(f"{name} holds a table", hint=f'a name with dots needs quotes: "{name}.{next(iter(ident))}"')
        if not isinstance(ident, str) or not _ID.fullmatch(ident):
            raise Rejected(f"{name} has no id", hint="copy the Zone ID from the zone's overview in the dashboard")
        if zone in found:
            raise Rejected(f"names {zone} twice", hint="take one of them out")
        found[zone] = ident
    return found


@dataclass(frozen=True)
class CloudflareSettings:
    """One account, or as much of it as a token opens."""

    api_token: Secret | None = key(
        None,
        doc="An API token with DNS:Edit and Zone:Read.",
        example='{ file = "/etc/dnsbroker/cloudflare.token" }',
    )
    zone_api_token: Secret | None = key(
        None,
        doc="A second token, with Zone:Read only, by which zones are looked up; api_token then needs DNS:Edit alone.",
        example='{ file = "/etc/dnsbroker/cloudflare-zones.token" }',
    )
    api_email: str = key(
        "",
        doc="The mail address that belongs to api_key.",
        example='"hostmaster@example.org"',
        read=_email,
        instead_of="api_token",
    )
    api_key: Secret | None = key(
        None,
        doc="The account's global key, which may do everything there: a token is safer.",
        example='{ file = "/etc/dnsbroker/cloudflare.key" }',
        instead_of="api_token",
    )
    base_url: str = key(BASE_URL, doc="Base URL of the API.", read=_base_url)
    zone_ids: dict[str, str] = key(
        {},
        doc="The zones that it may write, each with its id: then no zone is looked up, and Zone:Read is not needed.",
        example='{ "example.org" = "023e105f4ecef8ad9ca31a8372d0c353" }',
        read=_zone_ids,
    )
    proxy: str = key(
        "",
        doc="URL of an HTTP proxy to the API, by default the environment's.",
        example='"http://proxy.example.org:3128"',
        read=proxy_url,
    )

    def __post_init__(self) -> None:
        """Make settings that were built in Python the same as those read from a file, and see that they fit."""
        readers = {"api_email": _email, "base_url": _base_url, "zone_ids": _zone_ids, "proxy": proxy_url}
        for name, read in readers.items():
            object.__setattr__(self, name, read(getattr(self, name)))
        problem = self._problem()
        if problem is not None:
            raise problem

    def _problem(self) -> Rejected | None:
        """What is wrong with the credentials taken together."""
        make = "make an API token with DNS:Edit and Zone:Read for the zones concerned"
        if self.api_token and (self.api_key or self.api_email):
            name = "api_key" if self.api_key else "api_email"
            return Rejected("api_token is there too", key=name, hint=f"take {name} out: the token is enough, and safer")
        if self.api_key and not self.api_email:
            hint = f"add the mail address with which one signs in; or better: {make}, and set api_token"
            return Rejected("required beside api_key", key="api_email", hint=hint)
        if self.api_email and not self.api_key:
            return Rejected("required beside api_email", key="api_key", hint=f"{make}, and set api_token instead")
        if not self.api_token and not self.api_key:
            return Rejected("required key is missing", key="api_token", hint=make)
        return None
