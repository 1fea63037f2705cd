"""The recipes of docs/recipes.md as data: what goes into dnsbroker.toml, and what into the daemon's configuration.

Rule: what a block says is taken as it stands, but for what ``SUBSTITUTES`` and the caller name. Refused: a section that
has not exactly one block of the language asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pages

PAGE = "docs/recipes.md"
STATE_DIR = "/var/lib/dnsbroker"

#: The lab has one web and mail host, and one user: root, by whatever name a daemon knows it.
SUBSTITUTES = {
    "mail.example.org": "www.example.test",
    "example.org": "example.test",
    'owner = "prosody"': 'owner = "root"',
    'group = "Debian-exim"': 'group = "root"',
    "u:www-data:": "u:root:",
}


@dataclass(frozen=True)
class Recipe:
    """One section's two blocks: ``table`` is TOML, ``lines`` are in the daemon's language."""

    table: str
    lines: str


def recipe(header: str, language: str, state: Path, paths: Mapping[str, Path] | None = None) -> Recipe:
    """The recipe below ``header``, for a state directory ``state``; ``paths``: what to put in place of further ones."""
    section = pages.section(pages.text(PAGE), f"## {header}")
    (table,), (lines,) = pages.blocks(section, "toml"), pages.blocks(section, language)
    return Recipe(table=substituted(table, state, paths), lines=substituted(lines, state, paths))


def substituted(text: str, state: Path, paths: Mapping[str, Path] | None = None) -> str:
    """``text`` with what the lab has in place of what the page names."""
    for old, new in {**SUBSTITUTES, STATE_DIR: str(state), **(paths or {})}.items():
        text = text.replace(old, str(new))
    return text
