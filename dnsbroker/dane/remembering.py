"""What is remembered of owner names and endpoints, between the journal's text and the values that decisions take.

Rule: what is history only, for a picture, is not remembered. Nothing is decided here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from dnsbroker.clock import Clock
from dnsbroker.errors import NameInvalid
from dnsbroker.journal.rollovers import Rollovers, Sight
from dnsbroker.rolling import Look, Memory, View
from dnsbroker.rolling.memory import REMEMBERED
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Tlsa, parse


class Remembering:
    """The memories in a journal. Every method raises StoreError.

    One that is only ``is_looking`` keeps what it is given for itself.
    """

    def __init__(self, rollovers: Rollovers, clock: Clock, *, is_looking: bool = False) -> None:
        self._rollovers = rollovers
        self._clock = clock
        self._is_looking = is_looking
        self._own: dict[str, Memory] = {}

    def of(self, owner: str) -> Memory:
        """What is remembered of ``owner``."""
        if owner in self._own:
            return self._own[owner]
        sights = self._rollovers.sights(owner, self._clock.now().timestamp() - REMEMBERED)
        views = tuple(map(_view, sights))
        since = {parse(value): moment for value, moment in self._rollovers.clocks(owner).items()}
        return Memory(views, since, self._rollovers.was_whole(owner))

    def keep(self, owner: str, memory: Memory) -> None:
        """Remember this of ``owner`` from now on."""
        if self._is_looking:
            self._own[owner] = memory
            return
        self._rollovers.keep_sights(owner, [_sight(view) for view in memory.views])
        clocks = {str(record): moment for record, moment in memory.since.items()}
        self._rollovers.keep_clocks(owner, clocks, is_whole=memory.is_whole)

    def looked(self, owner: str, look: Look, min_wait: float) -> Memory:
        """Remember ``look`` at ``owner``; what is remembered then."""
        memory = self.of(owner).after(look, look.relied_on_until(min_wait))
        self.keep(owner, memory)
        return memory

    def saw(self, endpoint: str, chains: Mapping[str, Iterable[Presented]], at: float) -> None:
        """At ``at`` each address presented those chains."""
        pairs = [(address, digest(chain)) for address, those in chains.items() for chain in those]
        if pairs and not self._is_looking:
            self._rollovers.see(endpoint, pairs, at)


def digest(chain: Presented) -> str:
    """The hex SHA-256 of the leaf's SubjectPublicKeyInfo."""
    return hashlib.sha256(chain.leaf.public_key).hexdigest()


def _view(sight: Sight) -> View:
    records = frozenset(record for value in sight.records if (record := _record(value)) is not None)
    return View(sight.server, records, sight.ttl, sight.first, sight.last, sight.is_current)


def _record(value: str) -> Tlsa | None:
    try:
        return parse(value)
    except NameInvalid:
        return None


def _sight(view: View) -> Sight:
    records = frozenset(map(str, view.records))
    return Sight(view.server, records, view.ttl, view.first, view.last, view.is_current)
