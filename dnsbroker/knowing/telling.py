"""Roll-overs and their records as lines for a person: the step, what it waits for, until when, and what comes then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from dnsbroker.due import when
from dnsbroker.journal.moments import at
from dnsbroker.knowing.health import Health
from dnsbroker.knowing.rollovers import THEN, Place, Rollover, Site, Standing, Unmanaged
from dnsbroker.names import shown

#: How much of a digest is shown to a person, who compares; programs get all of it.
_DIGITS = 16


def rollover_lines(one: Rollover, health: Health, now: datetime) -> Sequence[str]:
    """Everything about one roll-over; ``health`` says what of it needs a person."""
    return [f"{shown(one.reference)}: {_headline(one, now)}", *(f"  {line}" for line in _body(one, health, now))]


def _headline(one: Rollover, now: datetime) -> str:
    since = f" since {when(at(one.since))}" if one.since else ""
    until = f", until {when(at(one.until))} ({_ahead(one.until, now)})" if one.until is not None else ""
    return f"{one.step}{since}{until}"


def _body(one: Rollover, health: Health, now: datetime) -> Iterator[str]:
    if one.reason:
        yield one.reason
    yield f"then: {THEN[one.step]}"
    if one.is_emergency:
        yield "an emergency was called out: the present key is not used a moment longer than need be"
    elif one.is_asked:
        yield "a new key was asked for"
    if one.held:
        yield f"held: certificate {one.held} is issued, and is not served before its time"
    for site in one.sites:
        yield from _site_lines(site)
    if health.needs_person:
        yield from (f"needs a person: {finding}" for finding in health.findings)


def _site_lines(site: Site) -> Iterator[str]:
    yield site.endpoint
    for place in site.places:
        yield f"  {_place_head(place)}"
        width = max((len(one.role) for one in place.records), default=0)
        yield from (f"    {_short(one.value)}  {one.role:{width}}  {_since(one)}" for one in place.records)


def _place_head(place: Place) -> str:
    if not place.seen:
        return f"{shown(place.owner)}: not looked at yet"
    answered = "and every server answered" if place.is_whole else "and not every server answered"
    return f"{shown(place.owner)}, looked at {when(at(place.seen))}, {answered}"


def _since(one: Standing) -> str:
    if one.is_withdrawn:
        return "taken away; a server had it still"
    return "not on every server" if one.since is None else f"on every server since {when(at(one.since))}"


def _short(value: str) -> str:
    kind, _, data = value.rpartition(" ")
    return f"{kind} {data[:_DIGITS]}…" if len(data) > _DIGITS else value


def _ahead(until: float, now: datetime) -> str:
    """How far ahead a moment lies, in words: two units are enough."""
    seconds = round(until - now.timestamp())
    if seconds <= 0:
        return "over; the next run goes on"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = [
        (name, seconds % whole // size) for (name, size), whole in zip(units, (10**9, 86400, 3600, 60), strict=True)
    ]
    first = next(index for index, (_, count) in enumerate(parts) if count)
    return "in " + " ".join(f"{count} {name}" for name, count in parts[first : first + 2] if count)


def unmanaged_lines(one: Unmanaged, now: datetime) -> Sequence[str]:
    """What is left of an endpoint that no table speaks of, or from which DANE was taken back."""
    is_cached = one.serve_until > now.timestamp()
    until = f"; its present key has to be served until {when(at(one.serve_until))}" if is_cached else ""
    if one.given_by:
        until = f"; {' and '.join(one.given_by)} still has its records: its present key has to be served meanwhile"
    if one.is_withdrawn:
        left = f", but {_counted(one)} of ours still there" if one.records else ""
        back = f"`dnsbroker tlsa publish {one.endpoint}` brings it back"
        back = back if one.has_table else f"a [[dane]] table for it, and then {back}"
        head = f"{one.endpoint}: DANE was withdrawn{left}{until}; {back}"
    else:
        cure = f"`dnsbroker tlsa withdraw {one.endpoint}` takes them away"
        head = f"{one.endpoint}: {_counted(one)} of ours in DNS, and no [[dane]] table speaks of it any more; {cure}"
    return [head, *(f"  {text}" for text in (*one.uncovered, *one.records))]


def _counted(one: Unmanaged) -> str:
    return "1 record" if len(one.records) == 1 else f"{len(one.records)} records"
