"""TLSA records of one service in memory, in place of a run's Dane: published at once, and young as real ones are.

Rule: whether a key may be used or a chain be served is decided by the program's own functions. Refused: taking away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.dane import Brought, Dane, Wish
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import BrokerError
from dnsbroker.lineages import next_public_keys, read
from dnsbroker.rolling import Act, Answer, Gate, Look, Memory, Move, Site, Situation, Step, for_chain
from dnsbroker.tlsa.computing import USUAL, Presented, of_chain
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made

OWNER = "_25._tcp.a.test."
#: Seconds; a record is relied on after twice that.
TTL = 3600


class Remembered(Dane):
    """The records for all of ``managed``: each reference with the directory of its client.

    ``brought`` has the references of each call, ``error`` is what comes of the next ones,
    ``can_write`` whether records appear.
    """

    def __init__(self, now: datetime, managed: Mapping[str, Path], kinds: Sequence[Kind] = USUAL[:1]) -> None:
        self.managed, self.kinds = dict(managed), tuple(kinds)
        self.brought: list[tuple[str, ...]] = []
        self.error: BrokerError | None = None
        self.can_write = True
        self.records: frozenset[Tlsa] = frozenset()
        self.memory = Memory()
        self.set_time(now)

    def set_time(self, now: datetime) -> None:
        """It is so late, and the name servers are looked at."""
        self.now = now.timestamp()
        self.memory = self.memory.after(Look(self.now, {"ns": Answer(self.records, TTL, self.now + 1e8)}))

    def publish(self, records: frozenset[Tlsa]) -> bool:
        """Whether any of ``records`` was missing; they stand now."""
        if records <= self.records:
            return False
        self.records |= records
        self.memory = self.memory.after(Look(self.now, {"ns": Answer(self.records, TTL, self.now + 1e8)}))
        return True

    def names(self, key_pem: str) -> bool:
        """Whether a record names the key."""
        return any(record.names(Subject(b"", keys.public_key_of(key_pem))) for record in self.records)

    def manages(self, reference: str) -> bool:
        """As said."""
        return reference in self.managed

    def owners(self, reference: str) -> frozenset[str]:
        """The one name."""
        return frozenset({OWNER} if self.manages(reference) else ())

    async def bring(
        self,
        references: Sequence[str] = (),
        *,
        endpoints: Sequence[Endpoint] = (),
        adopt: bool = False,
        is_publishing_asked: bool = False,
        wishes: Mapping[str, Wish] | None = None,
    ) -> tuple[Brought, ...]:
        """What is live and what comes next is published."""
        self.brought.append(tuple(references))
        return tuple(map(self._brought, references))

    def _brought(self, reference: str) -> Brought:
        if self.error is not None:
            return Brought(reference, error=self.error)
        directory = self.managed[reference]
        found = read(directory, lambda _: None)
        assert found is not None
        live = of_chain(found.fullchain)
        try:
            laid_out = next_public_keys(directory)
        except BrokerError:
            laid_out = ()
        coming = [Presented(Subject(b"", key)) for key in laid_out]
        wanted = frozenset(
            made(kind, chain.leaf) for kind in self.kinds if kind.is_of_leaf for chain in (live, *coming)
        )
        authorities = (made(kind, live.authorities[-1]) for kind in self.kinds if kind.is_of_authority)
        changed = self.can_write and self.publish(wanted.union(authorities))
        situation = Situation(self.now, live, sites=(self._site,))
        return Brought(reference, situation, Move(Act.REST, Step.STEADY, "all is well"), changed=changed)

    async def chain_gate(self, reference: str, chain_pem: str, *, is_pressing: bool = False) -> Gate:
        """By the records that stand."""
        found = read(self.managed[reference], lambda _: None)
        live = None if found is None or found.fullchain == chain_pem else of_chain(found.fullchain)
        return for_chain(of_chain(chain_pem), [self._site], self.now, leaf_only=is_pressing, live=live)

    @property
    def _site(self) -> Site:
        return Site(OWNER, self.kinds, self.memory)
