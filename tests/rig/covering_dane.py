"""A Dane for tests of what is ordered and what goes live: it remembers when each key became known, and waits for it.

Rule: its gates, moves and staging are what the real one promises, decided from one number: for how long a key has to
be known. No DNS; the records of a CA are one word: ``is_issuer_known``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dnsbroker import keys
from dnsbroker.dane import Brought, Wish
from dnsbroker.errors import BrokerError
from dnsbroker.journal import Progress
from dnsbroker.rolling import Act, Gate, Memory, Move, Site, Situation, Step
from dnsbroker.run import Run
from dnsbroker.store import NextKey

WAIT = 7200.0


class CoveringDane:
    """For the certificate ``name``. ``known`` says since when each key (hex SHA-256) is published.

    ``worse`` has every look after a deployment say that a service is worse off; ``trouble`` is what every look ends in;
    ``old`` whether records of a former key still stand; ``steps`` are told of what was deployed, one a look.
    ``silent`` are name servers that give no answer to build on, each with why.
    """

    def __init__(self, run: Run, name: str, known: dict[str, float], owners: frozenset[str] = frozenset()) -> None:
        self.run, self.name, self.known, self._owners = run, name, known, owners
        self.is_issuer_known = True
        self.worse = ""
        self.trouble: BrokerError | None = None
        self.old = False
        self.steps: list[Step] = []
        self.silent: dict[str, str] = {}
        self.brought: list[tuple[tuple[str, ...], Mapping[str, Wish]]] = []

    def manages(self, reference: str) -> bool:
        """As the real one."""
        return reference == self.name

    def tends(self, reference: str) -> bool:
        """As the real one: a table speaks of it."""
        return self.manages(reference)

    def owners(self, reference: str) -> frozenset[str]:
        """As the real one."""
        return self._owners

    async def bring(self, references: Sequence[str] = (), **more: object) -> tuple[Brought, ...]:
        """Stage a key where there is none, and publish what is there; then what is to be done."""
        wishes = more.get("wishes") or {}
        assert isinstance(wishes, Mapping)
        self.brought.append((tuple(references), wishes))
        if self.trouble is not None:
            return (Brought(self.name, error=self.trouble),)
        store, now = self.run.store, self.run.clock.now()
        live, held = store.load(self.name), store.held_back(self.name)
        staged = store.next_key(self.name)
        is_used = staged is not None and live is not None and keys.matches(staged.key_pem, live.fullchain)
        if live is not None and (staged is None or is_used):
            store.keep_next_key(
                self.name, NextKey(keys.generate(self.run.config.certificates[self.name].key_type), now)
            )
        published = [
            live.leaf.spki_sha256 if live else "",
            keys.spki_sha256_of(key.key_pem) if (key := store.next_key(self.name)) else "",
            keys.describe(held.chain_pem).spki_sha256 if held else "",
        ]
        for spki in filter(None, published):
            self.known.setdefault(spki, now.timestamp())
        sites = (Site("_25._tcp.example.test.", (), Memory(), silent=self.silent),)
        situation = Situation(now.timestamp(), None, has_old_records=self.old, sites=sites if self.silent else ())
        return (Brought(self.name, situation, self._move(wishes.get(self.name, Wish()))),)

    def _move(self, wish: Wish) -> Move:
        live, held = self.run.store.load(self.name), self.run.store.held_back(self.name)
        progress = self.run.rollovers.progress(self.name)
        if self.worse and live is not None and live.serial == self.worse:
            return Move(Act.ROLL_BACK, Step.STUCK, "nothing answers any more at 127.0.0.1")
        if held is None and self.steps and progress is not None and progress.given_up and not progress.is_emergency:
            return Move(Act.REST, self.steps.pop(), "the old records are about to go")
        if held is None:
            is_asked = progress is not None and progress.is_asked and self._key_gate().is_open
            ripe, steady = (Act.ORDER_NEXT, Step.RIPE), (Act.REST, Step.STEADY)
            return Move(*(ripe if is_asked else steady), "all is well")
        gate = self._gate(keys.describe(held.chain_pem).spki_sha256)
        is_loud = (wish.is_pressing and gate.is_open) or (progress is not None and progress.is_emergency)
        if gate.is_open and self.is_issuer_known:
            return Move(Act.GO_LIVE, Step.ISSUED, "every set names it")
        act = Act.GO_LIVE_LOUDLY if is_loud else Act.REST
        return Move(act, Step.HELD, gate.reason or "its CA is not known", gate.opens_at)

    def _gate(self, spki: str) -> Gate:
        since = self.known.get(spki)
        if since is None:
            return Gate(False, "its record is not published")
        opens = since + WAIT
        is_open = self.run.clock.now().timestamp() >= opens
        return Gate(True) if is_open else Gate(False, "caches may not know it yet", opens)

    async def key_gate(self, reference: str, key_pem: str = "") -> Gate:
        """Whether the next key is known for long enough."""
        if self.trouble is not None:
            raise self.trouble
        return self._key_gate()

    def _key_gate(self) -> Gate:
        staged = self.run.store.next_key(self.name)
        return self._gate(keys.spki_sha256_of(staged.key_pem)) if staged else Gate(False, "there is no next key")

    async def chain_gate(self, reference: str, chain_pem: str, *, is_pressing: bool = False) -> Gate:
        """Whether the key of the chain is, and its CA."""
        if self.trouble is not None:
            raise self.trouble
        if not self.known:
            return Gate(True)  # where no cache knows of any record, each chain may be served
        gate = self._gate(keys.describe(chain_pem).spki_sha256)
        if gate.is_open and not self.is_issuer_known:
            return Gate(False, "its CA is not known")
        return gate

    async def old_signatures_end(self, reference: str) -> float:
        """A day from now."""
        return self.run.clock.now().timestamp() + 86400.0

    def set_no_authority(self, reference: str, until: float) -> None:
        """As the real one."""
        progress = self.run.rollovers.progress(self.name) or Progress(self.name, "steady", 0.0, "all is well")
        self.run.rollovers.keep_progress(replace(progress, no_authority_until=until))
