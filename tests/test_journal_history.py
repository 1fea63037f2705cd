"""The journal does not forget at once: what a run told can be read afterwards, also of one that was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.events import Emitter
from dnsbroker.journal import Entry, History, Journal, Leases
from dnsbroker.records import Record
from dnsbroker.testing import FakeClock

ZONE = "example.org."
OWNER = "_acme-challenge.example.org."


class Bench:
    """Runs that tell their events to one journal."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.clock = FakeClock()
        self.journal = Journal(state_dir)

    def run(self, ident: str) -> tuple[History, Emitter]:
        history = History(self.journal, ident, "renew")
        return history, Emitter(self.clock, history.note)

    def entries(self, certificate: str = "", **since: object) -> tuple[Entry, ...]:
        return History(Journal(self.state_dir), "reader").entries(certificate, **since)  # type: ignore[arg-type] # one key

    def told(self, certificate: str = "") -> list[str]:
        return [entry.event for entry in self.entries(certificate)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def test_what_a_run_told_can_be_read_by_another_process(bench: Bench) -> None:
    """The event with its fields, its time and its run."""
    history, emit = bench.run("run-1")
    emit("order", certificate="example.org", url="https://ca.test/order/1", names=["example.org"])
    history.close()
    (entry,) = bench.entries()
    assert (entry.time, entry.run, entry.command) == (bench.clock.now(), "run-1", "renew")
    assert (entry.event, entry.certificate) == ("order", "example.org")
    assert entry.fields == {"url": "https://ca.test/order/1", "names": ["example.org"]}


def test_other_kinds_of_events_are_not_kept(bench: Bench) -> None:
    """Neither progress nor what nobody knows."""
    history, emit = bench.run("run-1")
    emit("server", server="ns1.example.", verdict="green")
    emit("something new", text="x")
    history.close()
    assert bench.entries() == ()


def test_a_burst_is_written_in_few_transactions(bench: Bench) -> None:
    """When a second is over, or at the end."""
    history, emit = bench.run("run-1")
    for number in range(100):
        emit("asked", identifier=f"n{number}.example.org", certificate="c")
    assert bench.told() == []
    bench.clock.turn(1)
    emit("validated", identifier="n0.example.org", certificate="c")
    assert len(bench.told()) == 101
    history.close()
    assert len(bench.told()) == 101


def test_what_comes_while_a_run_waits_is_written_a_second_later(bench: Bench) -> None:
    """No further event is needed: a run that is killed while it waits has told what it did before."""

    async def wait() -> list[str]:
        history, emit = bench.run("run-1")
        emit("order", certificate="c", url="u", names=["example.org"])
        emit("written", provider="corp", zone=ZONE, names=[OWNER])
        assert bench.told() == []
        await SystemClock().sleep(1.1)
        told = bench.told()
        emit("withdrawn", provider="corp", zone=ZONE, names=[OWNER])
        history.close()
        return told

    assert asyncio.run(wait()) == ["order", "written"]
    assert bench.told() == ["order", "written", "withdrawn"]


def test_what_is_half_a_year_old_is_forgotten(bench: Bench) -> None:
    """And what is younger is not."""
    history, emit = bench.run("run-1")
    emit("order", certificate="old", url="u", names=["old.example"])
    bench.clock.turn(timedelta(days=100).total_seconds())
    emit("order", certificate="young", url="u", names=["young.example"])
    bench.clock.turn(timedelta(days=100).total_seconds())
    emit("order", certificate="new", url="u", names=["new.example"])
    history.close()
    assert [entry.certificate for entry in bench.entries()] == ["young", "new"]


def test_a_long_text_is_kept_in_part(bench: Bench) -> None:
    """A hook that prints much does not fill the disk."""
    history, emit = bench.run("run-1")
    emit("hook", certificate="c", command="true", output=["x" * 100_000] * 1000)
    history.close()
    (entry,) = bench.entries()
    assert len(str(entry.fields)) < 250_000


def test_of_a_long_output_the_end_is_kept(bench: Bench) -> None:
    """There a command says why it failed."""
    history, emit = bench.run("run-1")
    emit("hook", certificate="c", command="true", output=[*map(str, range(1000)), "no space left"])
    history.close()
    (entry,) = bench.entries()
    output = entry.fields["output"]
    assert isinstance(output, list)
    assert (len(output), output[-1]) == (100, "no space left")


def test_what_was_done_for_several_certificates_concerns_each_of_them(bench: Bench) -> None:
    """A reload or a post hook does, and no other certificate."""
    history, emit = bench.run("run-1")
    emit("reloaded", unit="nginx", state="active", running=True, certificates=["a", "b"])
    history.close()
    assert (bench.told("a"), bench.told("b"), bench.told("c")) == (["reloaded"], ["reloaded"], [])


def test_a_journal_that_cannot_be_written_stops_no_story(bench: Bench) -> None:
    """Neither while the run goes on nor at its end; what waited is there once the journal can be written again."""
    history, emit = bench.run("run-1")
    bench.journal.rows("PRAGMA query_only = ON")
    emit("asked", identifier="example.org", certificate="c")
    history.close()
    assert bench.told() == []
    bench.journal.rows("PRAGMA query_only = OFF")
    history.close()
    assert bench.told() == ["asked"]


def test_since_leaves_out_what_was_before(bench: Bench) -> None:
    """That moment itself is in."""
    history, emit = bench.run("run-1")
    emit("asked", identifier="a.example", certificate="c")
    bench.clock.turn(60)
    moment = bench.clock.now()
    emit("validated", identifier="a.example", certificate="c")
    history.close()
    assert [entry.event for entry in bench.entries("", since=moment)] == ["validated"]


def test_a_certificates_history_has_its_records(bench: Bench) -> None:
    """Also those at the end of an alias, and no other certificate's."""
    history, emit = bench.run("run-1")
    emit("order", certificate="c", url="u", names=["example.org", "*.example.org"])
    emit("place", name=OWNER, owner="c.acme.example.net.", zone="example.net.", provider="corp", servers=[])
    emit("written", provider="corp", zone="example.net.", names=["c.acme.example.net.", "d.acme.example.net."])
    emit("written", provider="corp", zone="example.net.", names=["d.acme.example.net."])
    emit("issued", certificate="d", names=["d.example"])
    emit("withdrawn", provider="corp", zone="example.net.", names=["c.acme.example.net."])
    history.close()
    assert bench.told("c") == ["order", "place", "written", "withdrawn"]


def test_the_names_that_a_certificate_is_known_to_have_count_too(bench: Bench) -> None:
    """A run was killed before it told what it was about. A name that no CA looks for in DNS is no reason to fail."""
    leave(bench, "killed", closed=False)
    assert bench.told("c") == []
    found = History(bench.journal, "reader").entries("c", None, ["example.org", "no_host"])
    assert [entry.event for entry in found] == ["written"]


def leave(bench: Bench, run: str, *, closed: bool) -> None:
    """Have ``run`` write a value, and, if ``closed``, withdraw it; nothing is told of it."""
    leases = Leases(bench.journal, run, bench.clock)
    (lease,) = leases.want("corp", ZONE, [Record(OWNER, "TXT", "value")], ttl=5)
    leases.written(leases.take("corp", ZONE, is_alive=lambda _: True), serial=7)
    if closed:
        bench.clock.turn(10)
        leases.withdraw([lease.id])
        leases.written(leases.take("corp", ZONE, is_alive=lambda _: True), serial=8)


def test_what_a_killed_run_wrote_is_told_by_its_leases(bench: Bench) -> None:
    """It had no time to tell; who took the value away is told too."""
    history, emit = bench.run("killed")
    emit("order", certificate="c", url="u", names=["example.org"])
    history.flush()
    leave(bench, "killed", closed=True)
    assert bench.told("c") == ["order", "written", "withdrawn"]
    written = bench.entries("c")[1]
    assert written.fields == {"provider": "corp", "zone": ZONE, "name": OWNER, "names": [OWNER], "serial": 7}


def test_values_that_went_in_one_write_are_one_event(bench: Bench) -> None:
    """As when the run tells: a name and its wildcard have two values at one owner name."""
    leases = Leases(bench.journal, "killed", bench.clock)
    leases.want("corp", ZONE, [Record(OWNER, "TXT", value) for value in ("a", "b")], ttl=5)
    leases.written(leases.take("corp", ZONE, is_alive=lambda _: True), serial=7)
    assert bench.told() == ["written"]


def test_what_a_run_told_itself_is_not_told_twice(bench: Bench) -> None:
    """The negative twins: it ended, or was killed after it told."""
    history, emit = bench.run("ended")
    emit("written", provider="corp", zone=ZONE, names=[OWNER], serial=7)
    leave(bench, "ended", closed=True)
    emit("withdrawn", provider="corp", zone=ZONE, names=[OWNER], serial=8)
    history.close()
    assert bench.told() == ["written", "withdrawn"]
    killed, emit = bench.run("killed")
    emit("written", provider="corp", zone=ZONE, names=[OWNER], serial=9)
    killed.flush()
    leave(bench, "killed", closed=False)
    assert bench.told() == ["written", "withdrawn", "written"]


def test_a_run_killed_by_the_system_has_its_history(tmp_path: Path) -> None:
    """A real process, and SIGKILL in the middle of its story."""
    program = (
        "import sys, pathlib\n"
        "from dnsbroker.clock import SystemClock\n"
        "from dnsbroker.events import Emitter\n"
        "from dnsbroker.journal import History, Journal, Leases\n"
        "from dnsbroker.records import Record\n"
        "clock, journal = SystemClock(), Journal(pathlib.Path(sys.argv[1]))\n"
        "history = History(journal, 'killed', 'issue')\n"
        "emit = Emitter(clock, history.note)\n"
        "emit('order', certificate='c', url='u', names=['example.org'])\n"
        "history.flush()\n"
        "leases = Leases(journal, 'killed', clock)\n"
        f"leases.want('corp', '{ZONE}', [Record('{OWNER}', 'TXT', 'v')], ttl=5)\n"
        f"leases.written(leases.take('corp', '{ZONE}', is_alive=bool), serial=7)\n"
        f"emit('written', provider='corp', zone='{ZONE}', names=['{OWNER}'], serial=7)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    child.stdin.close()
    told = History(Journal(tmp_path), "reader").entries("c")
    assert [entry.event for entry in told] == ["order", "written"]
