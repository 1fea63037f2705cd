"""Values as dns-lexicon's drivers take and show them, and as we keep them.

Rule: a driver hands TXT on, or back, either as it is or in the form of a zone file (RFC 1035 section 5.1), some with
the outer quotes lost on the way; what has neither quote nor backslash is the same in each. That is so for everything a
CA asks for. For other values the zone-file form is taken for granted, and the read-back says whether it arrived.
"""

from __future__ import annotations

import re

from dnsbroker.errors import NameInvalid
from dnsbroker.records import RecordType, checked_tlsa, quoted_text, unquoted_text

_LONGEST = 255
#: Printable ASCII but for quotes and backslashes, in one character-string, no blank at either end.
_PLAIN = re.compile(rf"[!#-\[\]-~](?:[ !#-\[\]-~]{{0,{_LONGEST - 2}}}[!#-\[\]-~])?")
_STRING = r'"(?:[^"\\]|\\[0-9]{3}|\\[^0-9])*"'
_STRINGS = re.compile(rf"{_STRING}(?:[ \t]*{_STRING})*")


def canonical(type: RecordType, value: str) -> str:
    """``value`` in the one form in which values are compared. Raises NameInvalid for a TLSA value that is none."""
    return checked_tlsa(value) if type == "TLSA" else value


def written(type: RecordType, value: str) -> str:
    """``value``, which is canonical, as a driver is handed it."""
    return value if type == "TLSA" or _PLAIN.fullmatch(value) else quoted_text(value)


def value_of(type: RecordType, content: str) -> str:
    """The value that a driver shows as ``content``; what cannot be taken apart is its own value."""
    if type == "TLSA":
        try:
            return checked_tlsa(content)
        except NameInvalid:
            return content
    if _STRINGS.fullmatch(content):
        return unquoted_text(content)
    if '"' not in content and "\\" not in content:
        return content
    # Whoever strips all quotes from both ends takes one that was escaped along, and leaves its backslash.
    backslashes = len(content) - len(content.rstrip("\\"))
    quoted = f'"{content}{chr(34) if backslashes % 2 else ""}"'
    return unquoted_text(quoted) if _STRINGS.fullmatch(quoted) else content
