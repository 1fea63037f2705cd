"""Two keys that dehydrated may use next, of which caches know one: its run does not begin."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from dnsbroker.errors import Held
from dnsbroker.hooking import Answer
from hooked_host import NEW, NEWER
from managed_host import RIPE, Managed, covered


def lay_out(host: Managed, key_pem: str, other_pem: str) -> None:
    """As an attempt that failed half-way may leave them: one is in the place of the key itself."""
    host.lay_out(key_pem)
    host.kept.key.resolve().write_text(other_pem)


@pytest.mark.parametrize("keys", [(NEW, NEWER), (NEWER, NEW)], ids=["the one laid out", "the one in use"])
def test_one_key_that_caches_know_does_not_answer_for_another(tmp_path: Path, keys: Iterable[str]) -> None:
    """Nobody can tell which of them will be used. The twin: once both are known, it begins."""
    host = Managed(tmp_path)
    covered(host, NEW)
    lay_out(host, *keys)
    (refused,) = host.start().failures
    assert isinstance(refused, Held)
    assert refused.until == host.now + RIPE
    assert host.records.names(NEWER)
    host.later(RIPE - timedelta(seconds=1))
    assert host.start().failures
    host.later(timedelta(seconds=1))
    assert host.start() == Answer()
