"""A service in memory with a driver as dns-lexicon's are, good and bad: each fault is one that a real driver has.

Rule: what the service holds is in ``records``, decoded, and judged there; what the driver shows of it may be wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lexicon.config import ConfigResolver
from lexicon.interfaces import Provider

from dnsbroker.records import Add, Change, Receipt, Record, Remove, Swap
from dnsbroker_lexicon import work
from dnsbroker_lexicon.calls import Leash
from dnsbroker_lexicon.driver import Driver
from dnsbroker_lexicon.plan import Standing
from dnsbroker_lexicon.refusals import Blame

ZONE = "example.org."
NAME = f"_acme-challenge.{ZONE}"
SECRET = "s3cret/+value"


@dataclass(frozen=True)
class Held:
    """One record at the service; names are owner names."""

    name: str
    type: str
    content: str
    ttl: int
    id: int


@dataclass
class Shelf:
    """The service, and how its driver misbehaves.

    ``one_each`` keeps one value at a name; ``ids`` is how a record's id looks, ``shows`` how its name does; ``late`` is
    how many lists still lack what was created. ``raises`` is asked before each write; ``refuses`` says no
    to all writes.
    """

    records: list[Held] = field(default_factory=list)
    one_each: bool = False
    ids: Callable[[Held], object] = lambda held: held.id
    shows: Callable[[str], str] = lambda name: name.rstrip(".")
    late: int = 0
    raises: Callable[[str], None] = lambda _: None
    refuses: bool = False
    written: list[str] = field(default_factory=list)
    _hidden: list[Held] = field(default_factory=list)
    _number: int = 0

    def plant(self, content: str, name: str = NAME, type: str = "TXT", ttl: int = 3600) -> None:
        """What somebody else puts there."""
        self._number += 1
        self.records.append(Held(name, type, content, ttl, self._number))

    def create(self, name: str, type: str, content: str, ttl: int) -> bool:
        """As the driver asks for it."""
        self.raises(f"create {content}")
        self.written.append(f"create {content}")
        if self.one_each:
            self.records = [held for held in self.records if (held.name, held.type) != (name, type)]
        if not self.refuses:
            self.plant(content, name, type, ttl)
            if self.late:
                self._hidden.append(self.records.pop())
        return not self.refuses

    def delete(self, doomed: Callable[[Held], bool]) -> bool:
        """As the driver asks for it."""
        gone = [held for held in self.records if doomed(held)]
        self.raises(f"delete {', '.join(held.content for held in gone)}")
        self.written.append(f"delete {', '.join(held.content for held in gone)}")
        if not self.refuses:
            self.records = [held for held in self.records if held not in gone]
        return not self.refuses

    def listed(self) -> list[Held]:
        """All, once nothing is late any more."""
        self.late -= bool(self._hidden)
        if self.late <= 0:
            self.records += self._hidden
            self._hidden = []
        return self.records

    def values(self) -> list[str]:
        """What stands at the challenge name."""
        return [held.content for held in self.records if held.name == NAME]


class ShelfDriver(Provider):
    """The driver, with dns-lexicon's own interface. It says that it knows ``shelf_token`` alone."""

    def __init__(self, shelf: Shelf, settings: dict[str, Any]) -> None:
        super().__init__(ConfigResolver().with_dict(settings))  # type: ignore[no-untyped-call]  # it has no types
        self._shelf = shelf

    @staticmethod
    def get_nameservers() -> list[str]:
        return []

    @staticmethod
    def configure_parser(parser: ArgumentParser) -> None:
        parser.add_argument("--shelf-token")

    def authenticate(self) -> None:
        pass

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        return self._shelf.create(self._fqdn_name(name), rtype, content, int(self._get_lexicon_option("ttl") or 1))

    def list_records(
        self, rtype: str | None = None, name: str | None = None, content: str | None = None
    ) -> list[dict[str, Any]]:
        """Everything there is: drivers differ in what they leave out, and the caller must."""
        return [
            {
                "type": held.type,
                "name": self._shelf.shows(held.name),
                "ttl": held.ttl,
                "content": held.content,
                "id": self._shelf.ids(held),
            }
            for held in self._shelf.listed()
        ]

    def update_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        raise AssertionError("it is never asked for")

    def delete_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        if identifier:
            return self._shelf.delete(lambda held: str(self._shelf.ids(held)) == identifier)
        owner = self._fqdn_name(name or "")
        return self._shelf.delete(lambda held: (held.name, held.type, held.content) == (owner, rtype, content))


def driver_for(shelf: Shelf) -> tuple[Driver, Blame]:
    """A driver of ours on the shelf's, and whom its errors name."""
    settings: dict[str, Any] = {"provider_name": "shelf", "domain": ZONE.rstrip("."), "shelf": {"shelf_token": SECRET}}
    return Driver(ShelfDriver(shelf, settings), ZONE, settings, Leash()), Blame("hoster", "shelf", ZONE, (SECRET,))


def apply(shelf: Shelf, *changes: Change) -> Receipt:
    """Make ``changes`` with a fresh driver."""
    driver, blame = driver_for(shelf)
    return work.apply(driver, changes, blame)


def standing(shelf: Shelf, name: str = NAME) -> Standing:
    """What the driver makes of what stands at ``name``."""
    return driver_for(shelf)[0].standing((name, "TXT"))


def add(value: str = "ours", name: str = NAME, ttl: int = 300) -> Add:
    """Adding a TXT value."""
    return Add(Record(name, "TXT", value), ttl)


def remove(value: str = "ours", name: str = NAME) -> Remove:
    """Removing a TXT value."""
    return Remove(Record(name, "TXT", value))


def swap(expected: Sequence[str], desired: Sequence[str], ttl: int = 300) -> Swap:
    """Making the TXT RRset exactly what is desired."""
    return Swap(NAME, "TXT", frozenset(expected), frozenset(desired), ttl)
