"""docs/architecture.md: layers, dependencies and doors, held to pyproject.toml; and it stays one page."""

from __future__ import annotations

import itertools
import re
import tomllib
from typing import Any

import pages

PAGE = pages.text("docs/architecture.md")
PROJECT: dict[str, Any] = tomllib.loads(pages.text("pyproject.toml"))
CONTRACTS: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]
#: Libraries that are imported by another name than they are installed by.
IMPORTED = {"dnspython": "dns"}


def bare(requirement: str) -> str:
    """The name in a requirement."""
    return re.split(r"[<>=]", requirement)[0]


def test_every_dependency_has_its_door_and_its_reason() -> None:
    """In the table, and in the import contracts."""
    table = {row[0]: row for row in pages.rows(pages.section(PAGE, "## What it stands on"))}
    assert sorted(table) == sorted(bare(name) for name in PROJECT["project"]["dependencies"])
    doors = {name: rule["allowed_importers"] for rule in CONTRACTS for name in rule.get("protected_modules", ())}
    for name, (_, door, reason) in table.items():
        assert reason
        modules = [word.removesuffix(".py").replace("/", ".") for word in pages.words(door)]
        assert modules == doors[IMPORTED.get(name, name)], name


def test_the_tools_for_development_are_named() -> None:
    """All of them."""
    part = pages.section(PAGE, "## What it stands on")
    for requirement in PROJECT["project"]["optional-dependencies"]["dev"]:
        assert bare(requirement) in part


def test_every_layer_is_in_the_table_and_none_is_upside_down() -> None:
    """As the contract has them; the page may put neighbours into one row."""
    (rule,) = [rule for rule in CONTRACTS if rule["type"] == "layers"]
    contract = [[name.strip(" ()") for name in layer.split("|")] for layer in rule["layers"]]
    depth = {name: index for index, layer in enumerate(contract) for name in layer if name != "__main__"}
    table = [pages.words(row[0]) for row in pages.rows(pages.section(PAGE, "## The layers"))]
    assert sorted(name for row in table for name in row) == sorted(depth)
    for above, below in itertools.pairwise(table):
        assert max(depth[name] for name in above) <= min(depth[name] for name in below), (above, below)


def test_it_is_one_page() -> None:
    """What is longer stands at the heads of the modules. A contributor's page is shorter still."""
    assert len(PAGE.split()) <= 1200
    assert len(pages.text("CONTRIBUTING.md").split()) <= 400
    assert len(pages.text("README.md").split()) <= 1200
