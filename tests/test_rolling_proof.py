"""Roll-overs in small worlds in which everything happens that may: the program's own rules, searched to the end.

The bound is what ``rolling_search.WORLDS`` says: up to two servers, addresses, owner names, issuers and roll-overs, one
fault besides any number of deaths and delays, time without end. These are more than 250,000 states between them.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rolling_mutations import MUTATIONS, Idle, Mutation
from rolling_notes import Notes
from rolling_search import WORLDS, search, stranded
from rolling_world import Rules, World


@pytest.mark.parametrize("what", WORLDS)
def test_no_client_is_refused_in_any_state_that_can_be_reached(what: str) -> None:
    """Every cache's every set covers what every address serves, whatever lags, dies, is lost or comes back."""
    found = search(WORLDS[what])
    assert not found.wrong, f"{found.wrong}: {' > '.join(found.way)}"
    assert found.is_all
    assert found.states >= 1000, "a world so small shows nothing"


@pytest.mark.parametrize(
    "world",
    [
        World(),
        World(is_lagging=True, faults=0),
        World(addresses=2, can_hide=True),
        World(can_take=True),
        World(kinds=WORLDS["renewals become due"].kinds, issuers=2, wishes=("due",), faults=0),
        World(wishes=("emergency",), faults=0),
        World(is_found=True, faults=0),
        World(signed=(1,), min_wait=2),
        World(can_die=True),
    ],
    ids=["silence", "lag", "addresses", "taken out", "issuers", "emergency", "records", "signatures", "death"],
)
def test_a_roll_over_ends_once_nothing_more_goes_wrong(world: World) -> None:
    """From any state, however it came about: what was asked for is done, and nothing is left to move."""
    found = stranded(replace(world, notes=Notes()), limit=3000)
    assert not found.wrong, found.wrong
    assert found.states >= 1000


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_the_search_finds_what_a_broken_rule_does(mutation: Mutation) -> None:
    """Each rule is there for a reason: without it something is found that must not be, and with it nothing is."""
    found = search(replace(mutation.world, rules=mutation.rules, notes=Notes()))
    assert found.wrong, f"{found.states} states, and nothing wrong"
    assert found.way


def test_the_world_catches_a_program_that_never_ends_a_roll_over() -> None:
    """The twin of what says that roll-overs end: one that never publishes the next key does not."""
    assert stranded(World(rules=Rules(scene=Idle), faults=0), limit=1000).wrong
