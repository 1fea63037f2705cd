from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Walls, not targets: a function has about 25 lines, a module about 300.
LONGEST_FUNCTION = 50
LONGEST_MODULE = 400
DEEPEST_NESTING = 3

#: What a module that says nothing about its job is called.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "base", "common", "misc"}
#: Words by which a file would tell of the machine or the errand it was written on.
FOREIGN_WORDS = ("/work" + "/", "../" + "shared")

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef

PRODUCT = sorted(path for part in ("dnsbroker", "providers", "packaging") for path in (ROOT / part).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def complaints(source: str) -> list[str]:
    """What the text of any module does against the walls."""
    tree = ast.parse(source)
    lines = len(source.splitlines())
    found = [f"the module has {lines} lines"] if lines > LONGEST_MODULE else []
    for function in functions(tree):
        if length(function) > LONGEST_FUNCTION:
            found.append(f"{function.name} has {length(function)} lines")
        if nesting(function.body) > DEEPEST_NESTING:
            found.append(f"{function.name} nests {nesting(function.body)} deep")
    found += [f"imports {name}" for name in imported(tree) if name.startswith(("unittest.mock", "providers."))]
    return found + [f"speaks of {word}" for word in FOREIGN_WORDS if word in source]


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def length(function: Function) -> int:
    """Lines from its name to its end, without its docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def nesting(body: list[ast.stmt]) -> int:
    """How many blocks deep ``body`` goes; a function inside it is counted on its own."""
    return max((1 + nesting_of_block(statement) for statement in body if isinstance(statement, BLOCKS)), default=0)


def nesting_of_block(block: ast.stmt) -> int:
    """How many blocks deep its parts go; an ``elif`` is no deeper than its ``if``."""
    depth = 0
    for name, part in ast.iter_fields(block):
        if not isinstance(part, list):
            continue
        if isinstance(block, ast.If) and name == "orelse" and len(part) == 1 and isinstance(part[0], ast.If):
            depth = max(depth, nesting_of_block(part[0]))
        elif name in ("handlers", "cases"):
            depth = max([depth, *(nesting(arm.body) for arm in part)])
        else:
            depth = max(depth, nesting(part))
    return depth


def imported(tree: ast.AST) -> Iterator[str]:
    """The full name of every module and of everything taken from one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*PRODUCT, *TESTS], ids=shown)
def test_no_file_breaks_through_a_wall(path: Path) -> None:
    """Long functions, long files and deep nesting are where a reader gets lost."""
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PRODUCT, ids=shown)
def test_every_module_begins_with_its_one_job(path: Path) -> None:
    """And is called after it."""
    opening = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert opening
    assert path.stem.strip("_") not in EMPTY_NAMES


@pytest.mark.parametrize("path", [path for path in TESTS if path.name.startswith("test_")], ids=shown)
def test_every_test_is_a_sentence(path: Path) -> None:
    """Whoever reads a failure learns what is promised."""
    tests = [item for item in functions(ast.parse(path.read_text(encoding="utf-8"))) if item.name.startswith("test_")]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []


def test_no_two_test_files_share_a_name() -> None:
    """The type checker would take one for the other."""
    names = Counter(path.name for path in TESTS if path.name not in ("__init__.py", "__main__.py", "conftest.py"))
    assert [name for name, count in names.items() if count > 1] == []
    assert not (ROOT / "tests" / "__init__.py").exists()


DEEP = """
def f(x):
    if x:
        pass
    elif x > 1:
        for y in x:
            try:
                pass
            except ValueError:
                {}
"""

FAILING = {
    "fail_long_function": ("def f():\n" + "    x = 1\n" * 50, ["f has 51 lines"]),
    "fail_long_method": ("class A:\n    async def f(self):\n" + "        x = 1\n" * 50, ["f has 51 lines"]),
    "fail_long_module": ("x = 1\n" * 401, ["the module has 401 lines"]),
    "fail_deep": (DEEP.format("with x: pass"), ["f nests 4 deep"]),
    "fail_deep_match": (
        DEEP.format("\n                match x:\n                    case 1: pass"),
        ["f nests 4 deep"],
    ),
    "fail_mock": ("from unittest.mock import patch", ["imports unittest.mock.patch"]),
    "fail_mock_whole": ("import unittest.mock", ["imports unittest.mock"]),
    "fail_second_classes": ("from providers.dnsbroker_x import X", ["imports providers.dnsbroker_x.X"]),
    "fail_foreign_word": (f"# see {FOREIGN_WORDS[0]}x", [f"speaks of {FOREIGN_WORDS[0]}"]),
}

PASSING = {
    "longest function": "def f():\n" + "    x = 1\n" * 49,
    "docstring not counted": 'def f():\n    """A\n\n    b\n    """\n' + "    x = 1\n" * 49,
    "deepest": DEEP.format("pass"),
    "function inside a function": DEEP.format("\n                def g():\n                    if x: pass"),
    "long chain of elif": "def f(x):\n    if x: pass\n" + "    elif x > 1: pass\n" * 8,
}


@pytest.mark.parametrize(("source", "expected"), FAILING.values(), ids=FAILING)
def test_each_wall_stands(source: str, expected: list[str]) -> None:
    """A check that never fails would prove nothing."""
    assert complaints(source) == expected


@pytest.mark.parametrize("source", PASSING.values(), ids=PASSING)
def test_what_just_fits_passes(source: str) -> None:
    """Each on its own side of a wall."""
    assert complaints(source) == []
