"""Filters and pages of the two lists.

Rule: the description's parameters; name, content and comment filters ignore case ("endpoints" of README.md), tokens do
not, so a client has to compare for itself; what is unknown is ignored, as it is a violation already. Refused, loudly:
filters that nothing here needs (tags, free search, operators of the zones' name filter).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from cloudflare.zones import Entry, Zone

Query = Mapping[str, str]
Item = TypeVar("Item")

ZONES_PER_PAGE = (20, 5, 50)  # default, least, most
RECORDS_PER_PAGE = (100, 1, 5_000_000)

PLAIN = {"page", "per_page", "order", "direction", "match"}
TESTS: dict[str, Callable[[str, str], bool]] = {
    "exact": lambda found, wanted: found == wanted,
    "contains": lambda found, wanted: wanted in found,
    "startswith": lambda found, wanted: found.startswith(wanted),
    "endswith": lambda found, wanted: found.endswith(wanted),
    "present": lambda found, wanted: bool(found),
    "absent": lambda found, wanted: not found,
}


def records(zone: Zone, query: Query) -> list[Entry]:
    """The zone's records that a query asks for, in its order."""
    conditions = [_condition(key, wanted) for key, wanted in query.items() if key not in PLAIN]
    judge = any if query.get("match") == "any" and conditions else all
    found = [one for one in zone.records.values() if judge(condition(one) for condition in conditions)]
    order = query.get("order", "type")
    return sorted(
        found,
        key=lambda one: (str(getattr(one, order)), one.name, one.content),
        reverse=query.get("direction") == "desc",
    )


def _condition(key: str, wanted: str) -> Callable[[Entry], bool]:
    part, _, operator = key.partition(".")
    if part == "type":
        return lambda entry: entry.type == wanted
    if part == "proxied":
        return lambda entry: str(entry.proxied).lower() == wanted
    if part in ("tag", "tag_match", "search"):
        raise NotImplementedError(f"the filter {key}")
    if part not in ("name", "content", "comment"):
        return lambda entry: True
    test = TESTS[operator or "exact"]
    return lambda entry: test((getattr(entry, part) or "").lower(), wanted.lower())


def zones(held: Sequence[Zone], query: Query) -> list[Zone]:
    """Those of some zones that a query asks for."""
    if ":" in query.get("name", ""):
        raise NotImplementedError(f"an operator in {query['name']}")
    told: dict[str, Callable[[Zone], str]] = {
        "name": lambda zone: zone.name,
        "status": lambda zone: zone.status,
        "account.id": lambda zone: zone.account.id,
        "account.name": lambda zone: zone.account.name,
    }
    wanted = {key: value.lower() for key, value in query.items() if key in told}
    found = [zone for zone in held if all(told[key](zone) == value for key, value in wanted.items())]
    return sorted(found, key=told[query.get("order", "name")], reverse=query.get("direction") == "desc")


def page(items: Sequence[Item], query: Query, limits: tuple[int, int, int]) -> tuple[list[Item], dict[str, int]]:
    """One page and its ``result_info``; a size beyond the limits is brought within them."""
    usual, least, most = limits
    size = min(max(int(query.get("per_page", usual)), least), most)
    number = int(query.get("page", 1))
    shown = list(items[(number - 1) * size : number * size])
    info = {
        "page": number,
        "per_page": size,
        "count": len(shown),
        "total_count": len(items),
        "total_pages": -(-len(items) // size),
    }
    return shown, info
