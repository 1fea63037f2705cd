"""docs/recipes.md holds together: its configurations load, and its table of daemons is that of its sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pages
from dnsbroker.config import Config

PAGE = pages.text("docs/recipes.md")


@pytest.mark.parametrize("example", pages.blocks(PAGE, "toml"))
def test_every_table_loads(tmp_path: Path, example: str) -> None:
    """As it stands on the page, nothing of it being in doubt."""
    (tmp_path / "dnsbroker.toml").write_text(example)
    config = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
    assert not config.broken
    assert config.state_dir == Path("/var/lib/dnsbroker")


def test_every_daemon_of_the_table_has_a_recipe() -> None:
    """And a table for dnsbroker in it that reloads one unit and looks whether that helped."""
    daemons = [
        re.sub(r"\[(.*)\].*", r"\1", row[0])
        for row in pages.rows(pages.section(PAGE, "# Recipes").partition("## nginx")[0])
    ]
    assert daemons == re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)[: len(daemons)]
    for daemon in daemons:
        (table,) = pages.blocks(pages.section(PAGE, f"## {daemon}"), "toml")
        assert re.search(r"^reload = \[\"\w+\"\]$", table, re.MULTILINE)
        assert re.search(r"^verify = \[\"", table, re.MULTILINE)
