"""Changes through drivers that keep less than they promise: nothing of anybody else's is lost without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dnsbroker.errors import Conflict, ProviderError, ProviderUnavailable, RecordRejected
from dnsbroker.records import Add, Record
from lexicon_shelf import NAME, SECRET, ZONE, Shelf, add, apply, remove, standing, swap


def fails(*what: str, error: Callable[[], Exception] = lambda: Exception("no")) -> Callable[[str], None]:
    """Raise before each write whose description is among ``what``."""

    def check(write: str) -> None:
        if write in what:
            raise error()

    return check


def shelf_with(*values: str, **faults: object) -> Shelf:
    shelf = Shelf(**faults)  # type: ignore[arg-type]  # as the test says them
    for value in values:
        shelf.plant(value)
    return shelf


# What is ours, and what is not


def test_only_what_is_missing_is_created() -> None:
    """A second time nothing is written at all."""
    shelf = shelf_with("foreign", "ours")
    receipt = apply(shelf, add("ours"), add("more"), add("more"))
    assert (receipt.changed, receipt.atomic, receipt.serial) == (True, True, None)
    assert shelf.written == ["create more"]
    assert not apply(shelf, add("ours"), add("more")).changed
    assert shelf.written == ["create more"]


def test_several_records_do_not_appear_together() -> None:
    """The receipt says so."""
    assert not apply(Shelf(), add("a"), add("b")).atomic


@pytest.mark.parametrize("strange", ["OURS", "ours2", "our", " ours", "ours "])
def test_a_value_that_is_nearly_ours_stays(strange: str) -> None:
    """Neither taken for ours when adding nor when removing."""
    shelf = shelf_with(strange)
    assert apply(shelf, add("ours")).changed
    assert apply(shelf, remove("ours")).changed
    assert shelf.values() == [strange]


def test_every_record_of_ours_goes() -> None:
    """Some services keep the same value twice; in whichever form they show it."""
    shelf = shelf_with("ours", '"ours"', "foreign")
    assert apply(shelf, remove("ours")).changed
    assert shelf.values() == ["foreign"]


@pytest.mark.parametrize("name", ["_acme-challenge.ex" + ZONE, f"x{NAME}", f"a.{NAME}", ZONE, f"{ZONE}{ZONE}"])
def test_what_stands_at_another_name_is_not_ours(name: str) -> None:
    """Also where the driver lists everything, and one name ends like the other."""
    shelf = Shelf()
    shelf.plant("ours", name)
    shelf.plant("ours", type="CAA")
    assert not apply(shelf, remove("ours")).changed
    assert apply(shelf, add("ours")).changed


def test_names_relative_to_the_zone_are_understood() -> None:
    """As some drivers show them; the apex is empty or an at sign."""
    relative = Shelf(shows=lambda name: name.removesuffix(ZONE).rstrip(".") or "@")
    relative.plant("apex", ZONE)
    relative.plant("ours")
    assert standing(relative).values == {"ours"}
    assert standing(relative, ZONE).values == {"apex"}


def test_a_new_record_takes_the_ttl_of_those_beside_it() -> None:
    """RFC 2181 section 5.2; where there are none, the one that was asked for."""
    shelf = shelf_with("foreign")
    apply(shelf, add("ours", ttl=5), add("other", f"a.{ZONE}", ttl=7))
    assert {held.content: held.ttl for held in shelf.records} == {"foreign": 3600, "ours": 3600, "other": 7}


# Ids that are none


def test_an_id_that_all_records_of_a_name_share_is_not_used() -> None:
    """Deleting by it would take the foreign one along."""
    shelf = shelf_with("foreign", "ours", ids=lambda held: held.name)
    apply(shelf, remove("ours"))
    assert shelf.values() == ["foreign"]


@pytest.mark.parametrize("id", ["_acme-challenge", "_acme-challenge.example.org"])
def test_an_id_that_is_the_name_is_not_used(id: str) -> None:
    """Not even where our record is alone in the list: what has another type may stand at the name."""
    shelf = shelf_with("ours", ids=lambda held: id)
    shelf.plant("foreign", type="CAA")
    apply(shelf, remove("ours"))
    assert [held.content for held in shelf.records] == ["foreign"]


def test_an_id_that_holds_a_value_with_a_slash_is_not_used() -> None:
    """A driver that takes it apart at slashes finds another record."""
    shelf = shelf_with("a", "a/b", ids=lambda held: f"TXT/{held.name}={held.content.split('/')[0]}/x/a/b")
    apply(shelf, remove("a/b"))
    assert shelf.values() == ["a"]


# Drivers that replace


def test_a_driver_that_replaces_what_others_have_is_a_conflict() -> None:
    """The error names what is to be put back, and ours is taken out again."""
    shelf = shelf_with("foreign", "also foreign", one_each=True)
    with pytest.raises(Conflict, match="lost values of somebody else") as caught:
        apply(shelf, add("ours"))
    assert "also foreign, foreign" in caught.value.hint
    assert caught.value.found == ("ours",)
    assert shelf.values() == []


def test_a_value_that_vanishes_beside_a_removal_is_a_conflict() -> None:
    """The same, without anything to take back."""
    shelf = shelf_with("foreign", "ours", ids=lambda held: 7 if held.content == "ours" else 8)
    shelf.raises = lambda _: shelf.records.clear()
    with pytest.raises(Conflict, match="lost values of somebody else"):
        apply(shelf, remove("ours"))


def test_a_driver_that_keeps_one_value_fails_for_two() -> None:
    """Apex and wildcard: worth another try, for all it knows, and the hint says what it may be."""
    with pytest.raises(ProviderUnavailable, match="does not show at _acme-challenge") as caught:
        apply(Shelf(one_each=True), add("apex"), add("wildcard"))
    assert "one value at a name only" in caught.value.hint


def test_a_list_that_is_late_is_worth_another_try() -> None:
    """And the next one finds that all is done."""
    shelf = Shelf(late=2)
    with pytest.raises(ProviderUnavailable) as caught:
        apply(shelf, add("ours"))
    assert caught.value.transient
    assert not apply(shelf, add("ours")).changed
    assert shelf.values() == ["ours"]


# Failing in the middle


def test_what_was_created_before_a_failure_is_taken_back() -> None:
    """So that an error means that nothing was made."""
    shelf = shelf_with("foreign", raises=fails("create b"))
    with pytest.raises(RecordRejected, match=r"shelf refuses _acme-challenge\.example\.org\. TXT: no") as caught:
        apply(shelf, add("other", f"a.{ZONE}"), add("a"), add("b"))
    assert caught.value.detail == "no"
    assert not caught.value.nothing_done  # a list that is late would not have shown it either
    assert [held.content for held in shelf.records] == ["foreign"]


def test_what_cannot_be_taken_back_is_said() -> None:
    """Then nothing is known: the caller comes back for it."""
    shelf = Shelf(raises=fails("create b", "delete a"))
    with pytest.raises(ProviderUnavailable, match="could not be taken back"):
        apply(shelf, add("a"), add("b"))


def test_what_could_not_be_deleted_takes_back_what_was_created() -> None:
    """The old value is still there, the new one is not."""
    shelf = shelf_with("old", raises=fails("delete old"))
    with pytest.raises(RecordRejected):
        apply(shelf, remove("old"), add("new"))
    assert shelf.values() == ["old"]


def test_a_service_that_is_gone_is_left_alone() -> None:
    """Whether a change was made is not known; nothing more is tried."""
    shelf = Shelf(raises=fails("create b", error=lambda: ConnectionError("gone")))
    with pytest.raises(ProviderUnavailable, match="gone"):
        apply(shelf, add("a"), add("b"))
    assert shelf.values() == ["a"]


def test_a_driver_that_says_no_without_a_reason_is_believed() -> None:
    """When it creates and when it deletes."""
    shelf = shelf_with("ours", refuses=True)
    with pytest.raises(RecordRejected, match="was not created"):
        apply(shelf, add("new"))
    with pytest.raises(RecordRejected, match="was not deleted"):
        apply(shelf, remove("ours"))


def test_a_driver_s_own_defect_is_no_traceback() -> None:
    """The error says whose it is."""
    shelf = Shelf(raises=fails("create ours", error=lambda: KeyError("rrset")))
    with pytest.raises(ProviderError, match="its driver failed with KeyError: 'rrset'"):
        apply(shelf, add())


# Swapping


def test_a_swap_creates_before_it_deletes() -> None:
    """So that the RRset is never empty."""
    shelf = shelf_with("old")
    assert apply(shelf, swap(["old"], ["new"])).changed
    assert shelf.written == ["create new", "delete old"]
    assert shelf.values() == ["new"]


def test_a_swap_that_finds_something_else_writes_nothing() -> None:
    """Nor do its neighbours."""
    shelf = shelf_with("foreign")
    with pytest.raises(Conflict, match="is not what the change expects") as caught:
        apply(shelf, add("x", f"a.{ZONE}"), swap(["old"], ["new"]))
    assert shelf.written == []
    assert caught.value.nothing_done


def test_a_stranger_who_writes_during_a_swap_is_seen() -> None:
    """Once the old values are gone, ours stay."""
    shelf = shelf_with("old")
    shelf.raises = lambda write: shelf.plant("strange") if write.startswith("delete") else None
    with pytest.raises(Conflict, match="got other values meanwhile"):
        apply(shelf, swap(["old"], ["new"]))
    assert sorted(shelf.values()) == ["new", "strange"]


def test_a_value_that_is_none_is_refused_before_anything_is_written() -> None:
    """As our error."""
    shelf = Shelf()
    with pytest.raises(RecordRejected, match="not hex"):
        apply(shelf, add(), Add(Record(f"_443._tcp.{ZONE}", "TLSA", "3 1 1 xyz"), 5))
    assert shelf.written == []


def test_no_error_holds_a_secret() -> None:
    """Neither as it is nor as it stands in a URL, in no part of the error, and in none that led to it."""
    texts = [f"token {SECRET}!", "https://api.example/?t=s3cret%2F%2Bvalue"]
    for text in texts:
        shelf = Shelf(raises=fails("create ours", error=lambda text=text: ValueError(text)))  # type: ignore[misc]
        with pytest.raises(RecordRejected) as caught:
            apply(shelf, add())
        error = caught.value
        assert "***" in str(error)
        assert "s3cret" not in f"{error} {error.hint} {error.fields()} {error.__cause__} {error.__context__}"
