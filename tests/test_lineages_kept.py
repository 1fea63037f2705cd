"""Certificates that another client keeps, in every command: deployed and told of, never ordered, revoked or deleted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authority import START
from dnsbroker import Broker
from dnsbroker.cli.certificates import result_of
from dnsbroker.errors import StoreError
from dnsbroker.journal import FileLock
from dnsbroker.knowing.describing import whole
from dnsbroker.store import Access, Provenance, Store
from kept_elsewhere import CLIENTS
from kept_house import AUTHORITY, KEY, NAMES, OTHER, House
from older_clients import fingerprint

LIFE = timedelta(days=90)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """One with certbot's certificate."""
    found = House(tmp_path)
    found.renewed()
    return found


# Deployed


@pytest.mark.parametrize("client", CLIENTS)
def test_renew_deploys_what_was_never_deployed_and_nothing_twice(tmp_path: Path, client: str) -> None:
    """Copies have our names; hooks hear of the client's directory, in which nothing is written."""
    house = House(tmp_path, client)
    house.renewed()
    house.settings["copies"] = [{"to": str(tmp_path / "copies")}]
    before = fingerprint(house.kept.directory.parent.parent)
    outcome = house.renew()
    assert (outcome.status, outcome.error, outcome.undeployed) == ("deployed", None, None)
    told = f"{house.kept.directory}|a.test *.a.test|a.test"
    assert house.said() == [f"deploy {told}", "post |a.test *.a.test|a.test"]
    chain = AUTHORITY.issuing_pem
    fullchain = house.kept.chain.read_text()
    texts = {path.name: path.read_text() for path in (tmp_path / "copies").iterdir()}
    assert texts == {
        "privkey.pem": KEY,
        "cert.pem": fullchain.removesuffix(chain),
        "chain.pem": chain,
        "fullchain.pem": fullchain,
        "combined.pem": KEY + fullchain,
    }
    assert (tmp_path / "copies/combined.pem").stat().st_mode & 0o777 == 0o600
    assert house.renew().status == "kept"
    assert house.said() == []
    assert fingerprint(house.kept.directory.parent.parent) == before
    assert not (house.state / "live").exists()


def test_renew_makes_up_for_what_failed_and_does_all_for_a_newer_one(house: House) -> None:
    """The step that failed alone; what the hook of the client was to do, where it has none."""
    good = house.directory / "good"
    house.settings["deploy_hooks"] = [house.note("first"), f"test -e {good}"]
    undeployed = house.renew().undeployed
    assert undeployed is not None
    assert undeployed.steps == (f"hook test -e {good}",)
    assert house.status()[0] == "not deployed"
    house.said()
    good.touch()
    assert house.renew().undeployed is None
    assert house.said() == []
    house.renewed(OTHER, serial=2)
    assert house.renew().status == "deployed"
    assert [line.split()[0] for line in house.said()] == ["first", "post"]


def test_a_copy_that_was_changed_by_hand_is_made_again(house: House) -> None:
    """As with certificates of our own."""
    copies = house.directory / "copies"
    house.settings = {"copies": [{"to": str(copies)}]}
    house.renew()
    (copies / "privkey.pem").write_text("")
    assert house.renew().status == "deployed"
    assert (copies / "privkey.pem").read_text() == KEY
    assert house.renew().status == "kept"


def test_deploy_does_it_all_again(house: House) -> None:
    """By name, or as one of all that are there; the first time with its post hooks."""
    for names, words in (((), ["deploy", "post"]), (("a.test",), ["deploy"])):
        (outcome,) = house.run(lambda broker, names=names: broker.deploy_all(names))  # type: ignore[misc]
        assert outcome.status == "deployed"
        assert [line.split()[0] for line in house.said()] == words


def test_a_rehearsal_deploys_nothing(house: House) -> None:
    """It is another client's to rehearse."""
    assert house.renew(rehearse=True).status == "kept"
    assert house.said() == []


def test_a_plan_says_what_renew_would_do(house: House) -> None:
    """Deploy what never was, or is not finished; once it is, nothing, and nothing where nothing is wanted."""
    house.settings["copies"] = [{"to": str(house.directory / "copies")}]
    for _ in range(2):
        planned = house.renew(dry_run=True)
        assert (planned.status, planned.would_be) == ("planned", "deployed")
        assert result_of([planned], named=False).lines[0].startswith("a.test: would be deployed (its deployment is")
    assert (house.said(), (house.directory / "copies").exists()) == ([], False)
    house.renew()
    assert house.renew(dry_run=True).status == "kept"
    (house.directory / "copies/cert.pem").unlink()
    assert house.renew(dry_run=True).status == "planned"
    house.settings = {}
    assert house.renew(dry_run=True).status == house.renew().status == "kept"


def test_a_plan_for_one_of_ours_says_it_too(house: House) -> None:
    """One that is not due, and whose copy is not there."""
    Store(house.state).save("b.test", KEY, AUTHORITY.issue(KEY, ["b.test"]), Access(), Provenance("", START))
    (provenances,) = (house.state / "issued").iterdir()
    provenances.unlink()  # so that nobody is asked about it
    copies = house.directory / "copies"
    house.tables["certificates"] = {"b.test": {"copies": [{"to": str(copies)}]}}
    assert (house.renew(dry_run=True).would_be, copies.exists()) == ("deployed", False)
    house.renew()
    assert house.renew(dry_run=True).status == "kept"


@pytest.mark.parametrize("gone", ["privkey.pem", ""])
def test_a_plan_fails_where_renew_would(house: House, gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that leads nowhere, or all of it away; the words are the same."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    if gone:
        (house.kept.directory / gone).resolve().unlink()
    else:
        house.kept.directory.rename(house.directory / "away")
    planned, done = house.renew(dry_run=True).error, house.renew().error
    assert isinstance(planned, StoreError) and done is not None
    assert (planned.message, planned.hint) == (done.message, done.hint)


def test_another_dnsbroker_that_has_it_keeps_it(house: House) -> None:
    """It is left to that one, and said."""
    (house.state / "locks").mkdir(parents=True)
    lock = FileLock(house.state / "locks/certificate-a.test")
    assert lock.try_acquire()
    outcome = house.renew()
    lock.release()
    assert (outcome.status, house.said()) == ("busy", [])
    assert "left to it" in outcome.reason


# Not there, or not whole


def test_what_is_not_there_yet_is_an_error_and_needs_a_person(tmp_path: Path) -> None:
    """The client is to obtain it, and may have been told another place."""
    house = House(tmp_path)
    error = house.renew().error
    assert isinstance(error, StoreError)
    assert f"there is no certificate in {house.kept.directory}" in error.message
    assert error.hint
    word, needs_person, told = house.status()
    assert (word, needs_person) == ("missing", True)
    assert str(house.kept.directory) in told
    assert house.run(lambda broker: broker.deploy_all(["a.test"]))[0].error is not None


def test_a_key_that_is_not_the_certificate_s_is_not_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As acme.sh leaves it after a failed renewal; copies and programs stay with the pair that they have."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    house = House(tmp_path, "acme.sh")
    house.renewed()
    house.settings["copies"] = [{"to": str(tmp_path / "copies")}]
    house.renew()
    house.said()
    house.kept.key.write_text(OTHER)
    error = house.renew().error
    assert isinstance(error, StoreError)
    assert "it is not the key of the certificate beside it" in error.message
    assert "run acme.sh again" in error.hint
    assert (tmp_path / "copies/privkey.pem").read_text() == KEY
    assert house.said() == []
    word, needs_person, _ = house.status()
    assert (word, needs_person) == ("damaged", True)
    with pytest.raises(StoreError):
        _ = house.run(certificate).private_key
    house.kept.key.write_text(KEY)
    assert house.renew().status == "kept"
    assert house.status() == ("ok", False, "")


async def certificate(broker: Broker) -> Any:
    """The only one that there is."""
    (found,) = broker.certificates()
    return found


# Told of


def test_it_is_told_of_by_its_files(house: House) -> None:
    """As one that is there, with its names and its end; of an order nothing is known."""
    found = house.run(certificate)
    assert (found.name, found.names, found.path) == ("a.test", tuple(NAMES), house.kept.directory)
    assert (found.not_after, found.private_key, found.has_key, found.request) == (START + LIFE, KEY, True, None)
    assert "PRIVATE" not in repr(found)
    facts = house.run(shown)
    assert facts["names"] == NAMES
    assert facts["path"] == str(house.kept.directory)
    assert facts["serial"] == "1"
    assert facts["key_type"] == "ecdsa-p256"
    assert [facts[key] for key in ("renewal", "account", "directory", "failures")] == [None] * 4
    assert [step["state"] for step in facts["deployment"]] == ["planned", "planned"]


async def shown(broker: Broker) -> Any:
    """What `show` prints."""
    from dnsbroker.knowing import Collection

    run = broker._run
    collection = Collection(run.config, run.store, run.journal, run.clock)
    known = collection.known("a.test")
    return whole(known, collection.judged(known), [], run.clock.now())


@pytest.mark.parametrize(
    ("day", "word", "needs_person"),
    [(1, "ok", False), (61, "ok", False), (74, "ok", False), (76, "due", True), (91, "expired", True)],
)
def test_one_that_its_client_forgets_needs_a_person(house: House, day: int, word: str, needs_person: bool) -> None:
    """When half of its last third is over; until then its client may be as late as it likes."""
    house.renew()
    house.moment = START + timedelta(days=day)
    found = house.status()
    assert found[:2] == (word, needs_person)
    assert ("certbot has not renewed it" in found[2]) is needs_person
    assert "dnsbroker renew" not in found[2]


def test_what_is_not_deployed_yet_is_told(house: House) -> None:
    """Also where no run of ours has seen it; once it is, all is well."""
    word, needs_person, told = house.status()
    assert (word, needs_person) == ("not deployed", False)
    assert "is still to be done" in told
    house.renew()
    assert house.status() == ("ok", False, "")


def test_the_metrics_have_it(house: House) -> None:
    """Its end above all."""
    house.tables["metrics"] = str(house.directory / "dnsbroker.prom")
    house.run(lambda broker: broker.conclude(0))
    text = (house.directory / "dnsbroker.prom").read_text()
    end = (START + LIFE).timestamp()
    assert f'dnsbroker_certificate_not_after_seconds{{certificate="a.test"}} {end:.0f}\n' in text
    assert 'dnsbroker_deploy_pending{certificate="a.test"} 2\n' in text
