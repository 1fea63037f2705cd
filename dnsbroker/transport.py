"""HTTP for the ACME client and for adapters: one place that makes requests, bounds them and picks the way.

A request to a loopback, private or link-local address never goes through a proxy of the environment: its API key would
go with it. Redirects are never followed. A body is capped, and a whole exchange, however it drips, has one time-out.
What httpx raises leaves here as HTTPFailed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# httpx imports its own command line where it can, and rich and click with it: a sixth of a short run, for nothing. A
# module that is None cannot be imported (importlib), and httpx goes on without; afterwards all is as it was.
_COMMAND_LINE = "httpx._main"
_is_ours = sys.modules.setdefault(_COMMAND_LINE, None) is None  # type: ignore[arg-type]
import httpx  # noqa: E402 - see above

if _is_ours:
    del sys.modules[_COMMAND_LINE]

from dnsbroker.urls import is_near  # noqa: E402 - after what must come first

BODY_LIMIT = 8 * 1024 * 1024


class HTTPFailed(Exception):
    """No usable reply. ``reached`` is true where the server may have read and acted on the request.

    ``is_late`` says that there was nothing but silence in the time it may take, ``untrusted`` that the server's
    certificate did not verify; ``proxy`` is the one that the request went through, without its password, or empty.
    """

    def __init__(
        self, reason: str, *, reached: bool, is_late: bool = False, untrusted: bool = False, proxy: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached
        self.is_late = is_late
        self.untrusted = untrusted
        self.proxy = proxy


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
        proxy = ""
        try:
            async with asyncio.timeout(self._timeout):
                proxy = await self._route.proxy_for(url)
                async with self._client(proxy).stream(method, url, headers=headers, content=content) as response:
                    return await self._reply(response)
        except TimeoutError:
            reason = f"no complete reply within {self._timeout:g} s"
            raise HTTPFailed(reason, reached=True, is_late=True, proxy=_without_password(proxy)) from None
        except _FAILURES as error:
            # What httpx says of a bad header shows its value, which may be a key: nothing of it is passed on.
            raise _translated(error, _without_password(proxy)) from None

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
        if proxy not in self._clients:
            self._clients[proxy] = httpx.AsyncClient(
                verify=self._context,
                proxy=_checked_proxy(proxy),
                # Shorter for the connection alone, so that one that never stood is told from a reply that never came.
                timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
                headers=self._headers,
                follow_redirects=False,
                trust_env=False,
            )
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
        target = httpx.URL(url)
        proxy = self._environment.get(target.scheme) or self._environment.get("all", "")
        if not proxy or _is_exempt(target.host, self._environment.get("no", "")):
            return ""
        return "" if await _leads_near(target.host) else proxy


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


def _checked_proxy(proxy: str) -> httpx.Proxy | None:
    """The proxy as httpx takes it; None for an empty URL. Raises HTTPFailed where it is of a kind we cannot use."""
    if not proxy:
        return None
    with contextlib.suppress(httpx.InvalidURL):
        if httpx.URL(proxy).scheme in ("http", "https"):
            return httpx.Proxy(proxy)
    shown = _without_password(proxy)
    raise HTTPFailed(f"the proxy {shown} cannot be used: its URL is not of http or https", reached=False, proxy=shown)


def _without_password(proxy: str) -> str:
    """The proxy's URL without user and password."""
    return re.sub(r"//.*@", "//", proxy)


# httpx lets these through as they are: names and ports that no socket takes, headers that are no ASCII.
_STRAY = (httpx.InvalidURL, UnicodeError, ExceptionGroup)
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    *_STRAY,
)
_FAILURES = (httpx.HTTPError, *_STRAY)


def _translated(error: Exception, proxy: str) -> HTTPFailed:
    """Our error for one of httpx's."""
    causes = tuple(_causes(error))
    return HTTPFailed(
        _words(error, causes[-1]),
        reached=not isinstance(error, _UNSENT),
        is_late=isinstance(error, httpx.TimeoutException),
        untrusted=any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes),
        proxy=proxy,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what led to it, the first cause last."""
    while error is not None:
        yield error
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__


def _words(error: Exception, cause: BaseException) -> str:
    """Why there is no reply, in the words of the first cause, where httpx only says that it failed."""
    if isinstance(error, httpx.LocalProtocolError | UnicodeError):
        return "the URL, a header or its value holds characters that cannot be sent"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message.rstrip('.')}"
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno:
        is_lookup = isinstance(cause, socket.gaierror)
        return (str(cause.strerror) if is_lookup else os.strerror(cause.errno)).lower()
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    return (str(cause) or type(cause).__name__).rstrip(".").lower()
