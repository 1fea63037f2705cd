"""Each event in words: a line of the story for a person, and how much -v it takes to hear it."""

from __future__ import annotations

from collections.abc import Callable

from dnsbroker.events import Event
from dnsbroker.names import shown

_Line = Callable[[Event], str]
#: For what is in the command's result already.
_NEVER = 1_000


def line_for(event: Event) -> tuple[int, str]:
    """The number of -v at which ``event`` is told, and its line; an event without words takes two."""
    level, line = _LINES.get(str(event["event"]), (2, _raw))
    text = line(event)
    certificate = event.get("certificate")
    return level, f"{shown(str(certificate))}: {text}" if certificate and text else text


def _raw(event: Event) -> str:
    told = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "time", "certificate"))
    return f"{event['event']} {told}".strip()


def _names(event: Event, key: str = "names") -> str:
    named = event.get(key, ())
    return ", ".join(shown(str(name)) for name in (named if isinstance(named, list) else [named]))


def _place(event: Event) -> str:
    chain = event.get("chain")
    path = [shown(str(name)) for name in chain] if isinstance(chain, list) else []
    way = " -> ".join([*path, shown(str(event["owner"]))])
    servers = event.get("servers")
    count = len(servers) if isinstance(servers, list) else 0
    return f"{way} is in zone {shown(str(event['zone']))}, written by {event['provider']}, served at {count} addresses"


def _written(event: Event) -> str:
    serial = f", serial {event['serial']}" if event.get("serial") is not None else ""
    return f"written to {shown(str(event['zone']))} at {event['provider']}{serial}: {_names(event)}"


def _server(event: Event) -> str:
    serial = f", serial {event['serial']}" if event.get("serial") is not None else ""
    verdict = "has it" if event["verdict"] == "green" else str(event["verdict"])
    told = f"{verdict}: {event['detail']}" if event.get("detail") else f"{verdict}{serial}"
    return f"  {shown(str(event['server']))} {event['address']}: {told}"


def _warning(event: Event) -> str:
    hint = f"\nhint: {event['hint']}" if event.get("hint") else ""
    return f"warning: {event['message']}{hint}"


def _failed(event: Event) -> str:
    error = event.get("error")
    return f"failed: {error.get('message')}" if isinstance(error, dict) else "failed"


def _held(event: Event) -> str:
    if event.get("reason"):
        return f"not live yet: {event['reason']}"
    return f"the CA may hold an older answer for {_names(event, 'name')}: asking it in {event['seconds']} s"


def _paths(event: Event) -> str:
    paths = event.get("paths")
    return f"copied to {', '.join(map(str, paths)) if isinstance(paths, list) else paths}"


def _hook(event: Event) -> str:
    """How it ended, and all that it said: a person looks here for why."""
    said = event.get("output")
    lines = [f"\n  {line}" for line in said] if isinstance(said, list) else []
    end = "stopped at its time-out" if event.get("timed_out") is True else f"status {event['status']}"
    return f"{event['phase']} hook {event['command']!r}: {end}{''.join(lines)}"


def _reloaded(event: Event) -> str:
    if event.get("running") is False:
        return f"{event['unit']} is not running ({event['state']}): left alone"
    return f"reloaded {event['unit']}"


def _verified(event: Event) -> str:
    addresses = event.get("addresses")
    where = ", ".join(map(str, addresses)) if isinstance(addresses, list) else addresses
    return f"{event['endpoint']} serves the new certificate at {where or 'no address that can be seen from here'}"


def _deploy_failed(event: Event) -> str:
    hint = f"\nhint: {event['hint']}" if event.get("hint") else ""
    return f"failed to deploy: {event['step']}: {event['message']}{hint}"


def _finding(event: Event) -> str:
    return f"{event['severity']}: {event['subject']}: {event['message']}"


def _tlsa(event: Event) -> str:
    """Each record in short: its kind, and where its digest begins."""
    told = []
    for word in ("added", "removed"):
        records = event.get(word)
        if isinstance(records, list):
            told.append(f"{word} {', '.join(f'{str(record)[:14]}...' for record in records)}")
    return f"TLSA at {shown(str(event['owner']))}: {'; '.join(told)}"


_LINES: dict[str, tuple[int, _Line]] = {
    "account": (0, lambda event: f"account at the CA: {event['url']}"),
    "deleted": (1, lambda event: f"deleted; its files are in {event['path']}"),
    "deployed": (1, lambda event: str(event["reason"])),
    "copied": (0, _paths),
    "dane": (0, lambda event: f"{event['step']}: {event['reason']}"),
    "deploy_failed": (0, _deploy_failed),
    "hook": (0, _hook),
    "reloaded": (0, _reloaded),
    "verified": (0, _verified),
    "asked": (1, lambda event: f"asking the CA to look at {_names(event, 'identifier')}"),
    "busy": (1, lambda event: str(event["reason"])),
    "checked": (_NEVER, lambda event: f"{event['endpoint']} was looked at"),
    "finding": (_NEVER, _finding),
    "held": (0, _held),
    "issued": (1, lambda event: f"issued, valid until {str(event['not_after'])[:10]}"),
    "kept": (1, lambda event: f"kept, {event['reason']}"),
    "key": (1, lambda event: f"private key: {event['key_type']}, {'used again' if event.get('reused') else 'new'}"),
    "left": (0, lambda event: f"warning: could not withdraw {_names(event, 'name')}: {event['message']}"),
    "not_replacing": (1, lambda event: f"ordered without saying what it replaces: {event['message']}"),
    "order": (1, lambda event: f"order {event['url']}"),
    "place": (1, _place),
    "postponed": (0, lambda event: f"postponed: {event['reason']}"),
    "rehearsed": (0, lambda event: f"rehearsed: {event['reason']}"),
    "resumed": (0, lambda event: f"going on with order {event['url']}"),
    "revoked": (0, lambda event: f"revoked {event['serial']} ({event['reason']})"),
    "planned": (1, lambda event: f"would be {event['would_be']} ({event['reason']})"),
    "propagated": (0, lambda event: f"every server has {_names(event, 'name')}"),
    "server": (0, _server),
    "swept": (0, lambda event: f"withdrawing what an earlier run left: {_names(event)}"),
    "tlsa": (0, _tlsa),
    "unknown_lineage": (1, lambda event: f"nothing to do: {event['path']} is no certificate's lineage"),
    "validated": (0, lambda event: f"validated: {_names(event, 'identifier')}"),
    "warning": (0, _warning),
    "withdrawn": (0, lambda event: f"withdrawn from {shown(str(event['zone']))}: {_names(event)}"),
    "written": (0, _written),
    "failed": (1, _failed),
    "waiting": (0, lambda event: f"waiting {event['seconds']} s: {event['reason']}"),
}
