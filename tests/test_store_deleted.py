"""What is deleted stands aside for a time, and then is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsbroker.errors import ConfigError
from dnsbroker.store import Store

MOMENT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for directory in ("live/a.test", "archive/a.test/1", "pending/a.test", "issued", "certificates", "live/b.test"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "live/a.test/current").symlink_to("../../archive/a.test/1")
    (tmp_path / "archive/a.test/1/privkey.pem").write_text("key")
    (tmp_path / "issued/a.test.json").write_text("{}")
    (tmp_path / "certificates/a.test.toml").write_text("")
    return Store(tmp_path)


def test_everything_of_a_certificate_is_put_aside_together(store: Store, tmp_path: Path) -> None:
    """Where nobody else can read it; another certificate stays."""
    place = store.delete("a.test", MOMENT)
    assert place == tmp_path / "deleted/a.test.20260301T063000Z"
    assert {path.name for path in place.iterdir()} == {"live", "archive", "pending", "issued.json", "certificate.toml"}
    assert (place / "archive/1/privkey.pem").read_text() == "key"
    assert place.stat().st_mode & 0o077 == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if "deleted" not in path.parts}
    assert not any("a.test" in path for path in left)
    assert "live/b.test" in left


def test_what_is_not_there_is_not_deleted(store: Store) -> None:
    """And said to be so."""
    with pytest.raises(ConfigError, match=r"no certificate 'c\.test'"):
        store.delete("c.test", MOMENT)


def test_what_was_deleted_long_ago_is_gone_and_the_rest_stays(store: Store, tmp_path: Path) -> None:
    """What has a name of another form is not ours to remove."""
    store.prune_deleted(MOMENT)  # nothing was ever deleted
    place = store.delete("a.test", MOMENT)
    (tmp_path / "deleted/mine").mkdir()
    store.prune_deleted(MOMENT)
    assert place.exists()
    store.prune_deleted(MOMENT + DAY)
    assert [path.name for path in (tmp_path / "deleted").iterdir()] == ["mine"]
