"""The one place that touches dns-lexicon: a driver of its, opened for one zone, bounded and kept quiet.

Rule: it gets a configuration of ours and nothing else, neither the environment's variables nor files of its own, and
the zone as it is, so that no list of public suffixes is fetched and no zone guessed. What is bent is bent in a private
copy of the driver's module; dns-lexicon as others in this process may use it stays as it was. Everything in here
blocks.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from dnsbroker.errors import NameInvalid
from dnsbroker.names import is_within, owner
from dnsbroker_lexicon.calls import THREAD_PREFIX, Leash
from dnsbroker_lexicon.contents import value_of, written
from dnsbroker_lexicon.plan import Listed, Place, Standing

if TYPE_CHECKING:
    from lexicon.interfaces import Provider

#: Options that a driver looks for, some of which it does not tell its command line.
_ASKED = re.compile(r"""_get_provider_option\(\s*["']([\w-]+)["']""")
#: Of each thread that works for us, the leash; a driver may send several requests for one thing it is asked.
_HELD = threading.local()
_VERBS = ("request", "get", "post", "put", "patch", "delete", "head", "options")


class Refused(Exception):
    """A driver returned that it did not do what it was asked for, without saying why."""


class UnknownOption(Exception):
    """``name`` is no option of the driver; ``known`` are those that it has."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


class Driver:
    """dns-lexicon's driver for one service, logged in for one zone."""

    def __init__(self, provider: Provider, zone: str, settings: dict[str, Any], leash: Leash) -> None:
        self._provider = provider
        self._zone = zone
        self._settings = settings
        self._leash = leash

    def standing(self, place: Place) -> Standing:
        """What the service lists at ``place``; its other records are left out."""
        self._leash.check()
        name, type = place
        rows = self._provider.list_records(type, name.rstrip("."))
        there = [row for row in rows or () if row.get("type") == type and self._owner(str(row.get("name", ""))) == name]
        ids = [str(row.get("id") or "") for row in there]
        records = (
            Listed(
                value_of(type, str(row["content"])),
                str(row["content"]),
                _ttl(row.get("ttl")),
                self._own(row, ids, name),
            )
            for row in there
        )
        return Standing(place, tuple(records))

    def create(self, place: Place, value: str, ttl: int) -> None:
        """Create one record. Raises Refused, and whatever the driver raises."""
        self._leash.check()
        name, type = place
        self._settings["ttl"] = ttl
        if self._provider.create_record(type, name.rstrip("."), written(type, value)) is False:
            raise Refused("it was not created")

    def delete(self, place: Place, record: Listed) -> None:
        """Delete one record. Raises Refused, and whatever the driver raises."""
        self._leash.check()
        name, type = place
        if record.id:
            done = self._provider.delete_record(record.id)
        else:
            done = self._provider.delete_record(None, type, name.rstrip("."), record.content)
        if done is False:
            raise Refused("it was not deleted")

    def close(self) -> None:
        """Log out, where the driver does that; what it makes of it is no matter any more."""
        with contextlib.suppress(Exception):
            self._provider.cleanup()

    def _owner(self, name: str) -> str:
        """The owner name for a driver's, which may be relative to the zone; empty for what is none."""
        try:
            full = self._zone if name in ("", "@") else owner(name)
            return full if is_within(full, self._zone) else owner(f"{name.rstrip('.')}.{self._zone}")
        except NameInvalid:
            return ""

    def _own(self, row: Mapping[str, Any], ids: list[str], name: str) -> str:
        """The row's id where it stands for that record alone, else nothing.

        Some drivers call all records of a name by that name, and would delete them all; some put the value into the id
        and cut it at a slash when they take it apart.
        """
        id, content = str(row.get("id") or ""), str(row["content"])
        is_shared = ids.count(id) > 1 or self._owner(id) == name
        return "" if is_shared or ("/" in content and content in id) else id


def opened(service: str, zone: str, options: Mapping[str, object], *, seconds: float, leash: Leash) -> Driver:
    """The driver for ``service``, logged in with ``options`` for ``zone``.

    No HTTP request of it takes longer than ``seconds``, and none is begun in this thread once ``leash`` is let go.
    Raises UnknownOption, Late, and whatever the driver raises.
    """
    from lexicon.config import ConfigResolver

    module = _copy(service, seconds)
    _check(module, options)
    domain = zone.rstrip(".")
    # Some drivers look for the domain among their own options, where lexicon's command line has it too.
    settings: dict[str, Any] = {"provider_name": service, "domain": domain, service: {**options, "domain": domain}}
    leash.check()
    _HELD.leash = leash
    provider = module.Provider(ConfigResolver().with_dict(settings))  # type: ignore[no-untyped-call]  # it has no types
    provider.authenticate()
    return Driver(provider, zone, settings, leash)


def _ttl(value: object) -> int:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0


@functools.cache
def _copy(service: str, seconds: float) -> ModuleType:
    """A copy of the driver's module, in which HTTP has a time-out, nothing is printed and no suffix list is fetched."""
    name = f"lexicon._private.providers.{service}"
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module named {name}", name=name)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    _mute(name)
    names = vars(module)
    names["print"] = _silent
    if "tldextract" in names:
        at_hand = names["tldextract"].TLDExtract(suffix_list_urls=(), cache_dir=None)
        names["tldextract"] = SimpleNamespace(extract=at_hand)
    if requests := sys.modules.get("requests"):
        bounded = _bounded(requests, seconds)
        for key, value in list(names.items()):
            names[key] = next((ours for theirs, ours in bounded if value is theirs), value)
    return module


def _silent(*_: object, **__: object) -> None:
    """Say nothing: standard output is the command line's."""


def _bounded(requests: Any, seconds: float) -> list[tuple[object, object]]:
    """For ``requests``, and for what a module may have taken from it, the same with a time-out on each exchange."""

    def late(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def bounded(*arguments: Any, **named: Any) -> Any:
            if leash := getattr(_HELD, "leash", None):
                leash.check()
            named["timeout"] = named.get("timeout") or seconds
            return call(*arguments, **named)

        return bounded

    session = type("Session", (requests.Session,), {"request": late(requests.Session.request)})
    ours: dict[str, Any] = {verb: late(getattr(requests, verb)) for verb in _VERBS}
    ours |= {"Session": session, "session": session}
    whole = SimpleNamespace(**{**vars(requests), **ours})
    return [(requests, whole), *((getattr(requests, name), each) for name, each in ours.items())]


def _check(module: ModuleType, options: Mapping[str, object]) -> None:
    """Raise UnknownOption for an option that the driver would never look at."""
    from argparse import ArgumentParser

    parser = ArgumentParser(add_help=False)
    module.Provider.configure_parser(parser)
    told = [action.dest for action in parser._actions]
    known = tuple(sorted({*told, *_ASKED.findall(inspect.getsource(module))}))
    for name in options:
        if known and name not in known:
            raise UnknownOption(name, known)


class _Mute(logging.Filter):
    """Keeps back what is logged in a thread of ours: requests and replies are in it, secrets and all."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not threading.current_thread().name.startswith(THREAD_PREFIX)


_MUTE = _Mute()


def _mute(driver: str) -> None:
    for name in ("", "lexicon.config", driver, "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_MUTE)
