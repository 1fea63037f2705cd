"""``issue``, ``renew`` and ``list``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker, Certificate
    from dnsbroker.certifying import Outcome
    from dnsbroker.cli.output import Failure, Result
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError

_CHOICES = (
    click.option("--force", is_flag=True, help="Also where it is not due."),
    click.option("--new-key", is_flag=True, help="With a new private key, whatever key_rotation says."),
    click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="With the private key in FILE (PEM)."),
    click.option(
        "--csr", type=click.Path(path_type=Path), metavar="FILE", help="For the signing request in FILE (PEM or DER)."
    ),
    click.option(
        "--ignore", multiple=True, metavar="SERVER", help="Do not wait for this name server (name or address)."
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be done; nothing is written or ordered."),
    click.option(
        "--rehearse",
        is_flag=True,
        help="The whole run, at the CA's staging directory; nothing is kept, no hook is run.",
    ),
)


def _choices(command: Any) -> Any:
    for choice in reversed(_CHOICES):
        command = choice(command)
    return command


@click.command(
    epilog=example("dnsbroker issue example.org", "dnsbroker issue -d example.net -d '*.example.net'"),
    short_help="Obtain certificates.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=certificate_names)
@click.option("-d", "--domain", "domains", multiple=True, metavar="NAME", help="A name for a certificate in no file.")
@click.option("--name", "own_name", default="", metavar="NAME", help="What to call it; else the first -d, less '*.'.")
@click.option("--key-type", default="", metavar="TYPE", help="The kind of key of such a certificate.")
@_choices
@common
@click.pass_context
def issue(
    context: click.Context,
    /,
    names: tuple[str, ...],
    domains: tuple[str, ...],
    own_name: str,
    key_type: str,
    ignore: tuple[str, ...],
    **chosen: Any,
) -> int:
    """Obtain certificates: the configured ones by name (none named: all not yet issued), or by -d one in no file.

    One that is not due is left alone. A certificate obtained by -d is remembered, and renewed like the rest.
    """
    if names and domains:
        raise click.UsageError("name configured certificates, or give names with -d, not both")
    is_ad_hoc = bool(domains or (chosen["csr"] and not names))
    if not is_ad_hoc and (own_name or key_type):
        raise click.UsageError(f"{'--name' if own_name else '--key-type'} goes with -d")
    _check(1 if is_ad_hoc else len(names), chosen)

    async def work(broker: Broker) -> Result:
        wishes = _wishes(chosen)
        if not is_ad_hoc:
            outcomes = await broker.issue_all(names, wishes=wishes)
            return result_of(outcomes, named=bool(names), nothing="no configured certificate is missing")
        settings = {"key_type": key_type} if key_type else {}
        return result_of(
            [await broker.issue_ad_hoc(domains, name=own_name, settings=settings, wishes=wishes)], named=True
        )

    return _run(context, work, ignore)


@click.command(
    epilog=example("dnsbroker -q renew", "dnsbroker renew --dry-run example.org"),
    short_help="Make what is there what the configuration says.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=certificate_names)
@_choices
@common
@click.pass_context
def renew(context: click.Context, /, names: tuple[str, ...], ignore: tuple[str, ...], **chosen: Any) -> int:
    """Make what is there what the configuration says: the one command for a timer.

    Issues what is missing, renews what is due, finishes deployments that failed, moves roll-overs of keys on, and
    withdraws what dead runs left in DNS.
    """
    _check(len(names), chosen)

    async def work(broker: Broker) -> Result:
        outcomes = await broker.renew_all(names, wishes=_wishes(chosen))
        return result_of(outcomes, named=bool(names), nothing="no certificate is configured")

    return _run(context, work, ignore)


@click.command(
    name="list",
    epilog=example("dnsbroker list", "dnsbroker --json list"),
    short_help="Show the certificates that are there.",
)
@common
@click.pass_context
def list_certificates(context: click.Context) -> int:
    """Show the certificates that are there: names, end of life, directory. Contacts nobody."""
    from dnsbroker.cli.output import Output, failed
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError

    options = context.ensure_object(Options)
    try:
        result = _listed(Config.load(options.config or None))
    except BrokerError as error:
        result = failed(error)
    Output(options, "list").end(result)
    return result.status


def _listed(config: Config) -> Result:
    """Every certificate in the store; a damaged one is an error, and the others are shown all the same."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure, Result
    from dnsbroker.errors import BrokerError
    from dnsbroker.lineages import Lineages

    store = Lineages(config.state_dir, config.certificates)
    there: list[Certificate] = []
    damaged: list[Failure] = []
    for name in store.names():
        try:
            there.extend(item for item in [store.load(name)] if item is not None)
        except BrokerError as error:
            damaged.append(Failure(error, name))
    return Result(
        status=exit_status.gravest(exit_status.of(item.error) for item in damaged),
        lines=[_line(item) for item in there],
        certificates=[_listed_facts(item) for item in there],
        failures=damaged,
    )


def _run(context: click.Context, work: Any, ignore: tuple[str, ...]) -> int:
    from dnsbroker.cli.running import run

    return run(context, work, ignore=ignore)


def _check(count: int, chosen: dict[str, Any]) -> None:
    """Raise UsageError for options that contradict each other, or the ``count`` of certificates named."""
    for one, other in (
        ("key", "new_key"),
        ("key", "csr"),
        ("csr", "new_key"),
        ("dry_run", "rehearse"),
        ("key", "rehearse"),
        ("csr", "rehearse"),
    ):
        if chosen[one] and chosen[other]:
            raise click.UsageError(f"{_option(one)} and {_option(other)} contradict each other")
    for one in ("key", "csr"):
        if chosen[one] and count != 1:
            raise click.UsageError(f"{_option(one)} goes with exactly one certificate")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _wishes(chosen: dict[str, Any]) -> Any:
    from dnsbroker.certifying import Wishes

    return Wishes(**chosen)


def result_of(outcomes: Sequence[Outcome], *, named: bool, nothing: str = "") -> Result:
    """What became of all: one that cannot be configured is a usage error only where it was ``named``.

    ``nothing`` says why there are none.
    """
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Result

    all_errors = ((item, error) for item in outcomes for error in (item.error, item.undeployed, item.uncovered))
    errors = [(item, error) for item, error in all_errors if error is not None]
    statuses = {exit_status.of(error) for _, error in errors}
    if not named and exit_status.USAGE in statuses:
        statuses = (statuses - {exit_status.USAGE}) | {exit_status.FAILED}
    return Result(
        status=exit_status.gravest(statuses),
        lines=[line for item in outcomes for line in _told(item)] if outcomes else [f"nothing to do: {nothing}"],
        certificates=[_outcome(item) for item in outcomes],
        failures=[_failure(item, error, is_alone=len(outcomes) == 1) for item, error in errors],
    )


def _failure(outcome: Outcome, error: BrokerError, *, is_alone: bool) -> Failure:
    from dnsbroker.cli.output import Failure

    names_it = error is outcome.undeployed
    return Failure(error, "" if is_alone or names_it else outcome.name)


def _told(outcome: Outcome) -> list[str]:
    if outcome.status == "planned":
        return [
            f"{shown(outcome.name)}: would be {outcome.would_be} ({outcome.reason})",
            *(f"  {_way(item)}" for item in outcome.plan),
        ]
    if outcome.error is not None:
        return []
    if outcome.status == "busy":
        return [f"{shown(outcome.name)}: {outcome.reason}"]
    if outcome.certificate is None:
        return [f"{shown(outcome.name)}: {outcome.status} ({outcome.reason})"]
    where = f"valid until {outcome.certificate.not_after:%Y-%m-%d}, in {outcome.certificate.path}"
    is_plain = outcome.status == "kept" and outcome.undeployed is None
    how = "kept" if is_plain else f"{outcome.status} ({outcome.reason})"
    return [f"{shown(outcome.name)}: {how}, {where}"]


def _way(item: Any) -> str:
    target = item.route.target
    chain = " -> ".join(shown(name) for name in dict.fromkeys((item.name, item.place.owner)))
    return f"TXT at {chain}, in zone {shown(target.zone)} through provider {target.provider}"


def _line(certificate: Certificate) -> str:
    names = " ".join(shown(name) for name in certificate.names)
    left = _left(certificate.not_after - datetime.now(UTC))
    return f"{shown(certificate.name)}  {names}  {certificate.not_after:%Y-%m-%d} ({left})  {certificate.path}"


def _left(time: timedelta) -> str:
    if time <= timedelta():
        return "expired"
    return "1 day left" if time.days == 1 else f"{time.days} days left"


def _facts(certificate: Certificate) -> dict[str, object]:
    from dnsbroker.certifying import described

    return {"name": certificate.name, **described(certificate)}


def _listed_facts(certificate: Certificate) -> dict[str, object]:
    is_valid = certificate.not_after > datetime.now(UTC)
    day = f"{certificate.not_after:%Y-%m-%d}"
    status, reason = ("valid", f"valid until {day}") if is_valid else ("expired", f"expired on {day}")
    return {**_facts(certificate), "status": status, "reason": reason}


def _outcome(outcome: Outcome) -> dict[str, object]:
    absent = {"name": outcome.name, "not_after": None, "serial": None, "path": None}
    facts = _facts(outcome.certificate) if outcome.certificate is not None else absent
    return {**facts, "status": outcome.status, "reason": outcome.reason}
