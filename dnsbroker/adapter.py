"""The promise between the broker and the code for one kind of DNS service.

An adapter speaks records, not challenges. Of a zone with a TXT value ``foreign`` at ``_acme-challenge.example.org.``::

    apply("example.org.", [Add(Record("_acme-challenge.example.org.", "TXT", "ours"), ttl=5)])
        leaves   _acme-challenge.example.org. 3600 TXT "foreign"     ; untouched, and so is the TTL
                 _acme-challenge.example.org. 3600 TXT "ours"
    apply("example.org.", [Remove(Record("_acme-challenge.example.org.", "TXT", "ours"))])
        leaves   _acme-challenge.example.org. 3600 TXT "foreign"

What every adapter promises, and ``dnsbroker.testing.AdapterContract`` checks:

* What it was not asked to change MUST stay as it is: other values and their TTL, records that are disabled, comments.
* All changes of one ``apply`` for one RRset MUST appear in one write; where the service can, all of a zone do.
* Each change is idempotent: what is so already is success, and makes no write. A Swap whose RRset is not ``expected``
  raises Conflict, unless the RRset is ``desired`` already; an error in any change means that none of an atomic write
  was made.
* A returned receipt is proof: the adapter has read the values back. Without one (an exception, a cancellation) it is
  not known whether the change was made; the caller finds out by asking again. Only an error whose ``nothing_done`` is
  true says that of this ``apply`` nothing was made nor can be any more: it failed before it sent a change, or the
  service itself refused all that was sent. Where a change may have been made, be it in an earlier message, it is false.
* What an ``apply`` has sent takes effect within twice ``request_timeout`` from its beginning, or never: what is not
  under way after one ``request_timeout`` MUST NOT be sent any more.
* It never waits for propagation, never looks for zones by guessing, never reads the environment, never asks a
  recursive resolver about the names it writes, never retries what may not be repeated, and never takes longer than
  ``request_timeout`` for one request.
* It raises only the ProviderErrors of ``dnsbroker.errors``, with the service's own words, and lets no secret into them.
* It is safe under concurrent calls for different zones, and of ``read`` for one. Changes of one zone the broker makes
  one after another, across processes.

What an adapter can tell beyond this it offers by the methods of TellsServers, TellsSerial, TellsNotified, KeepsNotes
and Examines, each on its own; one without them is none the worse for issuing.

Adapters register under the entry-point group ``dnsbroker.providers``; the broker's own have no privilege there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from dnsbroker.findings import Finding
from dnsbroker.records import Change, Receipt, Record, RecordType, RRset

if TYPE_CHECKING:
    from dnsbroker.clock import Clock
    from dnsbroker.transport import Connections

ENTRY_POINT_GROUP = "dnsbroker.providers"


@dataclass(frozen=True)
class Surroundings:
    """What an adapter is given beside its settings, so that it need not reach for it.

    ``provider`` is the name under ``[providers]``, for errors; ``addresses`` resolves a server's host name to addresses
    in presentation form (never used for the names that are written).
    """

    provider: str
    clock: Clock
    connections: Connections
    addresses: Callable[[str], Awaitable[tuple[str, ...]]]


class Adapter(Protocol):
    """One account at one DNS service. A plain object: constructing it contacts nothing."""

    #: A frozen dataclass whose fields are the service's configuration keys (see ``dnsbroker.settings``).
    Settings: ClassVar[type[Any]]
    #: TTL in seconds of records in a new RRset where the configuration does not say.
    default_ttl: ClassVar[float]
    #: Seconds to wait after the verdict, for services whose addresses are many machines.
    default_settle: ClassVar[float]
    #: No request is given more seconds than this; after it a request without an answer can no longer take effect.
    request_timeout: ClassVar[float]

    def __init__(self, settings: Any, surroundings: Surroundings) -> None: ...

    async def zones(self) -> tuple[str, ...] | None:
        """The zones this account may write, as owner names; None where the service cannot list them."""
        ...

    async def find_zone(self, name: str) -> str | None:
        """The longest zone at the service that holds owner name ``name``, on label boundaries; None where none does.

        Raises ProviderError; ZoneMissing, with a hint, where none does as far as these credentials may see.
        """
        ...

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` in ``zone``; see the promises above. ValueError without I/O where there are none."""
        ...

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as the service itself has it now (not as name servers serve it); None where there is none."""
        ...

    async def aclose(self) -> None:
        """Give back connections; may be called more than once."""
        ...


@runtime_checkable
class NeedsMore(Protocol):
    """An adapter that needs what is not always installed with it, a library of an extra for one."""

    @staticmethod
    def lacks() -> str:
        """The command that installs what is not there; empty where nothing is missing. Nothing heavy is imported."""
        ...


@runtime_checkable
class TellsServers(Protocol):
    """An adapter that knows by which name servers its service serves a zone; where two hold it, that decides."""

    async def name_servers(self, zone: str) -> frozenset[str]:
        """The host names (owner names) of the servers that serve ``zone`` by the service's own word.

        For a server of one's own: the NS RRset that it has at the zone's apex. Empty where it is not known. Raises
        ProviderError.
        """
        ...


@runtime_checkable
class TellsSerial(Protocol):
    """An adapter that knows which serial a zone has at the service, so that who does not follow is seen."""

    async def serial(self, zone: str) -> int | None:
        """The SOA serial under which the service has ``zone`` now, which whoever transfers it has to reach.

        None where nobody has to: its servers have the zone by other means, or its serial moves with every second.
        Raises ProviderError.
        """
        ...


@runtime_checkable
class TellsNotified(Protocol):
    """An adapter whose service sends NOTIFY some time after a change, so that secondaries are not blamed for it."""

    async def is_notified(self, zone: str) -> bool:
        """Whether the service has sent NOTIFY of the serial that ``zone`` has now. Raises ProviderError."""
        ...


@runtime_checkable
class KeepsNotes(Protocol):
    """An adapter whose service keeps the note of an Add, so that what a lost state directory forgot can be found."""

    async def notes(self, zone: str) -> Mapping[Record, str]:
        """Every TXT record in ``zone`` that has a note, and the note as it stands there. Raises ProviderError."""
        ...


@runtime_checkable
class Examines(Protocol):
    """An adapter that can say what about its account or its zones would make a validation fail."""

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        """What a person should know: of the credentials and their rights, and of each of ``zones`` (owner names).

        Nothing is changed, unless ``fix``: then what can be mended without touching a record is, and its finding says
        so. A trouble in asking is itself a finding; nothing is raised for it.
        """
        ...
