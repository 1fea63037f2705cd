"""SIGKILL at any moment of a run, then gc or simply the next run: nothing stays in DNS, nothing open in the journal."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.processes import look_until
from lab.rig import Lab
from underway import SENDING, WANTED, WITHDRAWING, Moment, Underway, at, open_leases

CERTIFICATES = {
    "one": ["example.test", "*.example.test"],
    "two": ["bind.test", "*.bind.test"],
}
NAMES = ("_acme-challenge.example.test", "_acme-challenge.bind.test")


#: Twelve moments, in the order of a run.
MOMENTS = (
    *(at("key"), at("place"), at("order"), WANTED, SENDING, at("written"), at("server")),
    *(at("propagated"), at("asked"), at("validated"), WITHDRAWING, at("withdrawn")),
)


def killed_at(lab: Lab, directory: Path, moment: Moment, name: str) -> Path:
    """The configuration file of a run for ``name`` and its wildcard that was killed at that moment."""
    directory.mkdir()
    configuration = directory / "dnsbroker.toml"
    configuration.touch(mode=0o600)
    configuration.write_text(lab.config(directory / "state", certificates={"one": [name, f"*.{name}"]}))
    with Underway(configuration, "issue", halting=moment.line) as run:
        moment.await_in(run, directory / "state")
        assert run.stop(signal.SIGKILL)[0] == 128 + signal.SIGKILL or not moment.line
    age(directory / "state")
    return configuration


def age(state: Path) -> None:
    """Let what may still take effect do so for two seconds more, instead of for a whole request."""
    database = sqlite3.connect(state / "state.db", timeout=10)
    with contextlib.closing(database), database:
        database.execute(
            "UPDATE lease SET suspect_until = ?1 WHERE suspect_until > ?1 AND state <> 'closed'", (time.time() + 2,)
        )


def test_gc_cleans_up_after_a_run_killed_at_any_moment(lab: Lab, tmp_path: Path) -> None:
    """Whatever the run was doing, at either service: every server is as it was, and no lease is open.

    They are killed a few at a time, and swept at once. A write that was cut off has to be waited for until it cannot
    take effect any more: most of that time is taken off in the journal.
    """
    names = [f"k{number}.{('example.test', 'bind.test')[number % 2]}" for number in range(len(MOMENTS))]
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(killed_at, lab, tmp_path / moment.name, moment, name)
            for moment, name in zip(MOMENTS, names, strict=True)
        ]
        killed = {name: run.result() for name, run in zip(names, runs, strict=True)}
    assert any(lab.leftovers(f"_acme-challenge.{name}") for name in killed), "nothing was left, and nothing is shown"
    with contextlib.ExitStack() as stack:
        sweepers = [stack.enter_context(Underway(configuration, "gc")) for configuration in killed.values()]
        assert [gc.end() for gc in sweepers] == [0] * len(MOMENTS), [gc.events[-1] for gc in sweepers]
    for name, configuration in killed.items():
        challenge = f"_acme-challenge.{name}"
        look_until(lambda challenge=challenge: not lab.leftovers(challenge), f"nothing at {challenge}")  # type: ignore[misc]
        assert open_leases(configuration.parent / "state") == []
        assert list((configuration.parent / "state" / "runs").iterdir()) == []


def test_the_next_run_sweeps_by_itself(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """Nobody has to know of gc: ``issue`` cleans up after the dead, and gets its own certificate."""
    configuration, state = configure(CERTIFICATES), tmp_path / "state"
    with Underway(configuration, "issue", "one", halting='"propagated"') as run:
        run.await_halt()
        run.stop(signal.SIGKILL)
    ((_, left), *_) = open_leases(state)
    assert left in lab.values("powerdns", NAMES[0])
    with Underway(configuration, "issue", "two") as run:
        assert run.end() == 0, (run.events, run.error)
        assert run.await_event("swept")["names"] == [f"{NAMES[0]}."]
    look_until(lambda: not lab.leftovers(NAMES[0]), f"nothing at {NAMES[0]}")
    assert open_leases(state) == []


def test_a_living_run_is_left_alone(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """The negative twin: what a run that lives has in DNS is not swept, neither by gc nor by another run."""
    configuration = configure(CERTIFICATES)
    with Underway(configuration, "issue", "one", halting='"written"') as run:
        run.await_halt()
        standing = lab.values("powerdns", NAMES[0])
        for command in (("gc",), ("issue", "two")):
            with Underway(configuration, *command) as other:
                assert other.end() == 0, (other.events, other.error)
                assert not other.has("swept")
        assert lab.values("powerdns", NAMES[0]) == standing != frozenset()
        run.send(signal.SIGCONT)
        assert run.end() == 0, (run.events, run.error)
