"""``status``, ``show`` and ``log``: what people and scripts see, from what is stored alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.cli import main
from dnsbroker.clock import SystemClock
from dnsbroker.errors import BrokerError
from dnsbroker.events import Emitter
from dnsbroker.journal import (
    Answer,
    Attempts,
    Backoffs,
    Deployments,
    History,
    Journal,
    Leases,
    Observations,
    RenewalAnswers,
)
from dnsbroker.records import Record
from dnsbroker.store import Access, Lineage, Provenance, Store

NAME = "example.test"
CA = "https://ca.test/dir"
OWNER = "_acme-challenge.example.test."
KEY = keys.generate("ecdsa-p256")
AUTHORITY = Authority()
CLOCK = SystemClock()

Run = Callable[..., tuple[int, str, str]]


class Host:
    """A configuration, a store and a journal; the present is the real one."""

    def __init__(self, directory: Path) -> None:
        self.state_dir = directory / "state"
        self.path = directory / "dnsbroker.toml"
        self.configure("")
        self.begun = CLOCK.now()

    def configure(self, text: str, *names: str) -> None:
        """Write the configuration, with certificates of these ``names``, or the one."""
        tables = "".join(f'[certificates."{name}"]\nprofile = "tlsserver"\n' for name in names or (NAME,))
        self.path.write_text(f'state_dir = "{self.state_dir}"\n{text}[acme]\ndirectory = "{CA}"\n{tables}')

    def save(self, *, age: float = 1, lifetime: float = 90) -> Lineage:
        """A live certificate, issued ``age`` days ago for ``lifetime`` days."""
        issued = self.begun - timedelta(days=age)
        chain = AUTHORITY.issue(KEY, [NAME], serial=0xAB, not_before=issued, lifetime=timedelta(days=lifetime))
        store = Store(self.state_dir)
        store.prepare()
        return store.save(NAME, KEY, chain, Access(), Provenance(CA, issued, profile="tlsserver"))

    def journal(self) -> Journal:
        Store(self.state_dir).prepare()
        return Journal(self.state_dir)

    def attempts(self) -> Attempts:
        return Attempts(self.journal(), CLOCK)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setenv("DNSBROKER_CONFIG", str(host.path))
    return host


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the program; its status, stdout and stderr."""

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def result(out: str) -> dict[str, Any]:
    """The last object on stdout."""
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


class TestStatus:
    """0, or 4 where something needs a person."""

    def test_all_is_well(self, host: Host, run: Run) -> None:
        """A line for each, and nothing with -q."""
        lineage = host.save()
        assert run("status") == (0, f"example.test: ok, valid until {lineage.not_after:%Y-%m-%d}\n", "")
        assert run("-q", "status") == (0, "", "")

    def test_something_needs_a_person(self, host: Host, run: Run) -> None:
        """What, and the next step, also with -q; for programs in fields."""
        host.save(age=91)
        status, out, err = run("-q", "status")
        assert (status, err) == (4, "")
        first, second, third = out.splitlines()
        assert first.startswith("example.test: expired, needs a person, valid until ")
        assert second.startswith("  expired on ") and second.endswith("; `dnsbroker renew example.test` tries now")
        assert "does the timer run?" in third
        status, out, _ = run("--json", "status")
        told = result(out)
        assert (status, told["status"], told["command"], told["changed"]) == (4, 4, "status", False)
        (certificate,) = told["certificates"]
        assert (certificate["status"], certificate["needs_person"], certificate["serial"]) == ("expired", True, "ab")
        assert certificate["reason"] == certificate["findings"][0] == second.strip()

    def test_only_those_named_count(self, host: Host, run: Run) -> None:
        """What is wrong with others is not asked."""
        host.save(age=91)
        host.configure("", NAME, "other.test")
        assert run("status", "other.test")[0] == 0
        assert run("status", "other.test", NAME)[0] == 4

    def test_a_name_that_is_not_there_is_a_mistake(self, host: Host, run: Run) -> None:
        """With those that are."""
        status, out, err = run("status", "exmaple.test")
        assert (status, out) == (2, "")
        assert err == "error: no certificate 'exmaple.test' is configured or there\nhint: there are: example.test\n"

    def test_looking_makes_nothing(self, host: Host, run: Run) -> None:
        """Before the first run there is no journal, and none afterwards."""
        assert run("status")[0] == run("show", NAME)[0] == run("log")[0] == 0
        assert not host.state_dir.exists()

    def test_what_a_dead_run_left_in_dns_is_told(self, host: Host, run: Run) -> None:
        """It needs nobody: the next run takes it away. What somebody alive answers for is not told."""
        leases = Leases(host.journal(), "dead", CLOCK)
        leases.want("corp", "example.test.", [Record(OWNER, "TXT", "left")], ttl=5)
        leases.want("corp", "example.test.", [Record(OWNER, "TXT", "meant")], ttl=5, expires=9e9)
        status, out, _ = run("status")
        assert status == 0
        assert "left in DNS:\n  TXT at _acme-challenge.example.test, left since " in out
        assert out.count("_acme-challenge") == 1
        (left,) = result(run("--json", "status")[1])["left"]
        assert (left["name"], left["type"], left["provider"], left["run"]) == (OWNER, "TXT", "corp", "dead")

    def test_a_broken_certificate_is_told_among_the_others(self, host: Host, run: Run) -> None:
        """Its error is no error of the command."""
        host.save()
        host.path.write_text(host.path.read_text() + '[certificates."wrong.test"]\nmood = 1\n')
        status, out, err = run("status")
        assert (status, err) == (4, "")
        assert "example.test: ok" in out and "wrong.test: misconfigured, needs a person" in out

    def test_a_journal_that_cannot_be_read_is_an_error(self, host: Host, run: Run) -> None:
        """And not one more certificate in good health."""
        host.save()
        (host.state_dir / "state.db").write_text("no database at all, and long enough to be seen as none " * 40)
        status, _, err = run("status")
        assert (status, err.splitlines()[0].startswith("error: ")) == (1, True)

    def test_names_are_shown_as_people_write_them(self, host: Host, run: Run) -> None:
        """And given to programs as DNS has them."""
        host.configure("", "xn--bcher-kva.test")
        assert run("status")[1].startswith("bücher.test: missing\n")
        assert result(run("--json", "status")[1])["certificates"][0]["name"] == "xn--bcher-kva.test"


class TestShow:
    """One certificate whole."""

    def test_everything_known_is_shown(self, host: Host, run: Run) -> None:
        """What it is, where it comes from, when it is renewed, what failed, what is deployed and what is in DNS."""
        lineage = host.save(age=70)
        journal, now = host.journal(), host.begun
        host.attempts().failed(NAME, BrokerError("the CA said no", hint="ask it why"))
        Backoffs(journal, CLOCK).demanded(CA, now + timedelta(hours=1), "too busy")
        ident = keys.renewal_id(lineage.fullchain)
        assert ident is not None
        window = (now - timedelta(days=2), now - timedelta(days=1), now - timedelta(days=1))
        RenewalAnswers(journal).keep(Answer(ident, "ari", "u", now, now, *window, explanation="https://ca.test/why"))
        deployments = Deployments(journal, CLOCK)
        deployments.plan(NAME, "ab", ["copy /etc/x", "hook true"])
        deployments.done(NAME, "ab", "copy /etc/x")
        deployments.failed(NAME, "ab", "hook true", "ended with status 1")
        Observations(journal, CLOCK).observe(NAME, [("smtp://mx.example.test", True, "3 1 1")])
        Leases(journal, "run", CLOCK).want("corp", "example.test.", [Record(OWNER, "TXT", "v")], ttl=5)
        status, out, err = run("show", NAME)
        assert (status, err) == (0, "")
        rows = [(line[:11].strip(), line[13:]) for line in out.splitlines()]
        told = dict(rows)
        assert told["certificate"] == told["names"] == NAME
        assert told["status"] == "not deployed, needs a person"
        assert told["issuer"] == "CN=test issuing" or "test issuing" in told["issuer"]
        assert told["serial"] == "ab"
        assert told["key"] == f"ecdsa-p256, made {lineage.leaf.not_before:%Y-%m-%d}"
        assert (told["account"], told["directory"], told["profile"]) == ("default", CA, "tlsserver")
        assert told["path"] == str(host.state_dir / "live" / NAME)
        assert told["renewal"].startswith("the CA wants it renewed since ")
        assert told["deployment"].startswith("copy /etc/x: done ")
        assert told["tlsa"].startswith("smtp://mx.example.test: covered, ")
        assert told["in DNS"].startswith("TXT at _acme-challenge.example.test: wanted, since ")
        texts = "\n".join(text for _, text in rows)
        for part in ("hook true: failed", "failed once since", "tried again after", "too busy", "https://ca.test/why"):
            assert part in texts

    def test_the_same_is_there_for_programs(self, host: Host, run: Run) -> None:
        """In fields, and null where there is nothing."""
        host.save()
        (told,) = result(run("--json", "show", NAME)[1])["certificates"]
        assert told["status"] == "ok"
        assert told["renewal"]["by"] == "lifetime" and told["renewal"]["due"] is None
        assert told["failures"] is None and told["backoff"] is None
        assert told["deployment"] == told["tlsa"] == told["records"] == []
        assert datetime.fromisoformat(told["key_created"]).astimezone(UTC) < host.begun

    def test_one_that_is_not_there_yet_is_shown_as_it_is_configured(self, host: Host, run: Run) -> None:
        """Without what only a certificate has."""
        status, out, _ = run("show", NAME)
        assert status == 0
        assert "missing" in out and "ecdsa-p256" in out and CA in out
        assert "serial" not in out and "renewal" not in out

    def test_a_name_that_nobody_knows_is_a_mistake(self, run: Run, host: Host) -> None:
        """Status 2."""
        assert run("show", "other.test")[0] == 2


class TestLog:
    """What was done, and by which run."""

    @pytest.fixture
    def told(self, host: Host) -> None:
        history = History(host.journal(), "20261120T120000-17-aaaaaa", "renew")
        emit = Emitter(CLOCK, history.note)
        emit("order", certificate=NAME, url="https://ca.test/order/1", names=[NAME])
        emit("place", name=OWNER, owner=OWNER, zone="example.test.", provider="corp", servers=[])
        emit("written", provider="corp", zone="example.test.", names=[OWNER], serial=7)
        emit("hook", certificate=NAME, phase="deploy", command="true", status=1, timed_out=False, output=["a", "b"])
        emit("failed", certificate="other.test", error={"kind": "acme", "message": "no", "hint": ""})
        history.close()

    @pytest.mark.usefixtures("told")
    def test_each_line_says_when_which_run_and_what(self, run: Run) -> None:
        """In the words of the story."""
        status, out, _ = run("log")
        assert status == 0
        lines = [line.split("  ", 2) for line in out.splitlines()]
        assert {line[1] for line in lines} == {"20261120T120000-17-aaaaaa renew"}
        assert [line[2] for line in lines] == [
            "example.test: order https://ca.test/order/1",
            "written to example.test at corp, serial 7: _acme-challenge.example.test",
            "example.test: deploy hook 'true': status 1 a b",
            "other.test: failed: no",
        ]
        assert len(run("-v", "log")[1].splitlines()) == 5

    @pytest.mark.usefixtures("told")
    def test_a_certificates_log_has_its_own_and_its_records(self, run: Run) -> None:
        """And no other's."""
        out = run("log", NAME)[1]
        assert "order" in out and "written" in out and "other.test" not in out

    @pytest.mark.usefixtures("told")
    def test_a_name_that_nobody_ever_knew_is_a_mistake(self, run: Run) -> None:
        """And no certificate of which there is nothing to tell; whatever the time that is asked for."""
        status, out, err = run("log", "exmaple.test", "--since", "7d")
        assert (status, out) == (2, "")
        assert err == "error: no certificate 'exmaple.test' is configured or there\nhint: there are: example.test\n"

    @pytest.mark.usefixtures("told")
    def test_what_is_gone_or_has_no_story_yet_is_none(self, host: Host, run: Run) -> None:
        """The negative twin: one that the history alone knows, and one that the configuration alone knows."""
        nothing = (0, "nothing is known of that time\n", "")
        assert run("log", "other.test")[0] == 0
        assert run("log", "other.test", "--since", "0s") == nothing
        host.configure("", "new.test")
        assert run("log", "new.test") == nothing

    def test_what_an_older_program_told_is_still_a_line(self, host: Host, run: Run) -> None:
        """Fields are added in time, and the past has none of them."""
        history = History(host.journal(), "old", "renew")
        Emitter(CLOCK, history.note)("issued", certificate=NAME)
        history.close()
        assert run("log")[1].endswith("  old renew  example.test: issued\n")

    @pytest.mark.usefixtures("told")
    def test_entries_are_there_for_programs(self, run: Run) -> None:
        """The events as they were told, with their run."""
        entries = result(run("--json", "log", "other.test")[1])["entries"]
        assert [(entry["event"], entry["run"][-6:], entry["run_command"]) for entry in entries] == [
            ("failed", "aaaaaa", "renew")
        ]
        assert entries[0]["error"]["message"] == "no"

    @pytest.mark.usefixtures("told")
    @pytest.mark.parametrize("since", ["7d", "3600", "2020-01-01T00:00:00Z", "2020-01-01"])
    def test_since_takes_durations_and_moments(self, run: Run, since: str) -> None:
        """All of them before what was told."""
        assert len(run("log", "--since", since)[1].splitlines()) == 4

    @pytest.mark.usefixtures("told")
    @pytest.mark.parametrize("since", ["0s", "2100-01-01T00:00:00+02:00"])
    def test_what_was_before_is_left_out(self, run: Run, since: str) -> None:
        """The negative twin."""
        assert run("log", "--since", since) == (0, "nothing is known of that time\n", "")

    @pytest.mark.parametrize("since", ["yesterday", "7 weeks", "-1d"])
    def test_another_text_is_a_mistake(self, run: Run, host: Host, since: str) -> None:
        """With both forms in the message."""
        status, _, err = run("log", "--since", since)
        assert status == 2
        assert "neither a duration such as 7d nor a moment" in err


def test_nothing_heavy_that_speaks_to_a_network_is_needed(host: Host, run: Run) -> None:
    """No resolver, no HTTP: the answer is there when the network is not."""
    host.save()
    program = "import sys\nfrom dnsbroker.cli import main\nmain(['-q', 'status'])\nprint(*sys.modules)"
    environment = {"DNSBROKER_CONFIG": str(host.path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stdout.split()).isdisjoint({"httpx", "acme", "josepy", "dns.query", "rich"})
