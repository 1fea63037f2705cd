"""Which adapters are found where: beside what Python's own library would say, and at a fraction of its time."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from dnsbroker.adapter import ENTRY_POINT_GROUP
from dnsbroker.config.adapters import Adapters, _declared
from dnsbroker.config.tables import Document, Table
from dnsbroker.errors import ConfigError


def shelve(directory: Path, distribution: str, text: str) -> None:
    """What installing a distribution leaves below a directory of the path."""
    place = directory / f"{distribution}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution.partition('-')[0]}\nVersion: 1\n")
    (place / "entry_points.txt").write_text(text)


def test_what_is_declared_is_what_the_library_finds() -> None:
    """Here, where everything is a directory, both say the same."""
    assert _declared() == {each.name: each.value for each in entry_points(group=ENTRY_POINT_GROUP)}


def test_a_strangers_adapter_is_found_as_ours_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With comments, extras and other groups around it, in a class within a class."""
    shelve(
        tmp_path,
        "stranger-1.0",
        f"[console_scripts]\nwrong = a:b\n\n[{ENTRY_POINT_GROUP}]\n# corp = nowhere:No\n"
        "corp = strange:Shelf.Corp [fast]\n\n[other]\nworse = a:b\n",
    )
    (tmp_path / "strange.py").write_text("class Shelf:\n    class Corp:\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    adapters = Adapters()
    assert adapters["corp"].__qualname__ == "Shelf.Corp"
    assert "wrong" not in adapters
    assert "worse" not in adapters


def test_a_strangers_settings_may_be_annotated_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once or postponed, inherited or not, under whichever Python."""
    text = (
        "{0}from dataclasses import dataclass\nfrom dnsbroker.settings import key\n"
        "@dataclass(frozen=True)\nclass Common:\n    server: str = key(doc='where it is')\n"
        "@dataclass(frozen=True)\nclass Own(Common):\n    port: int = key(53, doc='its port')\n"
    )
    (tmp_path / "at_once.py").write_text(text.format(""))
    (tmp_path / "postponed.py").write_text(text.format("from __future__ import annotations\n"))
    monkeypatch.syspath_prepend(tmp_path)
    table = Table.of(Document("", tmp_path), "providers.corp", {"server": "ns1", "port": 5353})
    for module in ("at_once", "postponed"):
        settings = table.build(importlib.import_module(module).Own)
        assert (settings.server, settings.port) == ("ns1", 5353)


def test_the_first_copy_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one behind it declares nothing any more, neither another place nor a type that is gone."""
    shelve(tmp_path / "old", "Stranger-0.9", f"[{ENTRY_POINT_GROUP}]\ncorp = old:Corp\ngone = old:Gone\n")
    shelve(tmp_path / "new", "stranger-1.0", f"[{ENTRY_POINT_GROUP}]\ncorp = new:Corp\n")
    for place in ("old", "new"):
        monkeypatch.syspath_prepend(tmp_path / place)
    assert _declared()["corp"] == "new:Corp"
    assert "gone" not in Adapters()


def test_what_only_the_library_finds_is_found_too(tmp_path: Path) -> None:
    """A distribution in an archive: nothing of it lies in a directory."""
    shelve(tmp_path, "packed-1.0", f"[{ENTRY_POINT_GROUP}]\npacked = packed:Packed\n")
    (tmp_path / "packed.py").write_text("class Packed:\n    pass\n")
    program = (
        "import shutil, sys\n"
        f"sys.path.insert(0, shutil.make_archive({str(tmp_path) + '-archive'!r}, 'zip', {str(tmp_path)!r}))\n"
        "from dnsbroker.config.adapters import Adapters, _declared\n"
        "assert 'packed' not in _declared()\n"
        "print(Adapters()['packed'].__name__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Packed\n"


def test_what_is_declared_and_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, with where it should have been."""
    shelve(tmp_path, "halved-1.0", f"[{ENTRY_POINT_GROUP}]\nhalved = halved_away:Halved\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="type halved cannot be imported from halved_away:Halved: No module named"):
        Adapters()["halved"]
