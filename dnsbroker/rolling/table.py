"""The roll-over of one certificate's key, as a table: the first row whose condition holds says what is to be done.

::

    STEADY ─▶ PUBLISHED ─▶ PROPAGATED ─▶ RIPE ─▶ ORDERED ─▶ ISSUED ─▶ HELD ─▶ DEPLOYED ─▶ VERIFIED ─▶ RETIRED ─▶ STEADY

Nothing is remembered here: where a roll-over stands follows from what is so, and a run that died is no special case.
Rule: a renewal with the present key is always allowed, and is what is done whenever the next key may not be used yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dnsbroker.rolling.gates import at
from dnsbroker.rolling.situation import Case, Situation, taken_back

__all__ = ["ROWS", "Act", "Move", "Row", "Step", "move"]


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
        return self.step is Step.STEADY and self.act is Act.REST


@dataclass(frozen=True)
class Row:
    """A row of the table: under which condition, what to do, where that is, and the words for people.

    ``until`` says when it goes on by itself, None where that is not a matter of time.
    """

    condition: Callable[[Case], object]
    act: Act
    step: Step
    words: Callable[[Case], str]
    until: Callable[[Case], float | None] = lambda _: None


#: Two halves: what a chain that is there, a demand or the calendar asks for, and where the records stand meanwhile.
ROWS = (
    # what was deployed last does harm
    Row(
        lambda case: (case.is_failing or case.is_live_refused) and case.is_way_back_open,
        Act.ROLL_BACK,
        Step.STUCK,
        lambda case: _failing(case) + "; what was live before is put back",
    ),
    # a chain is there
    Row(
        lambda case: case.is_held_void,
        Act.DISCARD,
        Step.HELD,
        lambda _: "the certificate that is held is for the very key that is not to be used any more",
    ),
    Row(
        lambda case: case.held_gate.is_open,
        Act.GO_LIVE,
        Step.ISSUED,
        lambda _: "every set of records that a cache may hold names the new certificate",
    ),
    Row(
        lambda case: case.situation.is_emergency and case.is_held_key_everywhere,
        Act.GO_LIVE_LOUDLY,
        Step.ISSUED,
        lambda case: f"the present key is not to be used any longer, although {_held(case)}",
    ),
    Row(
        lambda case: case.situation.is_pressing and case.loud_gate.is_open,
        Act.GO_LIVE_LOUDLY,
        Step.ISSUED,
        lambda case: f"the live certificate ends soon, and the new key is covered, although {case.held_gate.reason}",
    ),
    Row(
        lambda case: case.is_held_hopeless,
        Act.DISCARD,
        Step.HELD,
        lambda case: f"the live certificate ends soon, and the new one has to wait: {case.held_gate.reason}",
    ),
    Row(
        lambda case: case.situation.is_emergency and case.unfollowed,
        Act.REST,
        Step.HELD,
        lambda case: (
            f"the new key has to wait for silent name servers that never had its record: {case.unfollowed}; "
            "where one is gone for good, take it out of the delegation"
        ),
    ),
    Row(
        lambda case: case.situation.held,
        Act.REST,
        Step.HELD,
        lambda case: case.held_gate.reason,
        lambda case: case.held_gate.opens_at,
    ),
    # a person is needed
    Row(
        lambda case: case.situation.refused and not case.is_left_to_person and not case.situation.is_key_barred,
        Act.ORDER_PRESENT,
        Step.STUCK,
        lambda _: "the live certificate ends soon, and its successor was taken back: once more, with this key",
    ),
    Row(
        lambda case: case.is_live_refused and case.is_left_to_person,
        Act.REST,
        Step.STUCK,
        lambda case: (
            f"the certificate {case.situation.refused} breaks the service, and is not taken back yet; "
            "`dnsbroker tlsa advance` does it, if there is what may be served instead"
        ),
    ),
    Row(
        lambda case: case.is_left_to_person,
        Act.REST,
        Step.STUCK,
        lambda case: f"{taken_back(case.situation.refused)}; look why, then ask for a roll-over again",
    ),
    # a certificate is to be ordered
    Row(
        lambda case: case.is_renewal_due and not case.situation.live,
        Act.ORDER_PRESENT,
        Step.UNPUBLISHED,
        lambda _: "there is no certificate yet",
    ),
    Row(
        lambda case: case.is_stageable and not case.situation.next,
        Act.STAGE,
        Step.STAGED,
        lambda _: "the next key is made",
    ),
    Row(
        lambda case: case.is_stageable and case.situation.is_emergency and case.key_gate.is_open,
        Act.ORDER_NEXT,
        Step.RIPE,
        lambda _: "the present key is not to be used any longer, and the next one is ripe",
    ),
    Row(
        lambda case: case.is_stageable and case.situation.is_emergency,
        Act.ORDER_NEXT,
        Step.PUBLISHED,
        lambda case: (
            f"the present key is not to be used any longer, although the next one is not ripe: {case.key_gate.reason}"
        ),
    ),
    Row(
        lambda case: case.is_stageable and case.is_renewal_due and case.situation.is_key_barred,
        Act.ORDER_NEXT,
        Step.PUBLISHED,
        lambda _: (
            "the present key was revoked as compromised; what is issued for the next one waits until it may be used"
        ),
    ),
    Row(
        lambda case: case.is_stageable and case.is_new_key_due and case.next_gate.is_open,
        Act.ORDER_NEXT,
        Step.RIPE,
        lambda _: "the next key is ripe: every set of records that a cache may hold names it",
    ),
    Row(
        lambda case: case.is_renewal_due and case.is_new_key_due,
        Act.ORDER_PRESENT,
        Step.PROPAGATED,
        lambda case: f"a renewal keeps the present key, for the next one has to wait: {case.next_gate.reason}",
        lambda case: case.key_gate.opens_at,
    ),
    Row(
        lambda case: case.is_renewal_due,
        Act.ORDER_PRESENT,
        Step.STEADY,
        lambda _: "a renewal keeps the present key, which changes nothing in DNS",
    ),
    # nothing to order: where the records stand
    Row(
        lambda case: not case.situation.live,
        Act.REST,
        Step.UNPUBLISHED,
        lambda _: "there is no certificate yet",
    ),
    Row(
        lambda case: case.unpublished,
        Act.REST,
        Step.UNPUBLISHED,
        lambda case: f"no record of it stands at {case.unpublished}",
    ),
    Row(
        lambda case: case.live_lacking,
        Act.REST,
        Step.PUBLISHED,
        lambda case: _missing(case, "the records of what is live are", case.live_lacking),
    ),
    Row(
        lambda case: case.situation.has_old_records and case.situation.unseen,
        Act.REST,
        Step.DEPLOYED,
        lambda case: f"old records stay, for what is served could not be seen at {', '.join(case.situation.unseen)}",
    ),
    Row(
        lambda case: case.situation.has_old_records and case.situation.verified_since is None,
        Act.REST,
        Step.DEPLOYED,
        lambda case: f"old records stay, for {_strange(case)}",
    ),
    Row(
        lambda case: case.situation.has_old_records and case.situation.now < case.old_may_go_at,
        Act.REST,
        Step.VERIFIED,
        lambda case: f"every address serves the live key; old records go from {at(case.old_may_go_at)}",
        lambda case: case.old_may_go_at,
    ),
    Row(
        lambda case: case.situation.has_old_records,
        Act.REST,
        Step.VERIFIED,
        lambda _: "every address serves the live key, and old records are about to go",
    ),
    Row(
        lambda case: case.next_unwritten,
        Act.REST,
        Step.STAGED,
        lambda case: f"the record of the next key is not written at {case.next_unwritten}",
    ),
    Row(
        lambda case: case.next_lacking,
        Act.REST,
        Step.PUBLISHED,
        lambda case: _missing(case, "the record of the next key is", case.next_lacking),
    ),
    Row(
        lambda case: case.situation.next and not case.key_gate.is_open,
        Act.REST,
        Step.PROPAGATED,
        lambda case: case.key_gate.reason,
        lambda case: case.key_gate.opens_at,
    ),
    Row(
        lambda case: case.is_stageable and case.situation.is_asked,
        Act.REST,
        Step.RIPE,
        lambda _: "the next key is ripe, and is used once the present certificate is renewed",
    ),
    Row(
        lambda _: True,
        Act.REST,
        Step.STEADY,
        lambda case: _steady(case),
    ),
)


def move(situation: Situation, rows: Sequence[Row] = ROWS) -> Move:
    """The next move: the first row of the table that fits."""
    case = Case(situation)
    row = next(row for row in rows if row.condition(case))
    return Move(row.act, row.step, row.words(case), row.until(case))


def _held(case: Case) -> str:
    """Why what is held is not covered everywhere, and who may refuse it."""
    told, silent = case.held_gate.reason, case.unanswered
    if not silent:
        return told
    named = told if silent in told else f"{told}; {silent}"
    return f"{named}; what a silent one may give out refuses the new key until it follows"


def _missing(case: Case, what: str, owners: str) -> str:
    silent = case.unanswered
    return (
        f"{what} not seen on every name server: {silent}" if silent else f"{what} not on every name server for {owners}"
    )


def _strange(case: Case) -> str:
    its = case.situation
    if not its.strange:
        return "no address is known that is to serve the live key"
    again = "`dnsbroker deploy`" if its.is_ordered_here else "`dnsbroker tlsa advance`"
    told = "; ".join(its.strange)
    return f"not every address serves the live key, and no other: {told}; reload what serves there, then {again}"


def _steady(case: Case) -> str:
    its = case.situation
    if not its.sites:
        return "no record of it stands, and none is to"
    which = "the present key and of the next one" if its.next else "the present key"
    return f"the records of {which} are on every name server"


def _failing(case: Case) -> str:
    lost = ", ".join(case.situation.lost)
    if not case.is_failing:
        return f"the certificate {case.situation.refused} broke the service"
    return f"nothing answers any more at {lost}" if lost else "an address serves what no record names"
