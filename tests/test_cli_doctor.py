"""`dnsbroker doctor`: what a person reads, what a script gets, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.cli import main
from dnsbroker.cli.doctor import summed_up
from dnsbroker.doctor import Diagnosis, Examined
from dnsbroker.findings import Evidence, Finding, Severity
from practice import practising

EXAMINED = Examined(names=2, zones=1, providers=1, servers=3)
STALE = Finding(
    "stale-server",
    Severity.ERROR,
    "example.test",
    "ns2.example.test is behind",
    "let it accept NOTIFY",
    (
        Evidence("ns2.example.test (192.0.2.2)", serial=7),
        Evidence("ns1.example.test (192.0.2.1)", "SOA", 9),
        Evidence(record='TXT "old"'),
        Evidence("corp"),
    ),
)
SLOW = Finding("negative-ttl", Severity.NOTICE, "example.test", "denials are kept for 1d")
MENDED = Finding("serial-stuck", Severity.ERROR, "example.test", "SOA-EDIT-API is INCREASE now", fixed=True)


def lines(*findings: Finding, verbose: bool = False) -> Sequence[str]:
    return summed_up(Diagnosis(findings, EXAMINED), is_verbose=verbose).lines


def test_a_finding_has_evidence_and_a_next_step() -> None:
    """Each on a line of its own, below what is wrong."""
    assert lines(STALE) == [
        "error: example.test: ns2.example.test is behind",
        "    ns2.example.test (192.0.2.2): serial 7",
        "    ns1.example.test (192.0.2.1): SOA, serial 9",
        '    TXT "old"',
        "    corp",
        "    next: let it accept NOTIFY",
        "2 names, 1 zone, 1 provider, 3 servers examined: 1 error",
    ]


def test_a_finding_stays_on_its_lines() -> None:
    """Whatever a service has put into its words."""
    odd = Finding("auth", Severity.ERROR, "provider corp", "it said:\nerror: all is lost", "look\n  there")
    assert lines(odd)[:-1] == ["error: provider corp: it said: error: all is lost", "    next: look there"]


def test_evidence_that_says_nothing_takes_no_line() -> None:
    """As of a lookup that no server in particular failed."""
    bare = Finding("no-zone", Severity.ERROR, "example.test", "nobody answers", "let somebody", (Evidence(),))
    assert lines(bare)[:-1] == ["error: example.test: nobody answers", "    next: let somebody"]


def test_the_same_of_many_names_is_told_once() -> None:
    """The evidence and the next step too; what differs in anything stands by itself."""
    several = [replace(STALE, subject=name) for name in ("a.test", "b.test")]
    first, *_, last = lines(*several, replace(STALE, subject="c.test", hint="look"))
    assert first == "error: a.test, b.test: ns2.example.test is behind"
    assert "error: c.test: ns2.example.test is behind" in lines(*several, replace(STALE, subject="c.test", hint="look"))
    assert last.endswith("3 errors")
    many = [replace(STALE, subject=f"{number}.test") for number in range(40)]
    assert lines(*many)[0].startswith("error: 0.test, 1.test, 2.test, 3.test, 4.test, and 35 more: ")
    assert "40 errors" in lines(*many)[-1]


def test_notices_are_for_those_who_ask() -> None:
    """But that there are some is said."""
    assert lines(SLOW) == ["2 names, 1 zone, 1 provider, 3 servers examined: 1 notice (-v shows it)"]
    assert lines(SLOW, verbose=True) == [
        "notice: example.test: denials are kept for 1d",
        "2 names, 1 zone, 1 provider, 3 servers examined: 1 notice",
    ]
    assert lines(SLOW, SLOW)[-1].endswith("2 notices (-v shows them)")


def test_what_was_mended_is_told_as_such() -> None:
    """And no error is left."""
    result = summed_up(Diagnosis((MENDED,), EXAMINED), is_verbose=False)
    assert list(result.lines) == [
        "fixed: example.test: SOA-EDIT-API is INCREASE now",
        "2 names, 1 zone, 1 provider, 3 servers examined: 1 fixed",
    ]
    assert result.status == 0


def test_all_is_well_where_nothing_was_found() -> None:
    """In so many words."""
    assert lines() == ["2 names, 1 zone, 1 provider, 3 servers examined: all is well"]


def test_only_an_error_makes_the_check_fail() -> None:
    """Neither a warning nor a notice does."""
    warning = Finding("no-tcp", Severity.WARNING, "example.test", "no TCP")
    assert summed_up(Diagnosis((warning, SLOW), EXAMINED), is_verbose=False).status == 0
    assert summed_up(Diagnosis((warning, STALE), EXAMINED), is_verbose=False).status == 4


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Call the program in a world whose names nobody may write; its status, stdout and stderr."""
    with practising(tmp_path / "state") as practice:
        port = practice.tree.servers.port
        file = tmp_path / "dnsbroker.toml"
        file.write_text(
            f'state_dir = "{tmp_path}/state"\n[acme]\ndirectory = "http://127.0.0.1:1/dir"\n'
            f'[dns]\nresolvers = ["127.0.0.53:{port}"]\nnameserver_port = {port}\n'
        )

        def called(*arguments: str) -> tuple[int, str, str]:
            status = main(["--config", str(file), *arguments])
            said = capsys.readouterr()
            return status, said.out, said.err

        yield called


def test_nothing_to_look_at_is_well(run: Run, tmp_path: Path) -> None:
    """Status 0; with -q not a word; and no file was made."""
    assert run("doctor") == (0, "0 names, 0 zones, 0 providers, 0 servers examined: all is well\n", "")
    assert run("-q", "doctor") == (0, "", "")
    assert not (tmp_path / "state").exists()


def test_an_error_is_status_4(run: Run) -> None:
    """The findings are the result, and so on stdout; with -q too."""
    for arguments in (["doctor", "example.test"], ["doctor", "example.test", "-q"]):
        status, out, err = run(*arguments)
        assert (status, err) == (4, "")
        assert "error: _acme-challenge.example.test: " in out and "no configured provider holds" in out
        assert "    next: configure a provider" in out
        assert "1 name, 1 zone, 0 providers, 2 servers examined: 2 errors" in out


def test_json_has_each_finding_and_the_counts(run: Run) -> None:
    """Notices too, whether or not a person would see them."""
    status, out, err = run("--json", "doctor", "example.test")
    *events, result = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (4, "")
    assert {event["event"] for event in events} == {"finding"}
    assert {(event["check"], event["subject"]) for event in events} >= {
        ("no-provider", "_acme-challenge.example.test"),
        ("ca-unreachable", "account default"),
    }
    assert (result["event"], result["command"], result["status"], result["changed"]) == ("result", "doctor", 4, False)
    counts: dict[str, Any] = {word: 0 for word in ("error", "warning", "notice", "fixed")}
    for event in events:
        counts[event["severity"]] += 1
    assert result["findings"] == counts
    assert result["examined"] == {"names": 1, "zones": 1, "providers": 0, "servers": 2}
    assert "error" not in result


def test_a_name_that_is_none_is_status_2(run: Run) -> None:
    """And nobody was asked anything."""
    status, out, err = run("doctor", "no such name")
    assert (status, out) == (2, "")
    assert "is neither a configured certificate nor a domain name" in err
    assert run("doctor", "example.test", "--ignore", "no server")[0] == 2


def test_verbose_shows_findings_once(run: Run) -> None:
    """The story does not repeat the result."""
    _, out, err = run("-vv", "doctor", "example.test")
    assert out.count("no configured provider holds") == 1
    assert "no configured provider holds" not in err
