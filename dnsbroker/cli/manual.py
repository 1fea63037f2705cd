"""Manual pages in the markup of man(7), made of the same words as ``--help``.

Its rule: nothing is told here that a command does not tell of itself, but for the statuses and files that belong to
all of them. No date: the same version gives the same pages. Refuses: reading roff, and guessing widths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import cleandoc

import click

from dnsbroker import __version__

#: Characters that roff reads as markup or typesets as others than a person would have to type.
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}

#: The exit statuses of all commands; docs/commands.md says more.
STATUSES = {
    "0": "done, or nothing to do",
    "1": "failed: a DNS service, the authority or the network; of several certificates, at least one",
    "2": "the command line or the configuration is wrong; nothing was contacted",
    "3": "not at every name server before the deadline",
    "4": "a check failed",
    "5": "accepted, but it has to wait for a time that the message gives",
    "6": "done, but a record could not be withdrawn; gc will try again",
    "7": "issued, but not deployed; the next renew tries again",
    "130, 143": "stopped by Ctrl-C or SIGTERM; DNS was cleaned first",
}
_FILES = {
    "/etc/dnsbroker/dnsbroker.toml": "The configuration, for root; dnsbroker config example prints one.",
    "/etc/dnsbroker/certificates.d/NAME.toml": "What would stand in [certificates.NAME].",
    "$XDG_CONFIG_HOME/dnsbroker/dnsbroker.toml": "The configuration for any other user.",
    "/var/lib/dnsbroker/live/NAME/": "The certificate with its key, for root.",
}
_VARIABLES = {"DNSBROKER_CONFIG": "Names the configuration file where --config does not."}


@dataclass(frozen=True)
class _Command:
    words: tuple[str, ...]
    command: click.Command
    context: click.Context

    @property
    def page(self) -> str:
        return "-".join(self.words)


def pages(program: click.Group) -> dict[str, str]:
    """The manual pages of ``program`` and all its commands, by file name, such as ``dnsbroker-txt-present.1``."""
    context = click.Context(program, info_name="dnsbroker", **program.context_settings)
    commands = list(_below(_Command(("dnsbroker",), program, context)))
    return {f"{each.page}.1": _page(each, [other for other in commands if _is_near(each, other)]) for each in commands}


def _below(top: _Command) -> Iterator[_Command]:
    yield top
    if isinstance(top.command, click.Group):
        for name in top.command.list_commands(top.context):
            command = top.command.get_command(top.context, name)
            if command is not None:
                context = click.Context(command, info_name=name, parent=top.context)
                yield from _below(_Command((*top.words, name), command, context))


def _is_near(one: _Command, other: _Command) -> bool:
    """Whether the pages name each other: what stands above a command, and what directly below it."""
    return other.words == one.words[:-1] or (len(other.words) > 1 and other.words[:-1] == one.words)


def _page(each: _Command, near: Sequence[_Command]) -> str:
    told, examples = _split(each.command)
    lines = [f'.TH {each.page.upper()} 1 "" "dnsbroker {__version__}" "User Commands"', ".nh", ".ad l", ".SH NAME"]
    lines.append(f"{_text(each.page)} \\- {_text(_summary(each.command))}")
    lines += [".SH SYNOPSIS", f".B {_text(' '.join(each.words))}"]
    lines.append(_text(" ".join(each.command.collect_usage_pieces(each.context))))
    lines += [".SH DESCRIPTION", *_paragraphs(told)]
    below = {other.words[-1]: _summary(other.command) for other in near if len(other.words) > len(each.words)}
    options = [item for item in each.command.get_params(each.context) if isinstance(item, click.Option)]
    records = (option.get_help_record(each.context) for option in options)
    lines += _list("COMMANDS", below)
    lines += _list("OPTIONS", dict(record for record in records if record))
    if len(each.words) == 1:
        lines += [*_list("EXIT STATUS", STATUSES), *_list("ENVIRONMENT", _VARIABLES), *_list("FILES", _FILES)]
    if examples:
        lines += [".SH EXAMPLES", *_verbatim(examples)]
    lines += [".SH SEE ALSO", ", ".join(f"\\fB{_text(other.page)}\\fR(1)" for other in near)]
    return "\n".join(lines) + "\n"


def _summary(command: click.Command) -> str:
    """The command in a line: the first sentence of its help."""
    text = command.get_short_help_str(limit=1000).removesuffix(".")
    return text[:1].lower() + text[1:]


def _split(command: click.Command) -> tuple[list[str], list[str]]:
    """The paragraphs of a command's help, and the lines of its examples."""
    told: list[str] = []
    examples: list[str] = []
    for block in f"{cleandoc(command.help or '')}\n\n{command.epilog or ''}".split("\n\n"):
        lines = block.strip("\n").split("\n")
        if lines[0] == "\b" and lines[1].startswith("Example"):
            examples += [line.removeprefix("  ") for line in lines[2:]]
        elif any(lines):
            told.append(block.strip("\n"))
    return told, examples


def _paragraphs(told: Sequence[str]) -> Iterator[str]:
    for index, block in enumerate(told):
        if index:
            yield ".PP"
        if block.startswith("\b\n"):
            yield from _verbatim(block.split("\n")[1:])
        else:
            yield _text(re.sub(r"\s+", " ", block).strip())


def _verbatim(lines: Sequence[str]) -> list[str]:
    return [".nf", *map(_text, lines), ".fi"]


def _list(title: str, items: dict[str, str]) -> list[str]:
    """A section of terms, each with what it means; nothing where there are none."""
    entries = [line for term, told in items.items() for line in (".TP", f"\\fB{_text(term)}\\fR", _text(told))]
    return [f".SH {title}", *entries] if entries else []


def _text(text: str) -> str:
    """``text`` as roff shows it, whatever its locale: no character of it is markup."""
    shown = "".join(_SPECIAL.get(char, char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text)
    return f"\\&{shown}" if shown.startswith((".", "\\(aq")) else shown
