"""What a record must be before it is taken: the rules that the description does not have.

Rule: each check cites its row of README.md beside this; where no code is known for a fault it is 1004, the wrapper of
validation. Refused: looking at anything but one zone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudflare import text
from cloudflare.replies import refuse
from cloudflare.zones import Entry, Zone, stamp

Body = Mapping[str, Any]

TLSA_PARTS = ("usage", "selector", "matching_type", "certificate")
LONGEST_COMMENT = {"free": 100}  # "marking"
SHORTEST_TTL = {"enterprise": 30}  # "endpoints"
ADDRESSES = ("A", "AAAA")


def new_entry(zone: Zone, body: Body) -> Entry:
    """The record that a POST asks for, as it would stand in the zone. Raises Refusal."""
    for part in ("type", "name"):
        if not body.get(part):
            raise refuse(400, 9101, f"{part} is a required field")
    entry = _with_content(
        Entry(
            owner_name(zone, body["name"]),
            body["type"],
            content="",
            ttl=_ttl(zone, body.get("ttl", 1)),
            comment=_comment(zone, body.get("comment")),
            tags=tuple(body.get("tags", ())),
            priority=body.get("priority"),
            proxied=body.get("proxied", False),
        ),
        body,
    )
    _check_neighbours(zone, entry)
    return entry


def changed_entry(zone: Zone, old: Entry, body: Body) -> Entry:
    """The record after a PATCH. Raises Refusal, also for another type ("endpoints")."""
    if body.get("type", old.type) != old.type:
        raise refuse(400, 1004, "The type of a record cannot be changed")
    entry = replace(
        old,
        name=owner_name(zone, body.get("name", old.name)),
        ttl=_ttl(zone, body.get("ttl", old.ttl)),
        comment=_comment(zone, body.get("comment", old.comment)),
        tags=tuple(body.get("tags", old.tags)),
        proxied=body.get("proxied", old.proxied),
        modified_on=stamp(),
    )
    if "content" in body or "data" in body:
        entry = _with_content(entry, body)
    _check_neighbours(zone, entry)
    return entry


def replaced_entry(zone: Zone, old: Entry, body: Body) -> Entry:
    """The record after a PUT. Raises Refusal."""
    whole = {"content": old.content, **({"data": old.data} if old.data else {}), **body}
    fresh = {"ttl": 1, "comment": None, "tags": (), "proxied": False}
    return changed_entry(zone, old, {**fresh, **whole})


def owner_name(zone: Zone, name: str) -> str:
    """The whole name in A-labels: ``@`` is the apex, and a name that does not end in the zone's gets it appended."""
    if name == "@":
        return zone.name
    plain = name.rstrip(".").lower()
    plain = plain if plain.isascii() else plain.encode("idna").decode()
    return plain if plain == zone.name or plain.endswith(f".{zone.name}") else f"{plain}.{zone.name}"


def value_of(entry: Entry) -> object:
    """What two records with one name and type must not share."""
    return text.octets(entry.content) if entry.type == "TXT" else entry.content.rstrip(".").lower()


def _with_content(entry: Entry, body: Body) -> Entry:
    if entry.type == "TLSA":
        data = tlsa_data(body.get("data") or {})
        return replace(entry, data=data, content=" ".join(str(data[part]) for part in TLSA_PARTS))
    content = body.get("content")
    if not content:
        raise refuse(400, 9101, "content is a required field")
    if entry.type == "TXT":
        return replace(entry, content=text.stored(content))
    if entry.type in ADDRESSES:
        _check_address(entry.type, content)
    return replace(entry, content=content)


def tlsa_data(data: Body) -> dict[str, Any]:
    """The parts of a TLSA record, without which it is refused; the certificate in capitals ("TLSA")."""
    for part in TLSA_PARTS:
        if part not in data:
            raise refuse(400, 9101, f"{part} is a required data field.")
    try:
        certificate = bytes.fromhex(data["certificate"]).hex().upper()
    except ValueError:
        raise refuse(400, 1004, "certificate must be hexadecimal") from None
    return {**{part: int(data[part]) for part in TLSA_PARTS[:3]}, "certificate": certificate}


def _check_address(type: str, content: str) -> None:
    try:
        right = ipaddress.ip_address(content).version == (4 if type == "A" else 6)
    except ValueError:
        right = False
    if not right:
        raise refuse(400, 9005, f"Content for {type} record must be a valid address")


def _ttl(zone: Zone, ttl: int) -> int:
    shortest = SHORTEST_TTL.get(zone.plan, 60)
    if ttl != 1 and not shortest <= ttl <= 86400:
        raise refuse(400, 9021, f"Invalid TTL. Must be between {shortest} and 86400 seconds, or 1 for Automatic.")
    return ttl


def _comment(zone: Zone, comment: str | None) -> str | None:
    longest = LONGEST_COMMENT.get(zone.plan, 500)
    if comment and (len(comment) > longest or "\r" in comment or "\n" in comment):
        raise refuse(400, 1004, f"A comment is one line of at most {longest} characters")
    return comment or None


def _check_neighbours(zone: Zone, entry: Entry) -> None:
    """Of "duplicates", "neighbours", and the sum of a name's texts ("TXT content")."""
    others = [one for one in zone.at(entry.name) if one.id != entry.id]
    same = [one for one in others if one.type == entry.type and value_of(one) == value_of(entry)]
    if same:
        if any(one.content == entry.content for one in same):
            raise refuse(400, 81058, "An identical record already exists.")
        raise refuse(400, 81057, "The record already exists.")
    if entry.type == "CNAME" and others:
        raise refuse(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
    if any(one.type == "CNAME" for one in others):
        raise refuse(400, 81054, "A CNAME record with that host already exists.")
    if entry.type == "TXT":
        texts = [entry, *(one for one in others if one.type == "TXT")]
        if sum(len(one.content) for one in texts) > text.LONGEST_NAME:
            raise refuse(400, 83011, f"The TXT records of a name may have {text.LONGEST_NAME} characters together")
