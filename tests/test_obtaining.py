"""Which order that a run left open is gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.certifying.key import KeyChoice
from dnsbroker.certifying.obtaining import Obtaining
from dnsbroker.certifying.outcome import Wishes
from dnsbroker.certifying.permission import Permission
from dnsbroker.config import Config
from dnsbroker.events import Emitter
from dnsbroker.run import Run
from dnsbroker.store import Access, Pending, Provenance
from dnsbroker.testing import FakeClock

CA = "https://ca.test/dir"
NAME = "example.test"
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [NAME])
ORDER = f"{CA}/order/7"
PENDING = Pending(ORDER, CA, "default", (NAME,), "ecdsa-p256", START, KEY)


@pytest.fixture
def goes_on(tmp_path: Path) -> Callable[[str], bool]:
    """Whether the open order, whose key the live certificate has too, is gone on with; by what led to that one."""
    certificates = {NAME: {"key_rotation": "never"}}
    config = Config.from_dict({"state_dir": tmp_path, "acme": {"directory": CA}, "certificates": certificates})
    clock = FakeClock(START)
    emit = Emitter(clock, None)

    async def play(order: str) -> bool:
        async with Run(config, clock, emit) as run:
            live = run.store.save(NAME, KEY, CHAIN, Access(), Provenance(CA, START, order=order))
            assert live.provenance == replace(Provenance(CA, START), order=order)
            run.store.keep_pending(NAME, PENDING)
            obtaining = Obtaining(run, Wishes(), KeyChoice(run, Wishes()), Permission(run, is_named=True))
            account = run.accounts.get("default")
            found = await obtaining._resumable(config.certificates[NAME], live, account, emit)
            assert run.store.pending(NAME) == found
            return found is not None

    return lambda order: asyncio.run(play(order))


def test_an_order_for_the_next_certificate_is_gone_on_with(goes_on: Callable[[str], bool]) -> None:
    """Though its key is that of the live one: it is used again."""
    assert goes_on(f"{CA}/order/6")


def test_an_order_that_led_to_the_live_certificate_is_over(goes_on: Callable[[str], bool]) -> None:
    """Its run was killed before it was forgotten; the next certificate would be the same one."""
    assert not goes_on(ORDER)


def test_a_certificate_of_an_older_version_has_no_order(goes_on: Callable[[str], bool]) -> None:
    """Nothing is known, and the order is gone on with."""
    assert goes_on("")
