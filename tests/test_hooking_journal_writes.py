"""What a hook's call costs the disk: each transaction that changes the journal is several waits for it.

Rule: one before anything is sent for what was asked, one for where it goes, one with the request, one with its receipt,
and one for the history. A further one has to be worth it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dnsbroker.hooking import perform
from dnsbroker.hooking.calls import Call
from dnsbroker.journal import History, Journal
from dnsbroker.run import recorded
from hooks_bench import Host, cleanup, heeded, host


def writes(made: Host, call: Call, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many transactions of a recorded run that does ``call`` change the journal."""
    count, transaction = 0, Journal.transaction

    @contextmanager
    def counted(journal: Journal) -> Iterator[sqlite3.Connection]:
        nonlocal count
        with transaction(journal) as database:
            before = database.total_changes
            yield database
            count += database.total_changes > before

    async def called() -> None:
        async with recorded(made.config, made.clock, None, "hook") as run:
            assert not (await perform(call, run, wait=False)).failures

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "transaction", counted)
        asyncio.run(called())
    return count


def test_a_call_waits_for_the_disk_no_oftener_than_safety_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what happened is in the history all the same."""
    with host(tmp_path) as made:
        assert writes(made, heeded("a"), monkeypatch) == 5
        assert made.standing() == {"a"}
        assert writes(made, cleanup("a"), monkeypatch) == 5
        assert made.standing() == set()
    told = History(Journal(tmp_path), "reader").entries()
    assert [entry.event for entry in told] == ["place", "written", "withdrawn"]
