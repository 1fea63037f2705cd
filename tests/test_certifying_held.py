"""Certificates under TLSA records: which key they get, which of them wait, and what becomes of those that waited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from authority import Authority
from covering_dane import WAIT, CoveringDane
from dnsbroker import keys
from dnsbroker.cli.certificates import result_of
from dnsbroker.errors import Held, KeyGuarded, LookupFailed, StoreError
from dnsbroker.guarding import Guarded
from rolled_house import NAME, OWNER, House, rolled_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """With a live certificate."""
    with rolled_house(tmp_path / "state") as made:
        yield made


def guarded(found: Guarded) -> Callable[[CoveringDane], None]:
    """Has the guard find this."""

    class Said:
        async def look(self, *_: object) -> tuple[Guarded, ...]:
            return (found,)

    return lambda dane: setattr(dane.run, "guard", Said())


class TestKeys:
    """Which key the next certificate is for."""

    def test_a_renewal_has_the_next_key_once_that_may_be_used(self, house: House) -> None:
        """And then there is another next one."""
        coming = house.next_key()
        house.later(days=62)
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == coming
        assert house.next_key() not in ("", coming)

    def test_a_next_key_that_caches_may_not_know_is_not_used(self, house: House) -> None:
        """The present one is, which changes nothing in DNS; why is told."""
        present, coming = house.live().leaf.spki_sha256, house.next_key()
        house.later(days=62)
        house.known[coming] = house.clock.now().timestamp()
        assert house.renew().status == "issued"
        assert house.warnings[0].startswith("the present key is used again: caches may not know it yet (not before")
        assert (house.live().leaf.spki_sha256, house.next_key()) == (present, coming)

    def test_a_plan_says_which_key_it_will_be(self, house: House) -> None:
        """And why it is the present one."""
        house.later(days=62)
        assert house.renew(dry_run=True).reason.endswith(", with the next key")
        house.known[house.next_key()] = house.clock.now().timestamp()
        planned = house.renew(dry_run=True)
        assert planned.reason.endswith(", with the present key: caches may not know it yet")
        house.settings = {"key_rotation": "never"}
        assert house.renew(dry_run=True).reason.endswith(", with the present key")

    @pytest.mark.parametrize(("owner", "is_kept"), [(OWNER, False), (f"_443._tcp.{NAME}.", True)])
    def test_a_record_that_is_looked_after_holds_no_key_and_another_does(
        self, house: House, owner: str, is_kept: bool
    ) -> None:
        """The guard has nothing to say of the one, and all of the other."""
        present, coming = house.live().leaf.spki_sha256, house.next_key()
        house.settings = {"tlsa_guard": True}
        house.later(days=62)
        house.dane = guarded(Guarded(owner, f"smtp://{NAME}", ("3 1 1 00",), by_key=("3 1 1 00",)))
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == (present if is_kept else coming)

    def test_a_key_that_was_asked_for_and_is_guarded_is_not_ordered_in_every_run(self, house: House) -> None:
        """Nothing is, for with the present key nothing of what was asked for would be done; a person hears of it."""
        found = Guarded(f"_443._tcp.{NAME}.", f"https://{NAME}", ("3 1 1 00",), by_key=("3 1 1 00",))
        house.settings, house.dane = {"tlsa_guard": True}, guarded(found)
        house.progress(is_asked=True)
        for _ in range(2):
            outcome = house.renew()
            assert outcome.status == "failed" and isinstance(outcome.error, KeyGuarded)
        assert house.orders == 1
        assert house.progress().objections == (outcome.reason,)
        house.dane = lambda _: None
        assert house.renew().status == "issued" and house.orders == 2

    def test_what_is_due_is_renewed_with_the_guarded_key_though_another_was_asked_for(self, house: House) -> None:
        """The negative twin: no certificate ends for it."""
        present = house.live().leaf.spki_sha256
        found = Guarded(f"_443._tcp.{NAME}.", f"https://{NAME}", ("3 1 1 00",), by_key=("3 1 1 00",))
        house.settings, house.dane = {"tlsa_guard": True}, guarded(found)
        house.progress(is_asked=True)
        house.later(days=62)
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == present and house.orders == 2

    def test_where_nobody_can_say_the_present_key_is_used(self, house: House) -> None:
        """A failure to look keeps no certificate from being renewed; its chain is that of before."""
        present = house.live().leaf.spki_sha256
        house.later(days=62)

        def fails(dane: CoveringDane) -> None:
            async def nobody(*_: object) -> None:
                raise LookupFailed("no server answered", name=NAME)

            dane.key_gate = nobody  # type: ignore[method-assign,assignment] # it fails

        house.dane = fails
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == present

    def test_a_new_key_by_force_waits_rather_than_taking_the_old_one(self, house: House) -> None:
        """Status 5; with the old one nothing of what was asked for would be done, and no order is opened for it."""
        house.known[house.next_key()] = house.clock.now().timestamp()
        outcome, orders = house.renew(NAME, force=True, new_key=True), house.orders
        assert outcome.status == "held" and isinstance(outcome.error, Held)
        assert outcome.error.until == house.clock.now() + timedelta(seconds=WAIT)
        assert result_of([outcome], named=True).status == 5
        assert house.orders == orders == 1

    def test_another_kind_of_key_waits_for_one_that_is_published(self, house: House) -> None:
        """The next key of the kind before is given up; once its successor may be used it is."""
        house.settings = {"key_type": "ecdsa-p384"}
        before = house.next_key()
        outcome = house.renew(NAME)
        assert outcome.status == "held" and "keeps its present key" in outcome.reason
        assert house.next_key() not in ("", before) and house.orders == 1
        house.later(seconds=WAIT)
        assert house.renew().status == "issued"
        assert house.live().leaf.key_type == "ecdsa-p384"

    def test_with_old_records_standing_the_present_key_is_used(self, house: House) -> None:
        """The roll-over before is not over."""
        present = house.live().leaf.spki_sha256
        house.later(days=62)
        house.dane = lambda dane: setattr(dane, "old", True)
        house.renew()
        assert house.live().leaf.spki_sha256 == present
        assert "records of the key before it still stand" in house.warnings[0]


class TestWaiting:
    """What is issued and may not be served."""

    def hold(self, house: House) -> None:
        """Have a renewal come from a CA that no record names yet."""
        house.later(days=62)
        house.ca.authority = Authority("other")
        house.dane = lambda dane: setattr(dane, "is_issuer_known", False)
        outcome = house.renew()
        assert outcome.status == "held" and isinstance(outcome.error, Held), outcome
        assert result_of([outcome], named=False).status == 5

    def test_what_records_do_not_cover_waits_and_the_old_one_stays(self, house: House) -> None:
        """Status 5, since it was due; its records are published, and it is not ordered again."""
        before = house.live().serial
        self.hold(house)
        assert house.live().serial == before and house.is_held()
        assert house.renew().status == "held" and house.orders == 2

    def test_it_goes_live_once_records_cover_it(self, house: House) -> None:
        """By a later run, which asks no CA."""
        self.hold(house)
        house.dane = lambda _: None
        outcome = house.renew()
        assert (outcome.status, house.orders) == ("issued", 2)
        assert house.live().serial == outcome.certificate.serial if outcome.certificate else False
        assert not house.is_held()

    def test_near_the_end_it_goes_live_loudly_where_its_key_is_covered(self, house: House) -> None:
        """Conforming clients accept it."""
        self.hold(house)
        house.later(days=20)
        assert house.renew().status == "issued"
        assert any("some clients may refuse it" in told for told in house.warnings)

    def test_near_the_end_one_whose_key_is_not_covered_is_given_up(self, house: House) -> None:
        """And one for the present key is had instead: never an uncovered one."""
        present = house.live().leaf.spki_sha256
        self.hold(house)
        house.later(days=20)
        house.known[house.next_key()] = house.clock.now().timestamp()
        house.dane = lambda _: None
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == present and house.orders == 3
        assert any("given up, since time runs out" in told for told in house.warnings)

    def test_with_time_left_it_is_not_given_up(self, house: House) -> None:
        """The negative twin."""
        self.hold(house)
        house.known[house.next_key()] = house.clock.now().timestamp()
        assert house.renew().status == "held" and house.is_held()

    def test_names_that_changed_make_another_one_of_it(self, house: House) -> None:
        """What waited is given up, and another one is ordered."""
        self.hold(house)
        house.settings = {"names": [NAME, f"www.{NAME}"]}
        house.dane = lambda _: None
        assert house.renew().status == "issued"
        assert house.live().names == (NAME, f"www.{NAME}") and house.orders == 3

    def test_a_plan_says_that_one_waits_and_leaves_it(self, house: House) -> None:
        """No record is written for a plan."""
        self.hold(house)
        outcome = house.renew(dry_run=True)
        assert outcome.status == "held" and "not live yet" in outcome.reason and outcome.error is None
        assert house.last is not None and house.last.brought == []

    def test_a_given_key_waits_as_well(self, house: House, tmp_path: Path) -> None:
        """It is published for that, and goes live by a later renew."""
        key_pem = keys.generate("ecdsa-p256")
        (tmp_path / "key.pem").write_text(key_pem)
        outcome = house.renew(NAME, force=True, key=tmp_path / "key.pem")
        assert outcome.status == "held" and keys.spki_sha256_of(key_pem) in house.known
        house.later(seconds=WAIT)
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == keys.spki_sha256_of(key_pem)

    def test_a_wish_without_force_gives_up_nothing_that_waits(self, house: House) -> None:
        """None is due, so that none is ordered in its place; the twin orders, and gives it up."""
        house.settings = {"key_rotation": "never"}
        house.dane = lambda dane: setattr(dane, "is_issuer_known", False)
        assert house.renew(NAME, force=True).status == "held"
        assert house.renew(NAME, new_key=True).status == "held"
        assert house.is_held() and house.orders == 2
        house.renew(NAME, new_key=True, force=True)
        assert house.orders == 3

    def test_one_for_another_key_than_was_asked_for_is_thrown_away(self, house: House) -> None:
        """The old one stays, and the next run orders anew instead of fetching it again."""
        before = house.live().serial
        house.later(days=62)
        house.ca.wrong_key = keys.generate("ecdsa-p256")
        outcome = house.renew(NAME)
        assert outcome.status == "failed" and "another key than the one" in outcome.reason
        assert house.live().serial == before and not house.is_held()
        house.ca.wrong_key = ""
        assert house.renew(NAME).status == "issued"
        assert house.orders == 3


class TestAfterwards:
    """A deployment that does harm."""

    def test_what_a_service_cannot_serve_is_taken_back(self, house: House) -> None:
        """The certificate of before is live and deployed again, and no other is ordered before somebody looks."""
        before = house.live().serial
        house.later(days=62)

        def dies(dane: CoveringDane) -> None:
            live = dane.run.store.load(NAME)
            bring = dane.bring

            async def looked(*arguments: object, **more: object) -> object:
                now = dane.run.store.load(NAME)
                assert live is not None and now is not None
                dane.worse = now.serial if now.serial != before else ""
                return await bring(*arguments, **more)  # type: ignore[arg-type] # as it was called

            dane.bring = looked  # type: ignore[method-assign,assignment] # it looks like one

        house.dane = dies
        outcome = house.renew()
        assert outcome.status == "failed" and result_of([outcome], named=True).status == 7
        assert house.live().serial == before
        refused = house.progress().refused
        assert refused not in ("", before)
        house.dane = lambda _: None
        again = house.renew(NAME)
        assert again.status == "failed" and "taken back" in again.reason and house.orders == 2
        assert house.renew(NAME, force=True).status == "issued"

    def test_a_service_that_comes_back_late_is_waited_for(self, house: House) -> None:
        """The negative twin: it is looked at for a while before anything is taken back."""
        house.later(days=62)
        looks: list[int] = []

        def late(dane: CoveringDane) -> None:
            bring = dane.bring

            async def looked(*arguments: object, **more: object) -> object:
                looks.append(1)
                live = dane.run.store.load(NAME)
                dane.worse = live.serial if live is not None and len(looks) == 2 else ""
                return await bring(*arguments, **more)  # type: ignore[arg-type] # as it was called

            dane.bring = looked  # type: ignore[method-assign,assignment] # it looks like one

        house.dane = late
        assert house.renew().status == "issued"
        assert house.progress().refused == ""


def test_a_trouble_with_records_is_the_run_s_and_no_other_certificate_s(house: House) -> None:
    """It is kept with the outcome: status 1."""
    house.dane = lambda dane: setattr(dane, "trouble", LookupFailed("no server answered", name=NAME))
    outcome = house.renew()
    assert outcome.status == "kept" and outcome.uncovered is not None
    assert result_of([outcome], named=False).status == 1


def test_a_failure_of_all_records_at_once_is_no_failure_of_the_run(house: House) -> None:
    """What was obtained meanwhile is told; the error is with the certificate whose records they are."""

    def broken(dane: CoveringDane) -> None:
        async def fails(*_: object, **__: object) -> None:
            raise StoreError("the journal cannot be written", path="state.db")

        dane.bring = fails  # type: ignore[method-assign,assignment] # it fails

    house.dane = broken
    house.later(days=62)
    outcome = house.renew()
    assert outcome.status == "issued" and outcome.uncovered is not None
    assert "journal" in outcome.uncovered.message


def test_one_that_nobody_is_late_with_is_no_failure(house: House) -> None:
    """What a person asked for and nothing else, and that waits, is status 0 for a timer; due it would be 5."""
    house.ca.authority = Authority("other")
    house.dane = lambda dane: setattr(dane, "is_issuer_known", False)
    house.progress(is_asked=True)
    outcome = house.renew()
    assert outcome.status == "held" and house.is_held()
    assert result_of([outcome], named=False).status == 0
    house.later(days=62)
    assert result_of([house.renew()], named=False).status == 5


def test_what_changes_nothing_goes_live_in_time_though_nobody_answers(house: House) -> None:
    """The present key under the present CA; before time presses it waits for an answer."""
    house.settings = {"key_rotation": "never"}
    house.later(days=62)

    def silent(dane: CoveringDane) -> None:
        async def nobody(*_: object, **__: object) -> None:
            raise LookupFailed("no server answered", name=NAME)

        dane.chain_gate = nobody  # type: ignore[method-assign,assignment] # it fails

    house.dane = silent
    assert house.renew().status == "held"
    house.later(days=20)
    assert house.renew().status == "issued"
    assert any("goes live unseen" in told for told in house.warnings)


def test_without_a_table_nobody_asks_about_records(house: House) -> None:
    """Nothing is brought, and new keys are made as ever."""
    house.tables = []
    coming = house.next_key()
    house.later(days=62)
    assert house.renew().status == "issued"
    assert house.last is not None and house.last.brought == []
    assert house.live().leaf.spki_sha256 != coming
