"""``require = "resolvers"`` and ``"none"``: for hosts that cannot ask the zone's own servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from watching import NAME, Stage, stage

SETTLE = 0.4


@pytest.fixture
def scene() -> Iterator[Stage]:
    """Two servers, and a resolver that sees what they have."""
    with stage() as made:
        made.publish("value")
        asyncio.run(made.finder.find(NAME))
        made.names.log.clear()
        yield made


def test_only_the_resolver_is_asked_and_not_before_settle(scene: Stage) -> None:
    """The zone's own servers hear nothing; the outcome allows for a denial that was kept."""
    begun = time.monotonic()
    asked: list[str] = []
    outcome = scene.wait(
        "value",
        require="resolvers",
        settle=SETTLE,
        meanwhile=lambda: asked.extend(scene.names.asked()),
        after=SETTLE / 2,
    )
    assert time.monotonic() - begun >= SETTLE
    assert asked == []
    assert {(entry.server, entry.recursion) for entry in scene.names.log} == {("127.0.0.53", True)}
    assert (outcome.ttl, outcome.verdicts) == (60, ())


def test_a_resolver_that_lags_is_waited_for(scene: Stage) -> None:
    """Asked again until it has every value."""
    begun = time.monotonic()
    scene.wait(
        "value",
        "second",
        require="resolvers",
        settle=SETTLE,
        meanwhile=lambda: scene.publish("second"),
        after=0.8,
    )
    assert time.monotonic() - begun >= 0.8


@pytest.mark.parametrize(
    ("kind", "words"),
    [("missing", "has 1 of 2 values"), ("SERVFAIL", "answers SERVFAIL"), ("silent", "no answer within")],
)
def test_a_resolver_without_it_fails_the_wait(scene: Stage, kind: str, words: str) -> None:
    """Named, with what it says; a settle of the right length is the cure."""
    if kind == "missing":
        wanted = ["value", "other"]
    else:
        wanted = ["value"]
        scene.tree.resolver.behaviour.silent = kind == "silent"
        scene.tree.resolver.behaviour.rcode = "" if kind == "silent" else kind
    error = scene.failure(*wanted, seconds=0.9, require="resolvers", settle=SETTLE, interval=5.0)
    port = scene.names.port
    assert error.message.startswith(f"_acme-challenge.example.test is not at every resolver: 127.0.0.53:{port} ")
    assert words in error.message
    assert error.hint == "raise propagation.settle: what a resolver learnt before that it keeps for up to 60 s"


def test_none_asks_nobody(scene: Stage) -> None:
    """Only the time is waited, be the value there or not."""
    begun = time.monotonic()
    outcome = scene.wait("nowhere", require="none", settle=SETTLE)
    assert time.monotonic() - begun >= SETTLE
    assert scene.names.log == []
    assert (outcome.ttl, outcome.verdicts) == (60, ())
