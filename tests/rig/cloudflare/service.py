"""The service without its wire: zones, credentials, and what each call does.

Rule: a request changes everything it says or nothing; a batch runs as deletes, patches, puts, posts whatever its order
("batch" of README.md). Refused: calls that the description has not.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudflare import listing, rules
from cloudflare.credentials import (
    ALL,
    Credential,
    GlobalKey,
    Token,
    identify,
    malformed,
    no_listing,
    require_editing,
    require_listing,
    require_reading,
    require_zone,
    token_in,
)
from cloudflare.description import Call
from cloudflare.replies import Failure, Refusal, Reply, refuse, refused, success
from cloudflare.zones import Entry, Zone
from dnsbroker.clock import Clock, SystemClock

RECORDS = "/zones/{zone_id}/dns_records"
RECORD = RECORDS + "/{dns_record_id}"
BATCH_CHANGES = {"free": 200}  # "batch"; 3500 on every other plan
BLOCKED_SECONDS = 300


@dataclass(frozen=True)
class Asked:
    """A request that is understood: the call, who asks, and with what."""

    call: Call
    asker: Credential
    query: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class Limit:
    """So many requests in so many seconds for each user, then none at all for five minutes ("rate limits")."""

    requests: int = 1200
    seconds: float = 300
    clock: Clock = field(default_factory=SystemClock)
    _seen: dict[str, deque[float]] = field(default_factory=dict)
    _blocked: dict[str, float] = field(default_factory=dict)

    def count(self, user: str) -> None:
        """One request more. Raises Refusal."""
        now = self.clock.monotonic()
        seen = self._seen.setdefault(user, deque())
        while seen and seen[0] <= now - self.seconds:
            seen.popleft()
        if len(seen) >= self.requests:
            self._blocked[user] = now + BLOCKED_SECONDS
            seen.clear()
        if self._blocked.get(user, now) > now:
            raise throttled(int(self._blocked[user] - now) or 1)
        seen.append(now)


def throttled(seconds: int) -> Refusal:
    """What everybody hears who has asked too much."""
    failure = Failure(971, "Please wait and consider throttling your request speed")
    return Refusal(429, failure, headers=[("Retry-After", str(seconds))])


@dataclass
class Service:
    """All that is held. ``changed`` is called with a zone and the (name, type) pairs that are not what they were."""

    changed: Callable[[Zone, set[tuple[str, str]]], None]
    zones: list[Zone] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    keys: list[GlobalKey] = field(default_factory=list)
    limit: Limit = field(default_factory=Limit)

    def answer(
        self, call: Call | None, headers: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Reply:
        """The reply to one request; what a refused one began is undone."""
        before = {zone.id: dict(zone.records) for zone in self.zones}
        try:
            reply = self._told(call, headers, query, body or {})
        except Refusal as refusal:
            for zone in self.zones:
                zone.records = before[zone.id]
            return refused(refusal)
        for zone in self.zones:
            self.tell(zone, before[zone.id])
        return reply

    def tell(self, zone: Zone, before: Mapping[str, Entry]) -> None:
        """Say what is no longer as it was."""
        now = zone.records
        gone = [old for old in before.values() if now.get(old.id) != old]
        come = [new for new in now.values() if before.get(new.id) != new]
        if gone or come:
            self.changed(zone, {(one.name, one.type) for one in (*gone, *come)})

    def _told(
        self, call: Call | None, headers: Mapping[str, str], query: Mapping[str, str], body: Mapping[str, Any]
    ) -> Reply:
        if call is None:
            raise no_route("the requested resource")
        if call.template == "/user/tokens/verify":
            return self._verify(headers)
        asker = identify(headers, self.tokens, self.keys)
        self.limit.count(asker.user)
        actions: dict[tuple[str, str], Callable[[Asked], Reply]] = {
            ("GET", "/zones"): self._list_zones,
            ("GET", "/zones/{zone_id}"): self._read_zone,
            ("GET", RECORDS): self._list_records,
            ("POST", RECORDS): self._create,
            ("POST", RECORDS + "/batch"): self._batch,
            ("GET", RECORD): self._read,
            ("PATCH", RECORD): self._change,
            ("PUT", RECORD): self._replace,
            ("DELETE", RECORD): self._delete,
        }
        return actions[call.method, call.template](Asked(call, asker, query, body))

    def _verify(self, headers: Mapping[str, str]) -> Reply:
        if "authorization" not in headers:
            raise malformed(6111, "Authorization")
        token = token_in(headers, self.tokens)
        if token is None or token.account_owned:
            raise refuse(401, 1000, "Invalid API Token")
        self.limit.count(token.user)
        shown = {"id": token.id, "status": token.status, "expires_on": token.expires_on, "not_before": token.not_before}
        messages = (
            [{"code": 10000, "message": "This API Token is valid and active"}] if token.status == "active" else []
        )
        return success({key: value for key, value in shown.items() if value is not None}, messages=messages)

    def _list_zones(self, asked: Asked) -> Reply:
        require_listing(asked.asker)
        seen = [zone for zone in self.zones if zone in asked.asker.zone_read]
        found = listing.zones(seen, asked.query)
        if "name" in asked.query and not found and asked.asker.zone_read != ALL:
            raise no_listing(asked.asker)
        shown, info = listing.page(found, asked.query, listing.ZONES_PER_PAGE)
        return success([zone.document(asked.asker) for zone in shown], info=info)

    def _read_zone(self, asked: Asked) -> Reply:
        zone = self._zone(asked)
        require_zone(asked.asker, zone)
        return success(zone.document(asked.asker))

    def _list_records(self, asked: Asked) -> Reply:
        zone = self._zone(asked)
        require_reading(asked.asker, zone)
        shown, info = listing.page(listing.records(zone, asked.query), asked.query, listing.RECORDS_PER_PAGE)
        return success([one.document() for one in shown], info=info)

    def _read(self, asked: Asked) -> Reply:
        zone = self._zone(asked)
        require_reading(asked.asker, zone)
        return success(_entry(zone, asked.call.parts["dns_record_id"]).document())

    def _create(self, asked: Asked) -> Reply:
        return success(_create(self._edited(asked), asked.body).document())

    def _change(self, asked: Asked) -> Reply:
        return success(_change(self._edited(asked), asked.call.parts["dns_record_id"], asked.body).document())

    def _replace(self, asked: Asked) -> Reply:
        return success(_replace(self._edited(asked), asked.call.parts["dns_record_id"], asked.body).document())

    def _delete(self, asked: Asked) -> Reply:
        return success({"id": _delete(self._edited(asked), asked.call.parts["dns_record_id"]).id})

    def _batch(self, asked: Asked) -> Reply:
        zone, body = self._edited(asked), asked.body
        limit = BATCH_CHANGES.get(zone.plan, 3500)
        if sum(len(body.get(kind) or ()) for kind in ("deletes", "patches", "puts", "posts")) > limit:
            raise refuse(400, 1004, f"A batch may have at most {limit} changes on this plan")
        done = {
            "deletes": [_delete(zone, one["id"]) for one in body.get("deletes") or ()],
            "patches": [_change(zone, one["id"], one) for one in body.get("patches") or ()],
            "puts": [_replace(zone, one["id"], one) for one in body.get("puts") or ()],
            "posts": [_create(zone, one) for one in body.get("posts") or ()],
        }
        return success({kind: [one.document() for one in entries] for kind, entries in done.items()})

    def _edited(self, asked: Asked) -> Zone:
        zone = self._zone(asked)
        require_editing(asked.asker, zone)
        return zone

    def _zone(self, asked: Asked) -> Zone:
        identifier = asked.call.parts["zone_id"]
        found = next((zone for zone in self.zones if zone.id == identifier), None)
        if found is None or not re.fullmatch("[0-9a-f]{32}", identifier):
            raise no_route(f"/zones/{identifier}")
        return found


def no_route(where: str) -> Refusal:
    """The two errors that come together."""
    inner = f"Could not route to {where}, perhaps your object identifier is invalid?"
    return Refusal(404, Failure(7003, inner), Failure(7000, "No route for that URI"))


def _entry(zone: Zone, identifier: str) -> Entry:
    if identifier not in zone.records:
        raise refuse(404, 81044, "Record does not exist.")
    return zone.records[identifier]


def _create(zone: Zone, body: Mapping[str, Any]) -> Entry:
    return _put(zone, rules.new_entry(zone, body))


def _change(zone: Zone, identifier: str, body: Mapping[str, Any]) -> Entry:
    return _put(zone, rules.changed_entry(zone, _entry(zone, identifier), body))


def _replace(zone: Zone, identifier: str, body: Mapping[str, Any]) -> Entry:
    return _put(zone, rules.replaced_entry(zone, _entry(zone, identifier), body))


def _put(zone: Zone, entry: Entry) -> Entry:
    zone.records[entry.id] = entry
    return entry


def _delete(zone: Zone, identifier: str) -> Entry:
    entry = _entry(zone, identifier)
    del zone.records[identifier]
    return entry
