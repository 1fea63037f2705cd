"""Which exit status an error has, and which wins where several apply. The table stands in docs/commands.md too."""

from __future__ import annotations

from collections.abc import Iterable

from dnsbroker.errors import (
    BrokerError,
    ConfigError,
    DeployFailed,
    Held,
    KeyGuarded,
    NameInvalid,
    NotPropagated,
    NotWithdrawn,
)

DONE, FAILED, USAGE, NOT_PROPAGATED, CHECK, HELD, NOT_WITHDRAWN, NOT_DEPLOYED = 0, 1, 2, 3, 4, 5, 6, 7

#: The first that fits an error's class.
_BY_CLASS: tuple[tuple[type[BrokerError], int], ...] = (
    (ConfigError, USAGE),
    (NameInvalid, USAGE),
    (NotPropagated, NOT_PROPAGATED),
    (DeployFailed, NOT_DEPLOYED),
    (Held, HELD),
    (KeyGuarded, HELD),
    (NotWithdrawn, NOT_WITHDRAWN),
    (BrokerError, FAILED),
)
_ORDER = (USAGE, FAILED, NOT_PROPAGATED, NOT_DEPLOYED, HELD, NOT_WITHDRAWN)


def of(error: BrokerError) -> int:
    """The exit status for ``error``."""
    return next(status for kind, status in _BY_CLASS if isinstance(error, kind))


def gravest(statuses: Iterable[int]) -> int:
    """The one of ``statuses`` that the program ends with."""
    found = set(statuses)
    return next((status for status in _ORDER if status in found), DONE)
