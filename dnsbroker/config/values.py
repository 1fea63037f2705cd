"""Readers for single keys: from what TOML gives to the one canonical form, or Rejected with the cure.

Each takes the raw value and knows nothing of other keys, of files, or of the key's own name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from dnsbroker import names
from dnsbroker.config import durations
from dnsbroker.config.addresses import normalised_address, split_address
from dnsbroker.config.kinds import described, distinct, read_integer, read_mapping, read_strings, read_text
from dnsbroker.errors import NameInvalid
from dnsbroker.findings import PREFLIGHT
from dnsbroker.settings import Duration, Rejected, proxy_url

_TTL_LIMIT = 2**31 - 1  # RFC 2181 section 8


def read_count(value: object) -> int:
    """An integer, one or more."""
    return read_integer(value, 1)


def read_number(value: object) -> int:
    """An integer, nought or more."""
    return read_integer(value, 0)


def read_port(value: object) -> int:
    """A port number."""
    return read_integer(value, 1, 65535)


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
        raise Rejected(f"should be whole seconds, as a TTL is, not {described(value)}", hint='for example "5s"')
    return seconds


def read_key_rotation(value: object) -> Literal["renewal", "never"] | Duration:
    """``renewal``, ``never``, or a key's greatest age in seconds."""
    if value == "renewal":
        return "renewal"
    if value == "never":
        return "never"
    try:
        return read_positive_duration(value)
    except Rejected as error:
        words = f'should be "renewal", "never" or a duration above zero, not {described(value)}'
        raise Rejected(words, hint=error.hint) from error


def read_mode(value: object) -> int:
    """Permission bits from octal text."""
    if not isinstance(value, str):
        raise Rejected(f"should be a string of octal digits, not {described(value)}", hint='for example mode = "0640"')
    if not 3 <= len(value) <= 4 or not set(value) <= set("01234567"):
        raise Rejected(f"should be octal digits, not {described(value)}", hint='for example mode = "0640"')
    bits = int(value, 8)
    if bits > 0o777:
        raise Rejected(f"should hold permission bits only, not {described(value)}", hint='for example mode = "0640"')
    if bits & 0o002:
        raise Rejected(f"would let everybody write the private key: {value}", hint='for example mode = "0640"')
    return bits


def _each(items: Sequence[str], read: Callable[[str], str]) -> tuple[str, ...]:
    """Each item through ``read``, none twice; NameInvalid becomes Rejected."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except NameInvalid as error:
            raise Rejected(error.message, hint=error.hint or "correct the name, or take it out") from error
    return distinct(found)


def read_identifiers(value: object) -> tuple[str, ...]:
    """The names of a certificate."""
    found = _each(read_strings(value), names.identifier)
    if not found:
        raise Rejected("holds no name", hint="name at least one, or leave the key out: then the table's NAME is it")
    return found


def read_zones(value: object) -> tuple[str, ...]:
    """Owner names of zones."""
    return _each(read_strings(value), names.owner)


def read_addresses(value: object) -> tuple[str, ...]:
    """Addresses of name servers, each perhaps with a port."""
    return _each(read_strings(value), normalised_address)


def read_ignored(value: object) -> tuple[str, ...]:
    """Servers: addresses in canonical form, or owner names."""
    return _each(read_strings(value), _ignored)


def _ignored(text: str) -> str:
    try:
        address, port = split_address(text)
    except Rejected:
        return names.owner(text)
    if port is not None:
        raise Rejected(f"{text} names a port", hint=f'a server is left out by its address alone: "{address}"')
    return address


def read_servers(value: object) -> dict[str, tuple[str, ...]]:
    """From owner names of zones to the addresses of their servers."""
    found: dict[str, tuple[str, ...]] = {}
    for name, addresses in read_mapping(value).items():
        (zone,) = _each([name], names.owner)
        if zone in found:
            raise Rejected(f"names {zone} twice", hint="take one of them out")
        found[zone] = read_addresses(addresses)
        if not found[zone]:
            raise Rejected(f"{zone} has no server", hint="give it at least one address, or take the zone out")
    return found


def read_contacts(value: object) -> tuple[str, ...]:
    """Mail addresses as the URLs that a CA takes (RFC 8555 section 7.3)."""
    return _each(read_strings(value), _contact)


def _contact(text: str) -> str:
    address = text.removeprefix("mailto:")
    user, _, host = address.rpartition("@")
    if not user or not host or set(address) & set(" ,?\t\r\n<>") or "@" in user:
        raise Rejected(f"{text!r} is no mail address", hint='for example contact = ["hostmaster@example.org"]')
    return f"mailto:{address}"


def read_proxy(value: object) -> str:
    """The URL of an HTTP proxy, or nothing."""
    return proxy_url(read_text(value))


_UNIT_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.@\\-")


def read_units(value: object) -> tuple[str, ...]:
    """Names of systemd units (systemd.unit(5)), a service's with or without its ending."""
    units = read_strings(value)
    for unit in units:
        if not unit or unit.startswith("-") or not set(unit) <= _UNIT_LETTERS:
            hint = 'for example reload = ["nginx"]; a command of its own belongs in deploy_hooks'
            raise Rejected(f"{unit!r} is no name of a unit", hint=hint)
    return units


def read_allowed(value: object) -> tuple[str, ...]:
    """Words of the checks that a certificate may fail."""
    for word in (words := read_strings(value)):
        if word not in PREFLIGHT:
            raise Rejected(f"{word!r} is no fault that could be allowed", hint=f"there are: {', '.join(PREFLIGHT)}")
    return words


def read_endpoints(value: object) -> tuple[str, ...]:
    """Endpoints such as ``https://www.example.org``, each in its shortest form."""
    from dnsbroker.endpoints import parse

    return _each(read_strings(value), lambda text: str(parse(text)))
