"""Certificates that another client keeps, in every command: deployed and told of, never ordered, revoked or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from authority import START, Authority
from dnsbroker import Broker, Config, keys
from dnsbroker.certifying import Outcome, Wishes
from dnsbroker.cli import exit_status
from dnsbroker.cli.certificates import result_of
from dnsbroker.doctor import subjects
from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.events import Event
from dnsbroker.journal import FileLock
from dnsbroker.knowing.describing import whole
from dnsbroker.lineages import Lineages
from dnsbroker.revoking import Revocation
from dnsbroker.testing import FakeClock
from kept_elsewhere import CLIENTS, Kept
from older_clients import fingerprint

T = TypeVar("T")

AUTHORITY = Authority()
KEY, OTHER = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
NAMES = ["a.test", "*.a.test"]
LIFE = timedelta(days=90)


class House:
    """A host on which another client keeps ``a.test``; ``settings`` are further keys of its table."""

    def __init__(self, directory: Path, client: str = "certbot") -> None:
        self.directory = directory
        self.kept = Kept(directory / "client", client)
        self.state = directory / "state"
        self.log = directory / "log"
        self.log.touch()
        self.moment = START + timedelta(days=1)
        self.events: list[Event] = []
        self.tables: dict[str, Any] = {}
        self.settings: dict[str, Any] = {"deploy_hooks": [self.note("deploy")], "post_hooks": [self.note("post")]}

    def note(self, word: str) -> str:
        """A hook that writes down what it is told."""
        return f'echo "{word} $RENEWED_LINEAGE|$RENEWED_DOMAINS|$DNSBROKER_CERTIFICATE" >> {self.log}'

    def said(self) -> list[str]:
        """What hooks wrote down since this was asked last."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines

    def renewed(self, key_pem: str = KEY, serial: int = 1) -> None:
        """The client has a new certificate."""
        self.kept.renew(key_pem, AUTHORITY.issue(key_pem, NAMES, serial=serial))

    @property
    def config(self) -> Config:
        """What is configured."""
        table = {"lineage": str(self.kept.directory), "tlsa_guard": False, **self.settings}
        data = {"state_dir": str(self.state), "certificates": {"a.test": table}, **self.tables}
        config = Config.from_dict(data)
        assert not config.broken
        return config

    def run(self, work: Callable[[Broker], Awaitable[T]]) -> T:
        """``work`` in a run of its own; whoever contacts an authority or a name server fails in it."""

        async def story() -> T:
            clock = FakeClock(self.moment)
            async with Broker(self.config, on_event=self.events.append, clock=clock) as broker:
                return await work(broker)

        self.events.clear()
        return asyncio.run(story())

    def renew(self, *names: str, **wishes: Any) -> Outcome:
        """What `renew` makes of it."""
        (outcome,) = self.run(lambda broker: broker.renew_all(names, wishes=Wishes(**wishes)))
        return outcome

    def status(self) -> tuple[str, bool, str]:
        """The word, whether it needs a person, and all that is told."""

        async def asked(broker: Broker) -> tuple[str, bool, str]:
            health = await broker.status("a.test")
            return health.status, health.needs_person, "\n".join(health.findings)

        return self.run(asked)


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


@pytest.mark.parametrize("wishes", [{"dry_run": True}, {"rehearse": True}])
def test_what_is_only_looked_at_is_not_deployed(house: House, wishes: dict[str, Any]) -> None:
    """Neither by a plan nor by a rehearsal of all."""
    assert house.renew(**wishes).status == "kept"
    assert house.said() == []


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


# Never ours


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


async def deleted(broker: Broker) -> Path:
    """As `delete` does."""
    return broker.delete("a.test")


def test_the_doctor_asks_nothing_of_its_names(house: House) -> None:
    """Neither for all, nor by its name: that is a domain name then, as anybody's."""
    assert subjects.chosen(house.config, []) == ()
    (found,) = subjects.chosen(house.config, ["a.test"])
    assert (found.names, found.certificate) == (("a.test",), "")


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
