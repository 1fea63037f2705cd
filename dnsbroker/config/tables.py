"""From a TOML table to a frozen dataclass of settings, field by field, by the field's type.

Every error names the file, the table and the key. An unknown key is an error, never ignored: it is most often a known
one misspelt, or one that stands below the wrong table's header.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from dnsbroker.config import durations, kinds
from dnsbroker.config.secrets import SecretPlace, read_secret
from dnsbroker.config.toml import written_key
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.settings import Duration, Key, Rejected, Secret, described

#: The path of a file that must be readable, or empty for none; absolute once read.
ReadableFile = Annotated[str, "readable file"]
#: Strings, of which a single one may stand without brackets; read by a function of the key's own.
Texts = Annotated[tuple[str, ...], "one or more"]
#: The permission bits of a file, written as octal text.
Mode = Annotated[int, "mode"]

T = TypeVar("T")

_PLAIN: Mapping[object, Callable[[object], object]] = {
    str: kinds.read_text,
    bool: kinds.read_flag,
    int: kinds.read_integer,
    Duration: durations.parse,
    tuple[str, ...]: kinds.read_strings,
    dict[str, str]: kinds.read_string_table,
    dict[str, tuple[str, ...]]: kinds.read_strings_table,
}


@dataclass(frozen=True)
class Document:
    """What the tables of one file share: its ``path`` for errors and ``status``, both empty for a program's own tables.

    ``base`` is what relative paths start from, ``homes`` says where a key belongs, in words that follow a verb.
    """

    path: str
    base: Path
    status: os.stat_result | None = None
    secrets_group: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    homes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One table of a document; ``name`` is its header, empty at the top. In an array of tables it has a ``number``."""

    document: Document
    name: str
    raw: Mapping[str, object]
    number: int = 0

    @classmethod
    def of(cls, document: Document, name: str, raw: object) -> Table:
        """The table ``raw``. Raises ConfigError where it is none."""
        if not isinstance(raw, Mapping):
            hint = f"write [{name}] on a line of its own, and its keys below"
            raise ConfigError(f"should be a table, not {kinds.kind(raw)}", path=document.path, key=name, hint=hint)
        return cls(document, name, raw)

    def error(self, name: str, message: str, hint: str) -> ConfigError:
        """A ConfigError at the key ``name``."""
        return ConfigError(message, path=self.document.path, key=self._dotted(name), hint=hint)

    def _dotted(self, name: str) -> str:
        key = written_key(name)
        return f"{self.shown} {key}" if self.name else key

    @property
    def shown(self) -> str:
        """Its header, for an error."""
        return f"[[{self.name}]] {self.number}" if self.number else f"[{self.name}]"

    def check_keys(self, known: Iterable[str]) -> None:
        """Raise ConfigError for a key that is not ``known``."""
        known = list(known)
        unknown = next((name for name in self.raw if name not in known), None)
        if unknown is not None:
            raise self._unknown(unknown, known)

    def _unknown(self, name: str, known: list[str]) -> ConfigError:
        home = self.document.homes.get(name)
        if home:
            return self.error(name, f"unknown key here; it belongs {home}", f"write {name} {home}")
        value = self.raw[name]
        if isinstance(value, Mapping) and self.name:
            whole = f"{self.name}.{name}".partition(".")
            hint = f'a name with dots needs quotes: [{whole[0]}."{whole[2]}"]'
            return self.error(name, f"unknown table; the nearest known key is {kinds.nearest(name, known)}", hint)
        message = f"unknown key; the nearest known key is {kinds.nearest(name, known)}"
        return self.error(name, message, f"known here: {', '.join(known)}")

    def values(self, cls: type[Any]) -> dict[str, Any]:
        """What the table says for the keys of ``cls``, by field name. Raises ConfigError."""
        found = {}
        for each in keys(cls):
            if each.name in self.raw:
                found[each.name] = self._read(each.name, described(each), _hint(cls, each.name))
            elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
                raise self._missing(each.name, described(each))
        return found

    def _missing(self, name: str, key: Key) -> ConfigError:
        return self.error(name, "required key is missing", f"add {name} = {key.example or '…'} ({clause(key.doc)})")

    def _read(self, name: str, key: Key, hint: object) -> object:
        try:
            return self._value(name, key, hint)
        except (ValueError, NameInvalid) as error:
            cure = getattr(error, "hint", "") or _usage(name, key)
            raise self.error(name, str(error), cure) from (None if hint in (Secret, dict[str, Secret]) else error)

    def _value(self, name: str, key: Key, hint: object) -> object:
        raw = self.raw[name]
        if key.read:
            return key.read(raw)
        wanted = _without_none(hint)
        if typing.get_origin(wanted) is Literal:
            return kinds.read_choice(raw, typing.get_args(wanted))
        if wanted is Secret:
            return read_secret(raw, self._secret_place(name))
        if wanted == dict[str, Secret]:
            return {item: read_secret(value, self._secret_place(name, item)) for item, value in kinds.read_table(raw)}
        if wanted is Path:
            return self._path(raw)
        if wanted == ReadableFile:
            return self._readable(raw)
        if (row := row_class(wanted)) is not None:
            return self._rows(name, raw, row)
        if wanted not in _PLAIN:
            raise TypeError(f"{name}: {wanted} needs a read function of its own")
        return _PLAIN[wanted](raw)

    def _secret_place(self, name: str, item: str = "") -> SecretPlace:
        document = self.document
        return SecretPlace(
            document.path,
            self._dotted(name) + (f".{written_key(item)}" if item else ""),
            document.base,
            document.status,
            document.secrets_group,
            document.environment,
        )

    def _path(self, raw: object) -> Path:
        text = kinds.read_text(str(raw) if isinstance(raw, Path) else raw)
        if not text or "\0" in text:
            raise Rejected("should be a path", hint='for example "/var/lib/dnsbroker"')
        return self.document.base / text

    def _rows(self, name: str, raw: object, cls: type[Any]) -> tuple[Any, ...]:
        """An array of tables, each of the shape ``cls``."""
        if not isinstance(raw, list | tuple):
            raise Rejected(f"should be tables, not {kinds.described(raw)}", hint=f"write [[{self._header(name)}]]")
        found = []
        for item in raw:
            table = Table.of(self.document, self._header(name), item)
            table.check_keys(key_names(cls))
            found.append(table.build(cls))
        return tuple(found)

    def _header(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name

    def _readable(self, raw: object) -> str:
        if raw == "":
            return ""
        path = self._path(raw)
        try:
            path.open("rb").close()
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise Rejected(f"{path} cannot be read: {words}", hint=f"correct the path, or see ls -l {path}") from error
        return str(path)

    def build(self, cls: type[T], **others: object) -> T:
        """``cls`` from the table, with ``others`` for the fields that are no keys. Raises ConfigError."""
        try:
            return cls(**self.values(cls), **others)
        except (ValueError, NameInvalid) as error:
            name = getattr(error, "key", "")
            cure = getattr(error, "hint", "") or "dnsbroker config example --all explains every key"
            if name:
                raise self.error(name, str(error), cure) from error
            raise ConfigError(str(error), path=self.document.path, key=self.shown, hint=cure) from error


def _hint(cls: type[Any], name: str) -> object:
    """The type of the field ``name`` of ``cls``; those of all fields would take a tenth of a hook's time."""
    # Not by the class's own dictionary, which from Python 3.14 on has none of what is not postponed (PEP 649).
    homes = ((base, inspect.get_annotations(base)) for base in cls.__mro__)
    home, found = next((base, found) for base, found in homes if name in found)
    alone = types.SimpleNamespace(__annotations__={name: found[name]})
    return typing.get_type_hints(alone, vars(sys.modules[home.__module__]), include_extras=True)[name]


def row_class(hint: object) -> type[Any] | None:
    """The dataclass of which ``hint`` is a tuple, for an array of tables; None for any other type."""
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    return inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None


def keys(cls: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of ``cls`` that are configuration keys."""
    return tuple(each for each in dataclasses.fields(cls) if "key" in each.metadata)


def key_names(*classes: type[Any]) -> tuple[str, ...]:
    """The names of the keys of ``classes``."""
    return tuple(each.name for cls in classes for each in keys(cls))


def clause(doc: str) -> str:
    """A key's sentence, to stand within another one."""
    text = doc.removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _usage(name: str, key: Key) -> str:
    return f"for example {name} = {key.example}" if key.example else f"{name} is {clause(key.doc)}"


def _without_none(hint: object) -> Any:
    """The one type beside None, which TOML does not have."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        rest = [each for each in typing.get_args(hint) if each is not types.NoneType]
        return rest[0] if len(rest) == 1 else hint
    return hint
