"""From the start of a run to the live certificate, beside the moment at which the slowest server has the record.

Rule: both times are of the same run; the one for the servers comes from an observer of the lab's. The program's own
events only say where the rest of the time goes. Refused: one number without the other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import scenes
from clients import Client, dnsbroker, has
from lab.rig import Lab
from lab.watched import Watch, Watched
from scenes import Scene
from tables import Table, seconds, worst

ALLOWED = 2.0
"""Seconds after the slowest server has the record in which the certificate is to be live."""

SCENES = (scenes.POWERDNS_UNSET, scenes.BIND, scenes.BIND_BUSY, scenes.LAGGING, scenes.LAGGING_LONG)

#: The phases of a run, each by the event that ends it; the first one is the interpreter and its imports.
PHASES = {
    "start-up": "key",
    "place": "place",
    "order": "order",
    "write": "written",
    "propagated": "propagated",
    "validated": "validated",
    "live": "issued",
    "end": "result",
}


def measure(lab: Lab, client: Client, scene: Scene, runs: int) -> list[Watched]:
    """So many runs of a client in a scene."""
    found = []
    for number in range(runs):
        print(f"{scene.title}: {client.title}, run {number + 1} of {runs}", file=sys.stderr, flush=True)
        name = scene.begin(lab)
        watch = Watch(lab, f"_acme-challenge.{name}", seconds=client.seconds)
        seen = watch.run(client.command(name), live=client.live(name))
        if seen.status == 0 and not has(client.live(name)):
            raise SystemExit(f"{client.title} ended with 0 and left no certificate:\n{seen.output}")
        found.append(seen)
    return found


def report(lab: Lab, runs: int) -> tuple[bool, dict[str, list[Watched]]]:
    """Time every scene and print the table; whether the claim holds, and what was seen, by scene."""
    client = dnsbroker(lab)
    seen = {scene.title: measure(lab, client, scene, runs) for scene in SCENES}
    table = Table(["scene", "runs", "slowest has it", "live", "later by", "at worst", "ended"])
    differences: list[float] = []
    for title, found in seen.items():
        succeeded = [(one.everywhere, one.live, one.ended) for one in found if one.status == 0]
        later = [live - there for there, live, _ in succeeded if live is not None and there is not None]
        differences += later
        columns = zip(*succeeded, strict=True)
        there, live, ended = (list(column) for column in columns) if succeeded else ([], [], [])
        table.row(
            title,
            f"{len(later)}/{len(found)}",
            *(seconds(median([moment for moment in moments if moment is not None])) for moments in (there, live)),
            seconds(median(later)),
            seconds(worst(later)),
            seconds(median(ended)),
        )
    table.print("From the start to the live certificate, and when the slowest server has the record (medians, seconds)")
    holds = len(differences) == sum(map(len, seen.values())) and worst(differences) <= ALLOWED
    print(
        f"claim: live at most {ALLOWED:g} s after the slowest server has it -- {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return holds, seen


def report_phases(seen: Mapping[str, Sequence[Watched]]) -> None:
    """Print where the time of our own runs goes, phase by phase."""
    table = Table(["scene", *PHASES])
    for title, found in seen.items():
        lengths = [list(_phases(one)) for one in found if one.status == 0]
        table.row(title, *(seconds(median(column)) for column in zip(*lengths, strict=True)))
    table.print("Where the time goes (medians, seconds; 'propagated' is the servers' own time and the noticing)")


def _phases(seen: Watched) -> Iterable[float]:
    """The length of each phase; of several events of one name the last one counts."""
    last = {json.loads(line.text)["event"]: line.at for line in seen.lines if line.text.startswith("{")}
    before = 0.0
    for event in PHASES.values():
        moment = last.get(event, before)
        yield moment - before
        before = moment
