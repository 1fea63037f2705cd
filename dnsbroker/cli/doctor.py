"""``doctor``: what would make a validation fail, told before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.doctor import Diagnosis


@click.command(
    epilog=example("dnsbroker doctor", "dnsbroker doctor www.example.org --fix", "dnsbroker -q doctor"),
    short_help="Find what would make a validation fail, before it does.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=certificate_names)
@click.option("--fix", is_flag=True, help="Mend what can be mended without touching a record that is not ours.")
@click.option("--ignore", multiple=True, metavar="SERVER", help="Leave this name server (name or address) out.")
@common
@click.pass_context
def doctor(context: click.Context, /, names: tuple[str, ...], fix: bool, ignore: tuple[str, ...]) -> int:
    """Find what would make a validation fail: of every certificate, or of certificates and domain names.

    Looks at providers, name servers, delegations, DNSSEC, CAA and the CA's limits, and writes nothing. The exit status
    is 0, or 4 where an error was found; -v shows notices too.
    """
    from dnsbroker.cli.running import run

    is_verbose = context.ensure_object(Options).verbose > 0

    async def work(broker: Broker) -> Result:
        return summed_up(await broker.doctor(names, fix=fix), is_verbose=is_verbose)

    return run(context, work, ignore=ignore, looking=not fix)


def summed_up(diagnosis: Diagnosis, *, is_verbose: bool) -> Result:
    """The command's result; notices are told where ``is_verbose``, and counted in any case."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.findings import told
    from dnsbroker.cli.output import Result
    from dnsbroker.findings import Severity

    shown = [item for item in diagnosis.findings if is_verbose or item.fixed or item.severity is not Severity.NOTICE]
    examined = diagnosis.examined
    return Result(
        status=exit_status.CHECK if diagnosis.has_error else exit_status.DONE,
        lines=[
            *told(shown),
            *diagnosis.notes,
            _summary(diagnosis, is_verbose=is_verbose),
        ],
        fields={
            "findings": {str(item): diagnosis.count(item) for item in Severity} | {"fixed": diagnosis.fixed},
            "examined": {
                "names": examined.names,
                "zones": examined.zones,
                "providers": examined.providers,
                "servers": examined.servers,
            },
            "notes": list(diagnosis.notes),
        },
    )


def _summary(diagnosis: Diagnosis, *, is_verbose: bool) -> str:
    """The closing line: how much was looked at, and how much was found."""
    from dnsbroker.cli.findings import counted
    from dnsbroker.findings import Severity

    seen = diagnosis.examined
    looked = [
        counted(seen.names, "name"),
        counted(seen.zones, "zone"),
        counted(seen.providers, "provider"),
        counted(seen.servers, "server"),
    ]
    found = [counted(diagnosis.count(item), str(item)) for item in Severity if diagnosis.count(item)]
    if found and not is_verbose and diagnosis.count(Severity.NOTICE):
        found[-1] += " (-v shows it)" if diagnosis.count(Severity.NOTICE) == 1 else " (-v shows them)"
    if diagnosis.fixed:
        found.append(f"{diagnosis.fixed} fixed")
    return f"{', '.join(looked)} examined: {', '.join(found) or 'all is well'}"
