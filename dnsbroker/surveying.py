"""What the configured providers may write, asked of each; and which adapters are installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from dnsbroker.config import ProviderConfig
from dnsbroker.config.adapters import Adapters
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.run import Run


@dataclass(frozen=True)
class Surveyed:
    """One provider: the ``zones`` it may write (owner names; None where the service cannot list them), or why not."""

    name: str
    type: str
    zones: tuple[str, ...] | None = None
    error: BrokerError | None = None


@dataclass(frozen=True)
class Survey:
    """Every configured provider, and the types of provider for which an adapter is installed.

    ``lacking`` are those whose adapter needs more, each with the command that installs it.
    """

    configured: tuple[Surveyed, ...]
    installed: tuple[str, ...]
    lacking: Mapping[str, str] = field(default_factory=dict)


async def survey(run: Run) -> Survey:
    """Ask every provider at once; one that fails is told as such."""
    asked = (_surveyed(run, provider) for provider in run.config.providers.values())
    lacking = dict(_lacking())
    installed = tuple(each for each in Adapters() if each not in lacking)
    return Survey(tuple(await asyncio.gather(*asked)), installed, lacking)


def _lacking() -> Iterator[tuple[str, str]]:
    known = Adapters()
    for each in known:
        with suppress(ConfigError):  # it cannot be imported, which is told where it is used
            if lack := known.lacks(each):
                yield each, lack


async def _surveyed(run: Run, provider: ProviderConfig) -> Surveyed:
    try:
        zones = await run.routing.adapter(provider.name).zones()
    except BrokerError as error:
        return Surveyed(provider.name, provider.type, error=error)
    if provider.zones:
        zones = tuple(zone for zone in provider.zones if zones is None or zone in zones)
    return Surveyed(provider.name, provider.type, zones)
