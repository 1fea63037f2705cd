"""What `delete` says of a certificate whose key TLSA records of ours name, or which a ``[[dane]]`` table names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dane_house import HOUR, House, played
from dnsbroker import keys
from dnsbroker.errors import ConfigError
from dnsbroker.revoking import delete

NAME = "adhoc"


async def published(house: House) -> None:
    """A certificate that stands in no file is live, and a table has its records published."""
    key = keys.generate("ecdsa-p256")
    chain = house.issue(key)
    house.save(NAME, key, chain)
    house.daemon.present(key, chain)
    await house.manage(certificate=(NAME,))
    await house.publish()
    assert house.names(key) in house.records


def test_fail_a_certificate_that_a_table_names_is_not_deleted(tmp_path: Path) -> None:
    """The table would name nobody."""

    async def story(house: House) -> None:
        await published(house)
        with pytest.raises(ConfigError, match=r"\[\[dane\]\] names certificate 'adhoc'") as caught:
            delete(house.run, NAME)
        assert f"`dnsbroker tlsa withdraw {house.endpoint.shown()}`" in caught.value.hint
        assert house.store.load(NAME) is not None

    played(tmp_path, story)


def test_fail_a_certificate_that_records_of_ours_name_is_not_deleted_until_they_are_withdrawn(tmp_path: Path) -> None:
    """Then it is, and nothing is left of its roll-over."""

    async def story(house: House) -> None:
        await published(house)
        house.clock.turn(2 * HOUR)
        house.tables = ()
        await house.open()
        with pytest.raises(ConfigError, match="TLSA records of ours name the key of 'adhoc'") as caught:
            delete(house.run, NAME)
        assert f"`dnsbroker tlsa withdraw {house.endpoint.shown()}`" in caught.value.hint
        assert house.store.load(NAME) is not None
        assert house.run.rollovers.progress(NAME) is not None

        await house.dane.withdraw([house.endpoint])
        delete(house.run, NAME)
        assert house.store.load(NAME) is None
        assert house.run.rollovers.progress(NAME) is None

    played(tmp_path, story)


def test_records_of_another_certificate_are_no_reason(tmp_path: Path) -> None:
    """The negative twin."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.save(NAME, house.key, house.issue())
        delete(house.run, NAME)
        assert house.store.load(NAME) is None

    played(tmp_path, story)
