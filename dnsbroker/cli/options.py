"""What every command takes, on either side of its name: where the configuration is, and how much is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Options:
    """The options common to all commands, as given on either side; ``config`` empty for the usual place."""

    config: str = ""
    json: bool = False
    quiet: bool = False
    verbose: int = 0


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note an option wherever it stands; the one nearer to the end wins, and -v adds up."""
    options = context.ensure_object(Options)
    if parameter.name == "verbose":
        options.verbose += value
    elif value:
        setattr(options, str(parameter.name), value)


def common(command: F) -> F:
    """Give ``command`` the options that every command has; they end up in the context's Options."""
    for names, told in (
        (("-v", "verbose"), {"count": True, "help": "Tell more; -vv tells everything."}),
        (("-q", "--quiet"), {"is_flag": True, "help": "Print nothing when all is well."}),
        (("--json",), {"is_flag": True, "help": "Print events as JSON, one object a line; the last is the result."}),
        (("--config",), {"metavar": "PATH", "help": "The configuration file."}),
    ):
        command = click.option(*names, expose_value=False, is_eager=True, callback=_keep, **told)(command)
    return command
