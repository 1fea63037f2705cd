r"""Record values in and out of what the API takes and shows. Pure.

A TXT value is its octets as text; it is written as quoted character-strings of at most 255 octets, with ``\"``, ``\\``
and ``\DDD`` (RFC 1035 sections 3.3 and 5.1). The service stores what it was sent, quoted or not. Rule: both forms are
read as the same value, and two values are never taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dnsbroker.errors import NameInvalid
from dnsbroker.records import checked_tlsa, octets_text, text_octets

_STRING_OCTETS = 255
_PLAIN = {octet: chr(octet) for octet in range(0x20, 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}
# A quoted string, its closing quote perhaps missing, or a bare word between such.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"?|((?:[^\s"\\]|\\.)+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)


def written(type: str, value: str) -> dict[str, Any]:
    """The members of a record that hold its value."""
    if type == "TXT":
        octets = text_octets(value)
        pieces = [octets[start : start + _STRING_OCTETS] for start in range(0, len(octets), _STRING_OCTETS)]
        return {"content": " ".join(_quoted(piece) for piece in pieces or [b""])}
    usage, selector, matching_type, certificate = value.split()
    return {
        "data": {
            "usage": int(usage),
            "selector": int(selector),
            "matching_type": int(matching_type),
            "certificate": certificate,
        }
    }


def value_of(record: Mapping[str, Any]) -> str:
    """The value of a record as the API shows it, whatever was put there."""
    content = str(record.get("content") or "")
    if record["type"] == "TXT":
        return _joined(content) if content.startswith('"') else content
    data = record.get("data") or {}
    members = [data.get(member) for member in ("usage", "selector", "matching_type", "certificate")]
    return canonical("TLSA", content if None in members else " ".join(map(str, members)))


def canonical(type: str, value: str) -> str:
    """``value`` in the one form in which values are compared."""
    if type != "TLSA":
        return value
    try:
        return checked_tlsa(value)
    except NameInvalid:
        return " ".join(value.lower().split())


def _quoted(octets: bytes) -> str:
    return '"' + "".join(_PLAIN.get(octet) or f"\\{octet:03d}" for octet in octets) + '"'


def _joined(content: str) -> str:
    """Adjacent character-strings as one text, without quotes and escapes."""
    return octets_text(b"".join(_unescaped(found[1] or found[2] or "") for found in _STRING.finditer(content)))


def _unescaped(text: str) -> bytes:
    return _ESCAPE.sub(lambda found: _octet(found[1]), text_octets(text))


def _octet(escaped: bytes) -> bytes:
    if len(escaped) < 3:
        return escaped
    number = int(escaped)
    return bytes([number]) if number < 256 else escaped
