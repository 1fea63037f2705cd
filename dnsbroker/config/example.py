"""The example configuration: written from the keys themselves, so that it can show no key that is not there.

The short one holds what must be said; the whole one every key, those that may stay away behind a ``#``, each below its
own sentence. Taking away the ``#`` in front of each ``key = value`` and each table leaves a configuration that loads.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dnsbroker.adapter import Adapter
from dnsbroker.config.adapters import Adapters
from dnsbroker.config.certificate import CertificateConfig
from dnsbroker.config.dane import DaneConfig
from dnsbroker.config.durations import show
from dnsbroker.config.kinds import nearest
from dnsbroker.config.load import SECTIONS
from dnsbroker.config.model import Config, ProviderConfig
from dnsbroker.config.reference import Entry, entries
from dnsbroker.config.tables import clause
from dnsbroker.config.toml import written, written_key
from dnsbroker.errors import ConfigError

_WIDTH = 100
_FIRST = "powerdns"
_NAME = "example.org"
#: What works without being said, but not as anybody wants it.
_NEEDED = ("contact", "agree_tos", "names")
_NOTES = {"acme": "A further account has a table of its own, [accounts.NAME], with the same keys."}
_SHORT_HEAD = "# The shortest configuration that works; `dnsbroker config example --all` shows every key.\n"
_WHOLE_HEAD = """\
# Every key of the configuration. What stands behind a # is the default, or an example where
# the default is to say nothing. A duration is "90s", "10m", "2h", "3d", or a number of seconds.
# A secret is { file = "PATH" }, { env = "NAME" }, { command = ["PROGRAM", "ARGUMENT"] },
# { credential = "NAME" } (of systemd), or a string, and then only the owner may read this file.
"""


@dataclass(frozen=True)
class _Part:
    """A table of the example, with a note on the whole; the root's header is empty. A table may be left out whole."""

    header: str
    entries: tuple[Entry, ...]
    note: str = ""
    is_optional: bool = False

    @property
    def needed(self) -> frozenset[str]:
        """The names of the keys without which it does not work, or not as anybody wants it."""
        if self.is_optional:
            return frozenset()
        replaced = {each.instead_of for each in self.entries}
        return frozenset(
            each.name for each in self.entries if each.is_required or each.name in _NEEDED or each.name in replaced
        )


def example(
    types: Sequence[str] = (), *, is_whole: bool = False, adapters: Mapping[str, type[Adapter]] | None = None
) -> str:
    """A configuration that loads, with a provider of each of ``types``.

    Where none is named it has one of the first adapter or, with ``is_whole``, one of each that lacks nothing.
    ``adapters`` stand beside those installed. Raises ConfigError for a type that is not at hand.
    """
    known = Adapters(adapters)
    lacking = {each: lack for each in known if (lack := known.lacks(each))} if is_whole and not types else {}
    every = [each for each in known if each not in lacking]
    wanted = list(dict.fromkeys(types)) or (every if is_whole else [_FIRST])
    for each in wanted:
        if each not in known:
            message = f"no adapter for type {each} is installed; the nearest is {nearest(each, known) or 'none'}"
            raise ConfigError(message, hint=f"installed are {', '.join(known) or 'none'}")
    parts = _parts({each: known[each] for each in wanted})
    if not is_whole:
        return _SHORT_HEAD + "".join(map(_short, parts))
    left_out = (f'# Not here is type = "{each}", which needs more: {lack}\n' for each, lack in lacking.items())
    return _WHOLE_HEAD + "".join((*left_out, *map(_whole, parts)))


def _parts(providers: Mapping[str, type[Adapter]]) -> Iterable[_Part]:
    yield _Part("", entries(Config))
    for name, cls in SECTIONS.items():
        yield _Part(name, entries(cls), _NOTES.get(name, ""))
    for type_, adapter in providers.items():
        settings_class: type[Any] = adapter.Settings
        special = entries(settings_class)
        examples = {"type": written(type_), "ttl": written(show(adapter.default_ttl))}
        common = [
            replace(each, example=examples.get(each.name, each.example))
            for each in entries(ProviderConfig)
            if each.name not in {other.name for other in special}  # an adapter may say more of a key that all have
        ]
        yield _Part(f"providers.{written_key(type_)}", (*common, *special))
    certificate = entries(CertificateConfig)
    own = [each for each in certificate if "names" in (each.name, each.instead_of)]
    yield _Part("defaults", tuple(each for each in certificate if each not in own), "For every certificate.")
    yield _Part(
        f"certificates.{written_key(_NAME)}",
        tuple(own),
        "Any key of [defaults] may stand here too, and holds for this one. Instead of this table there may be a file, "
        f"certificates.d/{_NAME}.toml, with the keys alone.",
    )
    dane = "For TLSA records (DANE), where the zone is signed; `dnsbroker tlsa publish` begins with them."
    yield _Part("[dane]", entries(DaneConfig), dane, is_optional=True)


def _short(part: _Part) -> str:
    needed = [each for each in part.entries if each.name in part.needed]
    lines = "".join(f"{each.name} = {each.value}  # {clause(each.doc)}\n" for each in needed)
    return f"\n[{part.header}]\n{lines}" if lines else ""


def _whole(part: _Part) -> str:
    header = f"\n{'#' * part.is_optional}[{part.header}]\n" if part.header else ""
    return header + _comment(part.note) + "".join(_explained(each, part.needed) for each in part.entries)


def _explained(entry: Entry, needed: frozenset[str]) -> str:
    mark = "" if entry.name in needed else "#"
    if entry.instead_of:  # beside the other it would be wrong, so it is told, and not offered
        return f"\n{_comment(f'{entry.doc} Instead of {entry.instead_of}:')}#   {entry.name} = {entry.value}\n"
    return f"\n{_comment(entry.doc)}{mark}{entry.name} = {entry.value}\n"


def _comment(text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)
