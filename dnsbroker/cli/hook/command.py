"""``hook``: what ``dnsbroker-hook`` does, with the client named.

Its rule: after the client's own word everything is the client's, also what looks like an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from dnsbroker.cli.grammar import Group, common, example
from dnsbroker.cli.hook import close_inherited
from dnsbroker.cli.options import Options

_RAW = {"allow_interspersed_args": False}


@click.group(cls=Group)
@click.option(
    "--wait/--no-wait",
    default=True,
    help="Return when every name server has the values (the default), or once written: the client waits.",
)
@click.option("--ignore", multiple=True, metavar="SERVER", help="Do not wait for this name server (name or address).")
@common
def hook(wait: bool, ignore: tuple[str, ...]) -> None:
    """Do what another ACME client asks its hook for. The program dnsbroker-hook tells the client by itself."""
    close_inherited()


@hook.command(
    epilog=example(
        "dnsbroker hook certbot auth       as --manual-auth-hook",
        "dnsbroker hook certbot cleanup    as --manual-cleanup-hook",
        "dnsbroker hook certbot deploy     as --deploy-hook",
    ),
    short_help="certbot's manual hooks, and its deploy hook.",
)
@click.argument("word", type=click.Choice(["auth", "cleanup", "deploy"]))
@common
@click.pass_context
def certbot(context: click.Context, word: str) -> int:
    """certbot's manual hooks and its deploy hook; all the rest is in the environment."""  # noqa: D403 - its own name
    return _answer(context, "certbot", [word])


@hook.command(
    epilog=example("dnsbroker hook dehydrated exit_hook"),
    short_help="dehydrated's hooks.",
    context_settings=_RAW,
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="NAME [ARGUMENT]...")
@common
@click.pass_context
def dehydrated(context: click.Context, arguments: Sequence[str]) -> int:
    """dehydrated's hooks by their names, with and without HOOK_CHAIN; unknown ones are accepted."""  # noqa: D403
    return _answer(context, "dehydrated", arguments)


@hook.command(
    epilog=example(
        "dnsbroker hook lego present _acme-challenge.example.org. LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
    ),
    short_help="lego's DNS provider exec.",
    context_settings=_RAW,
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="present|cleanup ARGUMENT...")
@common
@click.pass_context
def lego(context: click.Context, arguments: Sequence[str]) -> int:
    """lego's DNS provider exec, in the default mode (FQDN VALUE) and in RAW (-- DOMAIN TOKEN KEYAUTH)."""  # noqa: D403
    return _answer(context, "lego", arguments)


@hook.command(
    "acme.sh",
    epilog=example(
        "dnsbroker hook acme.sh add _acme-challenge.example.org LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
    ),
    short_help="acme.sh's DNS plugin dns_dnsbroker.",
    context_settings=_RAW,
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="add|rm NAME VALUE")
@common
@click.pass_context
def acmesh(context: click.Context, arguments: Sequence[str]) -> int:
    """acme.sh's DNS plugin dns_dnsbroker. NAME is the full owner name."""
    return _answer(context, "acme.sh", arguments)


@hook.command(
    epilog=example("dnsbroker hook uacme begin dns-01 example.org TOKEN LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"),
    short_help="uacme's hook.",
    context_settings=_RAW,
)
@click.argument(
    "arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="begin|done|failed TYPE IDENT TOKEN AUTH"
)
@common
@click.pass_context
def uacme(context: click.Context, arguments: Sequence[str]) -> int:
    """uacme's hook. Challenges of another TYPE than dns-01 are declined."""  # noqa: D403
    return _answer(context, "uacme", arguments)


def _answer(context: click.Context, client: str, arguments: Sequence[str]) -> int:
    from dnsbroker.cli.hook.calling import answer

    above: Any = context.parent
    return answer(context.ensure_object(Options), client, list(arguments), **above.params)
