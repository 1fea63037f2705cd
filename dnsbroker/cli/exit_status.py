"""Which exit status an error has, and which wins where several apply. The table stands in docs/commands.md too."""

from __future__ import annotations

from collections.abc import Iterable

from dnsbroker.errors import BrokerError, ConfigError, Held, NameInvalid, NotPropagated, NotWithdrawn

DONE, FAILED, USAGE, NOT_PROPAGATED, HELD, NOT_WITHDRAWN = 0, 1, 2, 3, 5, 6

#: The first that fits an error's class.
_BY_CLASS: tuple[tuple[type[BrokerError], int], ...] = (
    (ConfigError, USAGE),
    (NameInvalid, USAGE),
    (NotPropagated, NOT_PROPAGATED),
    (Held, HELD),
    (NotWithdrawn, NOT_WITHDRAWN),
    (BrokerError, FAILED),
)
_ORDER = (USAGE, FAILED, NOT_PROPAGATED, HELD, NOT_WITHDRAWN)


def of(error: BrokerError) -> int:
    """The exit status for ``error``."""
    return next(status for kind, status in _BY_CLASS if isinstance(error, kind))


def gravest(statuses: Iterable[int]) -> int:
    """The one of ``statuses`` that the program ends with."""
    found = set(statuses)
    return next((status for status in _ORDER if status in found), DONE)
