"""The circumstances under which certificates are timed: a zone of the lab, and what is done to it before each run.

Rule: every run finds the zone as the first one did, and the CA's resolver with an empty cache, whoever ran before.
Refused: changing the servers' own defaults.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lab.misbehaving import Behaviour
from lab.rig import Lab

QUIET = 10.5
"""Seconds after which BIND tells of a change at once: a NOTIFY comes no sooner than five seconds after another one, and
the last change before may itself have been told five seconds late."""

_runs = itertools.count(1)


@dataclass(frozen=True)
class Scene:
    """One zone and what to do before a run; ``title`` says it to a reader."""

    title: str
    zone: str
    prepare: Callable[[Lab], None]

    def begin(self, lab: Lab) -> str:
        """Bring everything to rest; gives back a name in the zone that nobody has used before."""
        lab.misbehaving.behave()
        lab.await_served(self.zone)
        self.prepare(lab)
        lab.unbound.flush()
        return f"run{next(_runs)}.{self.zone}"


def unset(lab: Lab) -> None:
    """A zone as pdnsutil makes it: its serial does not move by itself."""
    lab.powerdns.set_soa_edit_api("example.test", "")


def increase(lab: Lab) -> None:
    """A zone whose administrator knows what the API needs."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")


def quiet(lab: Lab) -> None:
    """So long after the last change that the next one is told at once."""
    threading.Event().wait(QUIET)


def busy(lab: Lab) -> None:
    """Right after another change, so that the next one is held back."""
    quiet(lab)
    change = f"change{next(_runs)}.bind.test"
    lab.bind.update("bind.test", add={(change, "TXT"): ["another-change"]})
    lab.await_values(change, ["another-change"])


def lagging(seconds: float) -> Callable[[Lab], None]:
    """One secondary answers, but as the zone was ``seconds`` ago."""
    return lambda lab: lab.misbehaving.behave(Behaviour(lag=seconds))


POWERDNS_UNSET = Scene("PowerDNS without SOA-EDIT-API; BIND, NSD", "example.test", unset)
POWERDNS = Scene("PowerDNS with SOA-EDIT-API; BIND, NSD", "example.test", increase)
BIND = Scene("BIND; Knot", "bind.test", quiet)
BIND_BUSY = Scene("BIND just after another change; Knot", "bind.test", busy)
LAGGING = Scene("PowerDNS; a secondary that lags 8 s", "flaky.test", lagging(8.0))
LAGGING_LONG = Scene("PowerDNS; a secondary that lags 30 s", "flaky.test", lagging(30.0))
