"""``tlsa verify``: what a client makes of a chain under TLSA records; nothing is contacted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.tlsa.verifying import Verdict


@click.command(
    epilog=example(
        'dnsbroker tlsa verify --chain fullchain.pem --host mail.example.org "3 1 1 5978dd1d2d23e992075dc359d5dd14f7'
        'ef79748af97f2b7809c9ebfd6016c433"',
    ),
    short_help="Judge a certificate chain by TLSA records.",
)
@click.option(
    "--chain",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificates that the service sends, leaf first.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    metavar="HOST",
    help="The host whose records these are; again for each further name that clients let the certificate have.",
)
@click.option("--ee-name-check", is_flag=True, help="Have names matter to usage 3 too, as RFC 7671 does not.")
@click.argument("records", nargs=-1, required=True, metavar='"RECORD" ["RECORD"]...')
@common
@click.pass_context
def verify(
    context: click.Context, chain: Path, hosts: tuple[str, ...], ee_name_check: bool, records: tuple[str, ...]
) -> int:
    """Tell whether a client that follows RFC 7671 accepts a chain under these records, and why. Contacts nobody.

    RECORD is usage, selector, matching type and data, in quotes: "3 1 1 HEX". The exit status is 0 where the chain is
    accepted, and 4 where it is not.
    """
    from dnsbroker.cli.output import Output, failed
    from dnsbroker.clock import SystemClock
    from dnsbroker.errors import BrokerError
    from dnsbroker.events import Emitter

    output = Output(context.ensure_object(Options), context.command_path.removeprefix("dnsbroker "))
    try:
        verdict = _verdict(chain, hosts, records, ee_name_check=ee_name_check)
        emit = Emitter(SystemClock(), output.event)
        for warning in verdict.warnings:
            emit("warning", message=warning)
        result = _told(verdict)
    except BrokerError as error:
        result = failed(error)
    output.end(result)
    return result.status


def _verdict(chain: Path, hosts: Sequence[str], records: Sequence[str], *, ee_name_check: bool) -> Verdict:
    """Raises ConfigError for a file or a record that is none, NameInvalid for such a host."""
    from dnsbroker.errors import ConfigError, NameInvalid, PemInvalid
    from dnsbroker.records import checked_tlsa
    from dnsbroker.tlsa.verifying import verify

    for record in records:
        try:
            checked_tlsa(record)
        except NameInvalid as error:
            hint = 'write each in quotes, as a zone file has it: "3 1 1 HEX"'
            raise ConfigError(f"{record!r} is no record: {error.reason}", hint=hint) from error
    try:
        return verify(chain.read_text("ascii", "replace"), hosts, records, ee_name_check=ee_name_check)
    except OSError as error:
        words, hint = (error.strerror or str(error)).lower(), f"ls -l {chain} shows who may read it"
        raise ConfigError(f"cannot be read: {words}", path=str(chain), hint=hint) from error
    except PemInvalid as error:
        hint = error.hint or "--chain takes the file with the leaf and the CAs that are sent along, in PEM"
        raise ConfigError(error.message, path=str(chain), hint=hint) from error


def _told(verdict: Verdict) -> Result:
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Result

    judged = [{"record": str(item.record), "state": item.state, "why": item.why} for item in verdict.records]
    return Result(
        status=exit_status.DONE if verdict.accepted else exit_status.CHECK,
        lines=[
            f"{'accepted' if verdict.accepted else 'refused'}: {verdict.why}",
            *(f"  {item}" for item in verdict.records),
        ],
        fields={
            "accepted": verdict.accepted,
            "why": verdict.why,
            "records": judged,
            "warnings": list(verdict.warnings),
        },
    )
