"""``tlsa publish`` and ``tlsa withdraw``: records for DANE made right at DNS services, and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.tlsa_endpoint import EndpointType
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.dane import Brought, Stands, Withdrawn
    from dnsbroker.endpoints import Endpoint


@click.command(
    epilog=example("dnsbroker tlsa publish", "dnsbroker tlsa publish smtp://mail.example.org --adopt"),
    short_help="Make the TLSA records right for the configured endpoints.",
)
@click.argument("endpoints", nargs=-1, type=EndpointType(), metavar="[ENDPOINT]...")
@click.option("--adopt", is_flag=True, help="Also publish records for every key that the addresses serve now.")
@common
@click.pass_context
def publish(context: click.Context, endpoints: tuple[Endpoint, ...], *, adopt: bool) -> int:
    """Make DNS right for the endpoints of [[dane]], or those named: the present key, the next one, the issuer.

    What clients would refuse is not published. It returns when every name server has the records.
    """

    async def work(broker: Broker) -> Result:
        return _published(await broker.dane.publish([str(one) for one in endpoints], adopt=adopt))

    return _run(context, work)


@click.command(
    epilog=example("dnsbroker tlsa withdraw smtp://mail.example.org"),
    short_help="Take the TLSA records of endpoints back.",
)
@click.argument("endpoints", nargs=-1, required=True, type=EndpointType(), metavar="ENDPOINT...")
@common
@click.pass_context
def withdraw(context: click.Context, endpoints: tuple[Endpoint, ...]) -> int:
    """Take the TLSA records of endpoints back, and tell until when their present keys must go on being served.

    They stay away, also where [[dane]] speaks of the endpoint, until publish names it again.
    """

    async def work(broker: Broker) -> Result:
        return _withdrawn(await broker.dane.withdraw([str(one) for one in endpoints]))

    return _run(context, work)


def _published(found: Sequence[Brought]) -> Result:
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure, Result

    owners = {stands.owner: stands for one in found for stands in one.stands}
    failures: list[Failure] = []
    for one in found:  # certificates at one owner name fail alike
        if one.error is not None and not any(known.error is one.error for known in failures):
            failures.append(Failure(one.error))
    return Result(
        status=exit_status.gravest(exit_status.of(failure.error) for failure in failures),
        changed=any(one.changed for one in found),
        lines=[
            *(line for stands in owners.values() for line in _lines(stands)),
            *(line for one in found for line in _told(one)),
        ]
        if found
        else ["nothing to do: no [[dane]] table is configured"],
        failures=failures,
        fields={
            "owners": [_facts(stands) for stands in owners.values()],
            "rollovers": [_rollover(one) for one in found],
        },
    )


def _lines(stands: Stands) -> Iterator[str]:
    """Each record with what became of it."""
    words = (("added", stands.added), ("kept", stands.ours - stands.added), ("removed", stands.removed))
    for word, records in (*words, ("foreign", stands.foreign)):
        yield from (f"{word}: {shown(stands.owner)} IN TLSA {record}" for record in sorted(records))


def _told(one: Brought) -> Iterator[str]:
    if one.move is not None:
        yield f"{shown(one.reference)}: {one.move.step}: {one.move.reason}{_missing(one)}"
    yield from (f"  {words}" for words in one.objections)


def _missing(one: Brought) -> str:
    """How a certificate that there is to be comes about."""
    its = one.situation
    is_to_come = its is not None and its.live is None and its.is_ordered_here and one.error is None
    return f"; `dnsbroker issue {shown(one.reference)}` obtains it" if is_to_come else ""


def _facts(stands: Stands) -> dict[str, object]:
    facts = {"added": stands.added, "kept": stands.ours - stands.added, "removed": stands.removed}
    facts["foreign"] = stands.foreign
    return {"owner": stands.owner, **{word: sorted(map(str, records)) for word, records in facts.items()}}


def _rollover(one: Brought) -> dict[str, object]:
    moved = one.move
    return {
        "certificate": one.reference,
        "step": str(moved.step) if moved else None,
        "reason": moved.reason if moved else "",
        "until": _moment(moved.until) if moved else None,
        "objections": list(one.objections),
    }


def _withdrawn(found: Sequence[Withdrawn]) -> Result:
    from dnsbroker.cli.output import Result

    return Result(
        changed=any(one.removed for one in found),
        lines=[line for one in found for line in _farewell(one)],
        fields={
            "endpoints": [
                {
                    "endpoint": str(one.endpoint),
                    "serve_until": _moment(one.until),
                    "given_by": list(one.given_by),
                    "removed": list(one.removed),
                    "foreign": list(one.foreign),
                }
                for one in found
            ]
        },
    )


def _farewell(one: Withdrawn) -> Iterator[str]:
    from datetime import UTC, datetime

    from dnsbroker.due import when_after

    yield from (f"removed: {record}" for record in one.removed)
    yield from (f"foreign: {record}" for record in one.foreign)
    if one.removed:
        until = when_after(datetime.fromtimestamp(one.until, UTC))
        given = f"; {' and '.join(one.given_by)} still has them, so look at `dnsbroker tlsa status` then"
        late = given if one.given_by else ""
        yield f"{one.endpoint.shown()}: serve the present key until {until}: caches may hold its records{late}"
    else:
        yield f"{one.endpoint.shown()}: there are no records of ours"


def _moment(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    from dnsbroker.events import written

    return None if seconds is None else written(datetime.fromtimestamp(seconds, UTC))


def _run(context: click.Context, work: Any) -> int:
    from dnsbroker.cli.running import run

    return run(context, work)
