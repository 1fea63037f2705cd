"""Checks fail alone and end together; what is found is told in order, each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.doctor.alone import Alone, Job
from dnsbroker.doctor.diagnosis import Diagnosis, Examined, diagnosed
from dnsbroker.errors import StoreError
from dnsbroker.findings import Finding, Severity

NOTHING = Examined(0, 0, 0, 0)


def finding(severity: Severity, subject: str, check: str = "lame-server", *, fixed: bool = False) -> Finding:
    return Finding(check, severity, subject, "it is not well", fixed=fixed)


async def sound() -> Sequence[Finding]:
    return [finding(Severity.NOTICE, "a.test")]


async def hanging() -> Sequence[Finding]:
    await asyncio.get_running_loop().create_future()
    return []


async def failing() -> Sequence[Finding]:
    raise StoreError("the disk is gone", path="/nowhere", hint="find it")


async def breaking() -> Sequence[Finding]:
    raise ZeroDivisionError


def run(*checks: object, seconds: float = 5.0) -> list[tuple[Finding, ...]]:
    """What ``checks`` find side by side."""

    async def play() -> list[tuple[Finding, ...]]:
        alone = Alone(SystemClock(), seconds)
        return list(await asyncio.gather(*(alone.run(Job("a.test", "its zone", check)) for check in checks)))  # type: ignore[arg-type]

    return asyncio.run(play())


def test_a_sound_check_is_told_as_it_is() -> None:
    """Nothing is added to what it found."""
    assert run(sound) == [(finding(Severity.NOTICE, "a.test"),)]


@pytest.mark.parametrize(
    ("check", "told", "next_step"),
    [
        (hanging, "its zone could not be looked at: no answer within 0.05 s", "reaches the name servers"),
        (failing, "its zone could not be looked at: the disk is gone", "find it"),
        (breaking, "its zone could not be looked at: ZeroDivisionError", "report it"),
    ],
)
def test_what_a_check_cannot_do_is_a_finding(check: object, told: str, next_step: str) -> None:
    """With what it was about, and what to do; its neighbour is told all the same."""
    (bad,), good = run(check, sound, seconds=0.05)
    assert (bad.check, bad.severity, bad.subject, bad.message) == ("unexamined", Severity.WARNING, "a.test", told)
    assert next_step in bad.hint
    assert good == (finding(Severity.NOTICE, "a.test"),)


def test_who_waits_for_a_place_ends_with_the_others() -> None:
    """However many checks hang, all are told of when the time is over."""
    found = run(*[hanging] * 150, seconds=0.05)
    assert [item.check for (item,) in found] == ["unexamined"] * 150


def test_being_stopped_is_no_finding() -> None:
    """Ctrl-C ends the visit."""

    async def play() -> None:
        task = asyncio.ensure_future(Alone(SystemClock(), 5.0).run(Job("a.test", "its zone", hanging)))
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())


def test_the_gravest_come_first_and_each_thing_once() -> None:
    """Then by what they concern; what was mended stands at the end."""
    error, warning, notice = Severity
    told = diagnosed(
        [
            finding(error, "z.test.", fixed=True),
            finding(notice, "a.test."),
            finding(error, "b.test.", "silent-server"),
            finding(warning, "a.test."),
            finding(error, "b.test."),
            finding(error, "a.test."),
            finding(error, "a.test"),
        ],
        NOTHING,
    )
    assert [(item.severity, item.subject, item.check) for item in told.findings] == [
        (error, "a.test", "lame-server"),
        (error, "b.test", "lame-server"),
        (error, "b.test", "silent-server"),
        (warning, "a.test", "lame-server"),
        (notice, "a.test", "lame-server"),
        (error, "z.test", "lame-server"),
    ]


def test_what_was_mended_is_no_error_any_more() -> None:
    """It is counted by itself."""
    told = diagnosed([finding(Severity.ERROR, "a.test", fixed=True), finding(Severity.WARNING, "a.test")], NOTHING)
    assert counts(told) == (0, 1, 0, 1)
    assert not told.has_error
    assert diagnosed([finding(Severity.ERROR, "a.test")], NOTHING).has_error


def counts(diagnosis: Diagnosis) -> tuple[int, ...]:
    return (*map(diagnosis.count, Severity), diagnosis.fixed)


def test_names_are_told_as_people_write_them() -> None:
    """And what is no name stays as it is."""
    told = diagnosed([finding(Severity.ERROR, name) for name in ("xn--bcher-kva.test.", "provider corp")], NOTHING)
    assert [item.subject for item in told.findings] == ["bücher.test", "provider corp"]
