"""``tlsa``: the commands for DANE, and the one that computes records from files or a service alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.grammar import Group, common, example
from dnsbroker.cli.options import Options
from dnsbroker.cli.tlsa_check import check
from dnsbroker.cli.tlsa_endpoint import EndpointType
from dnsbroker.cli.tlsa_publish import publish, withdraw
from dnsbroker.cli.tlsa_rollover import advance, rollover
from dnsbroker.cli.tlsa_status import status
from dnsbroker.cli.tlsa_verify import verify

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.endpoints import Endpoint
    from dnsbroker.events import Emitter, Listener
    from dnsbroker.tlsa.computing import Presented
    from dnsbroker.tlsa.records import Tlsa

_PORT = re.compile("[1-9][0-9]{0,4}")


class _Port(click.ParamType[int]):
    """A port as owner names have it: decimal, without zeros before it (RFC 6698 section 3)."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not _PORT.fullmatch(str(value)) or int(value) > 65535:
            self.fail(f"{value!r} is no port: write a number from 1 to 65535, without zeros before it", param, ctx)
        return int(value)


@click.group(cls=Group)
@common
def tlsa() -> None:
    """TLSA records tell clients by DNS whose key a service has (DANE): publish them, change keys under them, look."""


@tlsa.command(
    epilog=example(
        "dnsbroker tlsa compute --cert fullchain.pem --host mail.example.org --port 25",
        'dnsbroker tlsa compute --connect smtp://mail.example.org --records "3 1 1"',
    ),
    short_help="Compute TLSA records for a certificate, key, request or service.",
)
@click.option("--cert", type=click.Path(path_type=Path), metavar="FILE", help="A certificate, or a chain, leaf first.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="A private key, of the service to be.")
@click.option("--csr", type=click.Path(path_type=Path), metavar="FILE", help="A certificate signing request.")
@click.option("--connect", type=EndpointType(), metavar="ENDPOINT", help="What a service presents at each address now.")
@click.option(
    "--records",
    metavar="LIST",
    default="",
    help='Usage, selector and matching type of each record, such as "3 1 1,2 1 1" (the default, the latter where a'
    " CA is sent along).",
)
@click.option("--host", metavar="HOST", help="Print whole records for this host; without it, their data alone.")
@click.option("--port", type=_Port(), metavar="PORT", help="The port of the service; by default that of --connect.")
@click.option("--allow", multiple=True, metavar="CHECK", help="Compute what this check refuses, or warns of.")
@common
@click.pass_context
def compute(
    context: click.Context,
    cert: Path | None,
    key: Path | None,
    csr: Path | None,
    connect: Endpoint | None,
    records: str,
    host: str | None,
    port: int | None,
    allow: tuple[str, ...],
) -> int:
    """Compute TLSA records for what a service presents, or will: the lines of a zone file.

    What would break, now or at the next renewal, is refused, with the word by which --allow computes it all the same.
    """
    if sum(source is not None for source in (cert, key, csr, connect)) != 1:
        raise click.UsageError("give one of --cert, --key, --csr and --connect")
    port = port or (connect.port if connect else None)
    service = _service(host, port)
    known = service or connect

    async def work(emit: Emitter) -> Result:
        from dnsbroker.tlsa.computing import computed, kinds

        wanted = kinds(filter(None, map(str.strip, records.split(","))))
        services = await _connected(connect, emit) if connect else [_in_file(cert, key, csr)]
        found = computed(services, wanted, host=known.host if known else "", port=port, allow=allow)
        for warning in found.warnings:
            emit("warning", message=warning.message, hint=f"{warning.hint}; --allow {warning.check} silences this")
        return _told(found.records, service.tlsa_name if service else "")

    return _run(context, work)


tlsa.add_command(verify)
tlsa.add_command(check)
tlsa.add_command(status)
tlsa.add_command(publish)
tlsa.add_command(withdraw)
tlsa.add_command(rollover)
tlsa.add_command(advance)


def _service(host: str | None, port: int | None) -> Endpoint | None:
    """What the records are for, if a host is given. Raises UsageError."""
    from dnsbroker.endpoints import parse
    from dnsbroker.settings import Rejected

    if host is None:
        return None
    if port is None:
        raise click.UsageError("--host needs --port: the port of a service is a part of its records' name")
    try:
        return parse(f"tls://{host}:{port}")
    except Rejected as error:
        raise click.UsageError(f"--host {host!r}: {str(error).partition(': ')[2]}") from None


def _in_file(cert: Path | None, key: Path | None, csr: Path | None) -> Presented:
    """What the one file that is given says of a service. Raises ConfigError."""
    from dnsbroker.errors import ConfigError, PemInvalid
    from dnsbroker.tlsa import computing

    of = computing.of_chain if cert else computing.of_key if key else computing.of_request
    path = cert or key or csr
    assert path is not None  # noqa: S101 - for the type checker
    try:
        return of(path.read_bytes().decode("ascii", "replace"))
    except OSError as error:
        hint = f"ls -l {path} shows who may read it"
        raise ConfigError(
            f"cannot be read: {(error.strerror or str(error)).lower()}", path=str(path), hint=hint
        ) from error
    except PemInvalid as error:
        hint = error.hint or "--cert takes certificates, --key a private key, --csr a signing request, each in PEM"
        raise ConfigError(error.message, path=str(path), hint=hint) from error


async def _connected(endpoint: Endpoint, emit: Emitter) -> Sequence[Presented]:
    """What the service presents at every address that its host has. Raises LookupFailed, and what ``_served`` does."""
    from dnsbroker.lookup.place import system_addresses

    return await _served(endpoint, await system_addresses(endpoint.host), emit)


async def _served(endpoint: Endpoint, addresses: Iterable[str], emit: Emitter) -> Sequence[Presented]:
    """What each of ``addresses``, one at least, presents. Raises PemInvalid, ServiceUnreachable where none does."""
    from dnsbroker.errors import ServiceUnreachable
    from dnsbroker.serving import chains_served
    from dnsbroker.tlsa.computing import presented

    found: list[Presented] = []
    failed: list[ServiceUnreachable] = []
    for address in addresses:
        try:
            found += map(presented, await chains_served(endpoint, address))
        except ServiceUnreachable as error:
            failed.append(error)
    if not found:
        raise failed[0]
    for failure in failed:
        emit("warning", message=failure.message, hint="if another key is served there, its records are missing here")
    return found


def _told(records: Iterable[Tlsa], owner: str) -> Result:
    from dnsbroker.cli.output import Result

    named = {"owner": owner} if owner else {}
    return Result(
        lines=[f"{owner} IN TLSA {record}" if owner else str(record) for record in records],
        fields={
            "records": [
                {
                    **named,
                    "usage": record.kind.usage,
                    "selector": record.kind.selector,
                    "matching_type": record.kind.matching,
                    "data": record.data.hex(),
                }
                for record in records
            ]
        },
    )


def _run(context: click.Context, work: Any) -> int:
    from contextlib import nullcontext

    from dnsbroker.cli.running import conduct
    from dnsbroker.clock import SystemClock
    from dnsbroker.events import Emitter

    def opened(listener: Listener) -> nullcontext[Emitter]:
        return nullcontext(Emitter(SystemClock(), listener))

    command = context.command_path.removeprefix("dnsbroker ")
    return conduct(context.ensure_object(Options), command, opened, work, looking=True)
