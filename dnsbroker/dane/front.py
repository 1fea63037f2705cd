"""DANE in one run: what is published, what may be ordered for, what may go live, where each roll-over stands.

Rule: each call looks before it decides, and a look is kept before anything follows from it. Nothing here orders or
deploys: who does asks first, and comes back after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dnsbroker.clock import Clock
from dnsbroker.config import Config
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import BrokerError
from dnsbroker.events import Emitter
from dnsbroker.journal import Leases, Runs
from dnsbroker.journal.rollovers import Rollovers
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.propagation import Watcher
from dnsbroker.publishing import Publisher
from dnsbroker.rolling import Gate, Move, Situation
from dnsbroker.store import Store
from dnsbroker.writer import Writer


@dataclass(frozen=True)
class Parts:
    """What of a run is needed here. ``watcher`` is made when it is first asked for; ``wrote`` is told of every write.

    One that is only ``is_looking`` writes neither DNS nor the journal.
    """

    config: Config
    store: Store
    rollovers: Rollovers
    leases: Leases
    runs: Runs
    writer: Writer
    publisher: Publisher
    watcher: Callable[[], Watcher]
    finder: Finder
    exchange: Exchange
    clock: Clock
    emit: Emitter
    wrote: Callable[[], None]
    is_looking: bool = False


@dataclass(frozen=True)
class Wish:
    """What whoever orders wants of one certificate, for ``Dane.bring``; see the fields of ``rolling.Situation``.

    What a person asked for stands in the journal (Progress.is_asked, is_emergency), and need not be said here.
    """

    is_due: bool = False
    is_new_key_wanted: bool = False
    is_pressing: bool = False


@dataclass(frozen=True)
class Brought:
    """What came of looking after one certificate reference.

    Attributes:
        reference: the certificate's name, or a path.
        situation: what is so now.
        move: what is to be done next, and where its roll-over stands.
        objections: why something that is configured is not published, or not taken away, in words.
        error: what kept it from being looked after.
        changed: whether DNS is different now.
    """

    reference: str
    situation: Situation | None = None
    move: Move | None = None
    objections: tuple[str, ...] = ()
    error: BrokerError | None = None
    changed: bool = False


@dataclass(frozen=True)
class Withdrawn:
    """An endpoint without DANE from now on, but for ``foreign`` records that stay; caches have ours until ``until``.

    ``until`` is seconds since the epoch: until then the present key must go on being served.
    """

    endpoint: Endpoint
    until: float
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waits:
    """For a caller that asked for something which is not live yet: until when (None: not a matter of time), and why."""

    until: float | None
    reason: str
    names: tuple[str, ...] = field(default=())


class Dane:
    """One for each run; ``dnsbroker.run.Run.dane``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def manages(self, reference: str) -> bool:
        """Whether a ``[[dane]]`` table that was not withdrawn speaks of ``reference``; contacts nobody."""
        raise NotImplementedError

    def owners(self, reference: str) -> frozenset[str]:
        """The owner names, by endpoint (``_25._tcp.mail.example.org.``), that are looked after for it; nobody is asked.

        For the guard, which has nothing to say about them.
        """
        raise NotImplementedError

    async def bring(
        self,
        references: Sequence[str] = (),
        *,
        endpoints: Sequence[Endpoint] = (),
        adopt: bool = False,
        is_publishing_asked: bool = False,
        wishes: Mapping[str, Wish] | None = None,
    ) -> tuple[Brought, ...]:
        """Look, publish what is wanted and missing, take away what is old and may go; again while that leads on.

        None named: all that are configured. ``is_publishing_asked``: a person asked for it, so that what was withdrawn
        is published again, and a server that is late is an error. ``wishes`` are by reference. A trouble with one
        reference is in its Brought.
        """
        raise NotImplementedError

    async def key_gate(self, reference: str, key_pem: str = "") -> Gate:
        """May an order be made now for the next key, or the private key ``key_pem``? Looks first.

        Closed where there is no key; open for what nobody manages. Raises PemInvalid.
        """
        raise NotImplementedError

    async def chain_gate(self, reference: str, chain_pem: str, *, is_pressing: bool = False) -> Gate:
        """May ``chain_pem`` (leaf first) be served? Looks first. ``is_pressing``: as ``rolling.for_chain(leaf_only)``.

        Open for what nobody manages.
        """
        raise NotImplementedError

    async def withdraw(self, endpoints: Sequence[Endpoint]) -> tuple[Withdrawn, ...]:
        """Take our records away for ``endpoints``, and keep that a person wanted so. Raises BrokerError."""
        raise NotImplementedError

    async def old_signatures_end(self, reference: str) -> float:
        """Until when (seconds since the epoch) the RRsets that stand now can be replayed with their signatures.

        The latest end of an RRSIG that a server gave out; 0.0 where nothing is signed. Looks first if nobody has.
        """
        raise NotImplementedError

    def set_no_authority(self, reference: str, until: float) -> None:
        """Until then no record of a CA is published for ``reference``; those that stand go as old ones do."""
        raise NotImplementedError
