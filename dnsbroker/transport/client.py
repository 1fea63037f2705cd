"""The one door to httpx: its client as we want it, and what it raises in words of ours."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping

from dnsbroker.transport.failure import HTTPFailed, without_password

# httpx imports its own command line where it can, and rich and click with it: two fifths of its import, for nothing. A
# module that is None cannot be imported (importlib), and httpx goes on without. Another thread that imports httpx
# meanwhile waits for this import to end; what it lacks then, as the whole process does, is `httpx.main`, which is for
# the shell alone.
_COMMAND_LINE = "httpx._main"
_is_ours = sys.modules.setdefault(_COMMAND_LINE, None) is None  # type: ignore[arg-type]
try:
    import httpx
finally:
    if _is_ours:
        del sys.modules[_COMMAND_LINE]


def connecting(context: ssl.SSLContext, proxy: str, timeout: float, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """A client that goes through ``proxy``, directly where that is empty. Raises HTTPFailed where it cannot."""
    return httpx.AsyncClient(
        verify=context,
        proxy=_checked_proxy(proxy),
        # Shorter for the connection alone, so that one that never stood is told from a reply that never came.
        timeout=httpx.Timeout(timeout, connect=timeout / 2),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )


def destination(url: str) -> tuple[str, str]:
    """The scheme and the host that a request to ``url`` goes to. Raises one of FAILURES."""
    target = httpx.URL(url)
    return target.scheme, target.host


def _checked_proxy(proxy: str) -> httpx.Proxy | None:
    """The proxy as httpx takes it; None for an empty URL. Raises HTTPFailed where it is of a kind we cannot use."""
    if not proxy:
        return None
    with contextlib.suppress(httpx.InvalidURL):
        if httpx.URL(proxy).scheme in ("http", "https"):
            return httpx.Proxy(proxy)
    shown = without_password(proxy)
    raise HTTPFailed(f"the proxy {shown} cannot be used: its URL is not of http or https", reached=False, proxy=shown)


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
FAILURES = (httpx.HTTPError, *_STRAY)


def translated(error: Exception, proxy: str) -> HTTPFailed:
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
