"""The plain kinds of TOML values: each reader takes what the parser gives, or says which kind it wanted instead.

No reader converts one kind into another: ``1`` is no string and ``"1"`` no integer, for either may be a slip.
"""

from __future__ import annotations

import difflib
from collections.abc import ItemsView, Iterable, Mapping, Sequence

from dnsbroker.settings import Rejected

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    ((list, tuple), "an array"),
    (Mapping, "a table"),
)
_SHOWN_LENGTH = 60


def kind(value: object) -> str:
    """What kind of value ``value`` is, without itself: ``an integer``."""
    return next((words for type_, words in _KINDS if isinstance(value, type_)), "a date or time")


def described(value: object) -> str:
    """What ``value`` is, with itself where it is a scalar: ``the integer 5``, ``an array``."""
    words = kind(value)
    return f"the {words.partition(' ')[2]} {shown(value)}" if isinstance(value, int | float | str) else words


def shown(value: object) -> str:
    """A scalar as TOML has it, cut where it is long."""
    if isinstance(value, str):
        return f'"{value if len(value) <= _SHOWN_LENGTH else value[:_SHOWN_LENGTH] + "…"}"'
    return str(value).lower()


def nearest(word: str, known: Iterable[str], cutoff: float = 0.0) -> str:
    """The most similar of ``known``; empty where none reaches ``cutoff`` (0: any will do)."""
    return next(iter(difflib.get_close_matches(word.lower(), list(known), 1, cutoff)), "")


def read_text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        hint = f'put it into quotes: "{shown(value)}"' if isinstance(value, int | float) else 'write "…"'
        raise Rejected(f"should be a string, not {described(value)}", hint=hint)
    return value


def read_flag(value: object) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Rejected(f"should be a boolean, not {described(value)}", hint="write true or false, without quotes")
    return value


def read_integer(value: object, low: int | None = None, high: int | None = None) -> int:
    """An integer within bounds."""
    span = "" if low is None else f", {low} or more" if high is None else f" from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int):
        unquoted = f": {value}" if isinstance(value, str) and value.isdecimal() else ""
        raise Rejected(f"should be an integer{span}, not {described(value)}", hint=f"write it without quotes{unquoted}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise Rejected(f"should be an integer{span}, not {value}", hint=f"write an integer{span}")
    return value


def read_choice(value: object, choices: Sequence[str]) -> str:
    """One of ``choices``."""
    wanted = " or ".join(f'"{choice}"' for choice in choices)
    if not isinstance(value, str):
        raise Rejected(f"should be {wanted}, not {described(value)}", hint="write one of them, in quotes")
    if value not in choices:
        raise Rejected(
            f"should be {wanted}, not {described(value)}", hint=f'the nearest is "{nearest(value, choices)}"'
        )
    return value


def read_strings(value: object) -> tuple[str, ...]:
    """The strings of an array, none of them twice."""
    if isinstance(value, str):
        raise Rejected("should be an array of strings, not a string", hint=f"put it into brackets: [{shown(value)}]")
    if not isinstance(value, list | tuple):
        raise Rejected(f"should be an array of strings, not {described(value)}", hint='write ["…", "…"]')
    for item in value:
        if not isinstance(item, str):
            raise Rejected(f"should hold strings only, not {described(item)}", hint="put each item into quotes")
    return distinct(value)


def distinct(items: Iterable[str]) -> tuple[str, ...]:
    """``items``, unless one comes twice."""
    found: list[str] = []
    for item in items:
        if item in found:
            raise Rejected(f"names {item} twice", hint="take one of them out")
        found.append(item)
    return tuple(found)


def read_table(value: object) -> ItemsView[str, object]:
    """The items of a table, tables perhaps."""
    if not isinstance(value, Mapping):
        raise Rejected(f"should be a table, not {described(value)}", hint='write { "name" = … }')
    return value.items()


def read_mapping(value: object) -> Mapping[str, object]:
    """A table, of which each key that looks cut at a dot is refused."""
    for name, item in read_table(value):
        if isinstance(item, Mapping):
            raise Rejected(
                f"{name} holds a table", hint=f'a name with dots needs quotes: "{name}.{next(iter(item), "")}"'
            )
    return dict(read_table(value))


def read_string_table(value: object) -> dict[str, str]:
    """A table of strings."""
    return {name: read_text(item) for name, item in read_mapping(value).items()}


def read_strings_table(value: object) -> dict[str, tuple[str, ...]]:
    """A table of arrays of strings."""
    return {name: read_strings(item) for name, item in read_mapping(value).items()}
