"""The plugin among certbot's own classes: what it publishes, tells and takes back."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from acme import challenges
from certbot import errors
from certbot._internal.display import obj

from certbot_dns_dnsbroker import authenticator
from certbot_plugin import DONE, KEY, NO_PROVIDER, NOT_EVERYWHERE, Made, Stub, challenge, makes, value_of


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    made = Stub(tmp_path / "dnsbroker")
    made.says(DONE)
    return made


@pytest.fixture
def plugin(stub: Stub, tmp_path: Path) -> Made:
    return makes(stub, tmp_path)


@pytest.fixture(autouse=True)
def display(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certbot as it is without a terminal."""
    monkeypatch.setattr(obj, "get_display", lambda: obj.NoninteractiveDisplay(sys.stdout))


def test_all_values_go_out_in_one_call(plugin: Made, stub: Stub) -> None:
    """Apex and wildcard are two values at one name: one write, one wait."""
    achalls = [challenge(token=b"a" * 16), challenge(token=b"b" * 16), challenge("www.example.org")]
    responses = plugin().perform(achalls)
    one, two, three = map(value_of, achalls)
    names = (
        f"_acme-challenge.example.org {one} _acme-challenge.example.org {two} _acme-challenge.www.example.org {three}"
    )
    assert stub.calls == [f"--json txt present -- {names}"]
    assert responses == [achall.response(KEY) for achall in achalls]


def test_they_are_taken_back_in_one_call(plugin: Made, stub: Stub) -> None:
    """By the same names and values."""
    achalls = [challenge(token=b"a" * 16), challenge(token=b"b" * 16)]
    plugin().cleanup(achalls)
    one, two = map(value_of, achalls)
    assert stub.calls == [f"--json txt cleanup -- _acme-challenge.example.org {one} _acme-challenge.example.org {two}"]


def test_the_options_reach_the_program(plugin: Made, stub: Stub) -> None:
    """Each carries the plugin's name, as certbot demands."""
    plugin("--dns-dnsbroker-config", "/etc/x.toml", "--dns-dnsbroker-expires", "3h").perform([challenge()])
    assert stub.calls[0].startswith("--json --config /etc/x.toml txt present --expires 3h -- _acme-challenge.")


def test_a_failure_ends_the_run_with_the_programs_words(plugin: Made, stub: Stub) -> None:
    """PluginError is the one thing that keeps certbot from asking the CA."""
    stub.says(NOT_EVERYWHERE, status=3)
    with pytest.raises(
        errors.PluginError, match=r"^ns2.example.org has the old serial \(hint: let it accept NOTIFY\)$"
    ):
        plugin().perform([challenge()])


def test_what_a_failed_run_wrote_is_taken_back(plugin: Made, stub: Stub) -> None:
    """Certbot calls cleanup after a failure too."""
    made = plugin()
    stub.says(NOT_EVERYWHERE, status=3)
    with pytest.raises(errors.PluginError):
        made.perform([challenge()])
    made.cleanup([challenge()])
    assert [" ".join(call.split()[1:3]) for call in stub.calls] == ["txt present", "txt cleanup"]


def test_where_nothing_was_written_nothing_is_taken_back(plugin: Made, stub: Stub) -> None:
    """It could only fail once more, for the same reason; a later perform begins anew."""
    made = plugin()
    stub.says(NO_PROVIDER, status=2)
    with pytest.raises(errors.PluginError, match="no provider may write"):
        made.perform([challenge()])
    made.cleanup([challenge()])
    assert len(stub.calls) == 1
    stub.says(DONE)
    made.perform([challenge()])
    made.cleanup([challenge()])
    assert len(stub.calls) == 3


def test_a_program_that_dies_without_a_result_is_a_failure(plugin: Made, stub: Stub) -> None:
    """What it said last is all that can be told; what it did is not known, so it is taken back."""
    made = plugin()
    stub.does("echo 'bad interpreter: no such file' >&2", "exit 126")
    with pytest.raises(errors.PluginError, match=r"^bad interpreter: no such file$"):
        made.perform([challenge()])
    stub.does("kill -KILL $$")
    with pytest.raises(errors.PluginError, match=r"^dnsbroker ended with status 137$"):
        made.perform([challenge()])
    made.cleanup([challenge()])
    assert len(stub.calls) == 3


@pytest.mark.parametrize("status", [0, 6])
@pytest.mark.parametrize(
    "line",
    ["", "hello", '{"event": "written"}', '{"event": ["result"], "status": 0}', '{"event": "result"}'],
    ids=["nothing", "garbage", "an event", "no event", "no status"],
)
def test_a_status_without_a_result_is_no_success(plugin: Made, stub: Stub, status: int, line: str) -> None:
    """Whatever that program is, nobody has seen a record: certbot must not ask the CA."""
    stub.does(f"echo '{line}'", f"exit {status}")
    with pytest.raises(
        errors.PluginError, match=rf"ended with status {status} and no result \(hint: is that dnsbroker"
    ):
        plugin().perform([challenge()])


def test_a_status_that_a_wrapper_lost_is_found_in_the_result(plugin: Made, stub: Stub) -> None:
    """The program said itself that it failed."""
    stub.says(NOT_EVERYWHERE, status=0)
    with pytest.raises(errors.PluginError, match="has the old serial"):
        plugin().perform([challenge()])


def test_an_event_of_few_words_ends_nothing(plugin: Made, stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    """A later dnsbroker may say less than this plugin knows."""
    stub.says({"event": "left"}, {"event": "warning"}, DONE)
    assert plugin().perform([challenge()])
    assert [record.message for record in caplog.records] == [
        "dnsbroker: could not withdraw a record: ",
        "dnsbroker: ",
    ]


def test_what_an_earlier_run_left_is_told_and_stops_nothing(
    plugin: Made, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    """Status 6: all of this run is where it should be."""
    stub.says({**DONE, "status": 6, "errors": [{"message": "a record is left", "hint": "gc"}]}, status=6)
    assert plugin().perform([challenge()])
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "dnsbroker: a record is left (hint: gc)")
    ]


@pytest.mark.parametrize("program", ["", "/nowhere/dnsbroker"], ids=["fails", "is gone"])
def test_a_failing_cleanup_is_told_and_raises_nothing(
    plugin: Made, stub: Stub, caplog: pytest.LogCaptureFixture, program: str
) -> None:
    """The certificate is there all the same; dnsbroker remembers what is left."""
    stub.says({**NOT_EVERYWHERE, "status": 1}, status=1)
    plugin("--dns-dnsbroker-program", program or str(stub.path)).cleanup([challenge()])
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.message.startswith("dnsbroker could not withdraw the challenges: ")


def test_what_publishes_has_all_the_time_it_takes(plugin: Made, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dnsbroker has a deadline of its own, and cleans up when that has passed."""
    monkeypatch.setattr(authenticator, "_PATIENCE", 0.0)
    stub.says(DONE)
    assert plugin().perform([challenge()])


def test_only_dns_01_is_offered(plugin: Made) -> None:
    """There is nothing else that a record in DNS could prove."""
    assert plugin().get_chall_pref("example.org") == [challenges.DNS01]


def test_a_value_may_begin_with_a_hyphen(plugin: Made, stub: Stub) -> None:
    """One in 64 does; it is no option."""
    achalls = (challenge(token=number.to_bytes(16, "big")) for number in range(10_000))
    achall = next(item for item in achalls if value_of(item).startswith("-"))
    plugin().perform([achall])
    assert stub.calls == [f"--json txt present -- _acme-challenge.example.org {value_of(achall)}"]


def test_an_older_certbot_calls_it_domain(plugin: Made, stub: Stub) -> None:
    """Before 5.3 there is no identifier."""
    new = challenge()
    words = {name: getattr(new, name) for name in ("account_key", "validation", "validation_domain_name", "response")}
    plugin().perform([SimpleNamespace(domain="old.example", **words)])  # type: ignore[list-item]
    assert stub.calls[0].split()[4] == "_acme-challenge.old.example"


def test_certbots_own_python_is_kept_from_the_program(
    plugin: Made, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the libraries of an older certbot would stand before those that dnsbroker needs."""
    monkeypatch.setenv("PYTHONPATH", "/opt/certbot")
    monkeypatch.setenv("DNSBROKER_CONFIG", "/etc/x.toml")
    plugin().perform([challenge()])
    assert "DNSBROKER_CONFIG=/etc/x.toml" in stub.environment
    assert not [line for line in stub.environment if line.startswith("PYTHONPATH=")]


def test_each_event_is_told_as_loudly_as_it_deserves(
    plugin: Made, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    """Warnings to everybody, steps with -v, all of it to certbot's log."""
    stub.says(
        {"event": "warning", "time": "now", "message": "ns3 is silent", "hint": "start it"},
        {"event": "written", "time": "now", "zone": "example.org", "serial": 7},
        {"event": "place", "time": "now", "zone": "example.org"},
        {"event": "left", "name": "_acme-challenge.example.org", "message": "refused"},
        DONE,
        also="echo 'a library says something' >&2",
    )
    caplog.set_level(logging.DEBUG)
    plugin().perform([challenge()])
    assert [(record.levelname, record.message) for record in caplog.records if "dnsbroker" in record.name] == [
        ("WARNING", "dnsbroker: ns3 is silent (hint: start it)"),
        ("INFO", "dnsbroker: written zone=example.org serial=7"),
        ("DEBUG", "dnsbroker: place zone=example.org"),
        ("WARNING", "dnsbroker: could not withdraw _acme-challenge.example.org: refused"),
        ("DEBUG", "a library says something"),
    ]


class Stopped(Exception):
    """As certbot's own, raised by its signal handler wherever it is."""


def test_a_stopped_certbot_tells_the_program_once_and_waits_for_it(plugin: Made, stub: Stub, tmp_path: Path) -> None:
    """It cleans DNS on its way out; a second signal would have it leave that to gc."""

    def stop(number: int, frame: object) -> None:
        raise Stopped

    told = tmp_path / "told"
    stub.does(f"trap 'echo TERM >>{told}; exit 143' TERM", "kill -TERM $PPID", "while :; do sleep 0.05; done")
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            plugin().perform([challenge()])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told.read_text() == "TERM\n"


def test_a_terminals_ctrl_c_does_not_reach_the_program_by_itself(plugin: Made, stub: Stub) -> None:
    """It goes to the whole process group, and the program is in one of its own."""
    stub.does('cut -d " " -f 5 /proc/$$/stat >"$0.group"', f"echo '{json.dumps(DONE)}'")
    plugin().perform([challenge()])
    assert int(Path(f"{stub.path}.group").read_text()) != os.getpgrp()


def test_after_a_refusal_the_hint_names_what_to_run(plugin: Made) -> None:
    """Every server had the value: the answer lies elsewhere."""
    hint = plugin().auth_hint([challenge("b.example"), challenge("a.example"), challenge("b.example")])
    assert "`dnsbroker doctor a.example b.example`" in hint
