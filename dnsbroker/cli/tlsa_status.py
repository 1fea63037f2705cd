"""``tlsa status``: where each key roll-over stands, from configuration, store and journal alone; and its picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.grammar import common, example

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.config import Config
    from dnsbroker.journal import Journal
    from dnsbroker.knowing import Collection


@click.command(
    epilog=example("dnsbroker tlsa status", "dnsbroker tlsa status --timeline rollover.svg --since 7d"),
    short_help="Tell where each key roll-over stands.",
)
@click.option(
    "--timeline", type=click.Path(path_type=Path), metavar="FILE", help="Draw the last roll-over as an SVG picture."
)
@click.option("--since", default="", metavar="TIME", help="Draw what is younger: a duration, or a moment (RFC 3339).")
@common
@click.pass_context
def status(context: click.Context, /, timeline: Path | None, since: str) -> int:
    """Tell where each key roll-over stands, what it waits for and until when, and whose records stand. Contacts nobody.

    The exit status is 0, or 4 where something needs a person.
    """
    from dnsbroker.cli.knowing import collected, look, moment

    if since and timeline is None:
        raise click.UsageError("--since says what --timeline draws, and there is none")
    begin = moment(since) if since else None

    def work(config: Config, journal: Journal) -> Result:
        collection = collected(config, journal)
        result = _told(collection)
        if timeline is not None:
            _draw(collection, timeline, begin)
            result.fields = {**result.fields, "timeline": str(timeline)}
            result.lines = [*result.lines, f"drawn in {timeline}"]
        return result

    return look(context, "tlsa status", work)


def _told(collection: Collection) -> Result:
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Result
    from dnsbroker.knowing.describing import rollover, unmanaged
    from dnsbroker.knowing.telling import rollover_lines, unmanaged_lines

    now = datetime.now(UTC)
    healths = {one: collection.judged(collection.managed(one.reference)) for one in collection.rollovers}
    lines = [line for one, health in healths.items() for line in rollover_lines(one, health, now)]
    unlooked = collection.unmanaged()
    lines += [line for one in unlooked for line in unmanaged_lines(one, now)]
    needs_person = any(health.needs_person for health in healths.values()) or any(one.uncovered for one in unlooked)
    return Result(
        status=exit_status.CHECK if needs_person else exit_status.DONE,
        lines=lines or ["no [[dane]] table is configured, and no TLSA record of ours stands"],
        fields={
            "needs_person": needs_person,
            "rollovers": [
                {**rollover(one), "needs_person": health.needs_person, "findings": list(health.findings)}
                for one, health in healths.items()
            ],
            "unmanaged": [unmanaged(one) for one in unlooked],
        },
    )


def _draw(collection: Collection, path: Path, begin: datetime | None) -> None:
    """Put the picture into the place of ``path``, whole. Raises ConfigError, StoreError."""
    from dnsbroker.errors import ConfigError

    picture = collection.picture(begin)
    if picture is None:
        hint = "`dnsbroker tlsa publish` begins with the first records; an earlier --since may show more"
        raise ConfigError("there is nothing to draw: no server was looked at in that time", hint=hint)
    from dnsbroker.dane.drawing import svg
    from dnsbroker.knowing.files import put

    put(path, svg(picture))
