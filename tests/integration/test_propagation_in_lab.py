"""Waiting for real servers: one is stopped, hangs, is lame or stale or lags, and the program does what it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from lab.misbehaving import Behaviour
from lab.rig import Lab
from program import Program, Ran

Configured = Callable[..., Program]

NAME = "_acme-challenge.flaky.test"
FLAKY = "ns.flaky.test (127.0.0.31)"


def propagation(**settings: object) -> dict[str, object]:
    """The overrides with that ``[propagation]``."""
    return {"propagation": settings}


def present(program: Program, name: str = NAME) -> Ran:
    """Publish a value there and wait for it."""
    return program("txt", "present", name, "value")


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (Behaviour(stale=True), "is stale: has no TXT of ours, at serial"),
        (Behaviour(lose=True), "is lost: has no TXT of ours, although its serial"),
        (Behaviour(alternate=True), "had the values and lost them again"),
    ],
    ids=["stale", "lost", "by turns"],
)
def test_a_wrong_answer_is_never_tolerated(lab: Lab, program: Configured, behaviour: Behaviour, words: str) -> None:
    """Status 3 at the deadline, with the server's name, what it has, and a cure."""
    lab.misbehaving.behave(behaviour)
    begun = time.monotonic()
    message, hint = present(program(overrides=propagation(timeout="3s"))).failed(3).error
    assert time.monotonic() - begun < 3 + 20
    assert f"{FLAKY} is " in message
    assert words in message
    assert hint.endswith("or leave it out, with propagation.ignore or once with --ignore ns.flaky.test")


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(rcode="REFUSED"), Behaviour(referral=True), Behaviour(authoritative=False)],
    ids=["REFUSED", "referral", "no authority"],
)
def test_a_lame_server_is_named_and_tolerated(lab: Lab, program: Configured, behaviour: Behaviour) -> None:
    """At once, for it will not change its mind; under "all" it is not."""
    lab.misbehaving.behave(behaviour)
    # Had it to be waited for as a silent one is, this would be too short.
    ran = present(program(overrides=propagation(timeout="9s"))).succeeded()
    assert f"warning: {FLAKY} is lame" in ran.stderr
    strict = program(overrides=propagation(timeout="2s", require="all"))
    message, hint = strict("wait", NAME, "--value", "value").failed(3).error
    assert f"{FLAKY} is lame" in message
    assert hint.startswith("load the zone on ns.flaky.test")
    ran = strict("wait", NAME, "--value", "value", "--ignore", "ns.flaky.test").succeeded()
    assert f"warning: {FLAKY} is ignored" in ran.stderr


def test_both_transports_are_used(lab: Lab, program: Configured) -> None:
    """A truncated answer is fetched by TCP silently; that UDP is dropped is worth a warning."""
    lab.misbehaving.behave(Behaviour(truncate=True))
    configured = program()
    assert "warning" not in present(configured).succeeded().stderr
    lab.misbehaving.behave(Behaviour(drop_udp=True))
    ran = configured("wait", NAME, "--value", "value").succeeded()
    assert f"warning: {FLAKY} answers by TCP only: a CA needs UDP too" in ran.stderr
    assert "ns.flaky.test 127.0.0.31: has it" in ran.stdout


def test_what_is_stopped_hangs_or_fails_is_tolerated_after_ten_seconds(lab: Lab, program: Configured) -> None:
    """Not before, and not under "all"; with --ignore at once. SERVFAIL is like silence: one gets a certificate."""
    lab.stop("bind-secondary")
    lab.freeze("nsd")
    lab.misbehaving.behave(Behaviour(rcode="SERVFAIL"))
    name, certificates = "_acme-challenge.example.test", {"one": ["*.example.test", "flaky.test"]}
    strict = program(certificates, propagation(timeout="4s", require="all"))
    message, _ = present(strict, name).failed(3).error
    dead = [f"ns{number}.example.test (127.0.0.1{number}) is unreachable" for number in (2, 3)]
    assert all(words in message for words in dead)
    begun = time.monotonic()
    ran = program(certificates)("issue", "one").succeeded()
    assert time.monotonic() - begun >= 10
    for words in (*dead, f"{FLAKY} is broken: answers SERVFAIL"):
        assert f"warning: {words}" in ran.stderr
    ignore = [word for server in ("ns2.example.test", "ns3.example.test") for word in ("--ignore", server)]
    program(overrides=propagation(timeout="9s"))("wait", name, "--value", "value", *ignore).succeeded()
    assert lab.values("powerdns", name) == {"value"}


def test_a_lagging_secondary_is_waited_for(lab: Lab, program: Configured) -> None:
    """Eight seconds; no validation is asked for before, and hardly later than it is there."""
    lab.misbehaving.behave(Behaviour(lag=8.0))
    wall = time.time() - time.monotonic()
    # A name of its own: what the server had eight seconds ago it still shows.
    with lab.observer("_acme-challenge.lag.flaky.test") as observer:
        ran = program({"f": ["lag.flaky.test"]})("issue", "f", "--json").succeeded()
    followed = observer.everywhere(bool)
    assert followed is not None
    (told,) = ran.named("propagated")
    (asked,) = ran.named("asked")
    seen, validated = (datetime.fromisoformat(str(event["time"])).timestamp() - wall for event in (told, asked))
    assert followed < seen < followed + 6
    assert validated >= followed
    flaky = [event["verdict"] for event in ran.named("server") if event["address"] == "127.0.0.31"]
    assert flaky == ["stale", "green"]
