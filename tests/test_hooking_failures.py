"""What clients do not do when we fail, we do: wait, try again, take back, and keep them from coming again too soon."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    DelegationBroken,
    NoProvider,
    NotPropagated,
    NotWithdrawn,
    Postponed,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Present
from dnsbroker.journal import Attempts, Journal
from dnsbroker.records import Change, Receipt
from dnsbroker.testing import MemoryProvider
from hooks_bench import LONG, NAME, OTHER, ZONE, Host, cleanup, heeded, host, spaced

SESSION = "dehydrated /etc/dehydrated"
CERTBOT = "certbot example.test"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def late(bench: Host, *zones: str) -> None:
    """Have the second server of ``zones`` never follow, and nobody wait for it for long."""
    bench.service.stuck, bench.timeout = set(zones or [ZONE]), 0.5


def well(bench: Host) -> None:
    """Have it follow again, and time enough."""
    bench.service.follow(ZONE)
    bench.timeout = LONG


def failure(answer: Answer) -> BrokerError:
    (error,) = answer.failures
    return error


def count(bench: Host) -> int:
    """How often the session of certbot's has failed, by the journal."""
    journal = Journal(bench.config.state_dir)
    attempt = Attempts(journal, bench.clock).of(f"hook {CERTBOT}")
    journal.close()
    return attempt.failures if attempt else 0


@pytest.mark.parametrize("kind", ["lego, uacme, acme.sh", SESSION])
def test_h38_h39_what_fails_for_who_calls_no_second_time_is_taken_back(bench: Host, kind: str) -> None:
    """The server that lacks it is named, DNS is clean, and somebody else's value is still there."""
    bench.service.plant(ZONE, NAME, "TXT", 60, ["foreign"])
    late(bench)
    answer = bench.call(heeded("a", session=kind if kind == SESSION else ""))
    assert isinstance(failure(answer), NotPropagated) and "ns2.example.test" in failure(answer).message
    assert (bench.standing(), bench.open()) == ({"foreign"}, ())


def test_what_fails_for_who_goes_on_regardless_stays_until_its_cleanup(bench: Host) -> None:
    """The negative twin: certbot has the CA look all the same, and it may be well by then."""
    late(bench)
    assert isinstance(failure(bench.call(spaced("a"))), NotPropagated)
    assert bench.standing() == {"a"}
    assert not bench.call(cleanup("a", session=CERTBOT)).failures
    assert (bench.standing(), bench.open()) == (set(), ())


def test_h20_a_failure_ends_the_session_s_other_values_too(bench: Host) -> None:
    """After it dehydrated cleans nothing up: the first is gone when the second has failed."""
    assert not bench.call(heeded("a", session=SESSION)).failures
    late(bench)
    assert isinstance(failure(bench.call(heeded("b", session=SESSION))), NotPropagated)
    assert (bench.standing(), bench.open()) == (set(), ())


def test_a_failure_is_no_matter_of_other_sessions_nor_of_who_has_none(bench: Host) -> None:
    """The negative twin."""
    bench.call(heeded("a"))
    bench.call(heeded("b", session="dehydrated /elsewhere"))
    late(bench)
    bench.call(heeded("c"))
    bench.call(heeded("d", session=SESSION))
    assert bench.standing() == {"a", "b"}


def test_what_cannot_be_written_is_not_written_elsewhere_either(bench: Host) -> None:
    """Two zones, one of which refuses: the other's value is taken back."""
    bench.service.fail(RecordRejected("no", provider="corp", zone=ZONE), times=9)
    values = {NAME: ["a"], f"_acme-challenge.{OTHER}": ["b"]}
    assert isinstance(failure(bench.call(Present("", values))), RecordRejected)
    assert (bench.standing(), bench.standing(f"_acme-challenge.{OTHER}"), bench.open()) == (set(), set(), ())


def test_a_service_that_is_away_for_minutes_is_waited_for(bench: Host) -> None:
    """Inside the call, for the client would not come again; people are told what for."""
    bench.service.fail(ProviderUnavailable("away", provider="corp", zone=ZONE), times=9)
    answer = bench.call(spaced("a"))
    assert (answer.failures, bench.standing(), count(bench)) == ((), {"a"}, 0)
    assert {event["reason"] for event in bench.told if event["event"] == "waiting"} == {
        "provider corp, zone example.test: away"
    }
    bench.call(cleanup("a", session=CERTBOT))
    assert (bench.standing(), bench.open()) == (set(), ())


def test_a_reply_that_got_lost_is_no_somebody_else_s_value(bench: Host) -> None:
    """It was written all the same: tried again it is still ours, and goes with its cleanup."""
    bench.service.fail(ProviderUnavailable("cut off", provider="corp", zone=ZONE), times=9, after=True)
    assert not bench.call(heeded("a")).failures
    assert not bench.call(cleanup("a")).failures
    assert (bench.standing(), bench.open()) == (set(), ())


def test_it_is_not_waited_for_beyond_the_budget(bench: Host) -> None:
    """The negative twin: at last the client hears of it, and nothing is left."""
    bench.service.fail(ProviderUnavailable("away", provider="corp", zone=ZONE), times=9_999)
    begun = bench.clock.leapt
    answer = bench.call(heeded("a"))
    assert isinstance(answer.failures[0], ProviderUnavailable)
    assert bench.timeout / 2 < bench.clock.leapt - begun < 3 * bench.timeout
    assert bench.standing() == set()


@pytest.mark.parametrize(
    "error",
    [
        AuthRejected("bad key", provider="corp", zone=ZONE),
        RateLimited("come back tomorrow", provider="corp", zone=ZONE, retry_after=86_400),
    ],
    ids=lambda error: str(error.kind),
)
def test_what_will_not_pass_is_told_at_once(bench: Host, error: BrokerError) -> None:
    """The negative twin: credentials do not mend themselves, and a day is more than a hook can wait."""
    assert isinstance(error, AuthRejected | RateLimited)
    bench.service.fail(error, times=9)
    begun = bench.clock.leapt
    assert failure(bench.call(heeded("a"))) is error
    assert bench.clock.leapt - begun < 5


def test_h10_who_has_failed_is_refused_until_its_time_has_come(bench: Host) -> None:
    """Before anything is parked or written, and with the moment; a call that is refused is no further failure."""
    late(bench)
    bench.call(spaced("a"))
    well(bench)
    writes = len(bench.service.seen)
    for call in (spaced("b", following=1), spaced("c")):
        with pytest.raises(Postponed, match=r"failed once, and nothing is published before 20.* UTC; last: .* ns2"):
            bench.call(call)
    assert (len(bench.service.seen), bench.standing(), count(bench)) == (writes, {"a"}, 1)

    bench.clock.turn(70)
    assert not bench.call(spaced("b", following=1)).failures
    assert not bench.call(spaced("c")).failures
    assert (bench.standing(), count(bench)) == ({"a", "b", "c"}, 0)


def test_other_sessions_and_cleanups_are_not_refused(bench: Host) -> None:
    """The negative twin."""
    late(bench)
    bench.call(spaced("a"))
    well(bench)
    assert not bench.call(cleanup("a", session=CERTBOT)).failures
    assert not bench.call(spaced("b", session="certbot www.example.test")).failures
    assert not bench.call(heeded("c", session=CERTBOT)).failures


def test_nobody_is_kept_waiting_longer_than_an_hour(bench: Host) -> None:
    """However often it has failed: the client's own timer comes by but twice a day."""
    late(bench)
    for number in range(4):
        bench.call(spaced(f"v{number}"))
        bench.clock.turn(3600)
    assert count(bench) == 4
    well(bench)
    assert not bench.call(spaced("last")).failures


def test_a_mistake_in_the_configuration_is_tried_again_at_once(bench: Host) -> None:
    """Nobody was contacted, and waiting mends nothing."""
    name = "_acme-challenge..test"
    for _ in range(2):
        with pytest.raises(BrokerError, match="empty label"):
            bench.call(spaced("a", name=name))
    assert count(bench) == 0


def refusing(error: BrokerError) -> type[MemoryProvider]:
    """An adapter that meets ``error`` and writes nothing."""

    class Refusing(MemoryProvider):
        async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
            raise error

    return Refusing


@pytest.mark.parametrize(
    "error",
    [
        AuthRejected("BADSIG", provider="corp"),
        ZoneMissing("no such zone", provider="corp", zone=ZONE, tried=[ZONE]),
        NoProvider("no configured provider", name=NAME, zone=ZONE),
        DelegationBroken("a circle", name=NAME, chain=[NAME, NAME]),
    ],
    ids=lambda error: str(error.kind),
)
def test_what_a_person_has_to_mend_is_tried_again_at_once(bench: Host, error: BrokerError) -> None:
    """Nothing was written, and no pause mends it: the next run after the mending must not fail at the CA."""
    bench.adapter = refusing(error)
    assert bench.call(spaced("a")).failures[0] is error
    bench.adapter = MemoryProvider
    assert count(bench) == 0
    assert not bench.call(spaced("b")).failures


def test_a_configuration_newer_than_the_failure_is_tried_at_once(bench: Host, tmp_path: Path) -> None:
    """As the refusal says; one that is older is not."""
    bench.path = tmp_path / "dnsbroker.toml"
    bench.path.touch()
    os.utime(bench.path, (0, 0))
    late(bench)
    bench.call(spaced("a"))
    well(bench)
    with pytest.raises(Postponed) as refused:
        bench.call(spaced("b"))
    assert refused.value.hint.endswith(f"; once that is mended, `touch {bench.path}` lets the next call try at once")
    later = bench.clock.now().timestamp() + 1
    os.utime(bench.path, (later, later))
    assert not bench.call(spaced("b")).failures
    assert count(bench) == 0


def test_a_refusal_names_few_of_many_names_and_whichever_run_it_is(bench: Host) -> None:
    """The pause is for the names; the process group is nobody's business."""
    names = ",".join(f"n{number}.example.test" for number in range(100))
    late(bench)
    bench.call(spaced("a", session=f"certbot {names} 4026531836 41"))
    with pytest.raises(Postponed, match=r"^certbot n0\.example\.test and 99 more: failed once, and "):
        bench.call(spaced("b", session=f"certbot {names} 4026531836 42"))
    one = "certbot n0.example.test,n0.example.test 4026531836 41"
    bench.call(spaced("c", session=one))
    with pytest.raises(Postponed, match=r"^certbot n0\.example\.test: failed once, and "):
        bench.call(spaced("d", session=one))


async def underway(bench: Host, call: Present) -> asyncio.Task[Answer]:
    """``call``, which has written and waits for a server that does not follow."""
    bench.service.stuck, before = {ZONE}, len(bench.service.seen)
    task = asyncio.ensure_future(bench.called(call))
    while len(bench.service.seen) == before:
        await SystemClock().sleep(0.01)
    return task


@pytest.mark.parametrize("session", ["", SESSION])
def test_what_waits_when_a_signal_comes_is_withdrawn(bench: Host, session: str) -> None:
    """A cancellation is how it arrives here; the session's other values go as well."""
    bench.call(heeded("a", session=session))

    async def story() -> None:
        task = await underway(bench, heeded("b", session=session))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert bench.standing() == (set() if session else {"a"})


def test_h8_a_signal_in_the_last_call_leaves_nothing_to_anybody(bench: Host) -> None:
    """All that it wrote is withdrawn; certbot cleans up after the calls before it, and that is a success."""
    for value, following in (("a", 2), ("b", 1)):
        bench.call(spaced(value, following))

    async def story() -> None:
        task = await underway(bench, spaced("c"))
        assert bench.standing() == {"a", "b", "c"}
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(story())
    assert bench.standing() == set()
    for value in ("a", "b"):
        assert not bench.call(cleanup(value, session=CERTBOT)).failures
    assert (bench.collect(), bench.open()) == (0, ())


class Vain(MemoryProvider):
    """Writes, but takes nothing back."""

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        if any(type(change).__name__ == "Remove" for change in changes):
            raise AuthRejected("may only add", provider="corp", zone=zone)
        return await super().apply(zone, changes)


def test_what_can_not_be_taken_back_is_told_and_left_to_later_sweeps(bench: Host) -> None:
    """Beside the failure itself."""
    late(bench)
    bench.adapter = Vain
    errors = bench.call(heeded("a")).failures
    assert [type(error) for error in errors] == [NotPropagated, NotWithdrawn]
    assert bench.standing() == {"a"}
    bench.adapter = MemoryProvider
    bench.clock.turn(60)
    assert (bench.collect(), bench.standing(), bench.open()) == (1, set(), ())
