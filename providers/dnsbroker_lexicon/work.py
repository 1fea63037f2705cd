"""The changes made through an opened driver, one record after another, and proved.

Rule: what stands is listed before and after, and the list after is the proof. Creating comes before deleting, so that
an RRset is never empty in between. Where a write fails, what this call has created is taken back; where even that
fails, it is said that nothing is known. That nothing was done is said of what fails before the first write alone: a
driver may need several requests for one record, and fail after that which made it. Everything in here blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from dnsbroker.errors import NameInvalid, ProviderError, ProviderUnavailable, RateLimited
from dnsbroker.records import Change, Receipt, RRset
from dnsbroker_lexicon.calls import Late
from dnsbroker_lexicon.driver import Driver
from dnsbroker_lexicon.plan import Edit, Mismatch, Place, Standing, place_of, plan
from dnsbroker_lexicon.refusals import Blame, shown, unsent

T = TypeVar("T")


def read(driver: Driver, place: Place, blame: Blame) -> RRset | None:
    """What stands at ``place``. Raises ProviderError."""
    return _standing(driver, place, blame).rrset()


def apply(driver: Driver, changes: Sequence[Change], blame: Blame) -> Receipt:
    """Make ``changes`` and prove them. Raises ProviderError."""
    with unsent():
        edits = _planned(driver, changes, blame)
    to_undo = edits
    try:
        for edit in edits:
            _create(driver, edit, blame)
        # Once its old values are gone, a whole RRset is better left with the new ones than with none.
        to_undo = tuple(edit for edit in edits if not edit.is_whole)
        for edit in edits:
            _delete(driver, edit, blame)
        for edit in edits:
            _prove(driver, edit, blame)
    except ProviderError as error:
        raise _taken_back(driver, to_undo, error, blame) from None
    count = sum(len(edit.missing) + len(edit.surplus) for edit in edits)
    return Receipt(changed=count > 0, atomic=count < 2)


def _planned(driver: Driver, changes: Sequence[Change], blame: Blame) -> tuple[Edit, ...]:
    places = dict.fromkeys(place_of(change) for change in changes)
    standing = {place: _standing(driver, place, blame) for place in places}
    try:
        return plan(changes, standing)
    except Mismatch as error:
        raise blame.mismatch(error) from None
    except NameInvalid as error:
        raise blame.unusable(str(error), error.hint) from None


def _standing(driver: Driver, place: Place, blame: Blame) -> Standing:
    return _asked(lambda: driver.standing(place), blame)


def _create(driver: Driver, edit: Edit, blame: Blame) -> None:
    place = edit.before.place
    for value in edit.missing:
        _asked(partial(driver.create, place, value, edit.ttl), blame, shown(place))


def _delete(driver: Driver, edit: Edit, blame: Blame) -> None:
    place = edit.before.place
    for record in edit.surplus:
        _asked(partial(driver.delete, place, record), blame, shown(place))


def _asked(call: Callable[[], T], blame: Blame, rrset: str = "") -> T:
    """What ``call`` returns; what it raises becomes a ProviderError, all but Late."""
    try:
        return call()
    except Late:
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise bare exceptions; all of them leave here as ours
        raised = blame.translated(error, rrset)
    raise raised  # outside, so that it does not carry what may hold a secret


def _prove(driver: Driver, edit: Edit, blame: Blame) -> None:
    after = _standing(driver, edit.before.place, blame)
    if edit.lost(after):
        raise blame.lost(edit, after)
    if edit.unmade(after):
        raise blame.unmade(edit, after)
    if edit.strange(after):
        raise blame.strange(edit, after)


def _taken_back(driver: Driver, edits: Sequence[Edit], error: ProviderError, blame: Blame) -> ProviderError:
    """``error``, once nothing that ``edits`` have created stands any more; else that nothing is known."""
    if isinstance(error, ProviderUnavailable | RateLimited):
        return error
    try:
        for edit in edits:
            undone = replace(edit, wanted=frozenset(), unwanted=frozenset(edit.missing), is_whole=False)
            undone = replace(undone, before=_standing(driver, edit.before.place, blame))
            _delete(driver, undone, blame)
            _prove(driver, undone, blame)
    except ProviderError as second:
        message = f"{error.message}; and what was written before it could not be taken back: {second.message}"
        return ProviderUnavailable(
            message, provider=blame.provider, zone=blame.zone, rrset=error.rrset, hint=error.hint
        )
    return error
