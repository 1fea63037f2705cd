r"""Record values in and out of the text that the API calls ``content``. Pure.

A TXT value is its octets as text; in content it is one or more quoted character-strings of at most 255 octets, with
``\"``, ``\\`` and ``\DDD`` (RFC 1035 sections 3.3 and 5.1). Rule: whatever a server may hold can be read; octets
that are no UTF-8 travel as lone surrogates, so that two values are never taken for one.
"""

from __future__ import annotations

import re

from dnsbroker.errors import NameInvalid
from dnsbroker.records import checked_tlsa, octets_text, text_octets

_STRING_OCTETS = 255
_PLAIN = {octet: chr(octet) for octet in range(0x20, 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}
# A quoted string, its closing quote perhaps missing, or a bare word.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"?|((?:[^\s"\\]|\\.)+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)


def to_content(type: str, value: str) -> str:
    """The content of a record with ``value``."""
    if type != "TXT":
        return value
    octets = text_octets(value)
    pieces = [octets[start : start + _STRING_OCTETS] for start in range(0, len(octets), _STRING_OCTETS)]
    return " ".join(_quoted(piece) for piece in pieces or [b""])


def _quoted(octets: bytes) -> str:
    return '"' + "".join(_PLAIN.get(octet) or f"\\{octet:03d}" for octet in octets) + '"'


def to_value(type: str, content: str) -> str:
    """The value of a record with ``content``, whatever was put there."""
    if type == "TXT":
        octets = b"".join(_unescaped(found[1] or found[2] or "") for found in _STRING.finditer(content))
        return octets_text(octets)
    return canonical(type, content)


def _unescaped(text: str) -> bytes:
    return _ESCAPE.sub(lambda found: _octet(found[1]), text_octets(text))


def _octet(escaped: bytes) -> bytes:
    if len(escaped) < 3:
        return escaped
    number = int(escaped)
    return bytes([number]) if number < 256 else escaped


def escaped_again(content: str) -> str:
    """Content that comes out as ``content`` once its escapes have been undone."""
    return re.sub(r"\\(.)", lambda found: "\\\\" + ("\\" if found[1] in '"\\' else "") + found[1], content)


def canonical(type: str, value: str) -> str:
    """``value`` in the one form in which values are compared."""
    if type != "TLSA":
        return value
    try:
        return checked_tlsa(value)
    except NameInvalid:
        return value.lower()
