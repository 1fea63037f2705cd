"""The doctor among real servers: each fault is named with evidence and a next step; once it is mended, nothing is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.misbehaving import Behaviour
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import PLACES
from program import Program, Ran

CERTIFICATES = {
    "one": ["example.test", "*.example.test", "cname.example.test"],
    "two": ["bind.test", "www.bind.test"],
    "flaky": ["flaky.test"],
}
Programs = Callable[..., Program]


@pytest.fixture
def sound(lab: Lab, program: Programs) -> Program:
    """The program in a lab in which nothing is wrong: the one serial that would not move has been seen to."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    return program(CERTIFICATES)


def findings(ran: Ran) -> dict[tuple[str, str], dict[str, Any]]:
    """What a person would be told without -v, by check and subject."""
    return {
        (found["check"], found["subject"]): found for found in ran.named("finding") if found["severity"] != "notice"
    }


def assert_silent(run: Program, *names: str) -> None:
    """Nothing is wrong, and so nothing is said; not even to a program."""
    ran = run("-q", "doctor", *names).succeeded()
    assert (ran.stdout, ran.stderr) == ("", "")


def evidence(found: Mapping[str, Any]) -> str:
    """All that was seen, as one text."""
    return " ".join(str(item) for item in found["evidence"])


def test_a_sound_lab_is_silent_and_stays_as_it_is(lab: Lab, sound: Program) -> None:
    """Four kinds of servers, signed zones, an alias into another zone: no error, no warning, no change."""
    before = {zone: lab.serial(domain.primary, zone) for zone, domain in lab.domains.items()}
    result = sound("--json", "doctor").succeeded().result
    assert result["findings"]["error"] == result["findings"]["warning"] == 0
    assert result["examined"] == {"names": 6, "zones": 3, "providers": 2, "servers": 6}
    assert result["changed"] is False
    assert_silent(sound)
    assert {zone: lab.serial(domain.primary, zone) for zone, domain in lab.domains.items()} == before
    assert not sound.state.exists()


def test_a_serial_that_would_not_move_is_mended(lab: Lab, program: Programs) -> None:
    """The zone as pdnsutil makes it: told what --fix, or the next write, sets; nothing set; then set; then silence."""
    run = program({"one": CERTIFICATES["one"]})
    found = findings(run("--json", "doctor").succeeded())["serial-stuck", "example.test"]
    assert found["severity"] == "warning"
    assert "--fix` sets it to INCREASE" in found["hint"]
    assert lab.powerdns.settings_of("example.test")["soa_edit_api"] == ""
    fixed = run("doctor", "--fix").succeeded()
    assert "fixed: example.test: " in fixed.stdout
    assert lab.powerdns.settings_of("example.test")["soa_edit_api"] == "INCREASE"
    assert_silent(run)


def test_each_server_that_fails_is_named(lab: Lab, sound: Program) -> None:
    """One that says nothing, one that is gone, one that has lost the zone, one that does not follow; at once."""
    lab.freeze("nsd")
    lab.stop("knot")
    lab.bind_secondary.unfollow("example.test")
    try:
        lab.misbehaving.behave(Behaviour(stale=True))
        lab.powerdns.replace("flaky.test", "other.flaky.test", ['"new"'])
        lab.bind_secondary.refresh("flaky.test")  # where NOTIFY came while it reread its zones
        look_until(lambda: lab.is_current(lab.domains["flaky.test"], "bind-secondary"), "flaky.test is followed")
        found = findings(sound("--json", "doctor").failed(4))
    finally:
        lab.bind_secondary.follow("example.test", PLACES["powerdns"].address)
    silent, gone = found["silent-server", "example.test"], found["silent-server", "bind.test"]
    assert PLACES["nsd"].address in evidence(silent) and PLACES["knot"].address in evidence(gone)
    assert PLACES["bind-secondary"].address in evidence(found["lame-server", "example.test"])
    stale = found["stale-server", "flaky.test"]
    assert stale["severity"] == "error" and PLACES["misbehaving"].address in evidence(stale)
    serials = {item["serial"] for item in stale["evidence"] if "serial" in item}
    assert len(serials) == 2 and lab.serial("powerdns", "flaky.test") in serials
    assert all(item["hint"] for item in found.values())
    lab.clean()
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    look_until(lambda: lab.is_current(lab.domains["example.test"], "bind-secondary"), "example.test is followed")
    assert_silent(sound)


def test_wrong_credentials_are_told_of_their_provider(lab: Lab, program: Programs, tmp_path: Path) -> None:
    """Once each, however many names are concerned; the secrets are not told."""
    wrong = tmp_path / "wrong.key"
    wrong.touch(mode=0o600)
    wrong.write_text("d3JvbmctYW5kLXNlY3JldA==")
    key = {"file": str(wrong)}
    providers = {"powerdns": {"api_key": key}, "bind": {"tsig_secret": key}}
    ran = program(CERTIFICATES, {"providers": providers})("--json", "doctor").failed(4)
    auth = {subject: found for (check, subject), found in findings(ran).items() if check == "auth"}
    assert set(auth) == {"provider powerdns", "provider bind"}
    assert all(found["severity"] == "error" and found["hint"] for found in auth.values())
    assert wrong.read_text() not in ran.stdout + ran.stderr


def test_a_zone_that_moved_away_is_found(lab: Lab, program: Programs) -> None:
    """The copy that stayed behind: an error where it would be written to, else worth knowing."""
    old = {PLACES["powerdns"].host: PLACES["powerdns"].addresses}
    lab.powerdns.create_zone("bind.test", servers=old, soa_edit_api="INCREASE")
    try:
        both = program({"two": CERTIFICATES["two"]})("--json", "doctor").succeeded()
        left = program({"two": CERTIFICATES["two"]}, {"providers": {"bind": None}})("--json", "doctor").failed(4)
    finally:
        lab.powerdns.delete_zone("bind.test")
    (told,) = [found for found in both.named("finding") if found["check"] == "delegated-elsewhere"]
    assert (told["severity"], told["subject"]) == ("notice", "bind.test")
    found = findings(left)["delegated-elsewhere", "bind.test"]
    assert found["severity"] == "error" and "provider powerdns" in found["message"]
    assert {"ns1.bind.test", "ns1.example.test"} <= set(re.findall(r"[\w.]+", evidence(found))) and found["hint"]
    assert_silent(program({"two": CERTIFICATES["two"]}))


def test_what_was_left_behind_is_withdrawn(lab: Lab, program: Programs) -> None:
    """Ours by the journal's word; the value of somebody else stays where it is."""
    name = "_acme-challenge.flaky.test"
    lab.powerdns.replace("flaky.test", name, ['"theirs"'])
    run = program({"flaky": CERTIFICATES["flaky"]})
    run("txt", "present", name, "ours", "--expires", "10ms", "--no-wait").succeeded()
    lab.await_values(name, ["ours", "theirs"])
    found = findings(run("--json", "doctor").succeeded())["left-behind", name]
    assert found["severity"] == "warning" and "ours" in evidence(found) and "--fix" in found["hint"]
    assert lab.values("powerdns", name) == {"ours", "theirs"}
    result = run("--json", "doctor", "--fix").succeeded().result
    assert (result["findings"]["fixed"], result["changed"]) == (1, True)
    lab.await_values(name, ["theirs"])
    assert_silent(run)


def test_a_delegation_that_leads_nowhere_is_found(lab: Lab, program: Programs) -> None:
    """A circle, which BIND answers with SERVFAIL, shown whole; the name beside it is well."""
    first, second = "_acme-challenge.loop.bind.test", "_acme-challenge.back.bind.test"
    lab.bind.update("bind.test", add={(first, "CNAME"): [f"{second}."], (second, "CNAME"): [f"{first.upper()}."]})
    run = program()
    late = ("--ignore", PLACES["knot"].host)  # BIND tells its secondary of a change only some seconds after another one
    ran = run("--json", "doctor", "loop.bind.test", "www.bind.test", *late).failed(4)
    found = {key: item for key, item in findings(ran).items() if item["severity"] == "error"}
    ((check, subject),) = found
    assert (check, subject) == ("alias-loop", first)
    assert second in found[check, subject]["message"] + evidence(found[check, subject])
    assert_silent(run, "www.bind.test", *late)
