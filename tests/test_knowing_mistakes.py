"""What keeps a certificate from being what is configured is known after the run, also where nobody was contacted."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import Broker, keys
from dnsbroker.config import Config
from dnsbroker.errors import BrokerError
from dnsbroker.journal import Answer, Journal, RenewalAnswers
from dnsbroker.knowing import Collection, Health
from dnsbroker.store import Access, Provenance, Store
from dnsbroker.testing import FakeClock

NAME = "example.test"
CA = "https://ca.test/dir"
KEY = keys.generate("ecdsa-p256")
AUTHORITY = Authority()


class Bench:
    """A state directory that a timer's runs come to; no CA is there to be asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.acme: dict[str, object] = {"directory": CA, "agree_tos": True}
        self.certificate: dict[str, object] = {}

    @property
    def config(self) -> Config:
        return Config.from_dict(
            {
                "state_dir": str(self.directory / "state"),
                "acme": self.acme,
                "dns": {"resolvers": ["127.0.0.1"]},
                "certificates": {NAME: self.certificate},
            }
        )

    def save(self) -> None:
        """A young certificate, about which the CA has nothing to say."""
        store = Store(self.config.state_dir)
        store.prepare()
        lineage = store.save(
            NAME, KEY, AUTHORITY.issue(KEY, [NAME], serial=0xAB), Access(), Provenance(CA, self.clock.now())
        )
        ident, now = keys.renewal_id(lineage.fullchain), self.clock.now()
        assert ident is not None
        RenewalAnswers(Journal(self.config.state_dir)).keep(Answer(ident, "none", "", now, now + timedelta(days=60)))

    def renew(self) -> str:
        """What kept the timer's run from bringing the certificate about."""

        async def play() -> str:
            async with Broker(self.config, clock=self.clock) as broker:
                try:
                    (outcome,) = await broker.renew_all()
                except BrokerError as error:
                    return error.message
                return outcome.error.message if outcome.error else ""

        return asyncio.run(play())

    def health(self) -> Health:
        journal = Journal(self.config.state_dir)
        (health,) = Collection(self.config, Store(self.config.state_dir), journal, self.clock).health()
        return health


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_account_that_may_not_order_is_told_of(bench: Bench) -> None:
    """Where no certificate of the run can be ordered, and the run ends before it has begun."""
    bench.acme["agree_tos"] = False
    for _ in range(2):
        assert "agree_tos" in bench.renew()
    health = bench.health()
    assert (health.status, health.needs_person) == ("misconfigured", True)
    assert health.findings[0].startswith("failed 2 times in a row") and "agree_tos" in health.findings[0]


def test_a_group_that_is_not_there_is_told_of_until_it_is(bench: Bench) -> None:
    """The certificate is not due; its files cannot be given to whom they are configured for."""
    bench.save()
    bench.certificate["group"] = "nobody-has-made-it"
    assert "nobody-has-made-it" in bench.renew()
    assert (bench.health().status, bench.health().needs_person) == ("misconfigured", True)
    bench.certificate["group"] = str(os.getgid())
    assert bench.renew() == ""
    assert (bench.health().status, bench.health().needs_person) == ("ok", False)


def test_a_well_configured_one_is_well(bench: Bench) -> None:
    """The negative twin."""
    bench.save()
    assert bench.renew() == "" and bench.health().status == "ok"


def test_when_a_file_that_configures_it_was_changed_is_known(bench: Bench, tmp_path: Path) -> None:
    """Of its own file, and of the one for all; a configuration that is no file has no such moment."""
    path, own = tmp_path / "dnsbroker.toml", tmp_path / "certificates.d" / "own.test.toml"
    path.write_text(f'state_dir = "{tmp_path / "state"}"\n')
    own.parent.mkdir()
    own.write_text("")
    os.utime(path, (0, 0))  # as where it was unpacked from an archive
    config = Config.load(path)
    journal = Journal(tmp_path / "state", create=False)
    known = Collection(config, Store(config.state_dir), journal, bench.clock).known("own.test")
    assert known.changed is not None
    assert known.changed.timestamp() == pytest.approx(max(path.stat().st_ctime, own.stat().st_ctime), abs=1e-3)
    without = Collection(bench.config, Store(config.state_dir), journal, bench.clock).known(NAME)
    assert without.changed is None
