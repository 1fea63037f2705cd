"""What ``txt present`` wrote, what could not be withdrawn, and a disk that is full: in the end nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import pytest

from dnsbroker import keys
from household import Household, credulous
from lab.processes import look_until, run
from lab.rig import Lab
from program import Program
from underway import Underway, open_leases

Programs = Callable[..., Program]
NAME = "_acme-challenge.left.example.test"
#: So many files and directories does a small disk hold.
FILES = 200
BOTH = (NAME, "_acme-challenge.left.bind.test")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few hundred kilobytes, in our own namespace."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size=512k,nr_inodes={FILES}", "tmpfs", disk])
    yield disk
    run(["umount", "--lazy", disk])


def fill(disk: Path) -> Path:
    """Take all that is left there; the file to remove again."""
    waste = disk / "waste"
    with waste.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            write_until_full(file, size)
    return waste


def leave(disk: Path, files: int) -> list[Path]:
    """Leave room for so many more files, each with what it needs; those to remove again."""
    facts = os.statvfs(disk)
    waste = [disk / f"waste-{number}" for number in range(facts.f_ffree - files)]
    for path in waste:
        path.touch()
    return waste


def write_until_full(file: FileIO, size: int) -> None:
    """Write pieces of ``size`` octets for as long as there is room for one."""
    with contextlib.suppress(OSError):
        while file.write(b"\0" * size):
            continue


@pytest.mark.parametrize("name", BOTH)
def test_what_was_presented_is_cleaned_up(lab: Lab, program: Programs, tmp_path: Path, name: str) -> None:
    """It outlives its process, gc leaves it alone, and cleanup takes it; twice does no harm."""
    dnsbroker = program()
    assert dnsbroker("--json", "txt", "present", name, "one", name, "two").succeeded().result["changed"] is True
    assert set(lab.leftovers(name)) == set(lab.domain_of(name).members)
    assert dnsbroker("--json", "gc").succeeded().result["changed"] is False
    assert lab.values(lab.domain_of(name).primary, name) == {"one", "two"}
    assert dnsbroker("--json", "txt", "cleanup", name, "one", name, "two").succeeded().result["changed"] is True
    assert lab.values(lab.domain_of(name).primary, name) == frozenset()
    assert dnsbroker("--json", "txt", "cleanup", name, "one").succeeded().result["changed"] is False
    assert open_leases(tmp_path / "state") == []


def test_gc_withdraws_what_has_expired(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """Written and not waited for, expired at once: gc takes it, and only it."""
    dnsbroker = program()
    dnsbroker("txt", "present", NAME, "short", "--no-wait", "--expires", "1s").succeeded()
    dnsbroker("txt", "present", NAME, "long", "--no-wait").succeeded()
    assert lab.values("powerdns", NAME) == {"short", "long"}
    look_until(lambda: dnsbroker("gc").succeeded() is not None and lab.values("powerdns", NAME) == {"long"}, "gc")
    dnsbroker("txt", "cleanup", NAME, "long").succeeded()
    look_until(lambda: not lab.leftovers(NAME), f"nothing at {NAME}")
    assert open_leases(tmp_path / "state") == []


def test_a_value_that_stood_there_before_stays(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """Presented by us too, cleaned up by us, even twice: it is somebody else's. What nobody knows of is taken."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.powerdns.replace("example.test", NAME, ['"theirs"', '"unknown"'])
    lab.powerdns.notify("example.test")
    dnsbroker = program()
    dnsbroker("txt", "present", NAME, "theirs").succeeded()
    for _ in range(2):
        assert dnsbroker("--json", "txt", "cleanup", NAME, "theirs").succeeded().result["changed"] is False
    assert lab.values("powerdns", NAME) == {"theirs", "unknown"}
    assert dnsbroker("--json", "txt", "cleanup", NAME, "unknown").succeeded().result["changed"] is True
    assert lab.values("powerdns", NAME) == {"theirs"}
    assert open_leases(tmp_path / "state") == []


def test_a_withdrawal_that_fails_is_status_6_and_gc_tries_again(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """The service goes away between validation and withdrawal: the certificate is there, and the record still is."""
    configuration = configure({"one": ["left.example.test"]}, {"propagation": {"timeout": "20s"}})
    with Underway(configuration, "issue", "one", halting='"validated"') as issuing:
        issuing.await_halt()
        lab.stop("powerdns")
        issuing.send(signal.SIGCONT)
        assert issuing.end() == 6, (issuing.events[-3:], issuing.error)
        result = issuing.await_event("result")
    assert result["certificates"][0]["status"] == "issued" and result["error"]["kind"] == "not-withdrawn"
    assert result["error"]["names"] == [f"{NAME}."]
    assert len(open_leases(tmp_path / "state")) == 1
    lab.start("powerdns")
    with Underway(configuration, "gc") as gc:
        assert gc.end() == 0, gc.events
    assert lab.values("powerdns", NAME) == frozenset()
    assert open_leases(tmp_path / "state") == []


def test_a_provider_that_is_configured_no_more_is_status_6(lab: Lab, program: Programs) -> None:
    """The record is not forgotten: it is told, with what to do, until the provider is there again for one run."""
    program()("txt", "present", NAME, "old", "--no-wait", "--expires", "0.01s").succeeded()
    message, hint = program(overrides={"providers": {"powerdns": None}})("gc").failed(6).error
    assert "left.example.test" in message and "'powerdns' is not configured" in message
    assert "[providers.powerdns]" in hint
    program()("gc").succeeded()
    assert lab.values("powerdns", NAME) == frozenset()


def test_a_disk_that_fills_up_leaves_nothing_in_dns(lab: Lab, configure: Callable[..., Path], small_disk: Path) -> None:
    """The journal cannot be written any more when the values have to go: they go, and the error names the file."""
    state = small_disk / "state"
    configuration = configure({"one": ["left.example.test"]}, {"state_dir": str(state)})
    with Underway(configuration, "issue", "one", halting='"written"') as issuing:
        issuing.await_halt()
        waste = fill(small_disk)
        issuing.send(signal.SIGCONT)
        assert issuing.end() == 1, (issuing.events[-3:], issuing.error)
        error = issuing.await_event("result")["error"]
    assert error["kind"] == "store" and str(state) in error["message"], error
    assert lab.values("powerdns", NAME) == frozenset()
    waste.unlink()
    with Underway(configuration, "gc") as gc:
        assert gc.end() == 0, (gc.events, gc.error)
    assert open_leases(state) == []


def test_a_renewal_on_a_full_disk_leaves_what_was_live(running_lab: Lab, small_disk: Path, tmp_path: Path) -> None:
    """Whichever file has no room, of locks, journal or archive: words, no half certificate, the old one live.

    There is room for one file more each time until it goes well, with the order that was opened on the way. The CA
    believes without looking: DNS has tests of its own.
    """
    archive = small_disk / "state/archive/one"
    refused: list[str] = []
    with credulous(tmp_path / "ca", port=14530) as ca:
        home = Household(running_lab, small_disk, ca).says({"one": ["full.example.test"]})
        home("issue").succeeded()
        before = home.serial("one")
        while home.serial("one") == before:
            assert len(refused) < 30, refused
            waste = leave(small_disk, len(refused))
            ran = home("renew", "one", "--force")
            for path in waste:
                path.unlink()
            assert [len(list(path.iterdir())) for path in archive.iterdir()] == [5] * len(list(archive.iterdir()))
            assert keys.matches(home.pem("one", "privkey"), home.pem("one"))
            if home.serial("one") == before:
                message, hint = ran.failed(1).error
                refused.append(message.removeprefix(f"{small_disk}/state/"))
                assert "room" in hint, (message, hint)
    assert {path.split("/")[0].split(":")[0] for path in refused} == {"runs", "state.db", "archive"}, refused


def test_a_full_disk_is_told_before_anything_is_written(lab: Lab, program: Programs, small_disk: Path) -> None:
    """Nothing is sent that could not be written down."""
    dnsbroker = program(overrides={"state_dir": str(small_disk / "state")})
    dnsbroker("list").succeeded()
    fill(small_disk)
    message, hint = dnsbroker("txt", "present", NAME, "never").failed(1).error
    assert str(small_disk) in message and "disk" in hint
    assert lab.values("powerdns", NAME) == frozenset()


def test_a_state_directory_that_cannot_be_written_is_named(lab: Lab, program: Programs, small_disk: Path) -> None:
    """One line, one hint, status 1."""
    run(["mount", "-o", "remount,ro", small_disk])
    message, hint = program(overrides={"state_dir": str(small_disk / "state")})("gc").failed(1).error
    assert str(small_disk) in message and hint


def test_a_signal_to_gc_leaves_the_rest_for_the_next(lab: Lab, configure: Callable[..., Path], tmp_path: Path) -> None:
    """Gc is a run like any other: stopped while the service hangs, it ends, and the journal still knows."""
    configuration = configure({}, {"propagation": {"timeout": "20s"}})
    with Underway(configuration, "txt", "present", NAME, "old", "--no-wait", "--expires", "0.01s") as present:
        assert present.end() == 0, present.error
    lab.freeze("powerdns")
    with Underway(configuration, "gc") as gc:
        gc.await_event("swept")
        status, seconds = gc.stop(signal.SIGINT)
    lab.thaw("powerdns")
    assert status == 130 and seconds < 18
    assert len(open_leases(tmp_path / "state")) == 1
    with Underway(configuration, "gc") as gc:
        assert gc.end() == 0, gc.events
    assert lab.values("powerdns", NAME) == frozenset()
