"""The API's door: one exchange at a time, its traps avoided, every failure a typed error.

Rule: JSON is asked for by exactly that name, each exchange has a connection of its own, redirects are not followed, and
the key is in no message. Nothing is retried here. Refuses a body that the server would not read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import ConfigError, ProviderError, ProviderUnavailable, RecordRejected
from dnsbroker.transport import HTTPFailed, Reply, Session
from dnsbroker_powerdns.refusals import Asked, refusal
from dnsbroker_powerdns.settings import PowerDNSSettings

T = TypeVar("T")

# PowerDNS reads no longer request (webserver-max-bodysize).
_REQUEST_LIMIT = 2 * 1024 * 1024
# Servers before 5.0 can only be asked for a whole zone if nothing is to be missed.
_REPLY_LIMIT = 256 * 1024 * 1024

_CLOSED = (
    "PowerDNS closes the connection of whoever is outside webserver-allow-from: add this host's address there; "
    "5.1 also does where too many connections are open"
)
_SLOW = "see what keeps PowerDNS busy (its log, its database), and whether anything on the way swallows packets"
_UNREACHED = (
    "start PowerDNS with webserver=yes and api=yes, and compare url with webserver-address and webserver-port "
    "in its pdns.conf"
)


class API:
    """The HTTP API of one PowerDNS server; safe for concurrent use."""

    def __init__(self, settings: PowerDNSSettings, surroundings: Surroundings, timeout: float) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._timeout = timeout
        self._base = f"{settings.url}/api/v1/servers/{quote(settings.server_id, safe='')}"
        self._session: Session | None = None

    async def get(
        self, path: str, parse: Callable[[Any], T], *, zone: str = "", query: Mapping[str, str] | None = None
    ) -> T:
        """What ``parse`` makes of the JSON at ``path``. Raises ProviderError, ConfigError."""
        reply = await self._exchange("GET", path + (f"?{urlencode(query)}" if query else ""), None, zone)
        try:
            return parse(json.loads(reply.body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderError(
                f"{self._settings.url} answered {reply.status} with something that PowerDNS would not say",
                provider=self._surroundings.provider,
                zone=zone,
                hint="check that url leads to PowerDNS Authoritative itself, 4.7 or newer",
            ) from error

    async def change(self, method: str, path: str, content: bytes | None, *, zone: str) -> None:
        """Have something done. Raises ProviderError, ConfigError; unless ``nothing_done``, it may have been done."""
        if content is not None and len(content) > _REQUEST_LIMIT:
            error = RecordRejected(
                f"the change has {len(content)} octets, and PowerDNS reads no more than {_REQUEST_LIMIT}",
                provider=self._surroundings.provider,
                zone=zone,
                hint="make the change in several steps",
            )
            error.nothing_done = True
            raise error
        await self._exchange(method, path, content, zone)

    async def aclose(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.aclose()

    async def _exchange(self, method: str, path: str, content: bytes | None, zone: str) -> Reply:
        session = self._session or await self._open()
        headers = {"content-type": "application/json"} if content is not None else {}
        try:
            reply = await session.request(method, self._base + path, headers=headers, content=content)
        except HTTPFailed as error:
            raise self._unavailable(error, zone) from error
        if 200 <= reply.status < 300:
            return reply
        asked = Asked(self._surroundings.provider, zone, self._settings.url, self._settings.api_key.source)
        raise refusal(reply.status, reply.headers, reply.text(), asked)

    def _unavailable(self, error: HTTPFailed, zone: str) -> ProviderUnavailable:
        if not error.reached:
            message, hint = f"{self._settings.url} cannot be reached: {error.reason}", _UNREACHED
        elif error.is_late:
            message, hint = f"{self._settings.url}: {error.reason}", _SLOW
        else:
            message, hint = f"{self._settings.url} gave no usable reply: {error.reason}", _CLOSED
        if error.proxy:
            hint = f"the way went through the proxy {error.proxy}: correct the provider's proxy, or the environment's"
        unavailable = ProviderUnavailable(message, provider=self._surroundings.provider, zone=zone, hint=hint)
        unavailable.nothing_done = not error.reached
        return unavailable

    async def _open(self) -> Session:
        # Revealing may run a command or read a file.
        key = (await asyncio.to_thread(self._settings.api_key.reveal)).strip()
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigError(
                f"the secret from {self._settings.api_key.source} is no API key: "
                + ("it is empty" if not key else "it holds characters that no HTTP header can carry"),
                key=f"providers.{self._surroundings.provider}.api_key",
            )
        if self._session is None:
            self._session = self._surroundings.connections.session(
                timeout=self._timeout,
                proxy=self._settings.proxy,
                headers={"accept": "application/json", "x-api-key": key},
                keep_alive=False,
                body_limit=_REPLY_LIMIT,
            )
        return self._session
