"""Record values in and out of the text that the API calls ``content``. Pure.

A TXT value is its octets as text; content has it as a zone file does. Rule: whatever a server may hold can be read, and
two values are never taken for one.
"""

from __future__ import annotations

import re

from dnsbroker.errors import NameInvalid
from dnsbroker.records import checked_tlsa, quoted_text, unquoted_text


def to_content(type: str, value: str) -> str:
    """The content of a record with ``value``."""
    return quoted_text(value) if type == "TXT" else value


def to_value(type: str, content: str) -> str:
    """The value of a record with ``content``, whatever was put there."""
    return unquoted_text(content) if type == "TXT" else canonical(type, content)


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
