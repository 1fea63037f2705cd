"""The Cloudflare adapter, made for a faithful or a literal Cloudflare in one call.

Rule: its waits cost nothing, unless a test brings a clock of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import dnsbroker_cloudflare
from dnsbroker.clock import Clock
from dnsbroker.records import Add, Record, Remove
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings

__all__ = ["Adapter", "adapter", "add", "played", "remove", "secret"]

T = TypeVar("T")

#: The service of the tests has the name.
Adapter = dnsbroker_cloudflare.Cloudflare


def secret(text: str, source: str = "the test") -> Secret:
    """A secret that is ``text``."""
    return Secret(source, lambda: text)


def adapter(
    url: str,
    token: str = "",
    *,
    make: type[Adapter] = Adapter,
    clock: Clock | None = None,
    provider: str = "cf",
    **settings: Any,
) -> Adapter:
    """An adapter for the API at ``url``; ``settings`` are further keys."""
    credentials: Mapping[str, Any] = {"api_token": secret(token)} if token else {}
    made = dnsbroker_cloudflare.CloudflareSettings(base_url=url, **{**credentials, **settings})
    return make(made, surroundings(provider, clock=clock or FakeClock()))


def played(client: Adapter, act: Callable[[Adapter], Awaitable[T]]) -> T:
    """What ``act`` gives with ``client``, which is closed afterwards."""

    async def play() -> T:
        try:
            return await act(client)
        finally:
            await client.aclose()

    return asyncio.run(play())


def add(name: str, value: str = "ours", *, ttl: int = 60, note: str = "") -> Add:
    """A TXT value to add."""
    return Add(Record(name, "TXT", value), ttl, note)


def remove(name: str, value: str = "ours") -> Remove:
    """A TXT value to remove."""
    return Remove(Record(name, "TXT", value))
