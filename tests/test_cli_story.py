"""The story that a person reads on stderr: each event in words, and how loud it is."""

from __future__ import annotations

import pytest

from dnsbroker.cli.options import Options
from dnsbroker.cli.output import Output
from dnsbroker.cli.story import line_for
from dnsbroker.events import Event

CHALLENGE = "_acme-challenge.example.org."
PLACE = {"name": CHALLENGE, "owner": CHALLENGE, "zone": "example.org.", "provider": "corp"}
WRITE = {"provider": "corp", "zone": "example.org.", "names": [CHALLENGE], "serial": 7, "changed": True}
HOOK = {"phase": "deploy", "command": "x.sh"}
SERVER = {"zone": "example.org.", "server": "ns2.example.org.", "address": "192.0.2.2"}
DANE = {"event": "dane", "certificate": "mail", "step": "published", "reason": "a server is late"}

STORY: list[tuple[Event, int, str]] = [
    ({"event": "account", "url": "https://ca.example/1"}, 0, "account at the CA: https://ca.example/1"),
    ({"event": "asked", "identifier": "*.example.org"}, 1, "asking the CA to look at *.example.org"),
    ({"event": "busy", "reason": "another one has it"}, 1, "another one has it"),
    (
        {"event": "held", "name": CHALLENGE, "until": "2026-11-21T10:00:00Z", "seconds": 6.0},
        0,
        "the CA may hold an older answer for _acme-challenge.example.org: asking it in 6.0 s",
    ),
    ({"event": "issued", "not_after": "2027-02-19T10:00:00Z"}, 1, "issued, valid until 2027-02-19"),
    ({"event": "kept", "reason": "valid until 2027-02-19"}, 1, "kept, valid until 2027-02-19"),
    ({"event": "key", "key_type": "rsa2048", "reused": True}, 1, "private key: rsa2048, used again"),
    ({"event": "key", "key_type": "ecdsa-p256", "reused": False}, 1, "private key: ecdsa-p256, new"),
    (
        {"event": "left", "name": CHALLENGE, "message": "no answer"},
        0,
        "warning: could not withdraw _acme-challenge.example.org: no answer",
    ),
    ({"event": "order", "url": "https://ca.example/2"}, 1, "order https://ca.example/2"),
    (
        {"event": "place", **PLACE, "servers": ["a 192.0.2.1", "b 192.0.2.2"]},
        1,
        "_acme-challenge.example.org is in zone example.org, written by corp, served at 2 addresses",
    ),
    (
        {"event": "place", **PLACE, "chain": ["_acme-challenge.www.example.net."], "servers": ["a 192.0.2.1"]},
        1,
        "_acme-challenge.www.example.net -> _acme-challenge.example.org is in zone example.org",
    ),
    ({"event": "planned", "reason": "not there", "would_be": "issued"}, 1, "would be issued (not there)"),
    ({"event": "propagated", "name": CHALLENGE}, 0, "every server has _acme-challenge.example.org"),
    (
        {"event": "server", **SERVER, "verdict": "green", "serial": 7},
        0,
        "  ns2.example.org 192.0.2.2: has it, serial 7",
    ),
    (
        {"event": "server", **SERVER, "verdict": "stale", "serial": 6, "detail": "at serial 6, needs 7"},
        0,
        "  ns2.example.org 192.0.2.2: stale: at serial 6, needs 7",
    ),
    ({"event": "swept", "names": [CHALLENGE]}, 0, "withdrawing what an earlier run left: _acme-challenge.example.org"),
    ({"event": "validated", "identifier": "*.example.org"}, 0, "validated: *.example.org"),
    ({"event": "waiting", "seconds": 3.0, "reason": "because"}, 0, "waiting 3.0 s: because"),
    ({"event": "warning", "message": "odd"}, 0, "warning: odd"),
    ({"event": "warning", "message": "odd", "hint": "mend it"}, 0, "warning: odd\nhint: mend it"),
    ({"event": "withdrawn", **WRITE}, 0, "withdrawn from example.org: _acme-challenge.example.org"),
    ({"event": "written", **WRITE}, 0, "written to example.org at corp, serial 7: _acme-challenge.example.org"),
    ({"event": "failed", "error": {"message": "no"}}, 1, "failed: no"),
    ({"event": "failed"}, 1, "failed"),
    ({"event": "copied", "paths": ["/etc/a.crt", "/etc/a.key"]}, 0, "copied to /etc/a.crt, /etc/a.key"),
    ({"event": "hook", **HOOK, "status": 3, "output": ["one", "two"]}, 0, "deploy hook 'x.sh': status 3\n  one\n  two"),
    ({"event": "hook", **HOOK, "status": 143, "timed_out": True}, 0, "deploy hook 'x.sh': stopped at its time-out"),
    ({"event": "reloaded", "unit": "nginx", "state": "active", "running": True}, 0, "reloaded nginx"),
    (
        {"event": "reloaded", "unit": "nginx", "state": "failed", "running": False},
        0,
        "nginx is not running (failed): left alone",
    ),
    (
        {"event": "verified", "endpoint": "https://a.example", "addresses": ["192.0.2.1", "192.0.2.2"]},
        0,
        "https://a.example serves the new certificate at 192.0.2.1, 192.0.2.2",
    ),
    (
        {"event": "deploy_failed", "step": "hook x.sh", "message": "ended with status 3", "hint": "mend it"},
        0,
        "failed to deploy: hook x.sh: ended with status 3\nhint: mend it",
    ),
    ({"event": "new-one", "time": "t", "fact": 1}, 2, "new-one fact=1"),
]


@pytest.mark.parametrize(
    ("event", "level", "line"), STORY, ids=lambda item: item["event"] if isinstance(item, dict) else ""
)
def test_each_event_has_its_words_and_its_loudness(event: Event, level: int, line: str) -> None:
    """Names without their final dot; an event that nobody knows is told as it is, to who wants everything."""
    told_level, told = line_for(event)
    assert told_level == level
    assert told.startswith(line)
    assert not told.endswith(".")


def test_an_event_of_one_certificate_begins_with_its_name() -> None:
    """Where many are worked on, that is what the eye looks for."""
    assert (
        line_for({"event": "validated", "identifier": "a.example", "certificate": "c17"})[1]
        == "c17: validated: a.example"
    )


@pytest.mark.parametrize(("verbose", "heard"), [(0, 1), (1, 2), (2, 3)])
def test_v_lets_more_be_heard(capsys: pytest.CaptureFixture[str], verbose: int, heard: int) -> None:
    """Each time one level."""
    output = Output(Options(verbose=verbose), "issue")
    output.event({"event": "propagated", "name": CHALLENGE})
    output.event({"event": "order", "url": "https://ca.example/2"})
    output.event({"event": "new-one"})
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == heard


def test_quiet_tells_no_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even a loud one."""
    output = Output(Options(quiet=True), "issue")
    output.event({"event": "warning", "message": "odd"})
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("trouble", ["warning", "left", "deploy_failed"])
def test_a_terse_story_is_of_trouble_alone(trouble: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Who calls us as its hook takes every line for an error; with -v it gets what others get."""
    told = {event["event"]: event for event, _, _ in STORY}
    for options in (Options(terse=True), Options(terse=True, verbose=1)):
        output = Output(options, "hook certbot auth")
        for name in (trouble, "propagated"):
            output.event(told[name])
    trouble_alone, *rest = capsys.readouterr().err.splitlines()
    assert rest.count(trouble_alone) == 1
    assert [line for line in rest if line.startswith("every server has")] == [rest[-1]]


@pytest.mark.parametrize("command", ["tlsa publish", "tlsa rollover", "tlsa advance"])
def test_what_the_result_will_say_is_told_once(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a roll-over stands is their result; with -v each step on the way is told as well."""
    for verbose in (0, 1):
        Output(Options(verbose=verbose), command).event(DANE)
    assert capsys.readouterr().err == "mail: published: a server is late\n"


def test_what_no_result_says_of_a_roll_over_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The negative twin: a renewal's result is about certificates."""
    Output(Options(), "renew").event(DANE)
    assert capsys.readouterr().err == "mail: published: a server is late\n"
