"""The plain front leaves nothing of its own behind, whatever happens to the Broker inside it."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from dnsbroker import Broker, Config
from dnsbroker.errors import StoreError


def test_a_broker_that_cannot_be_opened_leaves_no_event_loop(tmp_path: Path) -> None:
    """A program that asks for warnings, or tries again and again, would run out of descriptors."""
    (tmp_path / "state.db").mkdir()
    config = Config.from_dict({"state_dir": str(tmp_path)})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(StoreError), Broker(config).sync():
            pass
        gc.collect()
    assert not [warning for warning in told if issubclass(warning.category, ResourceWarning)]
