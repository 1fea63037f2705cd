"""An order that an earlier run left open: gone on with from where it had come to, or replaced if it came to nothing.

And what of an order that comes to nothing is kept: the order itself or not, and which validations failed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from dnsbroker.errors import BrokerError, OrderFailed, OrderUnfinished, Problem
from dnsbroker.events import Emitter, Event
from dnsbroker.issuance import Commission, Issuance
from dnsbroker.journal import Journal, Leases, Runs
from dnsbroker.publishing import Publisher
from dnsbroker.writer import Writer
from fake_ca import CHAIN, URN, Stage, answer, refusal, scenario
from loopback import Response


class Unpublished(Issuance):
    """An issuance of which the CA believes everything, or not, whatever is in DNS."""

    async def _publish(self, *_: object) -> None:
        """Nothing is published."""


class Bench:
    """An issuance that goes on with the CA's first order, and what it said; it has nothing to publish."""

    def __init__(self, stage: Stage, state: str) -> None:
        self.stage = stage
        self.told: list[Event] = []
        self.emit = Emitter(stage.clock, self.told.append)
        self.opened: list[str] = []
        self.over = 0
        self.failed: list[Collection[str]] = []
        unused = cast("Any", None)
        self.journal = Journal(Path(state))
        leases = Leases(self.journal, "run", stage.clock)
        writer = Writer(leases, Runs(Path(state)), Path(state), unused, stage.clock, self.emit, 5.0)
        publisher = Publisher(unused, unused, writer, unused, unused, stage.clock, self.emit)
        self.issuance = Unpublished(stage.client, publisher, stage.clock, timeout=60.0, cache_limit=None)
        self.commission = Commission(
            ("a.test",),
            b"csr",
            {},
            resume=stage.ca.url("order/1"),
            opened=lambda order: self.opened.append(order.url),
            over=self.drop,
            failed=self.count,
        )

    def drop(self) -> None:
        """The order is forgotten."""
        self.over += 1

    def count(self, identifiers: Collection[str]) -> bool:
        """Validations have failed; there is no second try."""
        self.failed.append(identifiers)
        return False

    async def fail(self) -> BrokerError:
        """Why nothing came of it."""
        with pytest.raises(BrokerError) as failed:
            await self.issuance.obtain(self.commission, self.emit)
        return failed.value


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


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("finalize/1", refusal(400, "badCSR")),
        ("finalize/1", refusal(404, "malformed")),
        ("finalize/1", refusal(403, "unauthorized")),
        ("cert/1", refusal(404, "malformed")),
        ("cert/1", Response(200, body=b"a damaged chain")),
    ],
)
def test_an_order_that_would_fail_at_every_run_is_forgotten(path: str, reply: Response) -> None:
    """Refused for good when it is finalized or downloaded: the next run opens another."""
    assert over_after(path, reply) == 1


@pytest.mark.parametrize("path", ["finalize/1", "cert/1"])
@pytest.mark.parametrize(
    "reply",
    [
        refusal(503, "serverInternal"),
        refusal(429, "rateLimited"),
        refusal(429, "rateLimited", Retry_After="600"),
        refusal(429, ""),
        Response(500),
    ],
)
def test_an_order_that_fails_for_now_is_kept(path: str, reply: Response) -> None:
    """The negative twin: a CA that is busy, or has issued enough for now, may go on with it later."""
    assert over_after(path, reply) == 0


def over_after(path: str, reply: Response) -> int:
    """How often an order that is ready is forgotten where the CA answers so there."""
    benches: list[Bench] = []

    @scenario
    async def story(stage: Stage) -> None:
        with tempfile.TemporaryDirectory() as state:
            bench = await begun(stage, state, status="ready")
            benches.append(bench)
            stage.ca.scripts[path] = [reply] * 9
            await bench.fail()
            bench.journal.close()

    story()
    return benches[0].over


def shown(stage: Stage, number: int, status: str) -> Response:
    """The authorization in another state, with the problem that goes with it."""
    found = stage.ca.authorizations[number]
    error = {"error": {"type": URN + "unauthorized", "detail": "no"}} if status == "invalid" else {}
    return answer(200, {**found, "status": status, "challenges": [{**one, **error} for one in found["challenges"]]})


@scenario
async def test_every_name_that_the_ca_fails_unseen_is_counted(stage: Stage) -> None:
    """One fails, and nobody waits for the other: the CA fails it all the same; what was seen to be valid is not."""
    with tempfile.TemporaryDirectory() as state:
        bench = Bench(stage, state)
        await stage.client.new_order(["a.test", "b.test", "c.test"])
        by_name = {found["identifier"]["value"]: number for number, found in stage.ca.authorizations.items()}
        for name, last in (("a.test", "invalid"), ("b.test", "pending")):
            number = by_name[name]
            stage.ca.scripts[f"challenge/{number}"] = [answer(200, {"status": "pending"})]
            stage.ca.scripts[f"authz/{number}"] = [shown(stage, number, "pending")] * 5 + [
                shown(stage, number, last)
            ] * 20
        error = await bench.fail()
        bench.journal.close()
    assert isinstance(error, OrderFailed) and error.identifier == "a.test"
    assert [set(names) for names in bench.failed] == [{"a.test", "b.test"}]
    assert bench.over == 1


@scenario
async def test_an_order_that_fails_for_no_validation_counts_for_no_name(stage: Stage) -> None:
    """The negative twin: all were seen to be valid."""
    with tempfile.TemporaryDirectory() as state:
        bench = await begun(stage, state)
        stage.ca.scripts["finalize/1"] = [answer(200, {**stage.ca.orders[1], "status": "invalid"})]
        assert isinstance(await bench.fail(), OrderFailed)
        bench.journal.close()
    assert [set(names) for names in bench.failed] == [set()]


async def profiled(stage: Stage, state: str, *finalized: Response, required: bool = False) -> Bench:
    """Going on with an order for a profile; so is the first request to finalize answered."""
    stage.ca.meta["profiles"] = {"short": ""}
    bench = await begun(stage, state, status="ready", profile="short")
    stage.ca.authorizations[1]["status"] = "valid"
    bench.commission = replace(bench.commission, profile="short", profile_required=required)
    stage.ca.scripts["finalize/1"] = list(finalized)
    return bench


@scenario
async def test_a_preferred_profile_that_is_refused_at_the_end_is_left_away_in_a_new_order(stage: Stage) -> None:
    """The order that asked for it is over."""
    with tempfile.TemporaryDirectory() as state:
        bench = await profiled(stage, state, refusal(400, "invalidProfile", "not any more"))
        assert await bench.issuance.obtain(bench.commission, bench.emit) == (CHAIN,)
        bench.journal.close()
    assert [post.json() for post in stage.ca.posts if post.path == "new-order"] == [
        {"identifiers": [{"type": "dns", "value": "a.test"}]}
    ]
    assert (bench.over, bench.opened) == (1, [stage.ca.url("order/2")])
    assert [event["hint"] for event in bench.told if event["event"] == "warning"] == [
        "ordering without the preferred profile"
    ]


@scenario
async def test_fail_a_required_profile_is_not_left_away(stage: Stage) -> None:
    """The negative twin; nor is a preferred one for another reason."""
    for reply, required in ((refusal(400, "invalidProfile"), True), (refusal(400, "badCSR"), False)):
        with tempfile.TemporaryDirectory() as state:
            bench = await profiled(stage, state, reply, required=required)
            assert isinstance(await bench.fail(), Problem)
            bench.journal.close()
        assert not [post for post in stage.ca.posts if post.path == "new-order"]
