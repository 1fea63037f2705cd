"""The adapters at hand, by the type that a provider names: found by entry point, imported only when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from dnsbroker.adapter import ENTRY_POINT_GROUP, Adapter, NeedsMore
from dnsbroker.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Adapters(Mapping[str, type[Adapter]]):
    """Adapter classes by type: those ``given``, and those installed, which are imported when looked up."""

    def __init__(self, given: Mapping[str, type[Adapter]] | None = None) -> None:
        self._given = dict(given or {})

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points

        return {each.name: each for each in entry_points(group=ENTRY_POINT_GROUP)}

    def __getitem__(self, kind: str) -> type[Adapter]:
        """The class for type ``kind``. Raises KeyError where there is none, ConfigError where it cannot be imported."""
        if kind in self._given:
            return self._given[kind]
        entry_point = self._installed[kind]
        try:
            adapter: type[Adapter] = entry_point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"the adapter for type {kind} cannot be imported from {entry_point.value}: {error}",
                hint="install again the distribution that holds it, with all it needs",
            ) from error
        return adapter

    def lacks(self, kind: str) -> str:
        """The command that installs what the adapter for ``kind`` needs and is not there; empty where all is.

        Raises KeyError and ConfigError as looking it up does.
        """
        adapter = self[kind]
        return adapter.lacks() if issubclass(adapter, NeedsMore) else ""

    def __contains__(self, kind: object) -> bool:
        return kind in self._given or kind in self._installed

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._given, *self._installed}))

    def __len__(self) -> int:
        return len({*self._given, *self._installed})
