"""An open order and its key, kept between runs: whole, private, or nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.errors import NameInvalid
from dnsbroker.store import Pending, Store

KEY, OTHER = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
PENDING = Pending(
    order="https://ca.test/order/1",
    directory="https://ca.test/dir",
    account="default",
    names=("example.test", "*.example.test"),
    asked="ecdsa-p256",
    key_created=datetime(2026, 3, 1, tzinfo=UTC),
    key_pem=KEY,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    made.prepare()
    return made


def test_an_open_order_is_found_again(store: Store) -> None:
    """With its key; another certificate has none."""
    store.keep_pending("example.test", PENDING)
    assert store.pending("example.test") == PENDING
    assert store.pending("other.test") is None


def test_one_without_a_key_is_found_again(store: Store) -> None:
    """With the request, whose key is not here; an older version kept not even that."""
    for request in (keys.csr(KEY, PENDING.names), b""):
        kept = replace(PENDING, key_pem="", request=request)
        store.keep_pending("example.test", kept)
        assert store.pending("example.test") == kept


@pytest.mark.parametrize("text", ["AAAA", "MA==", "?", "MIIB", None, 1])
def test_a_request_that_is_none_counts_as_nothing(store: Store, tmp_path: Path, text: object) -> None:
    """Nor is there an error for it."""
    store.keep_pending("example.test", replace(PENDING, key_pem="", request=keys.csr(KEY, PENDING.names)))
    order = tmp_path / "pending/example.test/order.json"
    order.write_text(json.dumps({**json.loads(order.read_text()), "request": text}))
    assert store.pending("example.test") is None


def test_an_order_that_an_older_version_kept_is_found_again(store: Store, tmp_path: Path) -> None:
    """It knows of no request."""
    store.keep_pending("example.test", PENDING)
    order = tmp_path / "pending/example.test/order.json"
    facts = json.loads(order.read_text())
    del facts["request"]
    order.write_text(json.dumps(facts))
    assert store.pending("example.test") == PENDING


def test_nobody_else_can_read_it(store: Store, tmp_path: Path) -> None:
    """Neither the directory nor the key, and no text shows the key."""
    store.keep_pending("example.test", PENDING)
    home = tmp_path / "pending/example.test"
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.iterdir()} == {0o600}
    assert KEY not in repr(PENDING)


def test_a_forgotten_order_is_gone(store: Store, tmp_path: Path) -> None:
    """With its key; forgetting twice does no harm."""
    store.keep_pending("example.test", PENDING)
    for _ in range(2):
        store.drop_pending("example.test")
    assert store.pending("example.test") is None
    assert not list((tmp_path / "pending/example.test").iterdir())


def test_a_key_that_is_not_the_order_s_counts_as_nothing(store: Store, tmp_path: Path) -> None:
    """As after a kill between the two files."""
    store.keep_pending("example.test", PENDING)
    (tmp_path / "pending/example.test/privkey.pem").write_text(OTHER)
    assert store.pending("example.test") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"order": 1}', "\0\0"])
def test_a_damaged_order_counts_as_nothing(store: Store, tmp_path: Path, text: str) -> None:
    """A new one is opened."""
    store.keep_pending("example.test", PENDING)
    (tmp_path / "pending/example.test/order.json").write_text(text)
    assert store.pending("example.test") is None


def test_a_name_that_is_a_path_is_refused(store: Store) -> None:
    """It would lead elsewhere."""
    with pytest.raises(NameInvalid):
        store.pending("../x")
