"""``show``, ``status`` and ``log``: from the configuration, the store and the journal alone; nothing is contacted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from dnsbroker.cli.completion import certificate_names
from dnsbroker.cli.grammar import common, example
from dnsbroker.cli.options import Options
from dnsbroker.names import meant, shown

if TYPE_CHECKING:
    from dnsbroker.cli.output import Result
    from dnsbroker.config import Config
    from dnsbroker.errors import ConfigError
    from dnsbroker.journal import Entry, Journal
    from dnsbroker.knowing import Collection
    from dnsbroker.knowing.rollovers import Unmanaged

_Facts = Mapping[str, Any]
#: What -v adds to the log: where records stand is known from what was written there.
_ONLY_VERBOSE = ("place",)


@click.command(
    epilog=example("dnsbroker status", "dnsbroker -q status example.org"),
    short_help="Tell whether all is well with the certificates.",
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=certificate_names)
@common
@click.pass_context
def status(context: click.Context, /, names: tuple[str, ...]) -> int:
    """Tell how the certificates are, all or those named. Contacts nobody.

    The exit status is 0, or 4 where something needs a person.
    """

    def work(config: Config, journal: Journal) -> Result:
        return _status(collected(config, journal), names)

    return look(context, "status", work)


@click.command(
    epilog=example("dnsbroker show example.org", "dnsbroker --json show example.org"),
    short_help="Show all that is known of a certificate.",
)
@click.argument("name", metavar="NAME", shell_complete=certificate_names)
@common
@click.pass_context
def show(context: click.Context, /, name: str) -> int:
    """Show all that is known of one certificate: names, key, origin, renewal, failures, deployment. Contacts nobody."""

    def work(config: Config, journal: Journal) -> Result:
        return _show(collected(config, journal), name)

    return look(context, "show", work)


@click.command(
    epilog=example("dnsbroker log", "dnsbroker log example.org --since 7d"),
    short_help="Show what was done, and by which run.",
)
@click.argument("name", default="", metavar="[NAME]", shell_complete=certificate_names)
@click.option("--since", default="", metavar="TIME", help="Only what is younger: a duration, or a moment (RFC 3339).")
@common
@click.pass_context
def log(context: click.Context, /, name: str, since: str) -> int:
    """Show what was written, withdrawn, asked, answered and deployed, and by which run. Contacts nobody.

    All of it, or what concerns one certificate; it is kept for half a year.
    """
    begin = moment(since) if since else None
    is_verbose = context.ensure_object(Options).verbose > 0

    def work(config: Config, journal: Journal) -> Result:
        entries = _entries(collected(config, journal), name, begin)
        return _log([entry for entry in entries if is_verbose or entry.event not in _ONLY_VERBOSE])

    return look(context, "log", work)


def look(context: click.Context, command: str, work: Callable[[Config, Journal], Result]) -> int:
    """Do ``work`` with the configuration and the journal, which is made by runs, not by looking."""
    from dnsbroker.cli.output import Output, failed
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError
    from dnsbroker.journal import Journal

    options = context.ensure_object(Options)
    try:
        config = Config.load(options.config or None)
        journal = Journal(config.state_dir, create=False)
        try:
            result = work(config, journal)
        finally:
            journal.close()
    except BrokerError as error:
        result = failed(error)
    Output(options, command).end(result)
    return result.status


def collected(config: Config, journal: Journal) -> Collection:
    """What the configuration, the store and the journal know."""
    from dnsbroker.clock import SystemClock
    from dnsbroker.knowing import Collection
    from dnsbroker.lineages import Lineages

    return Collection(config, Lineages(config.state_dir, config.certificates), journal, SystemClock())


def _meant(collection: Collection, names: Sequence[str]) -> list[str]:
    """The certificates that a person called ``names``. Raises ConfigError where one is unknown."""
    known = collection.names()
    found = [meant(name, known) for name in names]
    for name in found:
        if name not in known:
            raise _unknown(name, known)
    return found


def _unknown(name: str, known: Sequence[str]) -> ConfigError:
    from dnsbroker.errors import ConfigError

    there = ", ".join(map(shown, known)) or "none"
    return ConfigError(f"no certificate {name!r} is configured or there", hint=f"there are: {there}")


def _entries(collection: Collection, name: str, begin: datetime | None) -> Sequence[Entry]:
    """What happened, to all or to the certificate called ``name``, which may be gone. Raises ConfigError.

    One that is not there, and that the history does not know either, is a mistake: silence would say that all is well.
    """
    known = collection.names()
    found = meant(name, known)
    if name and found not in known and not collection.log(found):
        raise _unknown(found, known)
    return collection.log(found, begin)


def _status(collection: Collection, names: Sequence[str]) -> Result:
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Result
    from dnsbroker.knowing.describing import record, summary, unmanaged

    found = [collection.known(name) for name in _meant(collection, names) or collection.names()]
    healths = [collection.judged(known) for known in found]
    facts = [summary(known, health) for known, health in zip(found, healths, strict=True)]
    lines = [line for one in facts for line in _health_lines(one)]
    records, elsewhere = collection.records(), () if names else collection.elsewhere()
    lines += [line for health in elsewhere for line in _health_lines({**vars(health), "not_after": None})]
    if records.findings:
        lines += ["left in DNS:", *(f"  {finding}" for finding in records.findings)]
    unlooked = () if names else collection.unmanaged()
    lines += _unlooked_lines(unlooked)
    needs_person = any(health.needs_person for health in (*healths, *elsewhere, records))
    needs_person = needs_person or any(one.uncovered for one in unlooked)
    return Result(
        status=exit_status.CHECK if needs_person else exit_status.DONE,
        lines=lines or ["no certificate is configured"],
        certificates=facts,
        fields={
            "needs_person": needs_person,
            "left": [record(lease) for lease in collection.left()],
            "unmanaged": [unmanaged(one) for one in unlooked],
        },
    )


def _unlooked_lines(unlooked: Sequence[Unmanaged]) -> list[str]:
    if not unlooked:  # as nearly always; what tells of roll-overs is not imported for nothing
        return []
    from dnsbroker.knowing.telling import unmanaged_lines

    return [line for one in unlooked for line in unmanaged_lines(one, datetime.now(UTC))]


def _health_lines(facts: _Facts) -> list[str]:
    mark = ", needs a person" if facts["needs_person"] else ""
    until = f", valid until {facts['not_after'][:10]}" if facts["not_after"] else ""
    return [f"{shown(facts['name'])}: {facts['status']}{mark}{until}", *(f"  {text}" for text in facts["findings"])]


def _show(collection: Collection, name: str) -> Result:
    from dnsbroker.cli.output import Result
    from dnsbroker.knowing.describing import whole

    known = collection.known(*_meant(collection, [name]))
    facts = whole(known, collection.judged(known), collection.about(known), datetime.now(UTC))
    rows = [(title, text) for title, texts in _rows(facts) for text in texts if text]
    width = max(len(title) for title, _ in rows)
    titles = ["" if index and rows[index - 1][0] == title else title for index, (title, _) in enumerate(rows)]
    lines = [f"{title:{width}}  {text}" for title, (_, text) in zip(titles, rows, strict=True)]
    return Result(lines=lines, certificates=[facts])


def _rows(facts: _Facts) -> list[tuple[str, list[str]]]:
    """What is told of a certificate, by title; a title without text is left out."""
    made = f", made {_day(facts['key_created'])}" if facts["key_created"] else ""
    elsewhere = ", which is not here" if facts["has_key"] is False else ""
    life = f"{_minute(facts['not_before'])} to {_minute(facts['not_after'])}" if facts["not_after"] else ""
    return [
        ("certificate", [shown(facts["name"])]),
        ("status", [facts["status"] + (", needs a person" if facts["needs_person"] else "")]),
        ("", [f"  {finding}" for finding in facts["findings"]]),
        ("names", [", ".join(shown(name) for name in facts["names"])]),
        ("issuer", [facts["issuer"] or ""]),
        ("serial", [facts["serial"] or ""]),
        ("valid", [life]),
        ("key", [f"{facts['key_type']}{elsewhere}{made}" if facts["key_type"] else ""]),
        ("account", [facts["account"] or ""]),
        ("directory", [facts["directory"] or ""]),
        ("profile", [facts["profile"] or ""]),
        ("path", [facts["path"] or ""]),
        ("renewal", _renewal_lines(facts["renewal"])),
        ("deployment", [_step_line(step) for step in facts["deployment"]]),
        ("tlsa", [_tlsa_line(seen) for seen in facts["tlsa"]]),
        ("roll-over", _rollover_lines(facts["rollover"])),
        ("in DNS", [_record_line(record) for record in facts["records"]]),
    ]


def _renewal_lines(renewal: _Facts | None) -> list[str]:
    if renewal is None:
        return []
    why = "as the CA advises" if renewal["by"] == "ari" else "by its lifetime"
    lines = [renewal["due"] or f"due on {_minute(renewal['moment'])}, {why}"]
    if renewal["start"]:
        lines.append(f"the CA's window: {_minute(renewal['start'])} to {_minute(renewal['end'])}")
    return [*lines, renewal["explanation"] or ""]


def _step_line(step: _Facts) -> str:
    message = f": {step['message']}" if step["message"] else ""
    return f"{step['step']}: {step['state']} {_minute(step['at'])}{message}"


def _tlsa_line(seen: _Facts) -> str:
    message = f": {seen['message']}" if seen["message"] else ""
    return f"{seen['endpoint']}: {'covered' if seen['covered'] else 'not covered'}, {_minute(seen['at'])}{message}"


def _rollover_lines(rollover: _Facts | None) -> list[str]:
    if rollover is None:
        return []
    since = f" since {_minute(rollover['since'])}" if rollover["since"] else ""
    until = f", until {_minute(rollover['until'])}" if rollover["until"] else ""
    return [f"{rollover['step']}{since}{until}", rollover["reason"], rollover["then"]]


def _record_line(record: _Facts) -> str:
    message = f": {record['message']}" if record["message"] else ""
    return f"{record['type']} at {shown(record['name'])}: {record['state']}, since {_minute(record['since'])}{message}"


def _day(moment: str) -> str:
    return moment[:10]


def _minute(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


def _log(entries: Sequence[Entry]) -> Result:
    from dnsbroker.cli.output import Result

    return Result(
        lines=[_log_line(entry) for entry in entries] or ["nothing is known of that time"],
        fields={"entries": [_log_facts(entry) for entry in entries]},
    )


def _log_facts(entry: Entry) -> dict[str, object]:
    return {**_event(entry), "run": entry.run, "run_command": entry.command}


def _event(entry: Entry) -> dict[str, object]:
    """The event as it was told."""
    time = entry.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    own = {"certificate": entry.certificate} if entry.certificate else {}
    return {"event": entry.event, "time": time, **own, **entry.fields}


def _log_line(entry: Entry) -> str:
    from dnsbroker.cli.story import line_for

    try:
        _, text = line_for(_event(entry))
    except KeyError:  # told by an older program, without a field that has been added since
        text = f"{shown(entry.certificate)}: {entry.event}" if entry.certificate else entry.event
    command = f" {entry.command}" if entry.command else ""
    return f"{entry.time:%Y-%m-%d %H:%M:%S}Z  {entry.run}{command}  {' '.join(text.split())}"


def moment(text: str) -> datetime:
    """The moment that ``--since`` means: so long ago, or a moment in RFC 3339. Raises UsageError."""
    from dnsbroker.config.durations import parse
    from dnsbroker.settings import Rejected

    try:
        return datetime.now(UTC) - timedelta(seconds=parse(text))
    except (Rejected, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        told = f"--since {text!r} is neither a duration such as 7d nor a moment such as 2026-11-20T12:00:00Z"
        raise click.UsageError(told) from None
    return moment.astimezone(UTC)
