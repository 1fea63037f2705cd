"""``config check``, ``config example`` and ``providers``."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.options import Group, Options, common
from dnsbroker.cli.options import example as in_help
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.surveying import Surveyed


@click.group(cls=Group)
@common
def config() -> None:
    """Check the configuration, or print an example."""


@config.command(epilog=in_help("dnsbroker config check"), short_help="Look for errors without contacting anybody.")
@common
@click.pass_context
def check(context: click.Context) -> int:
    """Read the whole configuration, and look whether its secrets, files, users and groups are there."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure, Output, Result, failed
    from dnsbroker.config import Config
    from dnsbroker.config.check import check as errors_of
    from dnsbroker.errors import BrokerError

    options = context.ensure_object(Options)
    try:
        loaded = Config.load(options.config or None)
        errors = errors_of(loaded)
        counts = f"{_count(loaded.certificates, 'certificate')}, {_count(loaded.providers, 'provider')}"
        told = f"{loaded.path}: {counts}, no errors"
        status = exit_status.USAGE if errors else exit_status.DONE
        result = Result(status=status, lines=[] if errors else [told], failures=[Failure(error) for error in errors])
    except BrokerError as error:
        result = failed(error)
    Output(options, "config check").end(result)
    return result.status


def _count(found: Sized, noun: str) -> str:
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"


@config.command(
    epilog=in_help("dnsbroker config example powerdns > /etc/dnsbroker/dnsbroker.toml"),
    short_help="Print the shortest configuration that works.",
)
@click.argument("types", nargs=-1, metavar="[TYPE]...")
@click.option("--all", "every", is_flag=True, help="Every key, with its default and what it is for.")
@common
@click.pass_context
def example(context: click.Context, types: tuple[str, ...], every: bool) -> int:
    """Print the shortest configuration that works, for providers of the types named."""
    from dnsbroker.cli.output import Output, Result, failed
    from dnsbroker.config.example import example as text_of
    from dnsbroker.errors import BrokerError

    options = context.ensure_object(Options)
    try:
        text = text_of(types, is_whole=every)
        result = Result(lines=text.rstrip("\n").split("\n"), fields={"text": text})
    except BrokerError as error:
        result = failed(error)
    Output(options, "config example").end(result)
    return result.status


@click.command(
    epilog=in_help("dnsbroker providers"), short_help="Show the configured providers, and the adapters installed."
)
@common
@click.pass_context
def providers(context: click.Context) -> int:
    """Show the configured providers with the zones each may write, and the adapters installed."""

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli import exit_status
        from dnsbroker.cli.output import Failure, Result

        survey = await broker.survey()
        return Result(
            status=exit_status.gravest(exit_status.of(item.error) for item in survey.configured if item.error),
            lines=[*map(_line, survey.configured), f"adapters installed: {', '.join(survey.installed)}"],
            failures=[Failure(item.error) for item in survey.configured if item.error],
            fields={"providers": [_facts(item) for item in survey.configured], "adapters": list(survey.installed)},
        )

    from dnsbroker.cli.running import run

    return run(context, work)


def _line(provider: Surveyed) -> str:
    if provider.error is not None:
        zones = "could not be asked"
    elif provider.zones is None:
        zones = "the zones its server accepts updates for"
    else:
        zones = ", ".join(shown(zone) for zone in provider.zones) or "no zone"
    return f"{provider.name} ({provider.type}): {zones}"


def _facts(provider: Surveyed) -> dict[str, object]:
    return {
        "name": provider.name,
        "type": provider.type,
        "zones": None if provider.zones is None else list(provider.zones),
    }
