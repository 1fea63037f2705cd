"""Packages whose names are imported from their homes when they are first used (PEP 562).

What a process of a few milliseconds does not use it need not import. A type checker sees plain imports.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module


def lazily(package: str, **homes: str) -> Callable[[str], object]:
    """The ``__getattr__`` of ``package``; each of ``homes`` is a module of its, with the names that are found there."""
    modules = {name: f"{package}.{module}" for module, names in homes.items() for name in names.split()}

    def attribute(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    return attribute
