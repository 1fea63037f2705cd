"""Records and changes as values: what adapters are asked for, and what they answer.

A TXT value is its text, all character-strings joined, without quotes or escapes; octets that are no UTF-8 stand in it
as lone surrogates (PEP 383), so that no two values look alike. A TLSA value is
``usage selector type hex`` with single blanks and lower-case hex. Names are owner names as ``dnsbroker.names`` makes
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.names import owner

RecordType = Literal["TXT", "TLSA"]

#: The notes of ours, to the letter; the group is the moment after which the record may be deleted, in UTC.
OUR_NOTE = re.compile(r"dnsbroker: delete after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", re.ASCII)

_OCTET = re.compile("[0-9]{1,3}")
_STRING_OCTETS = 255
_PLAIN = {octet: chr(octet) for octet in range(0x20, 0x7F)} | {ord('"'): '\\"', ord("\\"): "\\\\"}
# A quoted string, its closing quote perhaps missing, or a bare word.
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"?|((?:[^\s"\\]|\\.)+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)


@dataclass(frozen=True, order=True)
class Record:
    """One value at one owner name."""

    name: str
    type: RecordType
    value: str


@dataclass(frozen=True)
class RRset:
    """All values that a service has for one name and type, with their common TTL in seconds."""

    name: str
    type: RecordType
    ttl: int
    values: frozenset[str]


@dataclass(frozen=True)
class Add:
    """Make ``record`` present. Its RRset's other values and, where it has any, its TTL stay as they are.

    ``ttl`` (seconds, at least 1) is used where the RRset does not exist yet. ``note`` (one line of ASCII, at most 100
    characters) is for people who look at the record at the service; where that keeps no notes it is ignored, and it
    never makes a difference to what is served. Where the record stands with a note, ``later_note`` says which is kept.
    """

    record: Record
    ttl: int
    note: str = ""


@dataclass(frozen=True)
class Remove:
    """Make ``record`` absent; the other values stay."""

    record: Record


@dataclass(frozen=True)
class Swap:
    """Make the RRset exactly ``desired``, provided that it is exactly ``expected`` when the change is made."""

    name: str
    type: RecordType
    expected: frozenset[str]
    desired: frozenset[str]
    ttl: int


Change = Add | Remove | Swap


@dataclass(frozen=True)
class Goal:
    """What changes want of one RRset in the end: exactly ``exact``, or else these present and those absent.

    The values are compared as they are given: canonical on both sides.
    """

    exact: frozenset[str] | None = None
    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    def then(self, change: Change) -> Goal:
        """The goal after one more change, of the same RRset."""
        if isinstance(change, Swap):
            return Goal(change.desired)
        value = frozenset((change.record.value,))
        if self.exact is not None:
            return Goal(self.exact | value if isinstance(change, Add) else self.exact - value)
        if isinstance(change, Add):
            return Goal(None, self.present | value, self.absent - value)
        return Goal(None, self.present - value, self.absent | value)

    def is_met(self, values: frozenset[str]) -> bool:
        """Whether an RRset of these values is as wanted."""
        if self.exact is not None:
            return values == self.exact
        return self.present <= values and not self.absent & values


@dataclass(frozen=True)
class Receipt:
    """What a service did with the changes of one zone.

    ``changed`` is false where all was as asked already. ``serial`` is the served SOA serial that includes the changes,
    None where the service has none or zone transfer by serial plays no part. ``atomic`` tells whether the changes
    appeared together. ``warnings`` are for the person at the terminal.
    """

    changed: bool
    serial: int | None = None
    atomic: bool = True
    record_ids: Mapping[Record, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def later_note(standing: str, note: str) -> str:
    """The note that a record has which stands with ``standing`` and is added again with ``note``.

    The new one where both are notes of ours and it names the later moment; whatever else stands there stays.
    """
    are_ours = OUR_NOTE.fullmatch(standing) and OUR_NOTE.fullmatch(note)
    return max(standing, note) if are_ours else standing


def text_octets(value: str) -> bytes:
    """The octets of a TXT value."""
    return value.encode("utf-8", "surrogateescape")


def octets_text(octets: bytes) -> str:
    """The TXT value whose octets these are; undoes ``text_octets``."""
    return octets.decode("utf-8", "surrogateescape")


def quoted_text(value: str) -> str:
    r"""The TXT value as a zone file has it: quoted strings of at most 255 octets, with ``\"``, ``\\`` and ``\DDD``.

    RFC 1035 sections 3.3 and 5.1; all of it is printable ASCII.
    """
    octets = text_octets(value)
    pieces = [octets[start : start + _STRING_OCTETS] for start in range(0, len(octets), _STRING_OCTETS)]
    return " ".join(_quoted(piece) for piece in pieces or [b""])


def _quoted(octets: bytes) -> str:
    return '"' + "".join(_PLAIN.get(octet) or f"\\{octet:03d}" for octet in octets) + '"'


def unquoted_text(content: str) -> str:
    """The TXT value of ``content``, as a zone file has it: all strings joined, be they quoted or bare words.

    Undoes ``quoted_text``; what no zone file may have (a quote that is never closed, an octet above 255) is read as
    far as it can be, so that nothing raises.
    """
    octets = b"".join(_unescaped(found[1] or found[2] or "") for found in _STRING.finditer(content))
    return octets_text(octets)


def _unescaped(text: str) -> bytes:
    return _ESCAPE.sub(lambda found: _octet(found[1]), text_octets(text))


def _octet(escaped: bytes) -> bytes:
    if len(escaped) < 3:
        return escaped
    number = int(escaped)
    return bytes([number]) if number < 256 else escaped


def checked_texts(values: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """``values`` by canonical owner name. Raises NameInvalid, ConfigError where a value is empty or no text."""
    found: dict[str, frozenset[str]] = {}
    for name, texts in values.items():
        for text in texts:
            if not text or any("\ud800" <= letter <= "\udfff" for letter in text):
                raise ConfigError(
                    f"the value for {name!r} is {'no text in UTF-8' if text else 'empty'}",
                    hint="a challenge value is made of letters, digits, - and _",
                )
        found[owner(name)] = found.get(owner(name), frozenset()) | frozenset(texts)
    return found


def checked_tlsa(value: str) -> str:
    """``value`` in the kept form ``3 1 1 hex``. Raises NameInvalid where it is none (RFC 6698 section 2.2)."""
    parts = value.lower().split()
    digits, data = parts[:3], "".join(parts[3:])
    if len(digits) < 3 or not all(_OCTET.fullmatch(digit) and int(digit) < 256 for digit in digits):
        raise NameInvalid(value, "a TLSA value is 'usage selector type hex'")
    if not data or len(data) % 2 or any(letter not in "0123456789abcdef" for letter in data):
        raise NameInvalid(value, "the TLSA association data is not hex")
    return " ".join((*(str(int(digit)) for digit in digits), data))


def rfc1982_newer(serial: int, than: int) -> bool:
    """Whether ``serial`` is newer by RFC 1982 section 3.2; the undefined distance of 2**31 is not newer."""
    return 0 < (serial - than) % 2**32 < 2**31
