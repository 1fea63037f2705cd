"""``import``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.importing.moving import Imported, ImportedAccount, ImportedCertificate


@click.command(
    name="import",
    epilog=example("dnsbroker import /etc/letsencrypt", "dnsbroker import /etc/dehydrated"),
    short_help="Take over what certbot or dehydrated keeps.",
)
@click.argument("path", type=click.Path(path_type=Path))
@common
@click.pass_context
def import_directory(context: click.Context, path: Path) -> int:
    """Take over what certbot or dehydrated keeps in PATH: accounts, certificates with their keys, settings, hooks.

    Nothing is changed in PATH, and nobody is contacted. What is configured already stays as it is.
    """
    from dnsbroker.cli.output import Output, failed
    from dnsbroker.environment import variables
    from dnsbroker.errors import BrokerError
    from dnsbroker.importing.moving import bring_in

    options = context.ensure_object(Options)
    try:
        result = _result(bring_in(path, options.config, variables(), is_root=os.geteuid() == 0))
    except BrokerError as error:
        result = failed(error)
    Output(options, "import").end(result)
    return result.status


def _result(imported: Imported) -> Result:
    """What became of all; one that could not be taken is a failure, whatever was wrong with it."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure, Result

    failures = [Failure(item.error, item.name) for item in imported.certificates if item.error is not None]
    return Result(
        status=exit_status.FAILED if failures else exit_status.DONE,
        changed=imported.changed,
        lines=list(_lines(imported)),
        certificates=[_certificate_facts(item) for item in imported.certificates],
        failures=failures,
        fields={
            "accounts": [_account_facts(item) for item in imported.accounts],
            "providers": list(imported.providers),
            "notes": list(imported.notes),
            "still_kept": list(imported.still_kept),
        },
    )


def _lines(imported: Imported) -> Iterator[str]:
    for account in imported.accounts:
        how = {"imported": "taken", "kept": "here already", "failed": "not taken"}[account.status]
        yield f"account {account.name}: {how}, {account.url or 'its URL to be asked for'} at {account.directory}"
    for provider in imported.providers:
        yield f"provider {provider}: taken, in {imported.configuration}"
    for item in imported.certificates:
        if item.error is None:
            yield f"{shown(item.name)}: {_told(item)}"
            yield from (f"  {note}" for note in item.notes)
    yield from (f"note: {note}" for note in imported.notes)
    if not imported.changed:
        yield "nothing is changed"
        return
    yield f"next: `dnsbroker renew --dry-run` shows what {imported.configuration} means"
    if imported.still_kept:
        kept = ", ".join(map(shown, imported.still_kept))
        yield f"then: point programs to the files here; {imported.client} has to go on, for it keeps {kept} (lineage)"
    else:
        yield f"then: point programs to the files here, and end {imported.client}'s timer or cron job"


def _told(item: ImportedCertificate) -> str:
    if item.lineage is None:
        return item.reason if item.status == "kept" else f"taken, never issued so far, {item.reason}"
    where = f"valid until {item.lineage.not_after:%Y-%m-%d}, in {item.lineage.path}"
    return f"{item.reason}; {where}" if item.status == "kept" else f"taken, {where}, {item.reason}"


def _certificate_facts(item: ImportedCertificate) -> dict[str, object]:
    from dnsbroker.certifying import described

    absent = {"not_after": None, "serial": None, "path": None}
    facts = described(item.lineage) if item.lineage is not None else absent
    return {"name": item.name, **facts, "status": item.status, "reason": item.reason, "notes": list(item.notes)}


def _account_facts(item: ImportedAccount) -> dict[str, object]:
    return {"name": item.name, "directory": item.directory, "url": item.url, "status": item.status}
