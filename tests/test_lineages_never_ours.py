"""Certificates that another client keeps are never ordered, replaced, revoked or deleted here, whoever asks for it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authority import START
from dnsbroker import Broker, keys
from dnsbroker.certifying import Wishes
from dnsbroker.cli import exit_status
from dnsbroker.cli.certificates import result_of
from dnsbroker.doctor import subjects
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.lineages import Lineages
from dnsbroker.revoking import Revocation, Target, find_target
from dnsbroker.store import Access, Provenance, Store
from kept_house import AUTHORITY, NAMES, House
from older_clients import fingerprint


@pytest.fixture
def house(tmp_path: Path) -> House:
    """One with certbot's certificate."""
    found = House(tmp_path)
    found.renewed()
    return found


@pytest.mark.parametrize("wishes", [{}, {"force": True}, {"dry_run": True}, {"new_key": True}])
def test_issuing_it_by_name_is_a_mistake(house: House, wishes: dict[str, Any]) -> None:
    """With who orders it; nothing was contacted, nothing is kept."""
    with pytest.raises(ConfigError) as caught:
        house.run(lambda broker: broker.issue_all(["a.test"], wishes=Wishes(**wishes)))
    assert exit_status.of(caught.value) == exit_status.USAGE
    assert f"certbot keeps it in {house.kept.directory}" in caught.value.message
    assert "let certbot renew it" in caught.value.hint


@pytest.mark.parametrize("wishes", [{"force": True}, {"new_key": True}, {"rehearse": True}])
def test_renewing_it_by_force_is_one_too(house: House, wishes: dict[str, Any]) -> None:
    """Without, its deployment is seen to."""
    with pytest.raises(ConfigError, match="never ordered here"):
        house.renew("a.test", **wishes)
    assert house.renew("a.test").status == "deployed"


@pytest.mark.parametrize("force", [False, True])
def test_all_means_all_that_are_ordered_here(house: House, force: bool) -> None:
    """`issue` leaves it out, there or not, and `renew` never orders it, however old or forced."""
    assert house.run(lambda broker: broker.issue_all(wishes=Wishes(force=force))) == ()
    house.moment = START + timedelta(days=365)
    assert house.renew(force=force).status == "deployed"
    assert house.renew(force=force).status == "kept"
    house.kept.directory.rename(house.directory / "away")
    assert house.run(lambda broker: broker.issue_all(wishes=Wishes(force=force))) == ()


def test_its_name_is_taken_and_nothing_here_obtains_it(house: House) -> None:
    """One of the moment is to have another name; no command is told that would be refused."""
    with pytest.raises(ConfigError) as caught:
        house.run(lambda broker: broker.issue_ad_hoc(["x.test"], name="a.test"))
    assert caught.value.hint == "another client obtains it; --name gives this one another name"


def test_a_missing_one_fails_alone(tmp_path: Path) -> None:
    """The status is that of a failure, not of a usage."""
    assert result_of([House(tmp_path).renew()], named=False).status == exit_status.FAILED


def test_it_is_not_ours_to_revoke_or_to_delete(house: House) -> None:
    """The one says that it is its client's, and so does the other; the files stay."""
    before = fingerprint(house.kept.directory.parent.parent)
    for work in (
        lambda broker: broker.revoke("a.test"),
        lambda broker: broker.revoke("a.test", Revocation(replace=True)),
        lambda broker: broker.revoke("a.test", Revocation(cert=house.kept.chain)),
        deleted,
    ):
        with pytest.raises(ConfigError) as caught:
            house.run(work)
        assert "certbot keeps it" in caught.value.message
        assert "let certbot" in caught.value.hint
    assert fingerprint(house.kept.directory.parent.parent) == before


def test_an_older_one_of_ours_is_still_ours_to_revoke(house: House) -> None:
    """From before another client took over: by its serial number or its file; the archive has it, with its key."""
    key_pem = keys.generate("ecdsa-p256")
    chain = AUTHORITY.issue(key_pem, NAMES, serial=0xABC)
    Store(house.state).save("a.test", key_pem, chain, Access(), Provenance("https://ca.test/dir", START))
    (house.directory / "old.pem").write_text(chain)

    async def targets(broker: Broker) -> list[Target]:
        asked = (Revocation(serial="ABC"), Revocation(cert=house.directory / "old.pem"))
        return [find_target(broker._run, "a.test", one) for one in asked]

    for target in house.run(targets):
        assert target.lineage is not None
        assert (target.leaf.serial_text, target.lineage.private_key) == ("abc", key_pem)
    for revocation in (Revocation(), Revocation(serial="1"), Revocation(cert=house.kept.chain)):
        with pytest.raises(ConfigError, match="certbot keeps it") as caught:
            house.run(lambda broker, asked=revocation: broker.revoke("a.test", asked))  # type: ignore[misc]
        assert "--serial" in caught.value.hint
    with pytest.raises(ConfigError, match="certbot keeps it"):
        house.run(lambda broker: broker.revoke("a.test", Revocation(serial="abc", replace=True)))


async def deleted(broker: Broker) -> Path:
    """As `delete` does."""
    return broker.delete("a.test")


def test_the_doctor_asks_nothing_of_its_names(house: House) -> None:
    """Neither for all, nor by its name: that is a domain name then, as anybody's, but for the account that it lacks."""
    assert subjects.chosen(house.config, []) == ()
    (found,) = subjects.chosen(house.config, ["a.test"])
    assert (found.names, found.certificate, found.account) == (("a.test",), "", "")
    (other,) = subjects.chosen(house.config, ["b.test"])
    assert other.account == "default"


def test_one_of_ours_beside_it_is_as_ever(house: House) -> None:
    """What the store holds, it goes on to hold."""
    house.tables["certificates"] = {"a.test": {"lineage": str(house.kept.directory)}, "b.test": {}}
    store = Lineages(house.state, house.config.certificates)
    assert store.names() == ("a.test",)
    assert store.load("b.test") is None
    with pytest.raises(BrokerError):
        house.run(lambda broker: broker.issue("b.test"))
    (subject,) = subjects.chosen(house.config, [])
    assert subject.certificate == "b.test"
