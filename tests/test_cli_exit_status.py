"""Exit statuses: one for each class of error, and one for several."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from dnsbroker.cli import exit_status
from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ConfigError,
    Held,
    NameInvalid,
    NotPropagated,
    NotWithdrawn,
    OrderFailed,
)

ERRORS: list[tuple[BrokerError, int]] = [
    (BrokerError("x"), 1),
    (AuthRejected("x", provider="p"), 1),
    (OrderFailed("x", problem_type="dns", detail="d"), 1),
    (ConfigError("x"), 2),
    (NameInvalid("x", "y"), 2),
    (NotPropagated("x", name="n", expected=(), seen_by_server={}, waited=1), 3),
    (Held("x", name="n", until=datetime(2026, 11, 21, tzinfo=UTC)), 5),
    (NotWithdrawn("x", names=["n"]), 6),
]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=lambda item: getattr(item, "kind", ""))
def test_the_class_of_an_error_decides(error: BrokerError, status: int) -> None:
    """What stands below a class is like it."""
    assert exit_status.of(error) == status


def test_the_gravest_of_several_wins_whatever_their_order() -> None:
    """2, 1, 3, 5, 6; the order of the contract with scripts."""
    order = (2, 1, 3, 5, 6)
    for found in itertools.chain.from_iterable(itertools.combinations(order, size) for size in range(1, 6)):
        for permuted in itertools.permutations(found):
            assert exit_status.gravest(permuted) == found[0]


def test_success_weighs_nothing() -> None:
    """Alone it is success; beside a failure it is none."""
    assert exit_status.gravest([]) == 0
    assert exit_status.gravest([0, 0]) == 0
    assert exit_status.gravest([0, 6, 0]) == 6
