"""``tlsa check``: endpoints with DANE as clients see them, now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options
from dnsbroker.cli.tlsa_endpoint import EndpointType

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.config import Config
    from dnsbroker.dane.checking import Checked, Report
    from dnsbroker.endpoints import Endpoint
    from dnsbroker.events import Listener
    from dnsbroker.run import Run


@click.command(
    epilog=example(
        "dnsbroker tlsa check",
        "dnsbroker tlsa check smtp://mail.example.org https://www.example.org",
        "dnsbroker -q tlsa check --mx example.org --srv _xmpp-server._tcp.example.org",
    ),
    short_help="Look at endpoints with DANE as clients see them.",
)
@click.argument("endpoints", nargs=-1, type=EndpointType(), metavar="[ENDPOINT]...")
@click.option("--mx", "mail", multiple=True, metavar="DOMAIN", help="Every mail server of this domain.")
@click.option("--srv", "services", multiple=True, metavar="NAME", help="Where this SRV record leads.")
@common
@click.pass_context
def check(
    context: click.Context, endpoints: tuple[Endpoint, ...], mail: tuple[str, ...], services: tuple[str, ...]
) -> int:
    """Look at endpoints with DANE as clients see them: those named, or all that are configured.

    Looks at DNSSEC from the MX or SRV down, at the TLSA records at every name server, and at what each address serves.
    Writes nothing, and needs no configuration. The exit status is 0, or 4 where an error was found; -v shows notices.
    """
    from dnsbroker.cli.running import conduct
    from dnsbroker.clock import SystemClock
    from dnsbroker.run import recorded

    options = context.ensure_object(Options)
    command = context.command_path.removeprefix("dnsbroker ")

    def opened(listener: Listener) -> Run:
        return recorded(_configuration(options), SystemClock(), listener, command, looking=True)

    async def work(run: Run) -> Result:
        from dnsbroker.dane.checking import Means
        from dnsbroker.dane.checking import check as checked

        means = Means.of(run.config, run.store, run.rollovers, run.finder, run.exchange, run.clock, run.emit)
        report = await checked(means, endpoints, mail=mail, services=services)
        return summed_up(report, is_verbose=options.verbose > 0)

    return conduct(options, command, opened, work, looking=True)


def _configuration(options: Options) -> Config:
    """The configuration, or an empty one where there is none and none was named. Raises ConfigError."""
    from dnsbroker.config import Config
    from dnsbroker.environment import variables
    from dnsbroker.errors import ConfigError

    try:
        return Config.load(options.config or None)
    except ConfigError as error:
        is_named = options.config or variables().get("DNSBROKER_CONFIG")
        if is_named or not isinstance(error.__cause__, FileNotFoundError):
            raise
        return Config.from_dict({}, environment=variables())


def summed_up(report: Report, *, is_verbose: bool) -> Result:
    """The command's result; notices are told where ``is_verbose``, and counted in any case."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.findings import told
    from dnsbroker.cli.output import Result
    from dnsbroker.findings import Severity

    found = report.all_findings
    shown = [finding for finding in found if is_verbose or finding.severity is not Severity.NOTICE]
    counts = {str(severity): sum(one.severity is severity for one in found) for severity in Severity}
    return Result(
        status=exit_status.CHECK if report.has_error else exit_status.DONE,
        lines=[
            *(line for checked in report.endpoints for line in _table(checked)),
            *told(shown),
            _summary(report, counts, is_verbose=is_verbose),
        ],
        fields={
            "findings": counts,
            "endpoints": {str(checked.endpoint): checked.is_good for checked in report.endpoints},
        },
    )


def _table(checked: Checked) -> Iterator[str]:
    """An endpoint, where its records stand, and what each address serves."""
    from dnsbroker.cli.findings import counted, line
    from dnsbroker.names import shown

    via = f" (by {checked.via})" if checked.via else ""
    yield f"{'ok' if checked.is_good else 'fault'}: {checked.endpoint.shown()}{via}"
    for owner in checked.owners:
        yield f"    {shown(owner.name)}: {counted(len(owner.records), 'record')}, {owner.standing}"
    several = len({sight.base for sight in checked.sights}) > 1
    for sight in checked.sights:
        base = f"as {shown(sight.base)}" if several else ""
        yield "    " + line(f"{' '.join(filter(None, (sight.address, sight.algorithm, base)))}: {sight}")


def _summary(report: Report, counts: dict[str, int], *, is_verbose: bool) -> str:
    """The closing line: how much was looked at, and how much was found."""
    from dnsbroker.cli.findings import counted

    addresses = {(one.endpoint, sight.address) for one in report.endpoints for sight in one.sights}
    number = f"{len(addresses)} address{'' if len(addresses) == 1 else 'es'}"
    looked = f"{counted(len(report.endpoints), 'endpoint')}, {number} checked"
    found = [counted(number, severity) for severity, number in counts.items() if number]
    if found and not is_verbose and counts["notice"]:
        found[-1] += " (-v shows it)" if counts["notice"] == 1 else " (-v shows them)"
    return f"{looked}: {', '.join(found) or 'all is well'}"
