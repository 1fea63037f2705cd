"""The suite's own runner: a test with servers that failed beside others is run once more alone, and is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from side_by_side import SECOND, has_second_chance

SIDE_BY_SIDE = Path(__file__).parents[1] / "rig/side_by_side.py"
PASSES = "def test_it() -> None:\n    pass\n"
FAILS = "def test_it() -> None:\n    assert False, 'always'\n"
BROKEN = "import no_such_module\n"
FAILS_ONCE = """\
import pathlib

def test_it() -> None:
    seen = pathlib.Path(__file__).with_suffix(".seen")
    is_first = not seen.exists()
    seen.touch()
    assert not is_first, "once"
"""
UNIT = "tests/test_unit.py"
LOUD = "!" * 80
ONE, OTHER, *MORE = [f"tests/integration/test_{name}.py" for name in ("one", SECOND[0], "three", "four")]


def suite(directory: Path, files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The end of a suite of these files; those it is not told of are there, and pass."""
    for name, text in {UNIT: PASSES, ONE: PASSES, OTHER: PASSES, **files}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return subprocess.run(
        [sys.executable, SIDE_BY_SIDE], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )


def ids(*files: str) -> Sequence[str]:
    """Their tests, as pytest names them."""
    return [f"{file}::test_it" for file in files]


def test_every_test_is_run_once(tmp_path: Path) -> None:
    """In whichever share, with servers or without."""
    ran = suite(tmp_path, {})
    assert (ran.returncode, ran.stdout.count("1 passed")) == (0, 3)
    assert LOUD not in ran.stdout


def test_what_passes_alone_is_told_and_counts(tmp_path: Path) -> None:
    """Both outputs are there, and the names, loudly."""
    ran = suite(tmp_path, {ONE: FAILS_ONCE, OTHER: FAILS_ONCE})
    assert ran.returncode == 0, ran.stdout
    first, failed, alone, listed, end = ran.stdout.split(LOUD)
    assert first.count("1 failed") == 2 and "AssertionError: once" in first
    assert "2 passed" in alone
    assert "has to be mended" in listed and all(test in failed and test in listed for test in ids(ONE, OTHER))
    assert end == "\n"


def test_fail_what_fails_again_is_red(tmp_path: Path) -> None:
    """Twin: a second chance is no licence. That another one passed then changes nothing."""
    ran = suite(tmp_path, {ONE: FAILS, OTHER: FAILS_ONCE})
    assert ran.returncode == 1
    *_, listed, _ = ran.stdout.split(LOUD)
    assert "failed a second time" in listed and ids(ONE)[0] in listed and ids(OTHER)[0] not in listed


@pytest.mark.parametrize("files", [{UNIT: FAILS_ONCE}, {ONE: BROKEN}], ids=["a unit test", "not collected"])
def test_fail_there_is_no_second_chance(tmp_path: Path, files: Mapping[str, str]) -> None:
    """Twin: without servers nothing is late, and what cannot be read is not late either."""
    ran = suite(tmp_path, files)
    assert ran.returncode == 1, ran.stdout
    assert LOUD not in ran.stdout


def test_a_few_have_a_second_chance() -> None:
    """Twin: many have none, nor has one among unit tests."""
    some = ids(ONE, OTHER, MORE[0])
    assert has_second_chance(some)
    assert not has_second_chance([*some, *ids(MORE[1])])
    assert not has_second_chance(ids(ONE, UNIT))
