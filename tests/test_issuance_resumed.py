"""An order that an earlier run left open: gone on with from where it had come to, or replaced if it came to nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import pytest

from dnsbroker.errors import OrderUnfinished, Problem
from dnsbroker.events import Emitter, Event
from dnsbroker.issuance import Commission, Issuance
from dnsbroker.journal import Journal, Leases, Runs
from dnsbroker.publishing import Publisher
from dnsbroker.writer import Writer
from fake_ca import CHAIN, Stage, refusal, scenario


class Bench:
    """An issuance that goes on with the CA's first order, and what it said; it has nothing to publish."""

    def __init__(self, stage: Stage, state: str) -> None:
        self.stage = stage
        self.told: list[Event] = []
        self.emit = Emitter(stage.clock, self.told.append)
        self.opened: list[str] = []
        self.over = 0
        unused = cast("Any", None)
        self.journal = Journal(Path(state))
        leases = Leases(self.journal, "run", stage.clock)
        writer = Writer(leases, Runs(Path(state)), Path(state), unused, stage.clock, self.emit, 5.0)
        publisher = Publisher(unused, unused, writer, unused, unused, stage.clock, self.emit)
        self.issuance = Issuance(stage.client, publisher, stage.clock, timeout=60.0, cache_limit=None)
        self.commission = Commission(
            ("a.test",),
            b"csr",
            {},
            resume=stage.ca.url("order/1"),
            opened=lambda order: self.opened.append(order.url),
            over=self.drop,
        )

    def drop(self) -> None:
        """The order is forgotten."""
        self.over += 1


async def begun(stage: Stage, state: str, **facts: object) -> Bench:
    """With an order that looks so at the CA; what was asked until now is forgotten."""
    await stage.client.new_order(["a.test"])
    stage.ca.orders[1].update(facts)
    stage.ca.posts.clear()
    return Bench(stage, state)


def play(status: str, expires: str = "2026-11-27T12:00:00Z", refused: int = 0) -> Bench:
    """What becomes of an order in that state, or one that the CA refuses to show."""
    benches: list[Bench] = []

    @scenario
    async def story(stage: Stage) -> None:
        with tempfile.TemporaryDirectory() as state:
            bench = await begun(stage, state, status=status, expires=expires)
            benches.append(bench)
            if refused:
                stage.ca.scripts["order/1"] = [refusal(refused, "malformed" if refused < 500 else "serverInternal")] * 9
            try:
                await bench.issuance._order(bench.commission, bench.emit)
            finally:
                bench.journal.close()

    story()
    return benches[0]


def told(bench: Bench) -> list[str]:
    return [str(event["event"]) for event in bench.told]


@pytest.mark.parametrize("status", ["pending", "ready", "processing", "valid"])
def test_an_open_order_is_gone_on_with(status: str) -> None:
    """Nothing new is opened or forgotten."""
    bench = play(status)
    assert (told(bench), bench.opened, bench.over) == (["resumed"], [], 0)


@pytest.mark.parametrize(
    ("status", "expires", "refused"),
    [
        ("invalid", "2026-11-27T12:00:00Z", 0),
        ("deactivated", "2026-11-27T12:00:00Z", 0),
        ("", "2026-11-27T12:00:00Z", 0),
        ("pending", "2026-11-19T12:00:00Z", 0),
        ("processing", "2026-11-20T12:00:00Z", 0),
        ("pending", "2026-11-27T12:00:00Z", 404),
        ("pending", "2026-11-27T12:00:00Z", 403),
    ],
)
def test_one_of_which_nothing_comes_is_forgotten_for_a_new_one(status: str, expires: str, refused: int) -> None:
    """Failed, expired, or unknown to the CA."""
    bench = play(status, expires, refused)
    assert (told(bench), bench.over) == (["order"], 1)
    assert bench.opened == [bench.stage.ca.url("order/2")]


def test_one_that_is_valid_has_its_certificate_whenever_it_expires() -> None:
    """It expires as an order (RFC 8555 section 7.1.3), not as what came of it."""
    assert told(play("valid", "2026-11-19T12:00:00Z")) == ["resumed"]


def test_a_ca_that_is_down_costs_no_order() -> None:
    """The negative twin: it is not that the order is unknown."""
    with pytest.raises(Problem):
        play("pending", refused=503)


@scenario
async def test_a_valid_order_is_only_downloaded(stage: Stage) -> None:
    """As after a kill just before: no challenge, no record, no signing request."""
    with tempfile.TemporaryDirectory() as state:
        bench = await begun(stage, state, status="valid", certificate=stage.ca.url("cert/1"))
        assert await bench.issuance.obtain(bench.commission, bench.emit) == (CHAIN,)
        bench.journal.close()
    assert {post.path for post in stage.ca.posts} == {"order/1", "cert/1"}


@scenario
async def test_a_ready_order_needs_no_authorization(stage: Stage) -> None:
    """What is proved is not asked about again."""
    with tempfile.TemporaryDirectory() as state:
        bench = await begun(stage, state, status="ready")
        assert await bench.issuance.obtain(bench.commission, bench.emit) == (CHAIN,)
        bench.journal.close()
    assert [post.path for post in stage.ca.posts] == ["order/1", "finalize/1", "cert/1"]


@scenario
async def test_an_order_that_outlasts_our_patience_is_kept_for_the_next_run(stage: Stage) -> None:
    """Nothing is given up, nor sent again: the CA is at work."""
    with tempfile.TemporaryDirectory() as state:
        bench = await begun(stage, state, status="processing")
        with pytest.raises(OrderUnfinished, match="still processing"):
            await bench.issuance.obtain(bench.commission, bench.emit)
        bench.journal.close()
    assert bench.over == 0
    assert {post.path for post in stage.ca.posts} == {"order/1"}
