"""From a file, or from tables that a program gives, to a Config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dnsbroker.adapter import Adapter
from dnsbroker.config.model import Config


def from_file(
    path: Path | str | None,
    *,
    environment: Mapping[str, str] | None,
    is_root: bool | None,
    adapters: Mapping[str, type[Adapter]] | None,
) -> Config:
    """See ``Config.load``."""
    raise NotImplementedError


def from_tables(
    data: Mapping[str, object], *, environment: Mapping[str, str], adapters: Mapping[str, type[Adapter]] | None
) -> Config:
    """See ``Config.from_dict``."""
    raise NotImplementedError
