"""After a failure: when the next attempt comes, from whichever process, and what a person may do about it.

The CA's demands are those that real ones make, said by a desk before Pebble. A later process is one whose clock is
ahead.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from household import credulous
from lab.front_desk import FrontDesk, Refusal, Window
from lab.pebble import Pebble
from lab.rig import Lab
from later import MINUTE, later
from program import Program, Ran
from underway import Underway

Configured = Callable[..., Program]
ZONE = "example.test"
CERTIFICATES = {"one": [f"one.{ZONE}"], "two": [f"two.{ZONE}"]}
#: Past the minute after which it would come back by itself, the longest jitter included.
PAST_OUR_MINUTE = 1.1 * MINUTE + 1


@pytest.fixture(scope="module")
def running_desk(namespace: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDesk]:
    """The desk of this module, before a Pebble of its own."""
    with credulous(tmp_path_factory.mktemp("pebble"), port=14120) as pebble, FrontDesk(pebble, port=14110) as desk:
        yield desk


@pytest.fixture
def desk(running_desk: FrontDesk) -> FrontDesk:
    """The desk as it was at the start."""
    running_desk.behave()
    return running_desk


def at(desk: FrontDesk, **keys: object) -> dict[str, object]:
    """The configuration's part that goes there, where nobody waits for name servers unless ``keys`` say so."""
    account = {"directory": desk.url, "ca_bundle": str(desk.pebble.ca_file)}
    return {"acme": account, "propagation": {"require": "none", "settle": "1ms"}, **keys}


def statuses(ran: Ran) -> dict[str, str]:
    """What became of each certificate."""
    return {item["name"]: item["status"] for item in ran.result["certificates"]}


# What the CA demands

#: Longer than the test takes on any machine.
WAIT = 10 * MINUTE
REFUSALS = {
    "429 seconds, Tokyo": (Refusal(429, "rateLimited", wait=WAIT), "Asia/Tokyo"),
    "429 date, New York": (Refusal(429, "rateLimited", wait=WAIT, dated=True), "America/New_York"),
    "503 seconds, New York": (Refusal(503, wait=WAIT), "America/New_York"),
    "503 date, Tokyo": (Refusal(503, wait=WAIT, dated=True), "Asia/Tokyo"),
}


@pytest.mark.parametrize(("refusal", "zone"), REFUSALS.values(), ids=REFUSALS)
def test_the_time_of_the_ca_holds_for_every_process(
    desk: FrontDesk, program: Configured, refusal: Refusal, zone: str
) -> None:
    """Within it nothing is sent, named or not, and the time is told; after it, it goes on."""
    dnsbroker, there = program({"one": CERTIFICATES["one"]}, at(desk)), {"TZ": zone}
    desk.refuse("newOrder", refusal)
    told = dnsbroker("renew", environment=there).failed(1)
    assert len(desk.asked("newOrder")) == 1, "it is not repeated within the run"
    assert "the CA asks to come back at" in told.error[1]
    desk.serve()
    desk.forget()

    timer = dnsbroker("--json", "renew", environment={**there, **later(MINUTE)}).succeeded()
    assert statuses(timer) == {"one": "postponed"}
    moment = told_moment(timer.result["certificates"][0]["reason"])
    assert WAIT / 2 < (moment - datetime.now(UTC)).total_seconds() <= WAIT + MINUTE, "the full minute after it"
    person = dnsbroker("renew", "one", environment={**there, **later(WAIT / 2)}).failed(1)
    assert "the CA asked not to come back before" in person.error[0]
    assert "holds whatever is asked here" in person.error[1]
    assert desk.asked() == []

    assert statuses(dnsbroker("--json", "renew", "one", environment={**there, **later(WAIT + 2)})) == {"one": "issued"}


def told_moment(text: str) -> datetime:
    """The moment that a message names, which is in UTC whatever the host's zone is."""
    found = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d)(?::\d\d)? UTC", text)
    assert found, text
    return datetime.fromisoformat(f"{found[1]}+00:00")


def test_a_limit_is_one_certificates_and_an_outage_everybodys(desk: FrontDesk, program: Configured) -> None:
    """With a limit reached for one, the other is issued; with the service down nobody asks for anything, nor advice."""
    desk.renewal_info, desk.window = True, Window("2199-01-01T00:00:00Z", "2199-01-02T00:00:00Z", wait=60)
    dnsbroker = program({"one": CERTIFICATES["one"]}, at(desk))
    desk.refuse("newOrder", Refusal(429, "rateLimited", wait=3600), times=1)
    dnsbroker("renew").failed(1)
    both = program(CERTIFICATES, at(desk))
    assert statuses(both("--json", "renew").succeeded()) == {"one": "postponed", "two": "issued"}

    desk.refuse("newOrder", Refusal(503, wait=3600), times=1)
    both("renew", "--force", "two").failed(1)
    desk.forget()
    everybody = program({**CERTIFICATES, "three": [f"three.{ZONE}"]}, at(desk))
    third = everybody("--json", "renew", environment=later(30 * MINUTE)).succeeded()
    assert statuses(third) == {"one": "postponed", "two": "kept", "three": "postponed"}
    assert desk.asked() == []


def test_a_limit_on_accounts_is_everybodys(desk: FrontDesk, program: Configured) -> None:
    """Without an account nothing can be ordered: it is asked for once, and not by who comes later, nor by force."""
    desk.refuse("newAccount", Refusal(429, "rateLimited", wait=3600))
    program(CERTIFICATES, at(desk))("renew").failed(1)
    asked = desk.asked()
    assert [one.resource for one in asked] == ["directory", "newNonce", "newAccount"]
    dnsbroker = program({**CERTIFICATES, "three": [f"three.{ZONE}"]}, at(desk))
    assert set(statuses(dnsbroker("--json", "renew").succeeded()).values()) == {"postponed"}
    dnsbroker("issue", "--force", "three").failed(1)
    assert desk.asked() == asked


def test_a_directory_that_is_closed_for_an_hour(desk: FrontDesk, program: Configured) -> None:
    """What it says is demanded as well, before there is any account."""
    dnsbroker = program({"one": CERTIFICATES["one"]}, at(desk))
    desk.refuse("directory", Refusal(503, wait=3600))
    dnsbroker("renew").failed(1)
    desk.forget()
    assert statuses(dnsbroker("--json", "renew", environment=later(50 * MINUTE)).succeeded()) == {"one": "postponed"}
    assert desk.asked() == []


# What we demand of ourselves


def test_failures_in_a_row_are_further_and_further_apart(desk: FrontDesk, program: Configured) -> None:
    """One minute, ten, a hundred, a day; a timer keeps to it, a person need not, and success ends it."""
    dnsbroker = program({"one": CERTIFICATES["one"]}, at(desk))
    desk.refuse("newOrder", Refusal(403, "rejectedIdentifier"))
    for number, minutes in enumerate((1, 10, 100, 24 * 60), start=1):
        dnsbroker("renew", "one").failed(1)
        failures = dnsbroker("--json", "show", "one").result["certificates"][0]["failures"]
        assert failures["count"] == number
        assert 0.88 <= spacing(failures) / MINUTE / minutes <= 1.12
    desk.forget()
    timer = dnsbroker("--json", "renew").succeeded()
    assert statuses(timer) == {"one": "postponed"}
    assert "failed 4 times in a row, tried again after" in timer.result["certificates"][0]["reason"]
    assert desk.asked() == []

    desk.serve()
    assert statuses(dnsbroker("--json", "renew", "one")) == {"one": "issued"}
    assert dnsbroker("--json", "show", "one").result["certificates"][0]["failures"] is None


def test_a_timer_comes_back_after_our_own_minute(desk: FrontDesk, program: Configured) -> None:
    """The twin: once it is over, nobody has to name anything."""
    dnsbroker = program({"one": CERTIFICATES["one"]}, at(desk))
    desk.refuse("newOrder", Refusal(403, "rejectedIdentifier"), times=1)
    dnsbroker("renew").failed(1)
    assert statuses(dnsbroker("--json", "renew").succeeded()) == {"one": "postponed"}
    again = dnsbroker("--json", "renew", environment=later(PAST_OUR_MINUTE)).succeeded()
    assert statuses(again) == {"one": "issued"}


def spacing(failures: Mapping[str, str]) -> float:
    """The seconds from the last attempt to the next."""
    last, following = (datetime.fromisoformat(failures[key]) for key in ("last", "next_try"))
    return (following - last).total_seconds()


def test_failed_validations_stop_before_the_limit_of_the_ca(
    lab: Lab, program: Configured, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After four within the hour no timer asks for that name again, for whichever certificate; naming one tries."""
    blind = Pebble(
        tmp_path_factory.mktemp("blind"), port=14130, management_port=15130, resolver=f"{lab.bind.address}:53"
    )
    with blind, FrontDesk(blind, port=14131) as desk:
        names = ("first", "second", "third", "fourth")
        brief = {"powerdns": {"ttl": "1s"}}  # a later attempt outlasts what the one before had published
        where = at(desk, propagation={}, providers=brief)
        dnsbroker = program(dict.fromkeys((*names, "fifth"), CERTIFICATES["one"]), where)
        told = dnsbroker("renew", *names).failed(1)
        assert told.stderr.count(f"could not validate one.{ZONE}") >= len(names)
        assert len(desk.asked("challenge")) == len(names)
        timer = dnsbroker("--json", "renew").succeeded()
        assert set(statuses(timer).values()) == {"postponed"}
        reasons = {item["name"]: item["reason"] for item in timer.result["certificates"]}
        assert "failed once, tried again after" in reasons["first"]
        assert "so many validations failed" in reasons["fifth"]
        assert len(desk.asked("challenge")) == len(names)
        dnsbroker("renew", "fifth").failed(1)
        assert len(desk.asked("challenge")) == len(names) + 1
    lab.await_values(f"_acme-challenge.one.{ZONE}", [])


# Two at once


def test_who_comes_second_leaves_it_to_the_first(lab: Lab, desk: FrontDesk, configure: Callable[..., Path]) -> None:
    """With nothing to complain of, naming the process that has it; the certificate is ordered once."""
    configuration = configure({"one": CERTIFICATES["one"]}, at(desk, propagation={}))
    dnsbroker = Program(configuration)
    with Underway(configuration, "renew", halting='"order"') as first:
        first.await_halt()
        for arguments in (["renew"], ["renew", "one"]):
            second = dnsbroker("--json", *arguments).succeeded()
            assert statuses(second) == {"one": "busy"}
            found = re.fullmatch(
                r"another dnsbroker \(pid (\d+)\) has it: left to it", second.result["certificates"][0]["reason"]
            )
            assert found, second.stdout
            assert str(configuration) in Path(f"/proc/{found[1]}/cmdline").read_text()
        first.send(signal.SIGCONT)
        assert first.end() == 0, (first.events, first.error)
    assert len(desk.asked("newOrder")) == 1
    assert statuses(dnsbroker("--json", "renew").succeeded()) == {"one": "kept"}
