"""How a configuration table is described: a frozen dataclass, each field made by ``key``.

The field's type decides how its TOML value is read: ``str``, ``bool``, ``int``, ``Duration`` (seconds), ``Secret``,
``tuple[str, ...]``, ``dict[str, tuple[str, ...]]``, ``dict[str, str]``, ``dict[str, Secret]``, or ``Literal``; where a
union is needed, ``read`` takes the raw value and returns the field's, raising ValueError with words for a person, or
Rejected where it knows the cure too. What concerns several keys is checked in ``__post_init__``, with the same errors.
Reading itself is the configuration's affair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NewType

Duration = NewType("Duration", float)

REQUIRED: Any = dataclasses.MISSING


class Rejected(ValueError):
    """A value that cannot be used: why, the ``hint`` that mends it, and ``key`` where several are checked together."""

    def __init__(self, message: str, *, hint: str = "", key: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.key = key


@dataclass(frozen=True)
class Key:
    """What a configuration key is for, beside its name, type and default."""

    doc: str
    example: str = ""
    read: Callable[[object], object] | None = None
    instead_of: str = ""


def key(
    default: object = REQUIRED,
    *,
    doc: str,
    example: str = "",
    read: Callable[[object], object] | None = None,
    instead_of: str = "",
) -> Any:
    """A dataclass field that is a configuration key.

    ``default`` is its value where the file is silent (none: the key is required); ``doc`` one sentence for the
    reference; ``example`` a TOML value for ``config example``; ``read`` turns the raw TOML value into the field's;
    ``instead_of`` names the key that this one may replace: one of them is required, and both together are wrong.
    """
    metadata = {"key": Key(doc, example, read, instead_of)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def described(field: dataclasses.Field[Any]) -> Key:
    """The Key behind a field made by ``key``."""
    found: Key = field.metadata["key"]
    return found


class Secret:
    """A secret that is fetched when it is needed and never shown.

    ``source`` says in words where it comes from, for errors; ``fetch`` returns it, raising ConfigError where it cannot.
    ``credential`` is its name among systemd's credentials, ``command`` the program that prints it; empty for any other.
    """

    __slots__ = ("_fetch", "command", "credential", "source")

    def __init__(self, source: str, fetch: Callable[[], str], *, credential: str = "", command: str = "") -> None:
        self.source = source
        self.credential = credential
        self.command = command
        self._fetch = fetch

    def reveal(self) -> str:
        """The secret itself. May block (a command is run, a file read); raises ConfigError."""
        return self._fetch()

    def __repr__(self) -> str:
        return f"<secret from {self.source}>"


def secrets_of(settings: Any) -> Iterator[Secret]:
    """Every secret that the dataclass ``settings`` holds, in a field of its own or in a table."""
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        values = value.values() if isinstance(value, Mapping) else (value,)
        yield from (item for item in values if isinstance(item, Secret))


def proxy_url(raw: object) -> str:
    """The URL of an HTTP proxy, or nothing. It may hold a password, so no error shows it. Raises Rejected."""
    from dnsbroker.urls import http_parts

    if raw == "" or http_parts(raw):
        return str(raw)
    raise Rejected("is not the URL of an HTTP proxy", hint='for example "http://proxy.example.org:3128"')
