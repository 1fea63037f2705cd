"""What is remembered for DANE, across processes: RRsets that were seen, clocks, steps of roll-overs, what is served.

Values only, in text: what follows from them is decided elsewhere. Moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dnsbroker.clock import Clock
from dnsbroker.journal.database import Journal


@dataclass(frozen=True)
class Sight:
    """A TLSA RRset at an owner name as ``server`` (an address; empty: about to be written) had it.

    It was given out from ``first`` to ``last``; ``is_current``: no other has been seen there since. ``records`` are
    values ``3 1 1 hex``, ``ttl`` is in seconds.
    """

    server: str
    records: frozenset[str]
    ttl: int
    first: float
    last: float
    is_current: bool


@dataclass(frozen=True)
class Progress:
    """Where the roll-over of one certificate stands: the ``step``, since when, why, and until when it waits.

    ``is_asked``: a person asked for a new key; ``is_emergency``: for its use at once. ``verified_since``: since when
    every address serves the live key. ``refused``: the serial number of a certificate that was taken back after its
    deployment, empty for none. ``no_authority_until``: until then no record of a CA is published, since a certificate
    for a compromised key is still valid under it; 0 for none. ``objections``: why something that is configured is not
    published, or what is not wanted any more is not taken away, in words.
    """

    certificate: str
    step: str
    since: float
    reason: str
    until: float | None = None
    is_asked: bool = False
    is_emergency: bool = False
    verified_since: float | None = None
    refused: str = ""
    no_authority_until: float = 0.0
    objections: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepTaken:
    """A step that the roll-over of a certificate came to, at ``at``, and why."""

    at: float
    step: str
    reason: str


@dataclass(frozen=True)
class Published:
    """An endpoint for which records were published: the owner names where they stand, and the certificates meant.

    ``is_withdrawn``: a person took DANE back; ``serve_until``: until then caches may hold its records.
    """

    endpoint: str
    owners: tuple[str, ...]
    certificates: tuple[str, ...]
    is_withdrawn: bool = False
    serve_until: float = 0.0


@dataclass(frozen=True)
class Served:
    """The key (hex SHA-256 of the SPKI) that ``address`` was seen to serve, from ``first`` to ``last``."""

    endpoint: str
    address: str
    spki_sha256: str
    first: float
    last: float


class Rollovers:
    """What is remembered, in a journal."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def sights(self, owner: str, since: float = 0.0) -> tuple[Sight, ...]:
        """Every RRset seen at ``owner`` whose ``last`` is not before ``since``, oldest first."""
        raise NotImplementedError

    def keep_sights(self, owner: str, sights: Iterable[Sight]) -> None:
        """Keep ``sights``: those with the same server, records and first are replaced, others are added."""
        raise NotImplementedError

    def clocks(self, owner: str) -> Mapping[str, float]:
        """Since when each record at ``owner`` has been everywhere, by its value."""
        raise NotImplementedError

    def keep_clocks(self, owner: str, clocks: Mapping[str, float], *, is_whole: bool) -> None:
        """Exactly these clocks from now on; ``is_whole``: every address answered at the last look."""
        raise NotImplementedError

    def was_whole(self, owner: str) -> bool:
        """Whether every address answered at the last look."""
        raise NotImplementedError

    def progress(self, certificate: str) -> Progress | None:
        """Where its roll-over stands, as it was last written down."""
        raise NotImplementedError

    def all_progress(self) -> tuple[Progress, ...]:
        """All of them, by certificate."""
        raise NotImplementedError

    def keep_progress(self, progress: Progress) -> None:
        """Keep it; a step that is another one than before, or for another reason, goes into the history as well."""
        raise NotImplementedError

    def steps(self, certificate: str) -> tuple[StepTaken, ...]:
        """The history of its roll-overs, oldest first."""
        raise NotImplementedError

    def published(self) -> tuple[Published, ...]:
        """Every endpoint for which records were published, and not forgotten."""
        raise NotImplementedError

    def keep_published(self, published: Published) -> None:
        """Keep what is known of one endpoint."""
        raise NotImplementedError

    def forget_published(self, endpoint: str) -> None:
        """Nothing of ours stands for ``endpoint`` any more."""
        raise NotImplementedError

    def see(self, endpoint: str, served: Collection[tuple[str, str]], at: float) -> None:
        """At ``at``, each address served a key: pairs of address and hex SHA-256 of the SPKI."""
        raise NotImplementedError

    def served(self, endpoint: str) -> tuple[Served, ...]:
        """What was seen there, oldest first."""
        raise NotImplementedError
