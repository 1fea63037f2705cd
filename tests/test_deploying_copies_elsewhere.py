"""Copies of what another client keeps, where its key is not to be had: no daemon may find an unmatched pair."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.config import CertificateConfig
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying.copies import are_current, make
from dnsbroker.errors import StoreError
from dnsbroker.lineages import Lineages
from dnsbroker.store import Lineage
from kept_elsewhere import Kept

AUTHORITY = Authority()
KEY, OTHER = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
OLD, NEW = (AUTHORITY.issue(key, ["a.test"], serial=serial) for serial, key in enumerate((KEY, OTHER), 1))
NOW = datetime(2026, 11, 21, 10, 15, tzinfo=UTC)


class House:
    """A client's certificate, copied to a directory, as it is before and after the next one comes without its key."""

    def __init__(self, directory: Path, client: str) -> None:
        self.kept = Kept(directory, client)
        self.target = directory / "daemon"
        self.copy = CopyConfig(to=self.target)
        self.store = Lineages(
            directory / "state",
            {"a.test": CertificateConfig("a.test", lineage=self.kept.directory)},
            pause=lambda seconds: None,
        )
        self.kept.renew(KEY, OLD)

    def lineage(self) -> Lineage:
        found = self.store.load_whole("a.test")
        assert found is not None
        return found

    def renewed(self) -> None:
        self.kept.renew(OTHER, NEW)
        self.kept.key.unlink()

    def texts(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.target.iterdir()}


@pytest.mark.parametrize("client", ["certbot", "acme.sh", "uacme"])
def test_a_client_that_has_lost_its_key_has_nothing_to_copy(tmp_path: Path, client: str) -> None:
    """The certificate is refused as a whole, before anything is copied."""
    house = House(tmp_path, client)
    house.renewed()
    with pytest.raises(StoreError, match="is not there") as caught:
        house.lineage()
    assert str(house.kept.key) in caught.value.message
    assert caught.value.hint


def test_for_a_request_from_elsewhere_no_older_key_stays_beside_the_new_chain(tmp_path: Path) -> None:
    """It is not known to be ours, so not removed: nothing changes until a person has."""
    house = House(tmp_path, "dehydrated")
    make(house.copy, house.lineage(), NOW)
    before = house.texts()
    house.renewed()
    for file in ("combined.pem", "privkey.pem"):
        assert not are_current(house.copy, house.lineage())
        with pytest.raises(StoreError, match="it is not the key of the new certificate") as caught:
            make(house.copy, house.lineage(), NOW)
        assert caught.value.path == str(house.target / file)
        assert "take that file away" in caught.value.hint
        assert house.texts() == before
        (house.target / file).unlink()
        del before[file]
    make(house.copy, house.lineage(), NOW)
    assert house.texts()["fullchain.pem"] == NEW
    assert are_current(house.copy, house.lineage())


@pytest.mark.parametrize("text", [OTHER, "nonsense"])
def test_the_key_of_that_request_may_be_there(tmp_path: Path, text: str) -> None:
    """The twin; and what is no key makes no pair."""
    house = House(tmp_path, "dehydrated")
    house.renewed()
    house.target.mkdir()
    (house.target / "privkey.pem").write_text(text)
    (house.target / "combined.pem").mkdir()
    make(house.copy, house.lineage(), NOW)
    assert (house.target / "privkey.pem").read_text() == text
    assert (house.target / "fullchain.pem").read_text() == NEW
    assert are_current(house.copy, house.lineage())
