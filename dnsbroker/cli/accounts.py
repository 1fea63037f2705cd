"""``account``: the CA accounts, one verb each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.completion import account_names
from dnsbroker.cli.grammar import Group, common, example

if TYPE_CHECKING:
    from dnsbroker.account import Account
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result

_KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096")


@click.group(cls=Group)
@common
def account() -> None:
    """Register, show, update, roll over or deactivate an account at a CA."""


def _named(command: Any) -> Any:
    option = click.option(
        "--account",
        "name",
        default="default",
        metavar="NAME",
        shell_complete=account_names,
        help="The one in [accounts.NAME], not the one in [acme].",
    )
    return option(command)


@account.command(epilog=example("dnsbroker account register"), short_help="Make the account, or find it by its key.")
@_named
@common
@click.pass_context
def register(context: click.Context, /, name: str) -> int:
    """Make the account at the CA, or find it again by its key. `issue` and `renew` do this by themselves."""

    async def work(account: Account) -> Result:
        before = account.kept_url
        url = await account.register()
        return _said(account, [f"account {account.config.name}: {url}"], changed=url != before, url=url)

    return _run(context, name, work)


@account.command(epilog=example("dnsbroker account show"), short_help="Show the account as the CA has it.")
@_named
@common
@click.pass_context
def show(context: click.Context, /, name: str) -> int:
    """Show the account as the CA has it: its URL, state and contact."""

    async def work(account: Account) -> Result:
        facts = await (await account.existing()).account()
        lines = [
            f"account {account.config.name} at {account.config.directory}",
            f"  url: {facts.url}",
            f"  status: {facts.status}",
            f"  contact: {', '.join(facts.contact) or 'none'}",
        ]
        return _said(account, lines, url=facts.url, account_status=facts.status, contact=list(facts.contact))

    return _run(context, name, work)


@account.command(epilog=example("dnsbroker account update"), short_help="Tell the CA the contact configured now.")
@_named
@common
@click.pass_context
def update(context: click.Context, /, name: str) -> int:
    """Tell the CA the contact that the configuration has now."""

    async def work(account: Account) -> Result:
        before = (await (await account.existing()).account()).contact
        facts = await account.update()
        line = f"account {account.config.name}: contact {', '.join(facts.contact) or 'none'}"
        changed = set(before) != set(facts.contact)
        return _said(account, [line], changed=changed, url=facts.url, contact=list(facts.contact))

    return _run(context, name, work)


@account.command(epilog=example("dnsbroker account rollover"), short_help="Give the account a new key.")
@_named
@click.option("--key-type", type=click.Choice(_KEY_TYPES), metavar="TYPE", help="Of another kind.")
@common
@click.pass_context
def rollover(context: click.Context, /, name: str, key_type: str | None) -> int:
    """Give the account a new key; its URL stays, and with it what CAA records say of it."""

    async def work(account: Account) -> Result:
        url = await account.roll_over(key_type or "")
        return _said(
            account, [f"account {account.config.name} has a new key, and is still {url}"], changed=True, url=url
        )

    return _run(context, name, work)


@account.command(epilog=example("dnsbroker account deactivate --account tcs"), short_help="Close the account for ever.")
@_named
@common
@click.pass_context
def deactivate(context: click.Context, /, name: str) -> int:
    """Close the account at the CA for ever. Its certificates stay valid; nothing is ordered from it any more."""

    async def work(account: Account) -> Result:
        url = await account.deactivate()
        told = f"account {account.config.name} is deactivated"
        return _said(account, [f"{told}: {url}" if url else told], changed=True, url=url)

    return _run(context, name, work)


def _said(account: Account, lines: list[str], *, changed: bool = False, **fields: object) -> Result:
    from dnsbroker.cli.output import Result

    told = {"account": account.config.name, "directory": account.config.directory, **fields}
    return Result(lines=lines, changed=changed, fields=told)


def _run(context: click.Context, name: str, work: Callable[[Account], Awaitable[Result]]) -> int:
    from dnsbroker.cli.running import run

    async def with_account(broker: Broker) -> Result:
        async with broker.account(name) as account:
            return await work(account)

    return run(context, with_account)
