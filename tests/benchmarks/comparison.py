"""Other clients on the same lab, beside ours: does a certificate come of it, and after how long.

Rule: a failure is shown as one, with the client's own last words, and is as good a result as a time. Refused: leaving
out what does not flatter anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import scenes
from clients import Client, certbot, dnsbroker, lego, own_resolver
from lab.rig import Lab
from lab.watched import Watched
from propagation import measure
from scenes import Scene
from tables import Table, seconds

WORDS = ("detail:", "error", "could not", "limit", "timeout")
"""What such a line has in it, the most telling first."""


@dataclass(frozen=True)
class Entry:
    """One line of the comparison: fewer ``runs`` for those that take minutes."""

    scene: Scene
    client: Client
    runs: int


def entries(lab: Lab, runs: int) -> list[Entry]:
    """Every client in every scene that it is made for."""
    hasty = certbot(lab, 2, "certbot, told to wait 2 s")
    patient = certbot(lab, 8, "certbot, told to wait 8 s")
    default = certbot(lab, None, "certbot, its default wait of 60 s")
    return [
        Entry(scenes.POWERDNS_UNSET, lego(lab, "pdns", "lego", seconds=130), 1),
        Entry(scenes.POWERDNS, dnsbroker(lab), runs),
        Entry(scenes.POWERDNS, lego(lab, "pdns", "lego", seconds=130), runs),
        Entry(scenes.BIND, hasty, runs),
        Entry(scenes.BIND, lego(lab, "rfc2136", "lego", seconds=300), 1),
        Entry(scenes.BIND_BUSY, hasty, runs),
        Entry(scenes.BIND_BUSY, patient, runs),
        Entry(scenes.BIND_BUSY, default, 1),
    ]


def report(lab: Lab, runs: int, ours: Mapping[str, Sequence[Watched]]) -> None:
    """Time the others and print them beside ``ours``, which were measured before."""
    found: dict[str, dict[str, Sequence[Watched]]] = {title: {"dnsbroker": seen} for title, seen in ours.items()}
    with own_resolver(lab):
        for entry in entries(lab, runs):
            seen = measure(lab, entry.client, entry.scene, entry.runs)
            found.setdefault(entry.scene.title, {})[entry.client.title] = seen
    table = Table(["scene and client", "succeeded", "ended after", "times ours"])
    for title, clients in found.items():
        if len(clients) > 1:
            _fill(table, title, clients)
    table.print("Other clients on the same lab (medians of those that succeeded, seconds)")
    _print_last_words(found)


def _fill(table: Table, title: str, clients: Mapping[str, Sequence[Watched]]) -> None:
    table.row(title, "", "", "")
    ours = median(seen.ended for seen in clients["dnsbroker"])
    for client in sorted(clients, key="dnsbroker".__ne__):
        seen = clients[client]
        succeeded = sum(one.status == 0 for one in seen)
        ended = median(one.ended for one in seen if one.status == 0 or not succeeded)
        cut = " (ended by us)" if any(one.status is None for one in seen) else ""
        ratio = f"{ended / ours:.1f}" if succeeded else "-"
        table.row(f"  {client}{cut}", f"{succeeded} of {len(seen)}", seconds(ended), ratio)


def _print_last_words(found: Mapping[str, Mapping[str, Sequence[Watched]]]) -> None:
    for title, clients in found.items():
        for client, seen in clients.items():
            failed = [one for one in seen if one.status != 0]
            if failed:
                print(f"{title}: {client} says:\n  {_last_words(failed[0])}")


def _last_words(seen: Watched) -> str:
    """The line that tells most: what the CA said, else the last that speaks of a failure."""
    lines = [line.text.strip() for line in seen.lines]
    told = [line for word in WORDS for line in reversed(lines) if word in line.lower()]
    return (told or ["nothing"])[0][:300]
