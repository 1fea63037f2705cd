"""What a shell is offered at the tabulator key: the script for each shell, and the values only a configuration knows.

Its rule: quick, and silent where something is wrong, for whoever types sees an error in the middle of a line. So the
files are looked at, not judged. Refuses: contacting anybody, fetching a secret, importing an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click

from dnsbroker.cli.options import Options

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_DNSBROKER_COMPLETE"  # the name that click derives from the program's

#: From the tables of a configuration, its path and the state directory to the names in question.
_Find = Callable[[Mapping[str, object], Path, Path], Iterable[str]]


def script(program: click.Command, shell: str) -> str:
    """The text by which ``shell`` completes calls of ``dnsbroker``, whose command line is ``program``."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the shells offered are known
    return found(program, {}, "dnsbroker", _VARIABLE).source()


def certificate_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The certificate names that begin with ``incomplete``, less those that stand in the call already."""
    given = context.params.get(parameter.name or "") or ()
    return [name for name in _matching(context, _certificates, incomplete) if name not in given]


def account_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of CA accounts that begin with ``incomplete``."""
    return _matching(context, _accounts, incomplete)


def adapter_types(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The types of installed adapters that begin with ``incomplete``."""
    from dnsbroker.config.adapters import Adapters

    return sorted(name for name in Adapters(None) if name.startswith(incomplete))


def _certificates(tables: Mapping[str, object], path: Path, state_dir: Path) -> Iterator[str]:
    """Those configured and those remembered, and in any case those that are there."""
    yield from _keys(tables, "certificates")
    for directory in (path.parent / "certificates.d", state_dir / "certificates"):
        yield from (file.stem for file in directory.glob("*.toml") if not file.name.startswith("."))
    yield from (found.name for found in (state_dir / "live").glob("*") if found.is_dir())


def _accounts(tables: Mapping[str, object], path: Path, state_dir: Path) -> Iterator[str]:
    yield "default"
    yield from _keys(tables, "accounts")


def _keys(tables: Mapping[str, object], name: str) -> Iterable[str]:
    table = tables.get(name)
    return table if isinstance(table, Mapping) else ()


def _matching(context: click.Context, find: _Find, incomplete: str) -> list[str]:
    """What ``find`` finds for the configuration of this call; nothing where that cannot be read."""
    import os

    from dnsbroker.config.files import configuration_path, read_configuration, state_directory
    from dnsbroker.environment import variables
    from dnsbroker.errors import BrokerError

    environment, is_root = variables(), os.geteuid() == 0
    named = context.ensure_object(Options).config
    try:
        path, why = configuration_path(named or None, environment, is_root=is_root)
        tables = read_configuration(path, why).tables
        own = tables.get("state_dir")
        state_dir = path.parent / own if isinstance(own, str) else state_directory(environment, is_root=is_root)
        found = set(find(tables, path, state_dir))
    except (BrokerError, OSError, ValueError):
        return []
    return sorted(name for name in found if name.startswith(incomplete))
