"""``config`` with all that it prints of a configuration and of the program itself, and ``providers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dnsbroker.cli.completion import SHELLS, adapter_types
from dnsbroker.cli.grammar import Group, common
from dnsbroker.cli.grammar import example as in_help
from dnsbroker.cli.options import Options
from dnsbroker.names import shown

if TYPE_CHECKING:
    from dnsbroker.broker import Broker
    from dnsbroker.cli.output import Result
    from dnsbroker.config import Config
    from dnsbroker.surveying import Survey, Surveyed


@click.group(cls=Group)
@common
def config() -> None:
    """Check the configuration, and print what goes with it."""


@config.command(epilog=in_help("dnsbroker config check"), short_help="Look for errors without contacting anybody.")
@common
@click.pass_context
def check(context: click.Context) -> int:
    """Read the whole configuration, and look whether its secrets, files, users and groups are there."""

    def work() -> Result:
        from dnsbroker.cli import exit_status
        from dnsbroker.cli.output import Failure, Result
        from dnsbroker.config import Config
        from dnsbroker.config.check import check as errors_of

        loaded = Config.load(context.ensure_object(Options).config or None)
        if errors := errors_of(loaded):
            return Result(status=exit_status.USAGE, failures=[Failure(error) for error in errors])
        counts = f"{_count(loaded.certificates, 'certificate')}, {_count(loaded.providers, 'provider')}"
        return Result(lines=[f"{loaded.path}: {counts}, no errors"])

    return _end(context, work)


def _count(found: Sized, noun: str) -> str:
    return f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"


@config.command(
    epilog=in_help("dnsbroker config example powerdns > /etc/dnsbroker/dnsbroker.toml"),
    short_help="Print the shortest configuration that works.",
)
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=adapter_types)
@click.option("--all", "every", is_flag=True, help="Every key, with its default and what it is for.")
@common
@click.pass_context
def example(context: click.Context, types: tuple[str, ...], every: bool) -> int:
    """Print the shortest configuration that works, for providers of the types named."""
    from dnsbroker.config.example import example as text_of

    return _end(context, lambda: _shown(text_of(types, is_whole=every)))


_INTO = click.option(
    "--write", "directory", type=click.Path(path_type=Path), metavar="DIR", help="Write files into DIR instead."
)


@config.command(
    epilog=in_help("dnsbroker config systemd --write /etc/systemd/system"),
    short_help="Print the service and timer for systemd.",
)
@_INTO
@common
@click.pass_context
def systemd(context: click.Context, directory: Path | None) -> int:
    """Print a service and an hourly timer for systemd that run `dnsbroker renew`; and the line for cron.

    The service may write what this configuration needs, so make it anew when copies, hooks or credentials change.
    """

    def work() -> Result:
        import os

        from dnsbroker.config import Config

        loaded = Config.load(context.ensure_object(Options).config or None)
        result = _scheduled(loaded, directory, is_root=os.geteuid() == 0)
        return _with_broken(loaded, result)

    return _end(context, work)


@config.command(
    epilog=in_help("dnsbroker config completion bash > /etc/bash_completion.d/dnsbroker"),
    short_help="Print what makes a shell complete commands.",
)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@common
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print a script for bash, zsh or fish that completes commands, options and certificate names."""
    from dnsbroker.cli.completion import script

    return _end(context, lambda: _shown(script(context.find_root().command, shell)))


@config.command(
    epilog=in_help("dnsbroker config man --write /usr/local/share/man/man1", "dnsbroker config man issue | man -l -"),
    short_help="Print a manual page.",
)
@click.argument("command", nargs=-1, metavar="[COMMAND]...")
@_INTO
@common
@click.pass_context
def man(context: click.Context, command: tuple[str, ...], directory: Path | None) -> int:
    """Print the manual page of a command, by default of dnsbroker itself; with --write, all of them."""
    from dnsbroker.cli.manual import pages

    program = context.find_root().command
    assert isinstance(program, click.Group)  # noqa: S101 - for the type checker
    found = pages(program)
    name = f"{'-'.join(('dnsbroker', *command))}.1"
    if directory is not None:
        if command:
            raise click.UsageError("--write writes every page: name a command or a directory, not both")
        return _end(context, lambda: _written(directory, found, "man dnsbroker"))
    if name not in found:
        raise click.UsageError(f"no such command {' '.join(command)!r}")
    return _end(context, lambda: _shown(found[name]))


def _end(context: click.Context, work: Callable[[], Result]) -> int:
    """Print the result of ``work``, or its error; returns the exit status."""
    from dnsbroker.cli.output import Output, failed
    from dnsbroker.errors import BrokerError

    try:
        result = work()
    except BrokerError as error:
        result = failed(error)
    Output(context.ensure_object(Options), context.command_path.removeprefix("dnsbroker ")).end(result)
    return result.status


def _shown(text: str) -> Result:
    from dnsbroker.cli.output import Result

    return Result(lines=text.rstrip("\n").split("\n"), fields={"text": text})


def _written(directory: Path, texts: Mapping[str, str], *then: str) -> Result:
    """Have ``texts`` in ``directory``, and say what comes ``then``."""
    from dnsbroker.cli.output import Result
    from dnsbroker.cli.writing import write

    files = write(directory, texts)
    is_changed = any(each.is_changed for each in files)
    return Result(
        changed=is_changed,
        lines=[
            *(f"{'written' if each.is_changed else 'unchanged'}: {each.path}" for each in files),
            *(f"next: {line}" for line in then if is_changed),
        ],
        fields={"files": [{"path": str(each.path), "changed": each.is_changed} for each in files]},
    )


def _scheduled(loaded: Config, directory: Path | None, *, is_root: bool) -> Result:
    from dnsbroker.scheduling import units

    program = _program()
    made = units(loaded, program=program, is_root=is_root)
    if directory is None:
        below = "/etc/systemd/system" if is_root else "~/.config/systemd/user"
        return _shown("\n".join([*(f"# {below}/{unit.name}\n{unit.text}" for unit in made), _cron(loaded, program)]))
    systemctl = "systemctl" if is_root else "systemctl --user"
    then = [f"{systemctl} daemon-reload", f"{systemctl} enable --now dnsbroker.timer"]
    if not is_root:
        then.append("loginctl enable-linger, so that it runs while nobody is logged in")
    return _written(directory, {unit.name: unit.text for unit in made}, *then)


def _cron(loaded: Config, program: Sequence[str]) -> str:
    """What cron needs instead, as a comment: it is no part of a unit."""
    import os
    import pwd
    from zlib import crc32

    from dnsbroker.scheduling import cron_line, has_credentials

    if has_credentials(loaded):
        return "# cron cannot take the place of the timer: a secret is a credential of systemd"
    user = pwd.getpwuid(os.geteuid()).pw_name
    # From the host's name, so that hosts differ, and the same host prints the same.
    minute = crc32(os.uname().nodename.encode()) % 60
    line = cron_line(loaded, program=program, user=user, minute=minute)
    return f"# or, where there is no systemd, one line in /etc/cron.d/dnsbroker:\n# {line}"


def _program() -> tuple[str, ...]:
    """How this very program is called from anywhere: by the path it was called by, links and all."""
    import os
    import shutil
    import sys

    found = shutil.which(sys.argv[0])
    if found and Path(found).name.startswith("dnsbroker"):
        return (os.path.abspath(found),)
    beside = Path(sys.executable).with_name("dnsbroker")
    return (str(beside),) if os.access(beside, os.X_OK) else (sys.executable, "-m", "dnsbroker")


def _with_broken(loaded: Config, result: Result) -> Result:
    """The errors of single certificates, whose copies and hooks are missing in what was made."""
    from dnsbroker.cli import exit_status
    from dnsbroker.cli.output import Failure

    if loaded.broken:
        result.status = exit_status.FAILED
        result.failures = [Failure(error) for error in loaded.broken.values()]
    return result


@click.command(
    epilog=in_help("dnsbroker providers"), short_help="Show the configured providers, and the adapters installed."
)
@common
@click.pass_context
def providers(context: click.Context) -> int:
    """Show the configured providers with the zones each may write, and the adapters installed."""

    async def work(broker: Broker) -> Result:
        from dnsbroker.cli import exit_status
        from dnsbroker.cli.output import Failure, Result

        survey = await broker.survey()
        return Result(
            status=exit_status.gravest(exit_status.of(item.error) for item in survey.configured if item.error),
            lines=[*map(_line, survey.configured), *_adapters(survey)],
            failures=[Failure(item.error) for item in survey.configured if item.error],
            fields={"providers": [_facts(item) for item in survey.configured], "adapters": list(survey.installed)}
            | ({"lacking": dict(survey.lacking)} if survey.lacking else {}),
        )

    from dnsbroker.cli.running import run

    return run(context, work)


def _adapters(survey: Survey) -> list[str]:
    lacking = (f"{type} needs more: {install}" for type, install in survey.lacking.items())
    return [f"adapters installed: {', '.join(survey.installed)}", *lacking]


def _line(provider: Surveyed) -> str:
    if provider.error is not None:
        zones = "could not be asked"
    elif provider.zones is None:
        zones = "cannot list its zones, and is asked for each by its name"
    else:
        zones = ", ".join(shown(zone) for zone in provider.zones) or "no zone"
    return f"{provider.name} ({provider.type}): {zones}"


def _facts(provider: Surveyed) -> dict[str, object]:
    return {
        "name": provider.name,
        "type": provider.type,
        "zones": None if provider.zones is None else list(provider.zones),
    }
