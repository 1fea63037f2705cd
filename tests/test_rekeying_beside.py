"""A roll-over that is asked for while another one at the same owner name is not over."""

from __future__ import annotations

from pathlib import Path

import pytest

from covering_dane import WAIT
from dnsbroker import Broker
from dnsbroker.records import Record
from dnsbroker.store import Lineage
from dnsbroker.tlsa.computing import of_chain
from dnsbroker.tlsa.records import Kind, Subject, made
from rolled_house import NAME, OWNER, House, rolled_house

_OTHER = Subject(b"cert", b"the key that a certificate beside it had before")


def _published(house: House, *subjects: Subject) -> None:
    """Have records of ours name them."""

    async def published(broker: Broker) -> None:
        records = [Record(OWNER, "TLSA", str(made(Kind(3, 1, 1), subject))) for subject in subjects]
        broker._run.leases.want("corp", f"{NAME}.", records, ttl=60)

    house.do(published)


def _leaf(lineage: Lineage) -> Subject:
    return of_chain(lineage.fullchain).leaf


@pytest.mark.parametrize("step", ["deployed", "verified"])
def test_one_that_waits_for_another_certificate_s_is_not_forgotten(tmp_path: Path, step: str) -> None:
    """Also where it had one of its own long ago: the old record is not of the key that it had before."""
    with rolled_house(tmp_path / "state") as house:
        _published(house, _OTHER)
        for orders in (2, 3):
            house.later(seconds=WAIT)
            house.progress(step=step)
            house.do(lambda broker: broker.dane.rollover(NAME))
            assert house.orders == orders


def test_asking_again_while_records_of_its_own_old_key_stand_asks_for_no_third_key(tmp_path: Path) -> None:
    """The twin: whoever repeats the command gets one new key, whatever else stands beside."""
    with rolled_house(tmp_path / "state") as house:
        before = _leaf(house.live())
        house.do(lambda broker: broker.dane.rollover(NAME))
        house.later(seconds=WAIT)
        house.progress(step="verified")
        _published(house, before, _leaf(house.live()), _OTHER)
        house.do(lambda broker: broker.dane.rollover(NAME))
        assert house.orders == 2 and not house.progress().is_asked
