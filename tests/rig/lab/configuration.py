"""The dnsbroker.toml that fits the lab.

Rule: only what dnsbroker's own documentation describes. Refused: secrets in the text; they are named as files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

Table = Mapping[str, object]


def merged(table: Table, overrides: Table) -> dict[str, object]:
    """``table`` with ``overrides`` in it, tables merged key by key; None removes a key."""
    result = dict(table)
    for key, value in overrides.items():
        present = result.get(key)
        result[key] = merged(present, value) if isinstance(present, Mapping) and isinstance(value, Mapping) else value
    return {key: value for key, value in result.items() if value is not None}


def to_toml(table: Table, path: tuple[str, ...] = ()) -> str:
    """TOML text: scalars and lists first, then tables; a table of scalars only is written inline below the top."""
    plain = [f"{_key(key)} = {_value(value)}\n" for key, value in table.items() if not _is_section(value, path)]
    sections = [(key, value) for key, value in table.items() if isinstance(value, Mapping) and _is_section(value, path)]
    head = f"\n[{'.'.join(map(_key, path))}]\n" if path and (plain or not sections) else ""
    return head + "".join(plain) + "".join(to_toml(value, (*path, key)) for key, value in sections)


def _is_section(value: object, path: tuple[str, ...]) -> bool:
    """Whether a value gets a head of its own: tables of tables, and everything at the top."""
    if not isinstance(value, Mapping):
        return False
    return not path or (path[0] in ("providers", "certificates", "accounts") and len(path) == 1)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # for strings, numbers and truth values TOML writes what JSON does


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)
