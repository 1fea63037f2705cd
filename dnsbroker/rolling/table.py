"""The roll-over of one certificate's key, as a table: the first row whose condition holds says what is to be done.

::

    STEADY ─▶ PUBLISHED ─▶ PROPAGATED ─▶ RIPE ─▶ ORDERED ─▶ ISSUED ─▶ HELD ─▶ DEPLOYED ─▶ VERIFIED ─▶ RETIRED ─▶ STEADY

Nothing is remembered here: where a roll-over stands follows from what is so, and a run that died is no special case.
Rule: a renewal with the present key is always allowed, and is what is done whenever the next key may not be used yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dnsbroker.rolling.memory import Memory
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind


class Step(StrEnum):
    """Where a roll-over stands."""

    STEADY = "steady"  # the present key and the next one are covered, and nothing is asked for
    STAGED = "staged"  # the next key is made, and its record is not written yet
    PUBLISHED = "published"  # its record is written, and not everywhere yet
    PROPAGATED = "propagated"  # it is everywhere, and caches may hold a set without it
    RIPE = "ripe"  # it may be ordered for, and is about to be
    ISSUED = "issued"  # a chain is there and may go live
    HELD = "held"  # a chain is there, and a cache may hold a set that does not cover it
    DEPLOYED = "deployed"  # the new key is live, and not seen everywhere yet
    VERIFIED = "verified"  # every address of ours serves it; the old records have a moment more
    UNPUBLISHED = "unpublished"  # no record of ours stands yet
    STUCK = "stuck"  # a person is needed; the reason says why


class Act(StrEnum):
    """What is to be done about one certificate."""

    REST = "rest"  # nothing, until the moment given
    STAGE = "stage"  # make the next key
    ORDER_NEXT = "order_next"  # order a certificate for the next key
    ORDER_PRESENT = "order_present"  # order one for the present key
    GO_LIVE = "go_live"  # put the chain that is held in the place of the live one
    GO_LIVE_LOUDLY = "go_live_loudly"  # the same, although a kind that names a CA is not covered: time runs out
    DISCARD = "discard"  # give the chain up that is held: it can never go live
    ROLL_BACK = "roll_back"  # put the chain that was live before in its place again


@dataclass(frozen=True)
class Site:
    """One owner name whose records speak of the certificate: its ``kinds``, what is remembered of it, how long to wait.

    ``min_wait`` is in seconds.
    """

    owner: str
    kinds: tuple[Kind, ...]
    memory: Memory
    min_wait: float = 3600.0


@dataclass(frozen=True)
class Situation:
    """All that is known of one certificate whose records are looked after; moments are seconds since the epoch.

    Attributes:
        now: the moment.
        live: what its daemons are to serve; None where there is nothing yet.
        next: the key that comes next (a Presented without authorities); None where none is made.
        held: a chain that is issued, and not live.
        is_due: whether a new certificate is to be ordered.
        is_new_key_wanted: whether that, or somebody, asks for a new key.
        is_asked: whether somebody asked for a new key to be used as soon as may be.
        is_emergency: whether the present key is not to be used a moment longer than need be.
        is_pressing: whether the live certificate ends soon.
        is_ordered_here: whether certificates are ordered by this program; another client's are not.
        served: the chains seen at the certificate's own addresses.
        unseen: those addresses at which nothing could be seen, in words.
        verified_since: since when all its own addresses are seen serving nothing but the live key.
        has_old_records: whether records of ours name keys that are live, next or held no more.
        grace: how long old records stay once the new key is verified (seconds).
        sites: the owner names.
    """

    now: float
    live: Presented | None
    next: Presented | None = None
    held: Presented | None = None
    is_due: bool = False
    is_new_key_wanted: bool = False
    is_asked: bool = False
    is_emergency: bool = False
    is_pressing: bool = False
    is_ordered_here: bool = True
    served: tuple[Presented, ...] = ()
    unseen: tuple[str, ...] = ()
    verified_since: float | None = None
    has_old_records: bool = False
    grace: float = 60.0
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True)
class Move:
    """What to do now, where the roll-over stands, and why.

    ``until`` (seconds since the epoch) is when it goes on by itself, None where that is not a matter of time, or where
    nothing is left to do. ``reason`` is a sentence for people.
    """

    act: Act
    step: Step
    reason: str
    until: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to move."""
        return self.step is Step.STEADY


def move(situation: Situation) -> Move:
    """The next move: the first row of the table that fits."""
    raise NotImplementedError
