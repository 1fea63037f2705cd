"""What every command shares: the options on either side of its name, how groups answer, how help ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from dnsbroker.cli.options import Options

F = TypeVar("F", bound=Callable[..., Any])


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note an option wherever it stands; the one nearer to the end wins, and -v adds up."""
    options = context.ensure_object(Options)
    if parameter.name == "verbose":
        options.verbose += value
    elif value:
        setattr(options, str(parameter.name), value)


def common(command: F) -> F:
    """Give ``command`` the options that every command has; they end up in the context's Options."""
    options: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
        (("-v", "verbose"), {"count": True, "help": "Tell more; -vv tells everything."}),
        (("-q", "--quiet"), {"is_flag": True, "help": "Print nothing when all is well."}),
        (("--json",), {"is_flag": True, "help": "Print events as JSON, one object a line; the last is the result."}),
        (("--config",), {"metavar": "PATH", "type": click.Path(), "help": "The configuration file."}),
    )
    for names, told in options:
        command = click.option(*names, expose_value=False, is_eager=True, callback=_keep, **told)(command)
    return command


def example(*lines: str) -> str:
    """The end of a command's help: real command lines, to be copied as they stand."""
    return "\n".join(("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))


def nearest(word: str, known: Sequence[str]) -> str:
    """The one of ``known`` that ``word`` was perhaps meant to be, as the end of an error message; else nothing."""
    from difflib import get_close_matches

    return "".join(f"; the nearest is {match}" for match in get_close_matches(word, known, 1))


class Group(click.Group):
    """A group that shows its help where it is called alone, and names the nearest command where there is none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were written, which is the order of use."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without any argument: the help, as an answer to a wrong call."""
        if not args and not ctx.resilient_parsing:  # which is how a shell asks what could come next
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with. Raises UsageError."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            raise click.UsageError(f"no such command {name!r}{nearest(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)
