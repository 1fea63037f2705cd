"""HTTP for the ACME client and for adapters: one place that makes requests, bounds them and picks the way.

A request to a loopback, private or link-local address never goes through a proxy of the environment: its API key would
go with it. Redirects are never followed. A body is capped, and a whole exchange, however it drips, has one time-out.
What httpx raises leaves here as HTTPFailed; it is imported with the first request.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnsbroker.transport.failure import HTTPFailed, without_password
from dnsbroker.urls import is_near

if TYPE_CHECKING:
    import httpx

__all__ = ["BODY_LIMIT", "Connections", "HTTPFailed", "Reply", "Session"]

BODY_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """An HTTP reply: header names in lower case (repeated ones in ``headers`` joined by commas), the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    links: tuple[str, ...] = ()

    def text(self) -> str:
        """The body as text; octets that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")


class Connections:
    """Makes sessions; knows the proxies of the environment (``https_proxy``, ``all_proxy``, ``no_proxy``, …)."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._proxies = _environment_proxies(environment)

    def session(
        self,
        *,
        timeout: float,
        proxy: str = "",
        ca_bundle: str = "",
        headers: Mapping[str, str] | None = None,
        keep_alive: bool = True,
        body_limit: int = BODY_LIMIT,
    ) -> Session:
        """A session whose exchanges take at most ``timeout`` seconds each.

        ``proxy`` is used for every address if set; ``ca_bundle`` (a PEM file) replaces the system trust.
        Raises OSError and ssl.SSLError where the bundle cannot be read.
        """
        context = ssl.create_default_context(cafile=ca_bundle or None)
        return Session(
            context,
            timeout=timeout,
            route=_Route(proxy, {} if proxy else self._proxies),
            headers=dict(headers or {}),
            keep_alive=keep_alive,
            body_limit=body_limit,
        )


class Session:
    """Requests to one service, over connections that are kept or not. Safe for concurrent use."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        timeout: float,
        route: _Route,
        headers: dict[str, str],
        keep_alive: bool,
        body_limit: int,
    ) -> None:
        self._context = context
        self._timeout = timeout
        self._route = route
        self._headers = headers if keep_alive else {**headers, "connection": "close"}
        self._body_limit = body_limit
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Reply:
        """The server's reply, whatever its status. Raises HTTPFailed."""
        from dnsbroker.transport import client

        proxy = ""
        try:
            async with asyncio.timeout(self._timeout):
                proxy = await self._route.proxy_for(url)
                async with self._client(proxy).stream(method, url, headers=headers, content=content) as response:
                    return await self._reply(response)
        except TimeoutError:
            reason = f"no complete reply within {self._timeout:g} s"
            raise HTTPFailed(reason, reached=True, is_late=True, proxy=without_password(proxy)) from None
        except client.FAILURES as error:
            # What httpx says of a bad header shows its value, which may be a key: nothing of it is passed on.
            raise client.translated(error, without_password(proxy)) from None

    async def _reply(self, response: httpx.Response) -> Reply:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._body_limit:
                raise HTTPFailed(f"the reply is larger than {self._body_limit} octets", reached=True)
        return Reply(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            bytes(body),
            tuple(response.headers.get_list("link")),
        )

    def _client(self, proxy: str) -> httpx.AsyncClient:
        from dnsbroker.transport import client

        if proxy not in self._clients:
            self._clients[proxy] = client.connecting(self._context, proxy, self._timeout, self._headers)
        return self._clients[proxy]

    async def aclose(self) -> None:
        """Close every connection; may be called more than once."""
        while self._clients:
            await self._clients.popitem()[1].aclose()


class _Route:
    """Which proxy, if any, a URL goes through."""

    def __init__(self, explicit: str, environment: Mapping[str, str]) -> None:
        self._explicit = explicit
        self._environment = environment

    async def proxy_for(self, url: str) -> str:
        """The proxy's URL, or the empty string for a direct connection."""
        if self._explicit or not self._environment:
            return self._explicit
        from dnsbroker.transport import client

        scheme, host = client.destination(url)
        proxy = self._environment.get(scheme) or self._environment.get("all", "")
        if not proxy or _is_exempt(host, self._environment.get("no", "")):
            return ""
        return "" if await _leads_near(host) else proxy


def _environment_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """``http``, ``https``, ``all`` and ``no`` as the environment sets them; lower-case variables win."""
    found: dict[str, str] = {}
    for scheme in ("http", "https", "all", "no"):
        # HTTP_PROXY in capitals may come from a request header (httpoxy): as curl, we do not believe it.
        names = [f"{scheme}_proxy"] + ([] if scheme == "http" else [f"{scheme.upper()}_PROXY"])
        value = next((environment[name] for name in names if environment.get(name)), "")
        if value:
            found[scheme] = value if scheme == "no" or "://" in value else f"http://{value}"
    return found


def _is_exempt(host: str, no_proxy: str) -> bool:
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        suffix = entry.removeprefix("*").removeprefix(".")
        if entry == "*" or (suffix and (host == suffix or host.endswith("." + suffix))):
            return True
    return False


async def _leads_near(host: str) -> bool:
    """Whether ``host`` is, or resolves to, a loopback, private or link-local address."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # only the proxy can resolve it, so it is not ours
    return any(is_near(str(entry[4][0])) for entry in found)
