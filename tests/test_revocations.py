"""What a revocation from here leaves for the runs to come."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from authority import START, Authority
from dnsbroker import due, keys
from dnsbroker.broker import Broker
from dnsbroker.config import Config
from dnsbroker.errors import ConfigError
from dnsbroker.revoking import Revocation
from dnsbroker.run import Run
from dnsbroker.store import Access, Provenance
from dnsbroker.testing import FakeClock
from fake_ca import FakeCA

NAME = "example.test"
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [NAME])


def revoked(state_dir: Path, revocation: Revocation) -> tuple[FakeCA, str | None]:
    """The CA after a certificate that another client obtained was revoked, and why it is due then."""

    async def play() -> tuple[FakeCA, str | None]:
        ca, clock = FakeCA(), FakeClock(START)
        ca.issued[ssl.PEM_cert_to_DER_cert(keys.read_chain(CHAIN)[0])] = "somebody"
        acme = {"directory": ca.url("dir"), "agree_tos": True}
        config = Config.from_dict(
            {
                "state_dir": str(state_dir),
                "acme": acme,
                "dns": {"resolvers": ["127.0.0.1"]},
                "certificates": {NAME: {}},
            }
        )
        async with ca.server, Broker(config, clock=clock) as broker:
            run: Run = broker._run
            run.store.save(NAME, KEY, CHAIN, Access(), Provenance(ca.url("dir"), START))
            lineage = run.store.load(NAME)
            assert lineage is not None
            wanted = config.certificates[NAME]
            assert due.reason(lineage, wanted, ca.url("dir"), clock.now(), run.advice.known(lineage)) is None
            await broker.revoke(NAME, revocation)
            assert run.barred.is_barred(lineage.leaf.spki_sha256) == revocation.is_compromise
            return ca, due.reason(lineage, wanted, ca.url("dir"), clock.now(), run.advice.known(lineage))

    return asyncio.run(play())


def test_one_that_came_from_elsewhere_is_due_as_well(tmp_path: Path) -> None:
    """Nobody was ever asked about it, and no account here ordered it: its own key asks."""
    ca, reason = revoked(tmp_path, Revocation(reason="superseded"))
    assert list(ca.revoked.values()) == [4] and not ca.accounts
    assert reason is not None and reason.startswith("revoked on")


def test_a_compromised_key_is_barred_before_the_ca_answers(tmp_path: Path) -> None:
    """So it is by everything that comes after, too."""
    ca, _ = revoked(tmp_path, Revocation(reason="keycompromise"))
    assert list(ca.revoked.values()) == [1]


@pytest.mark.parametrize("left", [None, "shredded"])
def test_the_account_asks_where_the_key_is_gone_already(tmp_path: Path, left: str | None) -> None:
    """Somebody removed what was compromised before anything else."""

    async def play() -> None:
        ca, clock = FakeCA(), FakeClock(START)
        async with ca.server:
            settings = {"state_dir": tmp_path, "acme": {"directory": ca.url("dir"), "agree_tos": True}}
            async with Broker(Config.from_dict(settings), clock=clock) as broker:
                async with broker.account() as account:
                    url = await account.register()
                ca.issued[ssl.PEM_cert_to_DER_cert(keys.read_chain(CHAIN)[0])] = url
                store = broker._run.store
                lineage = store.save(NAME, KEY, CHAIN, Access(), Provenance(ca.url("dir"), START))
                for file in ("privkey.pem", "combined.pem"):
                    (lineage.archive / file).unlink()
                if left is not None:
                    (lineage.archive / "privkey.pem").write_text(left)
                await broker.revoke(NAME, Revocation(reason="keycompromise"))
        assert list(ca.revoked.values()) == [1]

    asyncio.run(play())


def test_fail_an_unknown_reason_asks_nobody(tmp_path: Path) -> None:
    """Nor one that is written otherwise."""
    with pytest.raises(ConfigError, match="no reason 'lost' is known"):
        revoked(tmp_path, Revocation(reason="lost"))
