"""``tlsa rollover`` and ``tlsa advance``: keys changed without any client seeing one that its records do not name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example
from dnsbroker.names import shown

if TYPE_CHECKING:
    from datetime import datetime

    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.rekeying import Rekeyed

_NOTHING = "nothing to do: no [[dane]] table is configured"


@click.command(
    epilog=example("dnsbroker tlsa rollover example.org", "dnsbroker tlsa rollover example.org --now"),
    short_help="Change the key of a certificate with TLSA records.",
)
@click.argument("name", metavar="NAME", shell_complete=certificate_names)
@click.option("--now", is_flag=True, help="An emergency: give the present key up at once, whatever caches hold.")
@common
@click.pass_context
def rollover(context: click.Context, /, name: str, *, now: bool) -> int:
    """Begin to change the key of a certificate, and go as far as time allows; renew and advance do the rest.

    The next key is used once every cache knows its records, the old records go once every address serves it. The exit
    status is 5 as long as something is left, and tells until when. While one is unfinished
    it goes on with that one, and begins no other. It also tries again what was taken back.
    """

    async def work(broker: Broker) -> Result:
        return _result([await broker.dane.rollover(name, now=now)])

    return _run(context, work)


@click.command(epilog=example("dnsbroker tlsa advance"), short_help="Move every key roll-over on.")
@common
@click.pass_context
def advance(context: click.Context) -> int:
    """Move every roll-over as far as time and DNS allow: publish, order what was asked for, go live, take old away.

    The exit status is 0 once nothing is left to move, else 5, and tells when to come again.
    """

    async def work(broker: Broker) -> Result:
        return _result(await broker.dane.advance())

    return _run(context, work)


def _result(found: Sequence[Rekeyed]) -> Result:
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure, Result

    failures = [Failure(error, one.reference if len(found) > 1 else "") for one in found for error in one.errors]
    is_left = any(not one.is_over for one in found if one.step)
    statuses = [*(exit_status.of(failure.error) for failure in failures), *([exit_status.HELD] if is_left else [])]
    untils = [one.until for one in found if one.until is not None]
    return Result(
        status=exit_status.gravest(statuses),
        lines=[line for one in found for line in lines_of(one)] if found else [_NOTHING],
        failures=failures,
        fields={"rollovers": [facts_of(one) for one in found], "until": _written(min(untils, default=None))},
    )


def lines_of(one: Rekeyed) -> Iterator[str]:
    """What is told of it."""
    from dnsbroker.due import when_after

    if one.step:
        again = when_after(one.until) if one.until is not None else ""
        until = f"; goes on after {again}" if again not in one.reason else ""
        yield f"{shown(one.reference)}: {one.step}: {one.reason}{until}"
    if one.refused_until is not None:
        yield f"  some clients refuse the new key until {when_after(one.refused_until)}: caches lack its record"
    if one.replayable_until is not None:
        told = f"until {when_after(one.replayable_until)} the old records can be replayed"
        yield f"  {told}: their signatures hold that long, whatever DNS says now"
    for advice in one.advice:
        yield f"  {advice}"


def facts_of(one: Rekeyed) -> dict[str, object]:
    """What ``--json`` has of it."""
    facts: dict[str, object] = {
        "certificate": one.reference,
        "step": one.step or None,
        "reason": one.reason,
        "until": _written(one.until),
        "over": one.is_over,
    }
    emergency = {
        "replayable_until": _written(one.replayable_until),
        "refused_until": _written(one.refused_until),
        "advice": list(one.advice),
    }
    return {**facts, **{name: value for name, value in emergency.items() if value}}


def _written(moment: datetime | None) -> str | None:
    from dnsbroker.events import written

    return None if moment is None else written(moment)


def _run(context: click.Context, work: Any) -> int:
    from dnsbroker.cli.running import run

    return run(context, work)
