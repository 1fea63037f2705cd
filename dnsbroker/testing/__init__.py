"""What tests of adapters, and of programs that use this library, need: real small things instead of mocks.

``AdapterContract`` is the suite that every adapter passes, ``MemoryProvider`` the adapter that shows how, ``FakeClock``
time that a test turns by hand. Names are imported on first use: only the contract suite needs pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsbroker.testing.clock import FakeClock
    from dnsbroker.testing.contract import AdapterContract
    from dnsbroker.testing.memory import MemoryProvider, MemoryService
    from dnsbroker.testing.stage import Scene, SideDoor, Stage, surroundings

__all__ = [
    "AdapterContract",
    "FakeClock",
    "MemoryProvider",
    "MemoryService",
    "Scene",
    "SideDoor",
    "Stage",
    "surroundings",
]

_HOMES = {
    "AdapterContract": "contract",
    "FakeClock": "clock",
    "MemoryProvider": "memory",
    "MemoryService": "memory",
    "Scene": "stage",
    "SideDoor": "stage",
    "Stage": "stage",
    "surroundings": "stage",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dnsbroker.testing' has no attribute {name!r}")
    from importlib import import_module

    home = f"dnsbroker.testing.{_HOMES[name]}"
    if _HOMES[name] == "contract":
        import pytest

        # Before the first import, or a failed promise would be a bare AssertionError without the values.
        pytest.register_assert_rewrite(home)
    return getattr(import_module(home), name)
