"""An account's key while it changes, with other processes about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.account import Account, Accounts
from dnsbroker.config import Config
from dnsbroker.errors import StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock
from dnsbroker.store import AccountFiles, Store
from dnsbroker.transport import Connections
from fake_ca import Stage, scenario


@asynccontextmanager
async def opened(stage: Stage, state: Path) -> AsyncIterator[Account]:
    """The account as one process has it that begins now."""
    config = Config.from_dict({"state_dir": state, "acme": {"directory": stage.ca.url("dir"), "agree_tos": True}})
    emit = Emitter(stage.clock, None)
    accounts = Accounts(config.known_accounts, 8, Store(state), Connections({}), stage.clock, emit)
    try:
        yield accounts.get("default")
    finally:
        await accounts.aclose()


def held(state: Path) -> FileLock:
    """What another process holds while it changes the key."""
    lock = FileLock(state / "locks" / "account-default")
    assert lock.try_acquire()
    return lock


def files(state: Path) -> AccountFiles:
    return Store(state).account("default")


def test_a_key_that_another_process_is_changing_is_not_swept_away(tmp_path: Path) -> None:
    """It may be the account's the next moment, and there is no other copy; once that process is gone it is settled."""

    @scenario
    async def play(stage: Stage) -> None:
        async with opened(stage, tmp_path) as account:
            url = await account.register()
        staged = keys.generate("ecdsa-p256")
        files(tmp_path).stage(staged)
        lock = held(tmp_path)
        async with opened(stage, tmp_path) as account:
            assert (await account.client()).account_url == url
        assert files(tmp_path).staged() == staged
        lock.release()
        async with opened(stage, tmp_path) as account:
            assert (await account.client()).account_url == url
        assert files(tmp_path).staged() is None

    play()


def test_one_process_at_a_time_changes_the_key(tmp_path: Path) -> None:
    """Two of them would write over each other's only copy."""

    @scenario
    async def play(stage: Stage) -> None:
        async with opened(stage, tmp_path) as account:
            url = await account.register()
            lock = held(tmp_path)
            with pytest.raises(StoreError, match=r"another dnsbroker .* is changing the key"):
                await account.roll_over()
            assert files(tmp_path).staged() is None
            lock.release()
            assert await account.roll_over("rsa2048") == url
        async with opened(stage, tmp_path) as account:
            assert (await (await account.existing()).account()).status == "valid"
        assert keys.key_type_of(files(tmp_path).key(lambda: "")) == "rsa2048"

    play()


def test_a_key_that_a_killed_change_left_is_settled_before_the_next_one(tmp_path: Path) -> None:
    """The CA had taken it: the account is not lost when its key is changed once more."""

    @scenario
    async def play(stage: Stage) -> None:
        async with opened(stage, tmp_path) as account:
            url = await account.register()
            client = await account.client()
            staged = keys.generate("ecdsa-p384")
            files(tmp_path).stage(staged)
            await client.roll_over(staged)
        async with opened(stage, tmp_path) as account:
            assert await account.roll_over() == url
        assert keys.key_type_of(files(tmp_path).key(lambda: "")) == "ecdsa-p384"
        assert files(tmp_path).staged() is None

    play()
