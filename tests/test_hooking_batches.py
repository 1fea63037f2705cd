"""A client that calls once for each challenge has them written by its last call, all at once, and waited for once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.hooking import Answer, at_once
from dnsbroker.hooking.calls import Present
from dnsbroker.journal import Journal, Sessions
from hooks_bench import NAME, OTHER, ZONE, Host, cleanup, host, spaced

SESSION = "certbot example.test"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def numbered(line: str) -> bool:
    word, _, number = line.partition(" ")
    return word == "dnsbroker" and number.isdigit() and number.isascii()


def test_h5_the_last_call_writes_all_of_its_session_in_one_write(bench: Host) -> None:
    """The others only say what they will be known by; the two cleanups leave what is somebody else's."""
    bench.service.plant(ZONE, NAME, "TXT", 60, ["foreign"])
    first = at_once(spaced("a", following=1), bench.config, bench.clock)
    assert first is not None and numbered(first.line)
    assert (bench.service.seen, bench.open(), bench.told) == ([], (), [])

    last = bench.call(spaced("b"))
    assert numbered(last.line) and last.line != first.line and not last.failures and last.changed
    assert (len(bench.service.seen), bench.standing()) == (1, {"a", "b", "foreign"})
    assert len([event for event in bench.told if event["event"] == "propagated"]) == 1

    assert not bench.call(cleanup("a", session=SESSION)).failures
    assert bench.standing() == {"b", "foreign"}
    assert not bench.call(cleanup("b", session=SESSION)).failures
    assert (bench.standing(), bench.open()) == ({"foreign"}, ())


def test_the_last_call_of_another_session_writes_its_own_alone(bench: Host) -> None:
    """The negative twin."""
    bench.call(spaced("a", following=1))
    bench.call(spaced("b", session="certbot other.test"))
    assert bench.standing() == {"b"}


def test_each_zone_gets_one_write(bench: Host) -> None:
    """However many names there are."""
    other = f"_acme-challenge.{OTHER}"
    for value, name, following in (("a", NAME, 3), ("b", other, 2), ("c", NAME, 1), ("d", other, 0)):
        assert not bench.call(spaced(value, following, name=name)).failures
    assert sorted(write.zone for write in bench.service.seen) == [ZONE, OTHER]
    assert (bench.standing(), bench.standing(other)) == ({"a", "c"}, {"b", "d"})


def test_a_value_that_was_only_parked_is_cleaned_up_without_asking_anybody(bench: Host) -> None:
    """The call that would have written it has not come: the journal alone knows of it."""
    bench.call(spaced("a", following=1))
    bench.told.clear()
    answer = at_once(cleanup("a", session=SESSION), bench.config, bench.clock)
    assert answer is not None and not answer.failures
    bench.call(spaced("b"))
    assert bench.standing() == {"b"}


def test_stale_parked_values_are_not_written(bench: Host) -> None:
    """Those of a client that was killed, an hour later."""
    bench.call(spaced("stale", following=1))
    bench.clock.turn(3601)
    bench.call(spaced("b"))
    assert bench.standing() == {"b"}


def test_gc_forgets_what_was_parked_in_vain(bench: Host) -> None:
    """An hour later, and not before."""
    bench.call(spaced("a", following=1))
    for seconds, values in ((0, {NAME: {"a"}}), (3601, {})):
        bench.clock.turn(seconds)
        assert bench.collect() == 0
        journal = Journal(bench.config.state_dir)
        assert Sessions(journal, bench.clock).values(SESSION) == values
        journal.close()


def test_without_waiting_values_are_written_and_nobody_is_watched(bench: Host) -> None:
    """The client looks itself."""
    bench.service.stuck = {ZONE}
    bench.call(spaced("a", following=1), wait=False)
    assert not bench.call(spaced("b"), wait=False).failures
    assert bench.standing() == {"a", "b"}
    assert not [event for event in bench.told if event["event"] in ("server", "propagated")]


async def underway(bench: Host, call: Present) -> asyncio.Task[Answer]:
    """``call``, which has written and waits for a server that does not follow."""
    bench.service.stuck, count = {ZONE}, len(bench.service.seen)
    task = asyncio.ensure_future(bench.called(call))
    while len(bench.service.seen) == count:
        await SystemClock().sleep(0.01)
    return task


def test_what_was_claimed_and_taken_back_is_written_by_nobody_else(bench: Host) -> None:
    """A signal cut its call off, and certbot's run is over with it."""
    bench.call(spaced("a", following=1))

    async def story() -> None:
        first = await underway(bench, spaced("b"))
        assert bench.standing() == {"a", "b"}
        first.cancel()
        await asyncio.wait({first})
        assert bench.standing() == set()
        bench.service.follow(ZONE)
        assert not (await bench.called(spaced("c"))).failures

    asyncio.run(story())
    assert bench.standing() == {"c"}
