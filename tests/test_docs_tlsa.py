"""docs/tlsa.md: checks, numbers and examples, held to the code; and what the library's page says of it."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from types import FunctionType
from typing import get_args

import pytest

import dnsbroker.tlsa
import pages
from authority import Authority
from dnsbroker import keys, tlsa
from dnsbroker.cli import main
from dnsbroker.errors import ConfigError
from dnsbroker.tlsa.computing import computed, kinds, read
from dnsbroker.tlsa.objections import CHECKS, MOST
from dnsbroker.tlsa.verifying import State

PAGE = pages.text("docs/tlsa.md")
LIBRARY = pages.section(pages.text("docs/library.md"), "## TLSA records")
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, ["mail.example.org"])
REFUSALS = {pages.words(row[0])[0]: row for row in pages.rows(pages.section(PAGE, "### What is refused"))}


EXAMPLES = [line for block in pages.blocks(PAGE, "sh") for line in block.splitlines()]


def test_every_check_is_in_the_table() -> None:
    """In the order of the alphabet, and no other."""
    assert list(REFUSALS) == sorted(CHECKS)
    assert f"more than {MOST}" in REFUSALS["many"]


@pytest.mark.parametrize("word", sorted(set(CHECKS) - {"many", "sha512-alone"}))
def test_what_the_table_says_of_records_is_so(word: str) -> None:
    """With what stands for any digit filled in; another check may object to the same record and is allowed."""
    pem = KEY if word == "leaf-as-anchor" else CHAIN
    host = "example.org" if word == "host-name" else ""
    others = [check for check in CHECKS if check != word]
    for written in pages.words(REFUSALS[word][1]):
        kind = written.replace("x x 0", "3 1 0").replace("x x", "1 1").replace("x", "1")
        if "refused" in REFUSALS[word][2]:
            with pytest.raises(ConfigError, match=kind):
                tlsa.compute(pem, [kind], host=host, port=25, allow=others)
        if "warning" in REFUSALS[word][2]:
            found = computed([read(pem)], kinds([kind]), port=443, allow=others)
            assert [warning.check for warning in found.warnings] == [word]


@pytest.mark.parametrize("line", [line for line in EXAMPLES if line.startswith("dnsbroker tlsa compute ")])
def test_the_examples_work(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand on the page, beside files of these names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fullchain.pem").write_text(CHAIN)
    (tmp_path / "next.pem").write_text(KEY)
    assert main(shlex.split(line)[1:]) == (4 if " verify " in line else 0)  # the record shown is of another key


def test_every_source_is_in_a_table() -> None:
    """Those of which a call has one."""
    table = [pages.words(row[0])[0].split()[0] for row in pages.rows(pages.section(PAGE, "## Computing"))]
    assert [word for word in table if word.startswith("--")] == ["--cert", "--key", "--csr", "--connect"]


def test_the_library_s_page_has_what_is_public() -> None:
    """Every name of the package."""
    listed = [pages.words(row[0])[0].partition("(")[0] for row in pages.rows(LIBRARY)]
    assert sorted(listed) == sorted(dnsbroker.tlsa.__all__)


@pytest.mark.parametrize("function", [tlsa.compute, tlsa.verify])
def test_functions_are_called_as_the_library_s_page_says(function: FunctionType) -> None:
    """Their parameters, in their order, without types."""
    parameters = [
        item.replace(annotation=inspect.Parameter.empty) for item in inspect.signature(function).parameters.values()
    ]
    assert f"{function.__name__}{inspect.Signature(parameters)}".replace("''", '""') in LIBRARY


@pytest.mark.parametrize("kind", [tlsa.Judged, tlsa.Verdict])
def test_what_a_verdict_holds_is_on_the_library_s_page(kind: type) -> None:
    """Every field, and nothing that is not there."""
    (row,) = [row for row in pages.rows(LIBRARY) if row[0] == f"`{kind.__name__}`"]
    names = set(inspect.signature(kind).parameters) | {name for name in vars(kind) if not name.startswith("_")}
    assert set(pages.words(row[1])) - {"str", "Judged", "3 1 1 hex"} == names


def test_every_state_is_in_the_table() -> None:
    """And no other."""
    listed = [pages.words(row[0])[0] for row in pages.rows(pages.section(PAGE, "## Verifying"))]
    assert listed == list(get_args(State))


def test_what_the_page_says_of_wildcards_is_so() -> None:
    """They stand for one label."""
    chain = Authority().issue(KEY, ["*.example.org"])
    assert tlsa.compute(chain, host="a.example.org")
    named = [word for word in pages.words(REFUSALS["host-name"][3]) if word.endswith("example.org")]
    assert named[0] == "*.example.org"
    for host in named[1:]:
        with pytest.raises(ConfigError, match="look at names"):
            tlsa.compute(chain, ["2 1 1"], host=host)
        assert tlsa.compute(chain, ["3 1 1"], host=host)
