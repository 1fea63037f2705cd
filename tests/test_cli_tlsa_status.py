"""``tlsa status``: what people and scripts see of roll-overs, from what is stored alone; and the picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from authority import Authority
from dnsbroker import keys, tlsa
from dnsbroker.cli import main
from dnsbroker.clock import SystemClock
from dnsbroker.journal import NEVER, Journal, Leases, Progress, Published, Rollovers, Sight
from dnsbroker.records import Record
from dnsbroker.store import Access, NextKey, Provenance, Store

NAME = "example.test"
OWNER = "_25._tcp.mail.example.test."
SMTP = "smtp://mail.example.test"
CA = "https://ca.test/dir"
TABLE = f'[[dane]]\nendpoint = "{SMTP}"\ncertificate = "{NAME}"\nrecords = ["3 1 1"]\n'
LIVE, NEXT, STRANGE = (keys.generate("ecdsa-p256") for _ in range(3))
AUTHORITY = Authority()
CLOCK = SystemClock()

Run = Callable[..., tuple[int, str, str]]


def record(key: str) -> str:
    """The 3 1 1 of a private key."""
    return tlsa.compute(key, ["3 1 1"])[0]


class Host:
    """A configuration, a store and a journal; the present is the real one."""

    def __init__(self, directory: Path) -> None:
        self.state_dir = directory / "state"
        self.path = directory / "dnsbroker.toml"
        self.begun = CLOCK.now()
        self.now = self.begun.timestamp()
        self.configure(TABLE)

    def configure(self, dane: str) -> None:
        main = f'state_dir = "{self.state_dir}"\n[acme]\ndirectory = "{CA}"\n[certificates."{NAME}"]\n'
        self.path.write_text(main + dane)

    def save(self) -> None:
        """The live certificate, and the key that comes next."""
        issued = self.begun - timedelta(days=1)
        store = Store(self.state_dir)
        store.prepare()
        chain = AUTHORITY.issue(LIVE, [NAME, "mail.example.test"], serial=0xAB, not_before=issued)
        store.save(NAME, LIVE, chain, Access(), Provenance(CA, issued))
        store.keep_next_key(NAME, NextKey(NEXT, self.begun))

    def journal(self) -> Journal:
        Store(self.state_dir).prepare()
        return Journal(self.state_dir)

    @property
    def rollovers(self) -> Rollovers:
        return Rollovers(self.journal(), CLOCK)

    def publish(self, records: Iterable[str], *, ours: Iterable[str] | None = None, since: float = 7200.0) -> None:
        """Records that two servers have had for so long, of which some are ours; where they stand is known."""
        seen = frozenset(records)
        first, last = self.now - since, self.now - 60
        self.rollovers.keep_sights(
            OWNER, [Sight(server, seen, 3600, first, last, True) for server in ("192.0.2.1", "192.0.2.2")]
        )
        self.rollovers.keep_clocks(OWNER, dict.fromkeys(seen, first), is_whole=True)
        self.rollovers.keep_published(Published(SMTP, (OWNER,), (NAME,)))
        leases = Leases(self.journal(), "run", CLOCK)
        wanted = [Record(OWNER, "TLSA", value) for value in (seen if ours is None else ours)]
        leases.want("corp", "example.test.", wanted, ttl=3600, expires=NEVER)

    def progress(self, step: str, reason: str, until: float | None = None, **fields: Any) -> None:
        self.rollovers.keep_progress(Progress(NAME, step, self.now - 3600, reason, until, **fields))


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


def steady(host: Host) -> None:
    host.save()
    host.publish([record(LIVE), record(NEXT)])
    host.progress("steady", "all is there")


class TestStanding:
    """Step, clock and records."""

    def test_all_that_is_known_is_told(self, host: Host, run: Run) -> None:
        """With whose each record is; for programs in fields. -q prints nothing."""
        steady(host)
        status, out, err = run("tlsa", "status")
        assert (status, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith("example.test: steady since ")
        assert lines[1:4] == [
            "  all is there",
            "  then: nothing: renewals keep the present key until a new one is wanted",
            f"  {SMTP}",
        ]
        assert lines[4].startswith("    _25._tcp.mail.example.test, looked at ")
        assert lines[4].endswith(" UTC, and every server answered")
        parts = {line.split("…  ")[0].strip(): line.split("…  ")[1].split()[0] for line in lines[5:]}
        assert parts == {record(LIVE)[:22]: "current", record(NEXT)[:22]: "next"}
        assert run("-q", "tlsa", "status") == (0, "", "")
        told = result(run("--json", "tlsa", "status")[1])
        (rollover,) = told["rollovers"]
        assert (rollover["step"], rollover["needs_person"], told["unmanaged"]) == ("steady", False, [])
        (endpoint,) = rollover["endpoints"]
        (owner,) = endpoint["owners"]
        assert {(one["record"], one["is"]) for one in owner["records"]} == {
            (record(LIVE), "current"),
            (record(NEXT), "next"),
        }

    def test_records_of_others_are_foreign_and_those_of_old_keys_old(self, host: Host, run: Run) -> None:
        """By whose leases they have."""
        host.save()
        foreign = f"3 1 1 {'ff' * 32}"
        host.publish([record(LIVE), record(STRANGE), foreign], ours=[record(LIVE), record(STRANGE)])
        told = result(run("--json", "tlsa", "status")[1])
        records = told["rollovers"][0]["endpoints"][0]["owners"][0]["records"]
        assert {one["record"]: one["is"] for one in records} == {
            record(LIVE): "current",
            record(STRANGE): "old",
            foreign: "foreign",
        }

    def test_what_it_waits_for_is_told_with_the_time(self, host: Host, run: Run) -> None:
        """And nobody is needed."""
        steady(host)
        host.progress("propagated", "caches may lack it", host.now + 3600)
        status, out, _ = run("tlsa", "status")
        assert status == 0
        assert "(in 1 h)" in out.splitlines()[0] or "(in 59 min" in out.splitlines()[0]

    def test_what_was_never_looked_at_is_said_to_be_so(self, host: Host, run: Run) -> None:
        """Looking makes nothing: not the journal either."""
        status, out, _ = run("tlsa", "status")
        assert status == 0
        assert out.splitlines()[0] == "example.test: unpublished"
        assert out.splitlines()[-1] == "    _25._tcp.mail.example.test: not looked at yet"
        assert not host.state_dir.exists()

    def test_without_any_table_there_is_nothing_to_tell(self, host: Host, run: Run) -> None:
        """Which is no fault."""
        host.configure("")
        assert run("tlsa", "status") == (0, "no [[dane]] table is configured, and no TLSA record of ours stands\n", "")


class TestWhenAPersonIsNeeded:
    """Status 4, there and in ``status``."""

    def test_records_that_do_not_name_the_live_key(self, host: Host, run: Run) -> None:
        """Also with -q; the twin is all that is tested above."""
        host.save()
        host.publish([record(STRANGE)])
        host.progress("steady", "all was there")
        for words in (["tlsa", "status"], ["status"]):
            status, out, _ = run("-q", *words)
            assert status == 4
            assert f"{SMTP}: no 3 1 1 record at _25._tcp.mail.example.test names what example.test serves" in out
        assert run("status", NAME)[1].startswith("example.test: not covered, needs a person")

    def test_an_address_whose_key_no_record_names(self, host: Host, run: Run) -> None:
        """Be it of this machine or of another."""
        steady(host)
        host.rollovers.see(SMTP, [("192.0.2.25", "ee" * 32)], host.now)
        status, out, _ = run("tlsa", "status")
        assert status == 4
        assert "192.0.2.25 was seen with a key that no 3 1 1 record at _25._tcp.mail.example.test names" in out

    def test_a_roll_over_that_stands_still_and_objections(self, host: Host, run: Run) -> None:
        """Each with its words."""
        steady(host)
        host.progress("stuck", "the certificate ab was taken back", objections=("the zone is not signed",))
        status, out, _ = run("tlsa", "status")
        assert status == 4
        assert "  needs a person: TLSA: the zone is not signed\n" in out
        assert "  needs a person: the roll-over of its key stands still: the certificate ab was taken back\n" in out
        assert run("status")[1].startswith("example.test: stuck, needs a person")

    def test_what_is_wrong_with_the_certificate_otherwise_is_not_its_matter(self, host: Host, run: Run) -> None:
        """``status`` tells that."""
        steady(host)
        host.configure(TABLE + '[certificates."missing.test"]\naccount = "none"\n')
        assert run("tlsa", "status")[0] == 0
        assert run("status")[0] == 4


class TestWithoutATable:
    """Tables that were removed, and endpoints that were withdrawn."""

    def test_records_of_a_removed_table_are_named_with_the_command(self, host: Host, run: Run) -> None:
        """In both; nobody is needed, since the guard keeps the key."""
        steady(host)
        host.configure("")
        for words in (["tlsa", "status"], ["status"]):
            status, out, _ = run(*words)
            assert status == 0
            assert f"`dnsbroker tlsa withdraw {SMTP}` takes them away\n" in out
            assert f"  _25._tcp.mail.example.test TLSA {record(LIVE)}\n" in out
            (left,) = result(run("--json", *words)[1])["unmanaged"]
            assert (left["endpoint"], left["withdrawn"], len(left["records"])) == (SMTP, False, 2)

    def test_records_of_a_removed_table_that_do_not_match_what_is_live_need_a_person(
        self, host: Host, run: Run
    ) -> None:
        """In both: clients refuse it."""
        steady(host)
        host.publish([record(NEXT)])
        host.configure("")
        for words in (["tlsa", "status"], ["status"]):
            status, out, _ = run(*words)
            assert status == 4
            assert f"no 3 1 1 record at _25._tcp.mail.example.test names what {NAME} serves" in out

    def test_a_removed_table_that_left_nothing_is_not_named(self, host: Host, run: Run) -> None:
        """What stands there is somebody else's."""
        host.save()
        host.publish([record(STRANGE)], ours=[])
        host.configure("")
        assert "withdraw" not in run("tlsa", "status")[1] + run("status")[1]

    def test_an_endpoint_that_was_withdrawn_is_looked_after_no_more(self, host: Host, run: Run) -> None:
        """Until when its key has to be served is told."""
        host.save()
        host.rollovers.keep_published(Published(SMTP, (OWNER,), (NAME,), is_withdrawn=True, serve_until=host.now + 60))
        told = result(run("--json", "tlsa", "status")[1])
        assert told["rollovers"] == []
        assert (told["unmanaged"][0]["withdrawn"], told["unmanaged"][0]["records"]) == (True, [])
        assert "its present key has to be served until" in run("status")[1]


class TestAfterARun:
    """Metrics and alerts, told by whichever run ends."""

    @pytest.fixture
    def told(self, host: Host, tmp_path: Path) -> Callable[[Run], tuple[dict[str, str], str]]:
        """End a run: what a monitor reads, by metric and labels, and what a person was told until now."""
        host.configure(TABLE)
        metrics, taken = tmp_path / "metrics.prom", tmp_path / "taken"
        hook = f"alert_hooks = ['{{ echo \"$DNSBROKER_SUMMARY\"; cat; }} >> {taken}']\n"
        host.path.write_text(f'metrics = "{metrics}"\n{hook}{host.path.read_text()}')

        def ended(run: Run) -> tuple[dict[str, str], str]:
            assert run("gc")[0] == 0
            samples = [line.rpartition(" ") for line in metrics.read_text().splitlines() if not line.startswith("#")]
            heard = taken.read_text() if taken.exists() else ""
            return {name: value for name, _, value in samples}, heard

        return ended

    def test_all_that_is_well_is_counted_and_nobody_is_told(
        self, host: Host, run: Run, told: Callable[[Run], tuple[dict[str, str], str]]
    ) -> None:
        """Covered, and since when at which step."""
        steady(host)
        host.progress("propagated", "caches may lack it", host.now + 3600)
        samples, heard = told(run)
        assert samples[f'dnsbroker_tlsa_covered{{endpoint="{SMTP}"}}'] == "1"
        assert f'dnsbroker_rollover_since_seconds{{certificate="{NAME}",step="propagated"}}' in samples
        assert float(samples[f'dnsbroker_rollover_until_seconds{{certificate="{NAME}"}}']) > host.now
        assert heard == ""

    def test_records_that_do_not_match_are_told_at_once(
        self, host: Host, run: Run, told: Callable[[Run], tuple[dict[str, str], str]]
    ) -> None:
        """And once they do again."""
        host.save()
        host.publish([record(STRANGE)])
        samples, heard = told(run)
        assert samples[f'dnsbroker_tlsa_covered{{endpoint="{SMTP}"}}'] == "0"
        assert heard.startswith("example.test: not covered\n")
        host.publish([record(LIVE)])
        assert "example.test: all is well again\n" in told(run)[1]

    def test_what_is_no_certificate_by_name_is_told_of_too(
        self, host: Host, run: Run, told: Callable[[Run], tuple[dict[str, str], str]], tmp_path: Path
    ) -> None:
        """By its path."""
        chain = tmp_path / "chain.pem"
        chain.write_text("nothing")
        host.path.write_text(host.path.read_text().replace(f'certificate = "{NAME}"', f'certificate = "{chain}"'))
        assert told(run)[1].startswith(f"{chain}: damaged\n")


class TestElsewhere:
    """What is looked after and is no certificate by name."""

    def test_a_file_has_a_line_of_its_own_in_status(self, host: Host, run: Run, tmp_path: Path) -> None:
        """And needs a person where it cannot be read."""
        chain = tmp_path / "chain.pem"
        chain.write_text(AUTHORITY.issue(LIVE, ["mail.example.test"]))
        host.configure(TABLE.replace(f'"{NAME}"', f'"{chain}"'))
        assert f"{chain}: ok\n" in run("status")[1]
        chain.write_text("nothing")
        status, out, _ = run("status")
        assert (status, f"{chain}: damaged, needs a person\n" in out) == (4, True)


class TestShow:
    """One certificate whole."""

    def test_its_roll_over_is_shown(self, host: Host, run: Run) -> None:
        """With what its records cover."""
        steady(host)
        out = run("show", NAME)[1]
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert any(line.startswith("roll-over steady since ") for line in lines)
        assert any(line.startswith(f"tlsa {SMTP}: covered, ") for line in lines)
        (certificate,) = result(run("--json", "show", NAME)[1])["certificates"]
        assert certificate["rollover"]["step"] == "steady"


class TestPicture:
    """``--timeline``."""

    def test_it_is_drawn_whole_and_said_where(self, host: Host, run: Run, tmp_path: Path) -> None:
        """For everybody to read; an earlier one is replaced."""
        steady(host)
        path = tmp_path / "picture.svg"
        path.write_text("an earlier one")
        status, out, _ = run("tlsa", "status", "--timeline", str(path))
        assert status == 0
        assert out.endswith(f"drawn in {path}\n")
        root = ElementTree.fromstring(path.read_text())  # noqa: S314 - of the program's own making
        assert len([one for one in root.iter() if one.get("class") == "record"]) == 4 + 2
        assert path.stat().st_mode & 0o777 == 0o644
        told = result(run("--json", "tlsa", "status", "--timeline", str(path), "--since", "1h")[1])
        assert told["timeline"] == str(path)

    def test_a_file_that_cannot_be_written_is_an_error(self, host: Host, run: Run, tmp_path: Path) -> None:
        """And nothing is left."""
        steady(host)
        status, out, err = run("tlsa", "status", "--timeline", str(tmp_path / "nowhere" / "picture.svg"))
        assert (status, out) == (1, "")
        assert err.startswith("error: ") and "nowhere" in err
        before = sorted(tmp_path.iterdir())
        status, out, err = run("tlsa", "status", "--timeline", str(tmp_path))
        assert (status, out) == (1, "")
        assert "directory" in err
        assert sorted(tmp_path.iterdir()) == before

    def test_nothing_seen_is_nothing_drawn(self, host: Host, run: Run, tmp_path: Path) -> None:
        """And no file is made."""
        path = tmp_path / "picture.svg"
        status, _, err = run("tlsa", "status", "--timeline", str(path))
        assert (status, path.exists()) == (2, False)
        assert err.startswith("error: there is nothing to draw") and "hint: " in err

    def test_a_time_without_a_picture_is_a_mistake(self, host: Host, run: Run) -> None:
        """So is a time that is none."""
        assert run("tlsa", "status", "--since", "1h")[0] == 2
        assert run("tlsa", "status", "--since", "soon", "--timeline", "x.svg")[0] == 2
