"""docs/doctor.md: every check has its row, every row its check, and none is graver than the page says."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pages
from dnsbroker.cli.doctor import summed_up
from dnsbroker.doctor import Diagnosis, Examined, alone, examination, sites
from dnsbroker.findings import PREFLIGHT, Severity
from doctor_scenes import SCENES

PAGE = pages.text("docs/doctor.md")
#: Who makes findings has to import them.
SOURCES = [
    path
    for path in sorted((*(pages.ROOT / "dnsbroker").rglob("*.py"), *(pages.ROOT / "providers").rglob("*.py")))
    if "dnsbroker.findings import" in path.read_text(encoding="utf-8")
]
GRAVITY = [str(severity) for severity in Severity]
GROUPS = (
    "The doctor itself",
    "Providers",
    "Name servers",
    "Delegation",
    "DNSSEC",
    "CAA",
    "Wildcards",
    "Timing",
    "Left behind",
    "The CA",
    "DANE",
)


def told(path: Path) -> Iterator[tuple[str, str]]:
    """Each check that the module at ``path`` gives a word, and its severity where that is written beside it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            first = node.args[0] if node.args and "inding" in name(node.func) else None
            second = node.args[1] if len(node.args) > 1 else None
            for word in constants(keywords.get("check", first)):
                yield word, severity(keywords.get("severity", second))
        elif isinstance(node, ast.Assign) and any(name(target) == "check" for target in node.targets):
            yield from ((word, "") for word in constants(node.value))


def name(node: ast.expr) -> str:
    """What is called or assigned to, as far as it has a name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def constants(node: ast.expr | None) -> Iterator[str]:
    """The words that an expression can be: itself, or either branch of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def severity(node: ast.expr | None) -> str:
    """A severity that is written out, else nothing."""
    return name(node).lower() if isinstance(node, ast.Attribute) and name(node).lower() in GRAVITY else ""


FOUND = [(path, word, grave) for path in SOURCES for word, grave in told(path)]


def rows() -> dict[str, str]:
    """The gravest severity of each check by the page."""
    part = pages.section(PAGE, "## The checks")
    return {word: row[1] for row in pages.rows(part) for word in pages.words(row[0])}


def test_every_check_has_its_row() -> None:
    """And every row its check, in the core or in an adapter of ours."""
    words = {word for _, word, _ in FOUND}
    assert (words - set(rows()), set(rows()) - words) == (set(), set())


def test_every_check_has_a_scene_in_which_it_is_as_grave_as_the_page_says() -> None:
    """And none in which it is graver; that the doctor says it there is tested beside the scenes."""
    gravest: dict[str, str] = {}
    for scene in sorted(SCENES, key=lambda scene: GRAVITY.index(str(scene.severity)), reverse=True):
        gravest[scene.check] = str(scene.severity)
    assert gravest == rows()


def test_no_check_stands_in_two_rows() -> None:
    """Else a reader would find half of what it means."""
    words = [word for row in pages.rows(pages.section(PAGE, "## The checks")) for word in pages.words(row[0])]
    assert len(words) == len(set(words))


def test_no_finding_is_graver_than_the_page_says() -> None:
    """As far as the severity is written beside the word."""
    graver = [
        (str(path.relative_to(pages.ROOT)), word, grave)
        for path, word, grave in FOUND
        if grave and word in rows() and GRAVITY.index(grave) < GRAVITY.index(rows()[word])
    ]
    assert graver == []


def test_every_row_says_what_to_do() -> None:
    """With a severity that there is, below one of the headings."""
    for row in pages.rows(pages.section(PAGE, "## The checks")):
        assert row[1] in GRAVITY, row
        assert len(row[2].split()) > 5, row
    for group in GROUPS:
        assert pages.rows(pages.section(PAGE, f"### {group}")), group


def test_the_severities_are_explained() -> None:
    """In their order."""
    told = [pages.words(row[0])[0] for row in pages.rows(pages.section(PAGE, "## How to read it"))]
    assert told == GRAVITY


def test_what_stops_an_order_is_told() -> None:
    """Every such check, and no other."""
    words = set(pages.words(pages.section(PAGE, "## Before an order"))) & {word for _, word, _ in FOUND}
    assert words == set(PREFLIGHT)


def test_the_result_has_the_fields_told() -> None:
    """On this page, and one by one on that of the commands."""
    result = summed_up(Diagnosis((), Examined(1, 1, 1, 2)), is_verbose=False)
    told = json.loads(json.dumps(dict(result.fields)))
    assert all(f"`{field}`" in pages.section(PAGE, "## Exit status and `--json`") for field in told)
    commands = pages.section(pages.text("docs/commands.md"), "## doctor")
    assert all(f"`{field}`" in commands for part in told.values() for field in part)


def test_how_long_it_takes_is_told() -> None:
    """Places are found first, then all is looked at; a few seconds are for beginning and ending."""
    told = " ".join(PAGE.split())
    assert f"within {sites.LONGEST + examination.LONGEST + 5:g} seconds" in told
    assert 2 * alone.MORE_FOR_EACH == 1 / 5 and "a fifth of a second later for each name" in told
    assert 2 * examination.LONGEST_MENDING == 120 and "two minutes more" in told
