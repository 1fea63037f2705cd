"""Each key as people are told of it: its type and default in TOML's words, its sentence, a value to begin with.

The example configuration is made of these, and the written reference is held against them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnsbroker.config.directories import KNOWN_DIRECTORIES
from dnsbroker.config.durations import show
from dnsbroker.config.tables import Mode, ReadableFile, Texts, keys, row_class
from dnsbroker.config.toml import written
from dnsbroker.settings import Duration, Secret, described

_TYPES: Mapping[object, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Duration: "duration",
    Secret: "secret",
    Path: "path",
    ReadableFile: "path",
    Mode: "string",
    tuple[str, ...]: "array of strings",
    Texts: "string or array of strings",
    dict[str, Secret]: "table of secrets",
}


@dataclass(frozen=True)
class Entry:
    """One key. ``default`` is TOML, empty where there is none to write; ``example`` too, where none was given.

    ``instead_of`` is the key that it may replace, and has no place beside.
    """

    name: str
    type: str
    default: str
    doc: str
    example: str
    is_required: bool
    instead_of: str = ""

    @property
    def value(self) -> str:
        """What to write where one begins: the default if it says something, else the example."""
        return self.example if self.example and self.default in _SILENT else self.default

    def row(self) -> str:
        """The key's row in a Markdown table: name, type, default, sentence."""
        default = "required" if self.is_required else f"`{self.default}`" if self.default else "varies"
        return f"| `{self.name}` | {self.type} | {default} | {self.doc} |"


_SILENT = ("", '""', "[]", "{}", "false")


def entries(cls: type[Any]) -> tuple[Entry, ...]:
    """The keys of ``cls`` in their order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_entry(each, hints[each.name]) for each in keys(cls))


def _entry(field: dataclasses.Field[Any], hint: object) -> Entry:
    key = described(field)
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    is_required = default is dataclasses.MISSING
    shown = "" if is_required or default is None else _default(default, hint)
    return Entry(field.name, _type(hint), shown, sentence(key.doc), key.example, is_required, key.instead_of)


def sentence(doc: str) -> str:
    """``doc`` with a capital at its head and a full stop at its end."""
    head = doc[:1].upper() if doc[1:2].islower() or doc[1:2] == " " else doc[:1]
    return f"{head}{doc[1:].removesuffix('.')}."


def _default(default: object, hint: object) -> str:
    if isinstance(default, Path):
        return written(str(default))
    if hint == Mode and isinstance(default, int):
        return written(f"{default:04o}")
    if hint is Duration and isinstance(default, int | float):
        return written(show(default))
    named = {url: name for name, url in KNOWN_DIRECTORIES.items()}
    return written(named.get(default, default) if isinstance(default, str) else default)


def _type(hint: object) -> str:
    if row_class(hint) is not None:
        return "array of tables"
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join(_type(each) for each in typing.get_args(hint) if each is not types.NoneType)
    if typing.get_origin(hint) is Literal:
        return "string" if all(isinstance(each, str) for each in typing.get_args(hint)) else "boolean"
    return _TYPES.get(hint, "table")
