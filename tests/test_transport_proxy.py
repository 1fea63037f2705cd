"""Which way a request goes: never through the environment's proxy to a near address, through it to the others."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from dnsbroker.transport import Connections, HTTPFailed, Reply
from loopback import LoopbackServer, Response

KEY = "very-secret-key"


def _plain(text: str = "told") -> LoopbackServer:
    """A server, or a proxy, that answers everything with ``text``."""
    return LoopbackServer(lambda request: Response(body=text.encode()))


def _environment(proxy: LoopbackServer, **more: str) -> dict[str, str]:
    url = f"http://user:password@127.0.0.1:{proxy.port}"
    return {"http_proxy": url, "https_proxy": url, "HTTPS_PROXY": url, "all_proxy": url, **more}


async def _get(
    url: str, environment: dict[str, str] | None = None, *, proxy: str = "", timeout: float = 2.0, **headers: str
) -> Reply:
    session = Connections(environment or {}).session(timeout=timeout, proxy=proxy)
    try:
        return await session.request("GET", url, headers=headers)
    finally:
        await session.aclose()


NEAR = (
    "http://127.0.0.1:{port}/",
    "http://127.1.2.3:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://2130706433:{port}/",
    "http://0.0.0.0:{port}/",
    "http://10.11.12.13:{port}/",
    "http://172.20.0.1:{port}/",
    "http://192.168.250.250:{port}/",
    "http://169.254.7.7:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fd00::7]:{port}/",
    "https://127.0.0.1:{port}/",
)


@pytest.mark.parametrize("url", NEAR)
def test_a_near_address_is_never_reached_through_a_proxy_of_the_environment(url: str) -> None:
    """Loopback, private and link-local, however they are written: the key would go with the request."""

    async def play() -> None:
        async with _plain() as proxy, _plain() as service:
            with contextlib.suppress(HTTPFailed):  # most of these addresses lead nowhere from here
                await _get(url.format(port=service.port), _environment(proxy), timeout=0.5, x_api_key=KEY)
            assert proxy.requests == []

    asyncio.run(play())


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "http://[2606:4700::1]/", "http://[::ffff:8.8.8.8]/", "http://no.such.name.invalid/"]
)
def test_a_far_address_is_reached_through_the_proxy_of_the_environment(url: str) -> None:
    """The twin: the same variables do work, also for a name that only the proxy can look up."""

    async def play() -> None:
        async with _plain("by proxy") as proxy:
            reply = await _get(url, _environment(proxy))
            assert (reply.text(), len(proxy.requests)) == ("by proxy", 1)

    asyncio.run(play())


def test_https_to_a_far_address_asks_the_proxy_for_a_tunnel() -> None:
    """What is inside stays between us and the server: the proxy sees no header of ours."""

    async def play() -> None:
        async with LoopbackServer(lambda request: Response(403)) as proxy:
            with pytest.raises(HTTPFailed) as failed:
                await _get("https://8.8.8.8/", _environment(proxy), x_api_key=KEY)
            assert [(request.method, request.target) for request in proxy.requests] == [("CONNECT", "8.8.8.8:443")]
            assert KEY not in str(proxy.requests)
            assert (failed.value.reached, failed.value.proxy) == (False, f"http://127.0.0.1:{proxy.port}")
            assert "password" not in f"{failed.value} {vars(failed.value)}"

    asyncio.run(play())


def test_a_proxy_that_was_set_is_used_for_every_address() -> None:
    """Whoever names it means it; the environment's is then not asked."""

    async def play() -> None:
        async with _plain("explicit") as explicit, _plain() as other:
            url = "http://127.0.0.1:1/x"
            reply = await _get(url, _environment(other, no_proxy="*"), proxy=explicit.url)
            assert (reply.text(), explicit.requests[0].target, other.requests) == ("explicit", url, [])

    asyncio.run(play())


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        *(("*", True), ("a.invalid", True), (".invalid", True), ("*.invalid", True), ("x.test, A.invalid ", True)),
        *(("", False), ("b.invalid", False), ("nvalid", False), ("aa.invalid", False), (",", False)),
    ],
)
def test_no_proxy_names_hosts_and_their_parents(no_proxy: str, direct: bool) -> None:
    """By whole labels; blanks and case do not matter."""

    async def play() -> None:
        async with _plain() as proxy:
            with contextlib.suppress(HTTPFailed):
                await _get("http://a.invalid/", _environment(proxy, no_proxy=no_proxy))
            assert (proxy.requests == []) is direct

    asyncio.run(play())


def test_http_proxy_in_capitals_is_not_believed() -> None:
    """It may come from a request to a CGI program; HTTPS_PROXY cannot."""

    async def play() -> None:
        async with _plain() as proxy:
            with contextlib.suppress(HTTPFailed):
                await _get("http://a.invalid/", {"HTTP_PROXY": proxy.url})
            assert proxy.requests == []
            with contextlib.suppress(HTTPFailed):
                await _get("https://a.invalid/", {"HTTPS_PROXY": proxy.url})
            assert [request.method for request in proxy.requests] == ["CONNECT"]

    asyncio.run(play())


@pytest.mark.parametrize("proxy", ["socks5://u:password@127.0.0.1:1", "ftp://u:password@x", "http://[::1", "://"])
def test_fail_a_proxy_of_another_kind_is_named(proxy: str) -> None:
    """Without its password, and as an error of ours."""

    async def play() -> None:
        with pytest.raises(HTTPFailed, match="cannot be used") as failed:
            await _get("http://8.8.8.8/", {"all_proxy": proxy})
        assert not failed.value.reached
        assert "password" not in f"{failed.value} {vars(failed.value)}"

    asyncio.run(play())


def test_a_proxy_without_a_scheme_speaks_http() -> None:
    """As everybody writes it."""

    async def play() -> None:
        async with _plain("by proxy") as proxy:
            reply = await _get("http://8.8.8.8/", {"http_proxy": f"127.0.0.1:{proxy.port}"})
            assert reply.text() == "by proxy"

    asyncio.run(play())
