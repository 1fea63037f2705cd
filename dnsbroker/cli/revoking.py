"""``revoke`` and ``delete``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result

_REASONS = "unspecified, keycompromise, affiliationchanged, superseded or cessationofoperation"


@click.command(
    epilog=example("dnsbroker revoke example.org --reason keycompromise --replace"),
    short_help="Have the CA take a certificate back.",
)
@click.argument("name", metavar="NAME", shell_complete=certificate_names)
@click.option("--serial", default="", metavar="S", help="Not the live one, but the one with this serial number (hex).")
@click.option("--cert", type=click.Path(path_type=Path), metavar="FILE", help="Not the live one, but the one in FILE.")
@click.option("--reason", default="unspecified", metavar="R", help=f"Why: {_REASONS}.")
@click.option("--replace", is_flag=True, help="First get a new certificate, and deploy it.")
@common
@click.pass_context
def revoke(context: click.Context, /, name: str, serial: str, cert: Path | None, reason: str, replace: bool) -> int:
    """Have the CA revoke a certificate. A compromised key is never used again, by no certificate here.

    Where the configuration still names it, the next renew gets a new one.
    """
    if serial and cert:
        raise click.UsageError("--serial and --cert contradict each other")

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli import exit_status
        from dnsbroker.cli.certificates import result_of
        from dnsbroker.cli.output import Failure, Result
        from dnsbroker.cli.tlsa_rollover import facts_of, lines_of
        from dnsbroker.revoking import Revocation

        revoked = await broker.revoke(name, Revocation(reason.lower(), serial, cert, replace))
        replaced = [revoked.replaced] if revoked.replaced is not None else []
        result = result_of(replaced, named=True) if replaced else Result()
        told = "revoked" if revoked.by_us else "had been revoked before"
        result.lines = [*result.lines, f"{shown(name)}: serial {revoked.target.leaf.serial_text} {told}"]
        result.changed = revoked.by_us or bool(replaced)
        fields = {"serial": revoked.target.leaf.serial_text, "reason": reason.lower(), "revoked": revoked.by_us}
        if (rolled := revoked.rolled) is not None:
            result.lines = [*result.lines, *lines_of(rolled)]
            result.failures = [*result.failures, *map(Failure, rolled.errors)]
            result.status = exit_status.gravest([result.status, *map(exit_status.of, rolled.errors)])
            fields["rollover"] = facts_of(rolled)
        result.fields = fields
        return result

    return _run(context, work)


@click.command(epilog=example("dnsbroker delete old.example.org"), short_help="Put a certificate aside.")
@click.argument("name", metavar="NAME", shell_complete=certificate_names)
@common
@click.pass_context
def delete(context: click.Context, /, name: str) -> int:
    """Put a certificate that the configuration does not name aside: its files stay below deleted/ for 30 days."""

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.output import Result

        path = broker.delete(name)
        return Result(
            lines=[f"{shown(name)}: deleted; its files are in {path} for 30 days"], fields={"path": str(path)}
        )

    return _run(context, work)


def _run(context: click.Context, work: object) -> int:
    from dnsbroker.cli.running import run

    return run(context, work)  # type: ignore[arg-type]
