"""Packages that import a name when it is first used: all that they promise is there, and nothing else."""

from __future__ import annotations

from importlib import import_module

import pytest

PACKAGES = ["dnsbroker", "dnsbroker.journal", "dnsbroker.keys", "dnsbroker.store"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_found(package: str) -> None:
    """What a type checker sees and what is looked up are two lists: this holds them together."""
    module = import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        assert found is getattr(module, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_any_other_name_is_an_error(package: str) -> None:
    """The negative twin: in the words of Python's own."""
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nothing'"):
        _ = import_module(package).Nothing
