"""``deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result


@click.command(
    epilog=example("dnsbroker deploy mail.example.org"),
    short_help="Bring certificates to their users again.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=certificate_names)
@common
@click.pass_context
def deploy(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Copies, deploy hooks, reload and verify again, without an order: for the certificates named, or all there are.

    What failed is tried again by renew as well; this also does again what was done.
    """
    from dnsbroker.cli.running import run

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli.certificates import result_of

        outcomes = await broker.deploy_all(names)
        return result_of(outcomes, named=bool(names), nothing="no configured certificate is there yet")

    return run(context, work)
