"""What is done at the end of a run: the metrics file, and whoever is to be told."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config import Config
from dnsbroker.errors import BrokerError
from dnsbroker.events import Emitter, Event
from dnsbroker.journal import Attempts, Deployments, FileLock, Journal, Leases, Observations, Told
from dnsbroker.knowing import Collection, after_run, survey_health
from dnsbroker.knowing.alerting import news
from dnsbroker.knowing.health import Health
from dnsbroker.knowing.metrics import Family
from dnsbroker.records import Record
from dnsbroker.run import Run
from dnsbroker.store import Access, Provenance, Store
from dnsbroker.testing import FakeClock

NAME = "example.test"
CA = "https://ca.test/dir"
DAY = timedelta(days=1)
KEY = keys.generate("ecdsa-p256")
AUTHORITY = Authority()


class Bench:
    """A state directory with one certificate, and runs that end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.told: list[Event] = []
        self.settings: dict[str, object] = {
            "state_dir": str(directory / "state"),
            "acme": {"directory": CA},
            "dns": {"resolvers": ["127.0.0.1"]},
            "certificates": {NAME: {}},
        }

    @property
    def config(self) -> Config:
        return replace(Config.from_dict(self.settings), environment={"PATH": os.defpath, "GIVEN": "by the caller"})

    @property
    def store(self) -> Store:
        return Store(self.config.state_dir)

    def save(self, name: str = NAME) -> None:
        self.store.prepare()
        chain = AUTHORITY.issue(KEY, [name], serial=0xAB)
        self.store.save(name, KEY, chain, Access(), Provenance(CA, self.clock.now()))

    def journal(self) -> Journal:
        self.store.prepare()
        return Journal(self.config.state_dir)

    def attempts(self) -> Attempts:
        return Attempts(self.journal(), self.clock, lambda: 0.5)

    def end(self, status: int = 0, story: Sequence[str] = ()) -> list[str]:
        """End a run; the warnings that it told."""
        self.told.clear()

        async def play() -> None:
            async with Run(self.config, self.clock, Emitter(self.clock, self.told.append)) as run:
                await after_run(run, command="renew", status=status, story=story)

        asyncio.run(play())
        return [str(event["message"]) for event in self.told if event["event"] == "warning"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestMetrics:
    """One file for Prometheus, whole at any moment."""

    @pytest.fixture
    def path(self, bench: Bench) -> Path:
        path = bench.directory / "dnsbroker.prom"
        bench.settings["metrics"] = str(path)
        return path

    def samples(self, path: Path) -> dict[str, str]:
        lines = path.read_text().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    def test_every_family_has_its_help_and_type_and_no_sample_of_nothing(self, bench: Bench, path: Path) -> None:
        """Where nothing was ever issued or observed."""
        assert bench.end() == []
        text = path.read_text()
        names = re.findall(r"^# HELP (\w+) .+\.\n# TYPE \1 gauge$", text, re.MULTILINE)
        assert names == [
            "dnsbroker_certificate_not_after_seconds",
            "dnsbroker_renewal_failures",
            "dnsbroker_deploy_pending",
            "dnsbroker_tlsa_covered",
            "dnsbroker_rollover_since_seconds",
            "dnsbroker_rollover_until_seconds",
            "dnsbroker_leases",
            "dnsbroker_last_run_timestamp_seconds",
            "dnsbroker_last_run_status",
        ]
        assert self.samples(path) == {
            'dnsbroker_renewal_failures{certificate="example.test"}': "0",
            'dnsbroker_deploy_pending{certificate="example.test"}': "0",
            "dnsbroker_leases": "0",
            "dnsbroker_last_run_timestamp_seconds": str(int(bench.clock.now().timestamp())),
            "dnsbroker_last_run_status": "0",
        }

    def test_what_is_known_is_counted(self, bench: Bench, path: Path) -> None:
        """Failures in a row, steps that are not done, records that are out, endpoints by their records."""
        bench.save()
        journal, clock = bench.journal(), bench.clock
        bench.attempts().failed(NAME, BrokerError("no"))
        Deployments(journal, clock).plan(NAME, "ab", ["hook a", "hook b"])
        Deployments(journal, clock).done(NAME, "ab", "hook a")
        Observations(journal, clock).observe(
            NAME, [("smtp://mx.example.test", False, "no"), ("https://a.test", True, "")]
        )
        Observations(journal, clock).observe("other", [("smtp://mx.example.test", True, "")])
        record = Record("_acme-challenge.example.test.", "TXT", "v")
        Leases(journal, "another", clock).want("corp", "example.test.", [record], ttl=5, expires=9e9)
        bench.end(status=7)
        not_after = int((datetime(2026, 11, 1, tzinfo=UTC) + 90 * DAY).timestamp())
        told = self.samples(path)
        assert told.pop("dnsbroker_last_run_timestamp_seconds")
        assert told == {
            'dnsbroker_certificate_not_after_seconds{certificate="example.test"}': str(not_after),
            'dnsbroker_renewal_failures{certificate="example.test"}': "1",
            'dnsbroker_deploy_pending{certificate="example.test"}': "1",
            'dnsbroker_tlsa_covered{endpoint="https://a.test"}': "1",
            'dnsbroker_tlsa_covered{endpoint="smtp://mx.example.test"}': "0",
            "dnsbroker_leases": "1",
            "dnsbroker_last_run_status": "7",
        }

    def test_anybody_may_read_it_and_it_stands_alone(self, bench: Bench, path: Path) -> None:
        """Whatever the umask; what it is written into first is no file that an exporter reads, and is gone."""
        before = os.umask(0o077)
        try:
            bench.end()
            bench.end()
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == 0o644
        assert sorted(item.name for item in bench.directory.iterdir()) == ["dnsbroker.prom", "state"]

    def test_what_a_killed_run_left_beside_it_is_gone(self, bench: Bench, path: Path) -> None:
        """It stands under one name, and no monitor's directory fills up."""
        path.with_name(".dnsbroker.prom.new").write_text("half of i")
        assert bench.end() == []
        assert sorted(item.name for item in bench.directory.iterdir()) == ["dnsbroker.prom", "state"]

    def test_two_runs_at_once_do_not_write_into_one_file(self, bench: Bench, path: Path) -> None:
        """One waits for the other, but not for one that does not come to an end."""
        lock = FileLock(bench.config.state_dir / "locks" / "metrics")
        assert lock.try_acquire()
        (warning,) = bench.end()
        assert f"another dnsbroker (pid {os.getpid()})" in warning and not path.exists()
        lock.release()
        assert bench.end() == [] and path.exists()

    def test_a_run_that_was_stopped_is_in_it(self, bench: Bench, path: Path) -> None:
        """With the status that says so."""
        bench.end(143)
        assert self.samples(path)["dnsbroker_last_run_status"] == "143"

    def test_a_file_that_cannot_be_written_is_a_warning(self, bench: Bench, path: Path) -> None:
        """With its name; the run goes on."""
        bench.settings["metrics"] = str(bench.directory / "nowhere" / "dnsbroker.prom")
        (warning,) = bench.end()
        assert "the metrics cannot be written" in warning and "nowhere" in warning

    def test_no_file_is_written_where_none_is_configured(self, bench: Bench) -> None:
        """The negative twin."""
        assert bench.end() == []
        assert [item.name for item in bench.directory.iterdir()] == ["state"]

    def test_labels_are_escaped(self) -> None:
        """As the format wants it, so that no name ends a label."""
        text = Family("f", "Help.", (({"certificate": 'a"b\\c\nd'}, 1.5),)).text()
        assert text.splitlines()[-1] == 'f{certificate="a\\"b\\\\c\\nd"} 1.5'


class TestAlerts:
    """When something begins to need a person, then daily, and once when it is over."""

    @pytest.fixture
    def taken(self, bench: Bench) -> Path:
        """Where the hook writes what it is told."""
        path = bench.directory / "taken"
        bench.settings["alert_hooks"] = [f'{{ echo "$DNSBROKER_SUMMARY|$GIVEN"; cat; echo ---; }} >> {path}']
        return path

    def calls(self, path: Path) -> list[str]:
        return path.read_text().split("---\n")[:-1] if path.exists() else []

    def break_deployment(self, bench: Bench) -> Deployments:
        bench.save()
        deployments = Deployments(bench.journal(), bench.clock)
        deployments.failed(NAME, "ab", "hook true", "ended with status 1")
        return deployments

    def test_a_person_hears_when_it_begins_daily_and_when_it_is_over(self, bench: Bench, taken: Path) -> None:
        """And at no other run in between."""
        deployments = self.break_deployment(bench)
        for _ in range(3):
            assert bench.end(7, ["hook true: ended with status 1"]) == []
            bench.clock.turn(3600)
        assert len(self.calls(taken)) == 1
        bench.clock.turn(86400 - 3 * 3600)
        bench.end(7)
        assert len(self.calls(taken)) == 2
        deployments.done(NAME, "ab", "hook true")
        for _ in range(2):
            bench.end()
        first, _, last = self.calls(taken)
        summary, *story = first.splitlines()
        assert summary == "example.test: not deployed|by the caller"
        assert story[0] == "example.test: not deployed"
        assert story[1].startswith("  hook true failed on 2026-11-20 12:00 UTC: ended with status 1;")
        assert story[-2:] == ["dnsbroker renew ended with status 7", "hook true: ended with status 1"]
        assert last.splitlines()[0] == "example.test: all is well again|by the caller"

    def test_nobody_hears_of_what_needs_nobody(self, bench: Bench, taken: Path) -> None:
        """The negative twin: a certificate that is missing, or failed just now and is young."""
        bench.end()
        bench.save()
        bench.attempts().failed(NAME, BrokerError("no"))
        bench.end(1)
        assert self.calls(taken) == []

    def test_nobody_is_told_by_a_run_that_was_stopped(self, bench: Bench, taken: Path) -> None:
        """It is to be over at once; the next one tells."""
        self.break_deployment(bench)
        for status in (130, 143):
            assert bench.end(status) == []
        assert not taken.exists()
        bench.end(7)
        assert len(self.calls(taken)) == 1

    def test_a_hook_that_fails_is_a_warning_and_is_tried_again(self, bench: Bench, taken: Path) -> None:
        """Until one takes it."""
        self.break_deployment(bench)
        good = bench.settings["alert_hooks"]
        bench.settings["alert_hooks"] = ["echo no route to host; exit 3"]
        (warning,) = bench.end(7)
        assert warning.endswith("ended with status 3: no route to host")
        bench.settings["alert_hooks"] = good
        assert bench.end(7) == []
        assert len(self.calls(taken)) == 1

    def test_one_hook_of_two_is_enough(self, bench: Bench, taken: Path) -> None:
        """Nobody is told every hour because another way is broken for good."""
        self.break_deployment(bench)
        hooks = bench.settings["alert_hooks"]
        assert isinstance(hooks, list)
        bench.settings["alert_hooks"] = ["exit 3", *hooks]
        assert len(bench.end(7)) == 1
        assert bench.end(7) == []
        assert len(self.calls(taken)) == 1

    def test_two_runs_at_once_tell_once(self, bench: Bench, taken: Path) -> None:
        """Whoever has the lock does."""
        self.break_deployment(bench)
        lock = FileLock(bench.config.state_dir / "locks" / "alert")
        assert lock.try_acquire()
        bench.end(7)
        lock.release()
        assert self.calls(taken) == []

    def test_what_is_wrong_with_one_does_not_hide_that_another_begins(self) -> None:
        """Both are told then, and the first is not told again before a day is over."""
        now = datetime(2026, 11, 20, tzinfo=UTC)
        told = [Told("a", now - DAY / 2, now - DAY / 2, "expired")]
        sick = [Health(name, "expired", True, ("expired",)) for name in ("a", "b")]
        begins = news(sick, told, now)
        assert begins is not None and begins.troubles == {"a": "expired", "b": "expired"}
        assert news(sick[:1], told, now) is None
        over = news([], told, now)
        assert over is not None and over.over == ("a",)

    def test_a_summary_says_of_each_who_and_what(self) -> None:
        """In a word each, so that several fit into a subject; what else there is to say is the story's."""
        sick = [
            Health(name, "failing", True, ("line one\nline two " + "x" * 1000,)) for name in ("a", "xn--bcher-kva.b")
        ]
        now = datetime(2026, 11, 20, tzinfo=UTC)
        told = news([*sick, Health("", "due", True, ("TXT at a",))], [Told("c", now, now, "expired")], now)
        assert told is not None
        assert told.summary == ("a: failing; bücher.b: failing; records in DNS: not withdrawn; c: all is well again")

    def test_a_summary_is_of_bounded_length(self) -> None:
        """However many are in trouble."""
        told = news([Health(f"c{n}", "expired", True, ("expired",)) for n in range(99)], [], datetime.now(UTC))
        assert told is not None and len(told.summary) == 500 and told.summary.endswith("…")


def test_health_is_surveyed_without_a_run(bench: Bench) -> None:
    """Those configured, rightly or not, and what is there besides."""
    bench.save("besides.test")
    bench.settings["certificates"] = {NAME: {}, "wrong.test": {"mood": 1}}
    found = survey_health(bench.config, bench.store, bench.journal(), bench.clock)
    assert [(health.name, health.status) for health in found] == [
        (NAME, "missing"),
        ("wrong.test", "misconfigured"),
        ("besides.test", "unmanaged"),
    ]


def test_the_leases_of_a_certificate_are_found_by_its_names(bench: Bench) -> None:
    """And no other's."""
    records = [Record(f"_acme-challenge.{name}.", "TXT", "v") for name in (NAME, "other.test")]
    Leases(bench.journal(), "run", bench.clock).want("corp", "test.", records, ttl=5)
    collection = Collection(bench.config, bench.store, bench.journal(), bench.clock)
    assert [lease.record for lease in collection.about(collection.known(NAME))] == records[:1]
    assert len(collection.left()) == 2
