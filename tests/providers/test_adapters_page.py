"""docs/adapters.md: its example is a complete adapter that passes the suite, and that goes wrong where it is spoilt."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dnsbroker.adapter import ENTRY_POINT_GROUP

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


def files() -> dict[str, str]:
    """The files that the page shows, by name."""
    found = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(found)


def suite(directory: Path, adapter: str) -> subprocess.CompletedProcess[str]:
    """The page's own tests, run on ``adapter`` as a stranger would run them."""
    (directory / "dnsbroker_files.py").write_text(adapter)
    (directory / "test_files.py").write_text(files()["test_files.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "test_files.py"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


def test_the_example_passes_the_suite(tmp_path: Path) -> None:
    """As it stands on the page."""
    done = suite(tmp_path, files()["dnsbroker_files.py"])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "missed"),
    [
        ("values | {_same(", "{_same(", "test_add_keeps_foreign_values_and_their_ttl"),
        ("ttl or change.ttl", "change.ttl", "test_add_keeps_foreign_values_and_their_ttl"),
        (
            "longest_match(owner(name), await self.zones() or ())",
            "next((zone for zone in await self.zones() or () if owner(name).endswith(zone)), None)",
            "test_zones_match_on_label_boundaries",
        ),
        ("values.discard(", "values.clear() if values else (", "test_remove_takes_one_of_two"),
        ("if values not in (expected, desired):", "if False:", "test_swap_refuses_what_it_does_not_expect"),
        ("if after == before:", "if False:", "test_adding_twice_adds_once"),
    ],
)
def test_the_suite_sees_what_is_wrong(tmp_path: Path, right: str, wrong: str, missed: str) -> None:
    """Each broken promise fails the test that names it."""
    adapter = files()["dnsbroker_files.py"]
    assert right in adapter
    done = suite(tmp_path, adapter.replace(right, wrong))
    assert done.returncode == 1
    assert f"::{missed}" in done.stdout


def test_the_entry_point_is_the_one_that_is_read() -> None:
    """Group and target of the page's pyproject.toml."""
    project = tomllib.loads(files()["pyproject.toml"])["project"]
    assert project["entry-points"] == {ENTRY_POINT_GROUP: {"files": "dnsbroker_files:Files"}}
    assert "class Files:" in files()["dnsbroker_files.py"]


def test_the_example_imports_only_what_adapters_may() -> None:
    """No part of the core above the adapters' layer."""
    imported = set(re.findall(r"^from (dnsbroker\S*) import", files()["dnsbroker_files.py"], re.MULTILINE))
    assert imported <= {f"dnsbroker.{name}" for name in ("adapter", "errors", "names", "records", "settings")}
