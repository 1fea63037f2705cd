"""Readers for single values: from what TOML gives to the one canonical form, or Rejected with the cure.

Each takes the raw value of one key and knows nothing of the others, of files, or of the key's own name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from dnsbroker import names
from dnsbroker.config import durations
from dnsbroker.config.addresses import normalised_address, split_address
from dnsbroker.errors import NameInvalid
from dnsbroker.settings import Duration, Rejected

_TTL_LIMIT = 2**31 - 1  # RFC 2181 section 8


def read_strings(value: object) -> tuple[str, ...]:
    """The strings of an array; none twice."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        hint = f'put it into brackets: ["{value}"]' if isinstance(value, str) else 'write ["…", "…"]'
        raise Rejected(f"should be an array of strings, not {described(value)}", hint=hint)
    return _distinct(value)


def _distinct(items: Iterable[str]) -> tuple[str, ...]:
    found: list[str] = []
    for item in items:
        if item in found:
            raise Rejected(f"{item!r} stands there twice", hint="take one of them out")
        found.append(item)
    return tuple(found)


def described(value: object) -> str:
    """What kind of TOML value ``value`` is, with itself where it is short: ``the integer 5``."""
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return f"{words} {shown(value)}" if kind in _SHOWN else words
    return "a date or time"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "the boolean"),
    (int, "the integer"),
    (float, "the number"),
    (str, "the string"),
    (list, "an array"),
    (tuple, "an array"),
    (dict, "a table"),
)
_SHOWN = (bool, int, float, str)


def shown(value: object) -> str:
    """A short ``value`` as TOML has it; a long one cut."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def read_count(value: object) -> int:
    """A whole number, one or more."""
    return _integer(value, 1, None)


def read_port(value: object) -> int:
    """A port number."""
    return _integer(value, 1, 65535)


def _integer(value: object, low: int, high: int | None) -> int:
    span = f"from {low} to {high}" if high else f"of {low} or more"
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
        raise Rejected(f"should be a whole number {span}, not {described(value)}", hint=f"write a number {span}")
    return value


def read_positive_duration(value: object) -> Duration:
    """Seconds above zero."""
    seconds = durations.parse(value)
    if seconds <= 0:
        raise Rejected("should be a duration above zero", hint='for example "10m"')
    return seconds


def read_ttl(value: object) -> Duration:
    """A TTL: whole seconds (RFC 2181 section 8)."""
    seconds = durations.parse(value)
    if not float(seconds).is_integer() or seconds > _TTL_LIMIT:
        raise Rejected("should be whole seconds, as a TTL is", hint='for example "5s"')
    return seconds


def read_key_rotation(value: object) -> Literal["renewal", "never"] | Duration:
    """``renewal``, ``never``, or a key's greatest age in seconds."""
    if value == "renewal" or value == "never":
        return "renewal" if value == "renewal" else "never"
    try:
        return read_positive_duration(value)
    except Rejected as error:
        words = f'should be "renewal", "never" or a duration above zero, not {described(value)}'
        raise Rejected(words, hint=error.hint) from error


def read_mode(value: object) -> int:
    """Permission bits from octal text."""
    if not isinstance(value, str):
        raise Rejected(f"should be octal in quotes, not {described(value)}", hint='write mode = "0640"')
    digits = value.removeprefix("0o")
    if not (3 <= len(digits) <= 4) or not set(digits) <= set("01234567"):
        raise Rejected(f"should be octal digits, not {value!r}", hint='for example mode = "0640"')
    bits = int(digits, 8)
    if bits > 0o777 or bits & 0o002:
        reason = "lets everybody write a private key" if bits <= 0o777 else "holds more than permission bits"
        raise Rejected(f"{value!r} {reason}", hint='for example mode = "0640"')
    return bits


def _each(value: object, read: Callable[[str], str]) -> tuple[str, ...]:
    """Each string of an array through ``read``; NameInvalid becomes Rejected, and none may come twice."""
    found = []
    for item in read_strings(value):
        try:
            found.append(read(item))
        except NameInvalid as error:
            raise Rejected(str(error), hint=error.hint or "correct the name") from error
    return _distinct(found)


def read_identifiers(value: object) -> tuple[str, ...]:
    """The names of a certificate."""
    found = _each(value, names.identifier)
    if not found:
        raise Rejected("holds no name", hint="name at least one, or leave the key out: then the table's NAME is it")
    return found


def read_zones(value: object) -> tuple[str, ...]:
    """Owner names of zones."""
    return _each(value, names.owner)


def read_ignored(value: object) -> tuple[str, ...]:
    """Servers: addresses in canonical form, or owner names."""
    return _each(value, _ignored)


def _ignored(text: str) -> str:
    try:
        address, port = split_address(text)
    except Rejected:
        return names.owner(text)
    if port is not None:
        raise Rejected(f"{text!r} names a port", hint=f'a server is left out at its address: "{address}"')
    return address


def read_addresses(value: object) -> tuple[str, ...]:
    """Addresses of name servers, each perhaps with a port."""
    return _each(value, normalised_address)


def read_servers(value: object) -> dict[str, tuple[str, ...]]:
    """A table from zones to the addresses of their servers."""
    if not isinstance(value, dict):
        example = '{ "corp.example" = ["10.0.0.53"] }'
        raise Rejected(f"should be a table, not {described(value)}", hint=f"for example {example}")
    found: dict[str, tuple[str, ...]] = {}
    for name, addresses in value.items():
        if isinstance(addresses, dict):
            raise Rejected(f"{name!r} holds a table", hint='a name with dots needs quotes: "corp.example" = […]')
        (zone,) = _each([name], names.owner)
        if zone in found:
            raise Rejected(f"{name!r} stands there twice", hint="take one of them out")
        found[zone] = read_addresses(addresses)
        if not found[zone]:
            raise Rejected(f"{name!r} has no address", hint="name at least one server, or take the zone out")
    return found


def read_contacts(value: object) -> tuple[str, ...]:
    """Mail addresses as the URLs that a CA takes (RFC 8555 section 7.3)."""
    return _each(value, _contact)


def _contact(text: str) -> str:
    address = text.removeprefix("mailto:")
    user, at, host = address.rpartition("@")
    if not (at and user and host) or set(address) & set(" ,?\t\r\n<>") or "@" in user:
        raise Rejected(f"{text!r} is no mail address", hint='for example contact = ["hostmaster@example.org"]')
    return f"mailto:{address}"


def read_proxy(value: object) -> str:
    """The URL of an HTTP proxy, or nothing. It may hold a password, so no error shows it."""
    if not isinstance(value, str):
        raise Rejected(f"should be a URL, not {described(value)}", hint='for example "http://192.0.2.80:3128"')
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if value and not usable:
        raise Rejected("is not the URL of an HTTP proxy", hint='for example "http://192.0.2.80:3128"')
    return value
