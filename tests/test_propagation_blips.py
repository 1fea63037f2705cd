"""What must not be made of a moment: an address that was seen to answer wrongly, and then does not answer at all.

Rate limits, reloads and lost datagrams make any server refuse or fall silent for a while; it has not become right by
that. And however many wait on a zone, each costs no more than a few alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from dnsbroker.clock import Deadline
from dnsbroker.errors import NotPropagated
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.propagation import Outcome
from watching import PATIENCE, Stage, stage

ONE, OTHER = "_acme-challenge.one.example.test.", "_acme-challenge.other.example.test."


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary."""
    with stage() as made:
        yield made


def refusing(scene: Stage, number: int, rcode: str, seconds: float) -> Callable[[], None]:
    """What makes that server answer ``rcode`` for so many seconds."""
    behaviour = scene.server(number).behaviour

    def start() -> None:
        behaviour.rcode = rcode
        asyncio.get_running_loop().call_later(seconds, setattr, behaviour, "rcode", "")

    return start


@pytest.mark.parametrize("rcode", ["REFUSED", "NOTAUTH", "SERVFAIL"])
def test_a_stale_server_that_refuses_for_a_moment_is_still_stale(two: Stage, rcode: str) -> None:
    """Several rounds long, but shorter than what makes an address silent."""
    two.publish("value", at=[1])
    meanwhile = refusing(two, 2, rcode, PATIENCE * 0.75)
    error = two.failure("value", seconds=1.6, meanwhile=meanwhile, interval=0.05)
    assert "127.0.0.22" in error.message
    assert ("lame" if rcode != "SERVFAIL" else "broken") in two.told(2)  # the twin: it was noticed


def test_one_that_refuses_for_long_is_gone(two: Stage) -> None:
    """The twin: after the time in which an address counts as silent it is tolerated, for it has lost the zone."""
    two.publish("value", at=[1])
    outcome = two.wait("value", seconds=3.0, meanwhile=refusing(two, 2, "REFUSED", 5.0))
    assert "is lame" in outcome.warnings[0]


def test_one_name_that_fails_for_ever_makes_no_other_silent(two: Stage) -> None:
    """The secondary fails for one name all the time, and for the other, at which it is stale, for a moment."""
    two.publish("value", at=[1], label="_acme-challenge.other")
    two.server(2).zone(ONE, "@ SOA ns1 host 1 60 60 60 60\n").behaviour.rcode = "SERVFAIL"
    zone = two.copy(2).behaviour

    async def story() -> list[Outcome | BaseException]:
        expected = [await two.expectation("value", name=name) for name in (ONE, OTHER)]
        watcher, loop = two.watcher(interval=0.1), asyncio.get_running_loop()
        loop.call_later(PATIENCE * 1.5, setattr, zone, "rcode", "SERVFAIL")
        loop.call_later(PATIENCE * 2.2, setattr, zone, "rcode", "")
        deadline = Deadline.after(two.clock, PATIENCE * 3)
        return await asyncio.gather(*(watcher.wait(one, deadline) for one in expected), return_exceptions=True)

    one, other = asyncio.run(story())
    assert isinstance(one, NotPropagated)
    assert "127.0.0.22" in one.message  # the twin: at that name the secondary does fail
    assert isinstance(other, NotPropagated), "a moment's failure was taken for long silence"


def test_a_hundred_names_cost_what_a_hundred_names_cost() -> None:
    """Processor time grows with the number of names that wait on a zone, not with its square."""
    few, many = (_seconds(count) for count in (30, 120))
    assert many / few < 8


def _seconds(count: int) -> float:
    """The processor time of so many waits on one zone, all servers being right."""
    names = [f"_acme-challenge.h{number}.example.test." for number in range(count)]
    with stage() as scene:
        scene.exchange = Exchange()  # client and servers share a processor here: nobody shall give up early
        for copy in scene.copies:
            copy.add(*(f"{name} TXT value" for name in names))
            copy.bump(2)

        async def story() -> float:
            expected = [await scene.expectation("value", name=name) for name in names]
            watcher, deadline, begun = scene.watcher(), Deadline.after(scene.clock, 20), time.process_time()
            await asyncio.gather(*(watcher.wait(one, deadline) for one in expected))
            return time.process_time() - begun

        return asyncio.run(story())
