"""docs/library.md: names, errors and events, held to the code; examples that need no authority are run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import dnsbroker
import pages
from dnsbroker import Broker, Certificate, Config, Outcome, Wishes, errors
from dnsbroker.certifying import Status
from dnsbroker.cli import exit_status
from dnsbroker.cli.story import line_for
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.sync import SyncBroker
from dnsbroker.texts import Texts

PAGE = pages.text("docs/library.md")
EXAMPLES = pages.blocks(PAGE, "python")
OFFLINE = [example for example in EXAMPLES if "Config.load" not in example]

SOURCES = sorted((*(pages.ROOT / "dnsbroker").rglob("*.py"), *(pages.ROOT / "providers").rglob("*.py")))
#: Every event may have it.
BOUND = {"certificate"}


def public(cls: type) -> set[str]:
    """What people may use of ``cls``."""
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return fields | {name for name in vars(cls) if not name.startswith("_")}


def documented(header: str) -> set[str]:
    """The names in the first column of the table below ``header``."""
    part = pages.section(PAGE, header)
    return {word.partition("(")[0] for row in pages.rows(part) for word in pages.words(row[0])}


def test_every_public_name_is_on_the_page() -> None:
    """And can be imported; what is not public is not promised."""
    for name in dnsbroker.__all__:
        assert getattr(dnsbroker, name)
        assert name == "__version__" or name in PAGE
    taken = {
        name for found in re.findall(r"^from dnsbroker import (.*)$", PAGE, re.MULTILINE) for name in found.split(", ")
    }
    assert taken <= set(dnsbroker.__all__)
    with pytest.raises(AttributeError, match="Brocker"):
        getattr(dnsbroker, "Brocker")  # noqa: B009 - for the type checker it is not there


def test_every_method_of_a_broker_is_on_the_page() -> None:
    """With its parameters, in their order."""
    assert documented("### Broker") == public(Broker) | {"changed"}
    for row in pages.rows(pages.section(PAGE, "### Broker")):
        call = pages.words(row[0])[0]
        if "(" in call:
            assert call == signature(call.partition("(")[0], vars(Broker)[call.partition("(")[0]])
    assert signature("Broker", Broker.__init__) in PAGE


def signature(name: str, function: object) -> str:
    """How ``function`` is called, without types."""
    assert callable(function)
    parameters = [
        item.replace(annotation=inspect.Parameter.empty)
        for item in inspect.signature(function).parameters.values()
        if item.name != "self"
    ]
    return f"{name}{inspect.Signature(parameters)}".replace("''", '""')


def test_the_plain_front_has_the_methods_listed() -> None:
    """Each with the parameters of the asynchronous one."""
    (row,) = [row for row in pages.rows(pages.section(PAGE, "### Broker")) if row[0] == "`sync()`"]
    assert set(pages.words(row[1])) == public(SyncBroker)
    for name in public(SyncBroker):
        assert signature(name, vars(SyncBroker)[name]) == signature(name, vars(Broker)[name])


def test_texts_have_the_methods_listed() -> None:
    """With their parameters; the block is reached by ``published``."""
    (row,) = [row for row in pages.rows(pages.section(PAGE, "### Broker")) if row[0] == "`texts`"]
    assert set(pages.words(row[1])) == {signature(name, vars(Texts)[name]) for name in public(Texts) - {"standing"}}


def test_every_attribute_of_a_certificate_is_on_the_page() -> None:
    """And no other."""
    assert documented("### Certificate") == public(Certificate)


def test_wishes_and_outcomes_have_the_fields_shown() -> None:
    """With their defaults."""
    assert signature("Wishes", Wishes.__init__) in PAGE
    told = pages.section(PAGE, "### Broker").partition("`Outcome` has ")[2]
    assert set(pages.words(told)) == public(Outcome) | set(get_args(Status))


def test_every_class_of_error_is_in_the_table() -> None:
    """With its kind, its place in the tree, the fields it adds, and its exit status."""
    table = {pages.words(row[0])[0]: row for row in pages.rows(pages.section(PAGE, "## Errors"))}
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, BrokerError)]
    assert list(table) == [item.__name__ for item in in_tree_order(BrokerError)]
    assert set(table) == {item.__name__ for item in classes}
    for item in classes:
        depth, kind, fields, status = *(table[item.__name__][0].count("·"),), *table[item.__name__][1:4]
        assert depth == len(item.__mro__) - len(BrokerError.__mro__), item
        assert kind == f"`{item.kind}`"
        assert set(pages.words(fields)) == own_fields(item), item
        assert int(status) == exit_status.of(item.__new__(item)), item


def in_tree_order(kind: type[BrokerError]) -> Iterator[type[BrokerError]]:
    """``kind`` and all below it, as the tree at the head of the module has them."""
    drawn = re.findall(r"(\w+) ?(?:\[|$)", errors.__doc__ or "", re.MULTILINE)
    ours = [item for item in kind.__subclasses__() if item.__module__.startswith("dnsbroker.")]  # adapters refine some
    below = sorted(ours, key=lambda item: drawn.index(item.__name__))
    yield kind
    for item in below:
        yield from in_tree_order(item)


def own_fields(kind: type[BrokerError]) -> set[str]:
    """What an error of ``kind`` tells beyond those above it."""
    names = set(inspect.signature(kind).parameters) - {"message"}
    if kind is BrokerError:
        return names
    return names - {name for above in kind.__mro__[1:-3] for name in inspect.signature(above).parameters}


def test_the_tree_in_the_module_is_the_same() -> None:
    """Name by name, field by field."""
    for name, fields in re.findall(r"(\w+) \[([\w, ]+)\]", errors.__doc__ or ""):
        assert set(fields.split(", ")) == own_fields(getattr(errors, name)), name


def emitted() -> dict[str, set[str]]:
    """Every event that any module emits, with the fields that can be read in the call itself."""
    found: dict[str, set[str]] = {}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and is_emit(node.func) and isinstance(node.args[0], ast.Constant):
                fields = {keyword.arg for keyword in node.keywords if keyword.arg}
                found.setdefault(str(node.args[0].value), set()).update(fields)
    return found


def is_emit(function: ast.expr) -> bool:
    """Whether a call of ``function`` emits an event."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name.strip("_") == "emit"


def listed() -> dict[str, set[str]]:
    """Every event on the page, with its fields."""
    return {pages.words(row[0])[0]: set(pages.words(row[1])) for row in pages.rows(pages.section(PAGE, "## Events"))}


def test_every_event_is_on_the_page() -> None:
    """And no other. What became of a certificate is an event too."""
    assert set(listed()) == set(emitted()) | set(get_args(Status))


def test_every_field_of_an_event_is_on_the_page() -> None:
    """As far as the source shows it; the lab's test looks at real ones."""
    for event, fields in emitted().items():
        assert fields - BOUND <= listed()[event], event


def test_every_event_has_words() -> None:
    """None is told as bare data to a person who watches."""
    sample = {"serial": 7, "servers": [], "changed": True, "reused": False, "seconds": 1.0, "names": ["a.example."]}
    for event, fields in listed().items():
        facts = {name: sample.get(name, f"the-{name}") for name in fields}
        _, line = line_for({"event": event, "time": "2026-11-21T10:00:00.000Z", **facts})
        assert line
        assert "=" not in line, event


@pytest.mark.parametrize("example", OFFLINE)
def test_each_example_that_needs_no_authority_runs(tmp_path: Path, example: str) -> None:
    """As it stands, by itself, without a configuration."""
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_examples_of_both_kinds() -> None:
    """Those that need an authority run in the lab."""
    assert len(OFFLINE) >= 2
    assert len(EXAMPLES) - len(OFFLINE) >= 5


def test_the_examples_are_typed(tmp_path: Path) -> None:
    """As strictly as the library itself."""
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"example{number}.py").write_text(example)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(pages.ROOT / "pyproject.toml")]
    files = sorted(str(path) for path in tmp_path.glob("*.py"))
    done = subprocess.run([*command, *files], cwd=pages.ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_settings_for_a_configured_certificate_are_refused(tmp_path: Path) -> None:
    """They would be silently ignored."""
    config = Config.from_dict({"state_dir": str(tmp_path), "certificates": {"example.org": {}}})
    with (
        Broker(config).sync() as broker,
        pytest.raises(ConfigError, match="key_type: given for a certificate that is configured"),
    ):
        broker.issue("example.org", key_type="rsa2048")
