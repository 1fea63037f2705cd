"""A client and its hook may be killed at any moment: nothing stays for good, and the next run is none the worse.

The journal is the whole of what a killed process leaves behind; its transactions are where it may differ.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.hooking.calls import Call, Ended, Started
from dnsbroker.journal import Journal
from hooks_bench import NAME, ZONE, Host, cleanup, heeded, host, spaced
from killing import ended_with, forked

HOUR = 3600
SESSION = "dehydrated /etc/dehydrated"
CERTBOT: tuple[Call, ...] = (
    spaced("a", following=1),
    spaced("b"),
    cleanup("a", session="certbot example.test"),
    cleanup("b", session="certbot example.test"),
)
DEHYDRATED: tuple[Call, ...] = (
    Started(SESSION),
    heeded("a", "b", session=SESSION),
    cleanup("a", "b", session=SESSION, forgiving=True),
    Ended(SESSION),
)


@contextmanager
def kept(state_dir: Path) -> Iterator[Host]:
    """A host whose service outlives its process."""
    file = state_dir / "service.json"
    with host(state_dir) as made:
        if file.exists():
            made.service.plant(ZONE, NAME, "TXT", 5, json.loads(file.read_text()))
        write = made.service.write

        def writing(*args: Any) -> int:
            serial = write(*args)
            file.write_text(json.dumps(sorted(made.standing())))
            return serial

        setattr(made.service, "write", writing)  # noqa: B010 - an object's own, for as long as it lives
        yield made


def is_killed(state_dir: Path, calls: tuple[Call, ...], count: int) -> bool:
    """Whether a process that makes ``calls`` came to its ``count``-th transaction; it was killed before it."""

    def act() -> None:
        left, transaction = count, Journal.transaction

        def counted(journal: Journal) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return transaction(journal)

        with kept(state_dir) as made:
            setattr(Journal, "transaction", counted)  # noqa: B010 - in a process that ends here
            for call in calls:
                assert not made.call(call, wait=False).failures

    status = ended_with(forked(act))
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("calls", [CERTBOT, DEHYDRATED], ids=["certbot", "dehydrated"])
def test_h9_what_a_killed_client_left_goes_with_its_time(tmp_path: Path, calls: tuple[Call, ...]) -> None:
    """Killed before its n-th transaction: the next run is well at once, and what was left goes when it expires."""
    found = 0
    for count in itertools.count(start=1, step=4):
        state_dir = tmp_path / str(count)
        state_dir.mkdir()
        if not is_killed(state_dir, calls, count):
            break
        with kept(state_dir) as made:
            found += bool(made.standing())
            assert not made.call(spaced("c"), wait=False).failures
            assert "c" in made.standing()
            assert not made.call(cleanup("c", session="certbot example.test")).failures
            made.clock.turn(HOUR + 1)
            made.collect()
            assert (made.standing(), made.open()) == (set(), ())
    assert found


def test_what_a_killed_dehydrated_left_goes_at_its_next_start(tmp_path: Path) -> None:
    """It need not expire: the client's own lock says that the earlier run is dead."""
    assert is_killed(tmp_path, (DEHYDRATED[1], Ended("nobody"), DEHYDRATED[3]), 6)
    with kept(tmp_path) as made:
        assert made.standing() == {"a", "b"}
        assert not made.call(Started("dehydrated /elsewhere")).failures
        assert made.standing() == {"a", "b"}
        assert not made.call(Started(SESSION)).failures
        assert (made.standing(), made.open()) == (set(), ())
