"""One provider: the keys that every one has, and those of its adapter, which is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnsbroker.adapter import Adapter
from dnsbroker.config.kinds import described, nearest
from dnsbroker.config.model import ProviderConfig
from dnsbroker.config.tables import Table, key_names
from dnsbroker.errors import ConfigError


def read_provider(name: str, table: Table, adapters: Mapping[str, type[Adapter]]) -> ProviderConfig:
    """The provider ``name`` that ``table`` describes. Raises ConfigError."""
    adapter = _adapter(table, adapters)
    settings_class: type[Any] = adapter.Settings
    table.check_keys(key_names(ProviderConfig, settings_class))
    settings = table.build(settings_class)
    return table.build(ProviderConfig, name=name, adapter=adapter, settings=settings)


def _adapter(table: Table, adapters: Mapping[str, type[Adapter]]) -> type[Adapter]:
    wanted = table.raw.get("type")
    if wanted is None:
        raise table.error("type", "required key is missing", f'add type = "…"; {_installed(adapters)}')
    if not isinstance(wanted, str):
        raise table.error("type", f"should be a string, not {described(wanted)}", _installed(adapters))
    if wanted not in adapters:
        close = nearest(wanted, adapters)
        message = f"no adapter for {described(wanted)} is installed" + (f"; the nearest is {close}" if close else "")
        raise table.error("type", message, _installed(adapters))
    try:
        return adapters[wanted]
    except ConfigError as error:
        raise table.error("type", error.message, error.hint) from error


def _installed(adapters: Mapping[str, type[Adapter]]) -> str:
    return f"installed are {', '.join(adapters)}" if adapters else "no adapter is installed"
