"""``tlsa verify``: a sentence and an exit status, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from certified import certified
from dnsbroker.cli import main

HOST = "mail.example.org"
ALWAYS = (-9000, 9000)
ROOT = certified("root", days=ALWAYS)
LEAF = certified("", ROOT, authority=False, names=[HOST], days=ALWAYS)
LATE = certified("", ROOT, authority=False, names=[HOST], days=(-9000, -8000), own_key=LEAF.key)
RIGHT, ISSUER, WRONG = LEAF.tlsa("3 1 1"), ROOT.tlsa("2 1 1"), ROOT.tlsa("3 1 1")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the program beside chain.pem and late.pem; its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.pem").write_text(LEAF.pem + ROOT.pem)
    (tmp_path / "late.pem").write_text(LATE.pem + ROOT.pem)

    def called(*records: str, chain: str = "chain.pem", hosts: tuple[str, ...] = (HOST,)) -> tuple[int, str, str]:
        named = [word for host in hosts for word in ("--host", host)]
        status = main(["tlsa", "verify", "--chain", chain, *named, *records])
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def shown(record: str) -> str:
    """As people see it: enough to tell it from others."""
    return record[:14] + "..."


def test_a_chain_that_is_accepted_has_status_0(run: Run) -> None:
    """And the reason, with each record's part in it."""
    status, out, err = run(RIGHT, ISSUER)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "accepted: 3 1 1: it names the leaf's key",
        f"  {shown(RIGHT)}: matches: it names the leaf's key",
        f"  {shown(ISSUER)}: matches: it names 'root', to which the leaf leads",
    ]
    assert run("-q", RIGHT) == (0, "", "")


def test_one_that_is_not_has_status_4(run: Run) -> None:
    """And the reason."""
    status, out, err = run(WRONG, "3 1 2 00")
    assert (status, err) == (4, "")
    assert out.splitlines() == [
        "refused: 3 1 1: the leaf has another key",
        f"  {shown(WRONG)}: differs: the leaf has another key",
        "  3 1 2 00: unusable: its digest has 1 octets instead of 64",
    ]
    assert run("-q", WRONG)[:2] == (4, out.replace("  3 1 2 00: unusable: its digest has 1 octets instead of 64\n", ""))


def test_what_would_decide_elsewhere_is_a_warning(run: Run) -> None:
    """On stderr: a kind that matches nothing, and a date that usage 3 does not mind."""
    status, _, err = run(RIGHT, chain="late.pem")
    assert (status, err.count("warning: ")) == (0, 1)
    assert "warning: the leaf expired on " in err
    status, _, err = run(RIGHT, LEAF.tlsa("2 1 1"))
    assert (status, err.count("warning: ")) == (0, 1)
    assert "warning: no record 2 1 1 matches this chain" in err


def test_names_matter_as_they_are_asked_for(run: Run) -> None:
    """To usage 2, by any of them; to usage 3 only where that is asked for."""
    assert run(ISSUER, hosts=("www.example.org",))[0] == 4
    assert run(ISSUER, hosts=("www.example.org", HOST))[0] == 0
    assert run(RIGHT, hosts=("www.example.org",))[0] == 0
    status, out, _ = run("--ee-name-check", RIGHT, hosts=("www.example.org",))
    assert status == 4
    assert out.startswith("refused: 3 1 1: the leaf is for mail.example.org, and not for www.example.org\n")


def test_a_program_gets_every_record_with_its_state(run: Run) -> None:
    """In whole."""
    status, out, _ = run("--json", RIGHT, WRONG)
    told = json.loads(out.splitlines()[-1])
    assert (status, told["status"], told["command"]) == (0, 0, "tlsa verify")
    assert (told["accepted"], told["why"], told["warnings"]) == (True, "3 1 1: it names the leaf's key", [])
    assert told["records"] == [
        {"record": RIGHT, "state": "matches", "why": "it names the leaf's key"},
        {"record": WRONG, "state": "differs", "why": "the leaf has another key"},
    ]


@pytest.mark.parametrize(
    ("records", "chain", "words"),
    [
        (("3 1 1 nothing",), "chain.pem", "error: '3 1 1 nothing' is no record: the TLSA association data is not hex"),
        (("3", "1", "1", "00"), "chain.pem", "error: '3' is no record: a TLSA value is 'usage selector type hex'"),
        ((RIGHT,), "nowhere.pem", "error: nowhere.pem: cannot be read: no such file or directory"),
        ((RIGHT,), "empty.pem", "error: empty.pem: certificate: there is none in PEM form"),
        ((), "chain.pem", "error: missing argument"),
    ],
)
def test_what_is_wrong_is_named(run: Run, tmp_path: Path, records: tuple[str, ...], chain: str, words: str) -> None:
    """With status 2 and a hint: a call is no verdict."""
    (tmp_path / "empty.pem").write_text("")
    status, out, err = run(*records, chain=chain)
    assert (status, out) == (2, "")
    assert err.startswith(words)
    assert "\nhint: " in err
