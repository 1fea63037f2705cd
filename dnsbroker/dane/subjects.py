"""Whose keys TLSA records name: certificates of ours, of other clients, or in PEM files, read in one way.

Reading only, but for the next key of a certificate of ours, which is made here. What cannot be read is said of it, and
nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dnsbroker.config import Config
from dnsbroker.errors import BrokerError
from dnsbroker.store import Store
from dnsbroker.tlsa.computing import Presented


@dataclass(frozen=True)
class Subject:
    """What one ``certificate = …`` of a ``[[dane]]`` table stands for.

    Attributes:
        reference: the certificate's name, or a path: as the configuration has it, canonical.
        live: what is live; None where nothing is, or it cannot be read.
        live_until: the end of its life, seconds since the epoch; 0.0 where nothing is live.
        live_pem: the live chain, leaf first.
        serial: its serial number as everywhere.
        next: the keys that come next (Presented without authorities): ours, or those another client has laid out.
        held: a chain that is issued, and not live.
        held_pem: the same in PEM, leaf first.
        is_ours: whether it is ordered here.
        client: which client obtains it otherwise; empty for a PEM file.
        trouble: why it, or its next key, cannot be read.
    """

    reference: str
    live: Presented | None = None
    live_until: float = 0.0
    live_pem: str = field(default="", repr=False)
    serial: str = ""
    next: tuple[Presented, ...] = ()
    held: Presented | None = None
    held_pem: str = field(default="", repr=False)
    is_ours: bool = True
    client: str = ""
    trouble: BrokerError | None = None


class Subjects:
    """The subjects of a configuration."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store

    def references(self) -> tuple[str, ...]:
        """Every reference in a ``[[dane]]`` table, once, in their order."""
        raise NotImplementedError

    def read(self, reference: str) -> Subject:
        """What ``reference`` stands for now. Nothing is raised for what cannot be read: see ``trouble``."""
        raise NotImplementedError

    def of_lineage(self, directory: str) -> tuple[str, ...]:
        """The references that mean what another client keeps in ``directory``, by whatever path either is known."""
        raise NotImplementedError
