"""The adapters at hand, by the type that a provider names: found by entry point, imported only when asked for.

``importlib.metadata`` knows every way of installing, and takes longer to import than all of the configuration to read:
one type is first looked for where nearly every distribution says what it has, in a file below a directory of Python's
path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from operator import attrgetter

from dnsbroker.adapter import ENTRY_POINT_GROUP, Adapter, NeedsMore
from dnsbroker.errors import ConfigError


class Adapters(Mapping[str, type[Adapter]]):
    """Adapter classes by type: those ``given``, and those installed, which are imported when looked up."""

    def __init__(self, given: Mapping[str, type[Adapter]] | None = None) -> None:
        self._given = dict(given or {})

    @cached_property
    def _declared(self) -> dict[str, str]:
        return _declared()

    @cached_property
    def _installed(self) -> dict[str, str]:
        from importlib.metadata import entry_points

        return {each.name: each.value for each in entry_points(group=ENTRY_POINT_GROUP)}

    def __getitem__(self, kind: str) -> type[Adapter]:
        """The class for type ``kind``. Raises KeyError where there is none, ConfigError where it cannot be imported."""
        if kind in self._given:
            return self._given[kind]
        place = self._declared.get(kind) or self._installed[kind]
        module, _, name = place.partition("[")[0].strip().partition(":")
        try:
            adapter: type[Adapter] = attrgetter(name)(import_module(module))
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"the adapter for type {kind} cannot be imported from {place}: {error}",
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
        return kind in self._given or kind in self._declared or kind in self._installed

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._given, *self._installed}))

    def __len__(self) -> int:
        return len({*self._given, *self._installed})


def _declared() -> dict[str, str]:
    """Where the adapters are, by type, as the distributions in the directories of Python's path say.

    The first copy of a distribution counts, as it does for imports. What is packed into archives is not looked at.
    """
    found: dict[str, str] = {}
    seen = set()
    for place in sys.path:
        for name in _entries(place or os.curdir):
            distribution = name.partition("-")[0].lower()
            if name.endswith((".dist-info", ".egg-info")) and distribution not in seen:
                seen.add(distribution)
                found = {**_in_group(os.path.join(place, name, "entry_points.txt")), **found}
    return found


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _in_group(path: str) -> dict[str, str]:
    """The entries of our group in an entry_points.txt, where there is one (PyPA's entry points specification)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    _, is_there, group = text.partition(f"[{ENTRY_POINT_GROUP}]")
    lines = group.partition("\n[")[0].splitlines() if is_there else []
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith(("#", ";")))
    return {name.strip(): value.strip() for name, is_one, value in pairs if is_one}
