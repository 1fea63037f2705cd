"""Whether a certificate may be asked for now: the CA's word for everybody, our own spacing for the timer alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsbroker.certifying.permission import Permission, heeding
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.errors import (
    AcmeError,
    BrokerError,
    ConfigError,
    DirectoryUnreachable,
    Held,
    KeyGuarded,
    OrderUnfinished,
    Postponed,
    PreflightFailed,
    Problem,
)
from dnsbroker.events import Emitter
from dnsbroker.journal import Attempt, Attempts, Journal
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock

CA, OTHER_CA = "https://ca.test/dir", "https://other.test/dir"
ONE = CertificateConfig(name="one", names=("one.test",))
TWO = CertificateConfig(name="two", names=("two.test",))
MINUTE = timedelta(minutes=1)


def problem(type: str, *, wait: float | None = None, status: int = 429) -> Problem:
    """The CA's refusal, with how long it wants to be left alone."""
    return Problem(f"refused: {type}", type=type, detail="no", status=status, retry_after=wait)


class Bench:
    """A state directory that runs look at one after another; ``named`` as where a person named the certificate."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.config = Config.from_dict(
            {"state_dir": str(directory / "state"), "acme": {"directory": CA}, "dns": {"resolvers": ["127.0.0.1"]}}
        )

    def run(self, work: Callable[[Permission], object], *, named: bool = False, as_configured: bool = True) -> None:
        """Do ``work`` in a run of its own."""

        async def play() -> None:
            async with Run(self.config, self.clock, Emitter(self.clock, None)) as run:
                work(Permission(run, is_named=named, is_as_configured=as_configured))

        asyncio.run(play())

    def fail(self, error: BrokerError, certificate: CertificateConfig = ONE) -> None:
        """Note a failed attempt."""
        self.run(lambda permission: permission.failed(certificate, CA, error))

    def noted(self) -> Attempt | None:
        """What the journal knows of the failures of the first certificate."""
        return Attempts(Journal(self.config.state_dir), self.clock).of(ONE.name)

    def is_held(self, certificate: CertificateConfig = ONE, directory: str = CA, *, named: bool = False) -> bool:
        """Whether the certificate is not to be asked for."""
        try:
            self.run(lambda permission: permission.check(certificate, directory), named=named)
        except Postponed as error:
            assert error.name == certificate.name and error.until > self.clock.now() and error.hint
            return True
        return False


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_failure_is_spaced_for_the_timer_alone(bench: Bench) -> None:
    """Another certificate is free, a person is as well, and so is the timer after a minute or two."""
    assert not bench.is_held()
    bench.fail(BrokerError("no"))
    assert (bench.is_held(), bench.is_held(named=True), bench.is_held(TWO)) == (True, False, False)
    bench.clock.turn(70)
    assert not bench.is_held()


def test_a_success_forgets_the_failures(bench: Bench) -> None:
    """The next failure is the first one again."""
    bench.fail(BrokerError("no"))
    bench.run(lambda permission: permission.succeeded(ONE))
    assert not bench.is_held()


@pytest.mark.parametrize(
    "error",
    [
        Held("later", name="one.test", until=datetime(2030, 1, 1, tzinfo=UTC)),
        Postponed("later", name="one", until=datetime(2030, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_only_waits_for_its_time_leaves_no_trace(bench: Bench, error: BrokerError) -> None:
    """It is no failure."""
    bench.fail(error)
    assert not bench.is_held() and bench.noted() is None


MISTAKES = [
    ConfigError("wrong"),
    KeyGuarded("not that key", names=["_25._tcp.one.test."]),
    PreflightFailed("the CAA record forbids it", name="one.test", checks=["caa-forbids"]),
]


@pytest.mark.parametrize("error", MISTAKES, ids=lambda error: type(error).__name__)
def test_a_mistake_is_known_and_holds_nobody(bench: Bench, error: BrokerError) -> None:
    """There is nothing that waiting would mend; it is forgotten where nothing is due any more."""
    bench.fail(error)
    noted = bench.noted()
    assert noted is not None and noted.is_mistake and not bench.is_held()
    bench.run(lambda permission: permission.kept(ONE))
    assert bench.noted() is None


@pytest.mark.parametrize("error", MISTAKES, ids=lambda error: type(error).__name__)
def test_a_mistake_with_a_key_that_was_asked_for_is_none_of_the_configuration(bench: Bench, error: BrokerError) -> None:
    """Whoever asked has read it, and no timer will ask for that."""
    bench.run(lambda permission: permission.failed(ONE, CA, error), as_configured=False)
    assert bench.noted() is None


def test_a_certificate_that_is_not_due_keeps_its_failures(bench: Bench) -> None:
    """The CA said no to a renewal that was forced: that holds for the next one."""
    bench.fail(BrokerError("no"))
    bench.run(lambda permission: permission.kept(ONE))
    assert bench.is_held()


@pytest.mark.parametrize(
    "error",
    [
        problem("serverInternal", wait=600, status=503),
        problem("rateLimited", wait=600),
        DirectoryUnreachable("busy", url=CA, retry_after=600),
    ],
    ids=["a CA in trouble", "a limit before there is an account", "no directory"],
)
def test_what_the_ca_demands_of_all_holds_for_all(bench: Bench, error: AcmeError) -> None:
    """For every certificate, for a person too, and at no other CA; until its time is over."""
    bench.fail(error)
    assert bench.is_held(named=True) and bench.is_held(TWO, named=True)
    assert not bench.is_held(TWO, OTHER_CA, named=True)
    bench.clock.turn(599)
    assert bench.is_held(named=True)
    bench.clock.turn(2)
    assert not bench.is_held(named=True)


def test_an_order_that_takes_long_holds_nobody_else(bench: Bench) -> None:
    """Not even a person who names it may ask for it earlier."""
    bench.fail(OrderUnfinished("still processing", waited=300, retry_after=600))
    assert bench.is_held(named=True) and not bench.is_held(TWO, named=True)


def test_validations_stop_before_the_limit_of_the_ca(bench: Bench) -> None:
    """Five failures an hour lock a name out: the timer leaves the fifth to a person; other names are free."""
    for _ in range(4):
        assert not bench.is_held()
        bench.run(lambda permission: permission.validation_failed(CA, ["one.test", "other.test"]))
    assert bench.is_held() and not bench.is_held(named=True)
    assert not bench.is_held(TWO) and not bench.is_held(directory=OTHER_CA)
    bench.clock.turn(3600)
    assert not bench.is_held()


def test_a_failure_of_no_name_in_particular_counts_for_none(bench: Bench) -> None:
    """The twin."""
    for _ in range(9):
        bench.run(lambda permission: permission.validation_failed(CA, ()))
    assert not bench.is_held()


def test_what_is_asked_beside_orders_heeds_the_ca_and_is_heeded(bench: Bench) -> None:
    """An account is asked about no sooner than the CA allows, and what it demands then holds for orders."""

    async def play() -> None:
        async with Run(bench.config, bench.clock, Emitter(bench.clock, None)) as run:
            with heeding(run, CA, "default"):
                pass
            with pytest.raises(Problem), heeding(run, CA, "default"):
                raise problem("", wait=60.0, status=503)
            with pytest.raises(Postponed, match="not to come back"), heeding(run, CA, "default"):
                raise AssertionError("nobody is asked")
            with heeding(run, OTHER_CA, "default"):
                pass

    asyncio.run(play())
    assert bench.is_held(named=True)
    assert not bench.is_held(directory=OTHER_CA, named=True)


def test_a_second_try_of_one_run_stays_away_from_the_limit(bench: Bench) -> None:
    """With each name counted for itself; what names nobody is no validation."""
    told: list[bool] = []
    bench.run(lambda permission: told.extend(permission.validation_failed(CA, ["one.test"]) for _ in range(4)))
    assert told == [True, True, True, False]
    bench.run(lambda permission: told.append(permission.validation_failed(CA, ["two.test"])))
    bench.run(lambda permission: told.append(permission.validation_failed(CA, ())))
    bench.run(lambda permission: told.append(permission.validation_failed(CA, ["two.test", "one.test"])))
    assert told[4:] == [True, True, False]
