"""Which order that a run left open is gone on with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.certifying.key import KeyChoice
from dnsbroker.certifying.obtaining import Obtaining, _from
from dnsbroker.certifying.outcome import Wishes
from dnsbroker.certifying.permission import Permission
from dnsbroker.config import Config
from dnsbroker.events import Emitter
from dnsbroker.run import Run
from dnsbroker.store import Access, Lineage, Pending, Provenance
from dnsbroker.testing import FakeClock

CA = "https://ca.test/dir"
NAME = "example.test"
KEY, OTHER = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [NAME])
ORDER = f"{CA}/order/7"
PENDING = Pending(ORDER, CA, "default", (NAME,), "ecdsa-p256", START, KEY)
REQUEST = keys.csr(KEY, [NAME])
REQUESTED = replace(PENDING, key_pem="", request=REQUEST)


class Bench:
    """A state directory with an open order, and what is asked of the next run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.live = True
        self.barred = ""

    def goes_on(self, order: str = "", *, pending: Pending = PENDING, wishes: Wishes | None = None) -> bool:
        """Whether the open order is gone on with; ``order`` is what led to the live certificate, which has KEY."""
        found = asyncio.run(self._found(order, pending, wishes or Wishes()))
        assert found in (None, pending)
        if found is not None:
            chosen = _from(found)
            assert (chosen.key_pem, chosen.created) == (pending.key_pem, START)
            assert chosen.request == (pending.request or None)
        return found is not None

    async def _found(self, order: str, pending: Pending, wishes: Wishes) -> Pending | None:
        certificates = {NAME: {"key_rotation": "never"}}
        config = Config.from_dict(
            {"state_dir": self.directory, "acme": {"directory": CA}, "certificates": certificates}
        )
        clock = FakeClock(START)
        emit = Emitter(clock, None)
        async with Run(config, clock, emit) as run:
            live = self._save(run, order) if self.live else None
            run.store.keep_pending(NAME, pending)
            if self.barred:
                run.barred.bar(self.barred, "lost")
            obtaining = Obtaining(run, wishes, KeyChoice(run, wishes), Permission(run, is_named=True))
            account = run.accounts.get("default")
            found = await obtaining._resumable(config.certificates[NAME], live, account, emit)
            assert run.store.pending(NAME) == found
            return found

    def _save(self, run: Run, order: str) -> Lineage:
        live = run.store.save(NAME, KEY, CHAIN, Access(), Provenance(CA, START, order=order))
        assert live.provenance == replace(Provenance(CA, START), order=order)
        return live

    def file(self, request: bytes) -> Path:
        """A file with a request."""
        path = self.directory / "request.der"
        path.write_bytes(request)
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_order_for_the_next_certificate_is_gone_on_with(bench: Bench) -> None:
    """Though its key is that of the live one: it is used again."""
    assert bench.goes_on(f"{CA}/order/6")


def test_an_order_that_led_to_the_live_certificate_is_over(bench: Bench) -> None:
    """Its run was killed before it was forgotten; the next certificate would be the same one."""
    assert not bench.goes_on(ORDER)


def test_a_certificate_of_an_older_version_has_no_order(bench: Bench) -> None:
    """Nothing is known, and the order is gone on with."""
    assert bench.goes_on()


@pytest.mark.parametrize("is_live", [True, False])
def test_an_order_for_a_request_is_gone_on_with(bench: Bench, is_live: bool) -> None:
    """Where the same request is given again, and where none is: whoever killed the run wanted that one."""
    bench.live = is_live
    assert bench.goes_on(pending=REQUESTED)
    assert bench.goes_on(pending=REQUESTED, wishes=Wishes(csr=bench.file(REQUEST)))


def test_an_order_for_another_request_is_not(bench: Bench) -> None:
    """The negative twin: of the same key even, or where a key is wanted, or the order was for a key of ours."""
    again = keys.csr(KEY, [NAME, NAME])
    assert again != REQUEST
    for request in (again, keys.csr(OTHER, [NAME])):
        assert not bench.goes_on(pending=REQUESTED, wishes=Wishes(csr=bench.file(request)))
    assert not bench.goes_on(pending=REQUESTED, wishes=Wishes(new_key=True))
    assert not bench.goes_on(pending=REQUESTED, wishes=Wishes(key=bench.directory / "key.pem"))
    assert not bench.goes_on(wishes=Wishes(csr=bench.file(REQUEST)))
    assert not bench.goes_on(pending=replace(REQUESTED, request=b""))


def test_an_order_for_a_request_whose_key_was_compromised_since_is_over(bench: Bench) -> None:
    """As with a key that is here."""
    bench.barred = keys.spki_sha256_of(KEY)
    assert not bench.goes_on(pending=REQUESTED)
    assert not bench.goes_on()
