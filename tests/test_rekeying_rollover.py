"""Roll-overs at a person's word: begun, moved on, in an emergency, and refused where they are somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from authority import START, Authority
from covering_dane import WAIT, CoveringDane
from dnsbroker import Broker
from dnsbroker.cli.tlsa_rollover import _result, lines_of
from dnsbroker.due import when_after
from dnsbroker.errors import BrokerError, ConfigError, Held, LookupFailed
from dnsbroker.journal import Attempt
from dnsbroker.rekeying import Rekeyed
from dnsbroker.rekeying.standing import shared
from dnsbroker.revoking import Revocation, Revoked
from dnsbroker.rolling import Answer, Look, Memory, Site, Situation, Step
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made
from rolled_house import NAME, House, rolled_house

OWN, CA = Kind(3, 1, 1), Kind(2, 1, 1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """With a live certificate, and a next key that caches know."""
    with rolled_house(tmp_path / "state") as made:
        yield made


def rollover(house: House, name: str = NAME, *, now: bool = False) -> Rekeyed:
    """``tlsa rollover``."""
    house.told.clear()
    return house.do(lambda broker: broker.dane.rollover(name, now=now))


def advance(house: House) -> tuple[Rekeyed, ...]:
    """``tlsa advance``."""
    house.told.clear()
    return house.do(lambda broker: broker.dane.advance())


def unknown(house: House) -> str:
    """Have the next key published only now; its digest."""
    coming = house.next_key()
    house.known[coming] = house.clock.now().timestamp()
    return coming


async def _failed(broker: Broker) -> Attempt:
    return broker._run.attempts.failed(NAME, BrokerError("the CA is on fire"))


class TestBegun:
    """Without hurry."""

    def test_a_ripe_key_is_used_at_once(self, house: House) -> None:
        """Though nothing is due; what was asked for is done with."""
        coming = house.next_key()
        standing = rollover(house)
        assert standing.is_over and standing.errors == ()
        assert house.live().leaf.spki_sha256 == coming
        assert not house.progress().is_asked and house.orders == 2

    def test_one_that_is_not_is_asked_for(self, house: House) -> None:
        """No order is made, and advance makes it in time; renew would."""
        coming, before = unknown(house), house.live().serial
        rollover(house)
        assert house.live().serial == before and house.orders == 1
        assert house.progress().is_asked and not house.progress().is_emergency
        advance(house)
        assert house.orders == 1
        house.later(seconds=WAIT)
        advance(house)
        assert house.live().leaf.spki_sha256 == coming and house.orders == 2
        advance(house)
        assert house.orders == 2

    def test_renew_goes_on_with_it_as_well(self, house: House) -> None:
        """It is the one command for a timer."""
        coming = unknown(house)
        rollover(house)
        assert house.renew().status == "kept"
        house.later(seconds=WAIT)
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == coming

    def test_what_waits_is_no_failure(self, house: House) -> None:
        """The chain of another CA is held, and goes live by advance, which orders no other."""
        house.ca.authority = Authority("other")
        house.dane = lambda dane: setattr(dane, "is_issuer_known", False)
        before = house.live().serial
        standing = rollover(house)
        assert standing.errors == () and house.live().serial == before and house.is_held()
        house.dane = lambda _: None
        advance(house)
        assert house.live().serial != before and house.orders == 2

    def test_an_order_that_failed_is_told_with_the_time_of_the_next(self, house: House) -> None:
        """The result alone says so; after that time, the twin, it is made."""
        unknown(house)
        rollover(house)
        house.later(seconds=WAIT)
        failed = house.do(_failed)
        (standing,) = advance(house)
        assert (standing.step, standing.until, standing.is_over) == ("ripe", failed.next_try, False)
        (line,) = _result([standing]).lines
        assert "the CA is on fire" in line and line.count(when_after(failed.next_try)) == 1
        house.clock.turn((failed.next_try - house.clock.now()).total_seconds())
        (standing,) = advance(house)
        assert house.orders == 2 and standing.until is None

    def test_advance_orders_nothing_that_is_due(self, house: House) -> None:
        """That is for renew."""
        house.later(days=80)
        advance(house)
        assert house.orders == 1

    def test_what_was_taken_back_is_tried_again(self, house: House) -> None:
        """By the person who has looked."""
        house.progress(refused="abc")
        advance(house)
        assert house.orders == 1
        rollover(house)
        assert house.progress().refused == "" and house.orders == 2

    def test_asking_again_before_old_records_are_gone_asks_for_no_third_key(self, house: House) -> None:
        """Whoever repeats the command until its status is 0 gets one new key."""
        rollover(house)
        house.progress(step="deployed")
        rollover(house)
        assert house.orders == 2

    @pytest.mark.parametrize("step", ["hold_back", "drop_pending", "save", "drop_held_back", "drop_next_key"])
    def test_who_is_cut_off_anywhere_is_gone_on_with(self, house: House, step: str) -> None:
        """With the order and the key that it had: from the open order to what is live and not yet tidied up."""
        coming = house.next_key()

        def cut(dane: CoveringDane) -> None:
            def killed(*_: object) -> None:
                raise asyncio.CancelledError

            setattr(dane.run.store, step, killed)

        house.dane = cut
        with pytest.raises(asyncio.CancelledError):
            rollover(house)
        house.dane = lambda _: None
        advance(house)
        assert house.live().leaf.spki_sha256 == coming and house.orders == 2
        assert not house.is_held() and house.next_key() not in ("", coming)


class TestEmergency:
    """``--now``."""

    def test_a_ripe_key_takes_over_unnoticed(self, house: House) -> None:
        """Until when the old records may be replayed is told; no CA is named while the bad certificate is valid."""
        end, coming = house.live().not_after, house.next_key()
        standing = rollover(house, now=True)
        assert house.live().leaf.spki_sha256 == coming
        assert standing.refused_until is None and standing.replayable_until is not None
        progress = house.progress()
        assert progress.no_authority_until == end.timestamp()
        assert not progress.is_asked and not progress.is_emergency

    def test_an_unripe_one_does_all_the_same_and_that_is_told(self, house: House) -> None:
        """The negative twin: without --now it waits."""
        coming = unknown(house)
        standing = rollover(house, now=True)
        assert house.live().leaf.spki_sha256 == coming
        assert standing.refused_until is not None
        assert standing.refused_until.timestamp() == house.known[coming] + WAIT
        assert any("told" in line or "refuse the new key until" in line for line in _result([standing]).lines)

    def test_who_dies_in_it_is_gone_on_with(self, house: House) -> None:
        """It is written down before anything is done."""
        coming = unknown(house)
        house.progress(is_asked=True, is_emergency=True)
        assert house.renew().status == "issued"
        assert house.live().leaf.spki_sha256 == coming


class TestRefused:
    """What is not rolled over here."""

    def test_what_no_table_speaks_of(self, house: House) -> None:
        """Status 2, with what to do instead."""
        house.tables = []
        with pytest.raises(ConfigError, match="no \\[\\[dane\\]\\] table speaks of") as refused:
            rollover(house)
        assert "--new-key" in refused.value.hint

    def test_what_nobody_knows(self, house: House) -> None:
        """As everywhere."""
        with pytest.raises(ConfigError, match="no certificate 'other"):
            rollover(house, "other.test")

    def test_another_client_s(self, house: House, tmp_path: Path) -> None:
        """With that client's own way, and the page that tells of it."""
        directory = tmp_path / "certs" / NAME
        directory.mkdir(parents=True)
        (directory / "fullchain.pem").write_text("")
        house.settings = {"lineage": str(directory)}
        with pytest.raises(ConfigError, match="dehydrated's") as refused:
            rollover(house)
        assert "PRIVATE_KEY_ROLLOVER" in refused.value.hint and "docs/dehydrated.md" in refused.value.hint

    def test_a_file(self, house: House, tmp_path: Path) -> None:
        """Whoever makes it makes its key."""
        (tmp_path / "some.pem").write_text("")
        with pytest.raises(ConfigError, match="is a file"):
            rollover(house, str(tmp_path / "some.pem"))


class TestResults:
    """What the command says."""

    def test_a_trouble_is_a_failure(self, house: House) -> None:
        """Status 1 for advance; for one certificate it is raised."""
        house.dane = lambda dane: setattr(dane, "trouble", LookupFailed("no server answered", name=NAME))
        result = _result(advance(house))
        assert result.status == 1
        with pytest.raises(BrokerError, match="no server answered"):
            rollover(house)

    def test_while_something_is_left_the_status_is_5(self) -> None:
        """With the earliest moment; what is over is 0."""
        left = Rekeyed(NAME, "propagated", "it may be used later", START)
        result = _result([left, Rekeyed("b", "steady", "well", is_over=True)])
        assert result.status == 5 and result.fields["until"] == "2026-11-01T00:00:00Z"
        assert _result([Rekeyed(NAME, "steady", "well", is_over=True)]).status == 0
        assert _result([]).status == 0 and "no [[dane]] table" in _result([]).lines[0]
        assert _result([Rekeyed(NAME, errors=(BrokerError("the disk is full"),))]).lines == []


def test_a_run_that_finds_a_name_server_silent_names_it(house: House) -> None:
    """With what it said, as a warning: nothing is decided by it alone. The twin has nothing to say."""
    house.dane = lambda dane: dane.silent.update({"192.0.2.2": "answers SERVFAIL"})
    house.renew()
    told = f"{NAME}: not every name server answers for _25._tcp.example.test (192.0.2.2: answers SERVFAIL)"
    assert told in house.warnings
    house.dane = lambda _: None
    house.renew()
    assert told not in house.warnings


class TestRevoked:
    """``revoke --replace``."""

    def revoke(self, house: House) -> Revoked:
        """As compromised, with another one before."""
        revocation = Revocation(reason="keycompromise", replace=True)
        return house.do(lambda broker: broker.revoke(NAME, revocation))

    def test_a_compromised_key_is_replaced_by_the_ripe_one(self, house: House) -> None:
        """At once, and without CA records from then on."""
        coming = house.next_key()
        assert self.revoke(house).by_us and list(house.ca.revoked.values()) == [1]
        assert house.live().leaf.spki_sha256 == coming
        assert house.progress().no_authority_until > 0

    def test_the_old_records_are_seen_out(self, house: House) -> None:
        """However it ends, and until when they can be replayed: as ``--now`` tells it. The twin: another reason."""
        looks = []

        def behind(dane: CoveringDane) -> None:
            dane.steps = [Step.VERIFIED, Step.DEPLOYED]
            looks.append(dane)

        house.dane = behind
        rolled = self.revoke(house).rolled
        assert rolled is not None and (rolled.step, rolled.is_over) == ("steady", True)
        assert looks[0].steps == []
        assert rolled.replayable_until is not None
        assert any("can be replayed" in line for line in lines_of(rolled))
        revoked = house.do(lambda broker: broker.revoke(NAME, Revocation(reason="superseded", replace=True)))
        assert revoked.rolled is None

    def test_an_unripe_one_is_never_used_for_that(self, house: House) -> None:
        """It waits, nothing is revoked, and the hint names what would do it at once."""
        unknown(house)
        before = house.live().serial
        with pytest.raises(Held) as held:
            self.revoke(house)
        assert "nothing was revoked" in held.value.hint and "--now" in held.value.hint
        assert house.live().serial == before and house.is_held()
        assert house.ca.revoked == {}


class TestAdvice:
    """What cannot be mended in one's own records: those of a CA where an alias leads (case 55)."""

    KEY = Subject(b"", b"the new key")
    AUTHORITY = Subject(b"", b"a CA")

    def told(self, *records: Tlsa, owner: str = f"_25._tcp.{NAME}.") -> list[str]:
        """The advice where ``records`` stand at another name than the one that clients ask for."""
        look = Look(1.0, {"192.0.2.1": Answer(frozenset(records), 60)})
        site = Site("_25._tcp.shared.test.", (OWN, CA), Memory().after(look))
        situation = Situation(1.0, Presented(self.KEY), sites=(site,))
        return list(shared(frozenset({owner}), situation))

    def test_an_alias_under_others_ca_records_gets_a_record_of_its_own(self) -> None:
        """The line is ready for the zone."""
        (advice,) = self.told(made(OWN, self.KEY), made(CA, self.AUTHORITY))
        assert advice == (f"replace the CNAME at _25._tcp.{NAME} by: _25._tcp.{NAME}. IN TLSA {made(OWN, self.KEY)}")

    def test_fail_no_alias_or_no_ca(self) -> None:
        """Then nothing is to be replaced."""
        assert self.told(made(OWN, self.KEY)) == []
        assert self.told(made(CA, self.AUTHORITY), owner="_25._tcp.shared.test.") == []
