"""Record values in and out of what the API takes and shows. Pure.

A TXT value is its octets as text; it is written as a zone file has it, quoted. The service stores what it was sent,
quoted or not. Rule: both forms are read as the same value, and two values are never taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnsbroker.errors import NameInvalid
from dnsbroker.records import checked_tlsa, quoted_text, unquoted_text


def written(type: str, value: str) -> dict[str, Any]:
    """The members of a record that hold its value."""
    if type == "TXT":
        return {"content": quoted_text(value)}
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
        return unquoted_text(content) if content.startswith('"') else content
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
