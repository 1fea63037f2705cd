"""``txt``, ``wait`` and ``gc``: records without certificates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.grammar import Group, common, example
from dnsbroker.events import written
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.propagation import ServerVerdict
    from dnsbroker.sweeping import Searched


class _Duration(click.ParamType[float]):
    """``90s``, ``10m``, ``2h``, ``3d`` or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from dnsbroker.config.durations import parse

        try:
            return value if isinstance(value, float) else float(parse(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(cls=Group)
@common
def txt() -> None:
    """Publish and wait for, or withdraw, TXT values."""


@txt.command(
    epilog=example("dnsbroker txt present _acme-challenge.example.org LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"),
    short_help="Publish TXT values, and wait until every server has them.",
)
@click.argument("pairs", nargs=-1, required=True, metavar="NAME VALUE [NAME VALUE]...")
@click.option(
    "--wait/--no-wait", default=True, help="Return when every name server has them (the default), or once written."
)
@click.option("--expires", type=_Duration(), default="1h", show_default=True, help="After that, gc withdraws them.")
@click.option("--ignore", multiple=True, metavar="SERVER", help="Do not wait for this name server (name or address).")
@common
@click.pass_context
def present(context: click.Context, pairs: tuple[str, ...], wait: bool, expires: float, ignore: tuple[str, ...]) -> int:
    """Publish TXT values, and wait until every authoritative server has them. NAME is the full owner name."""
    values = _values(pairs)

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.output import Result

        changed = await broker.texts.present(values, expires=expires, wait=wait)
        return Result(changed=changed, lines=[f"present: {shown(name)}" for name in values])

    return _run(context, work, ignore)


@txt.command(
    epilog=example("dnsbroker txt cleanup _acme-challenge.example.org LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"),
    short_help="Withdraw TXT values.",
)
@click.argument("pairs", nargs=-1, required=True, metavar="NAME VALUE [NAME VALUE]...")
@common
@click.pass_context
def cleanup(context: click.Context, pairs: tuple[str, ...]) -> int:
    """Withdraw TXT values; other values at the same names stay."""
    values = _values(pairs)

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.output import Result

        changed = await broker.texts.cleanup(values)
        return Result(changed=changed, lines=[f"withdrawn: {shown(name)}" for name in values])

    return _run(context, work)


@click.command(
    epilog=example("dnsbroker wait _acme-challenge.example.org --value LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM")
)
@click.argument("name")
@click.option(
    "--value", "values", multiple=True, required=True, metavar="V", help="A value that every server must have."
)
@click.option(
    "--type",
    "type_",
    type=click.Choice(["TXT", "TLSA"], case_sensitive=False),
    default="TXT",
    metavar="TYPE",
    help="TXT (the default) or TLSA.",
)
@click.option("--timeout", type=_Duration(), metavar="T", help="How long; by default propagation.timeout.")
@click.option("--ignore", multiple=True, metavar="SERVER", help="Leave this name server (name or address) out.")
@common
@click.pass_context
def wait(
    context: click.Context,
    name: str,
    values: tuple[str, ...],
    type_: Any,
    timeout: float | None,
    ignore: tuple[str, ...],
) -> int:
    """Only watch: wait until every authoritative server has the values, and print each address's verdict."""

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.output import Result

        outcome = await broker.texts.watch(name, values, type_, timeout)
        lines = [f"{shown(item.server)} {item.address}: {_verdict(item)}" for item in outcome.verdicts]
        return Result(lines=lines)

    return _run(context, work, ignore)


@click.command(
    epilog=example("dnsbroker gc", "dnsbroker gc --search"),
    short_help="Withdraw what dead or expired runs left in DNS.",
)
@click.option(
    "--search", is_flag=True, help="Also what a lost state directory forgot, by the notes beside our records."
)
@common
@click.pass_context
def gc(context: click.Context, search: bool) -> int:
    """Withdraw every record that a dead or expired run left in DNS."""

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.output import Result, failed
        from dnsbroker.errors import NotWithdrawn

        known, result = 0, Result()
        try:
            known = await broker.collect_garbage()
            result.fields = {"withdrawn": known}
        except NotWithdrawn as error:
            result = failed(error)
        result = collected(result, known, await broker.search_garbage() if search else None)
        result.lines = [*result.lines, *_promised(broker)]
        return result

    return _run(context, work)


def collected(result: Result, known: int, searched: Searched | None) -> Result:
    """``result`` in words, with the records that the journal had ``known``, and with those that it forgot."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure

    done = [f"withdrawn: {_records(known)}"] if known else []
    if searched:
        if searched.withdrawn:
            done.append(f"withdrawn by the note beside it: {_records(len(searched.withdrawn))}")
        result.fields = {**result.fields, **_searched_fields(searched)}
        result.failures = [*result.failures, *map(Failure, searched.errors)]
        result.status = exit_status.gravest([result.status, *map(exit_status.of, searched.errors)])
    if not done and not result.failures and not (searched and searched.failed):
        done.append("nothing to withdraw")
    result.lines = [*done, *(_left(searched) if searched else ())]
    return result


def _promised(broker: Broker) -> list[str]:
    """What somebody may still come to clean up, in words."""
    promised = broker.texts.promised()
    if promised is None:
        return []
    count, until = promised
    stands = (
        "1 value of a hook or `txt present` stands" if count == 1 else f"{count} values of hooks or `txt present` stand"
    )
    return [f"left: {stands}, until {until:%Y-%m-%d %H:%M:%S} UTC at most"]


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _left(searched: Searched) -> list[str]:
    left = (
        f"{shown(item.record.name)} at provider {item.target.provider}, until {item.until:%Y-%m-%d %H:%M:%S} UTC"
        for item in searched.waiting
    )
    unsearched = (f"provider {provider}: {why}" for provider, why in searched.unsearched.items())
    return [*(f"left: {text}" for text in left), *(f"not searched: {text}" for text in unsearched)]


def _searched_fields(searched: Searched) -> dict[str, object]:
    waiting = [
        {
            "name": item.record.name,
            "provider": item.target.provider,
            "zone": item.target.zone,
            "until": written(item.until),
        }
        for item in searched.waiting
    ]
    return {"forgotten": len(searched.withdrawn), "waiting": waiting, "unsearched": dict(searched.unsearched)}


def _verdict(item: ServerVerdict) -> str:
    if item.verdict == "green":
        return "has it" if item.serial is None else f"has it, serial {item.serial}"
    return f"{item.verdict}: {item.finding.detail}".removesuffix(": ")


def _values(pairs: Sequence[str]) -> dict[str, list[str]]:
    """The values by owner name. Raises UsageError where a name has no value."""
    if len(pairs) % 2:
        raise click.UsageError(f"{pairs[-1]!r} has no value: give NAME VALUE, and again as often as needed")
    values: dict[str, list[str]] = {}
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not value:
            raise click.UsageError(f"the value for {name!r} is empty")
        values.setdefault(name, []).append(value)
    return values


def _run(context: click.Context, work: Any, ignore: tuple[str, ...] = ()) -> int:
    from dnsbroker.cli.running import run

    return run(context, work, ignore=ignore)
