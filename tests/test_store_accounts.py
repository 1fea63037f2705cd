"""An account's files: a key that is made once, a URL that belongs to one CA, and a change that survives a kill."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.errors import StoreError
from dnsbroker.store import AccountFiles, Store

CA, OTHER = "https://ca.test/dir", "https://other.test/dir"
KEY, NEW = keys.generate("ecdsa-p256"), keys.generate("rsa2048")
MOMENT = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


@pytest.fixture
def account(tmp_path: Path) -> AccountFiles:
    store = Store(tmp_path)
    store.prepare()
    return store.account("default")


def test_looking_for_a_key_makes_none(account: AccountFiles, tmp_path: Path) -> None:
    """Nor a directory."""
    assert not account.has_key()
    assert account.staged() is None
    assert account.url(CA) is None
    assert not (tmp_path / "accounts").exists()


def test_a_staged_key_takes_the_place_of_the_present_one_when_it_is_promoted(account: AccountFiles) -> None:
    """Not before."""
    account.key(lambda: KEY)
    account.stage(NEW)
    assert account.key(lambda: "") == KEY
    assert account.staged() == NEW
    account.promote()
    assert account.key(lambda: "") == NEW
    assert account.staged() is None


def test_a_staged_key_that_the_ca_never_took_is_forgotten(account: AccountFiles) -> None:
    """The present one stays."""
    account.key(lambda: KEY)
    account.stage(NEW)
    account.unstage()
    assert (account.staged(), account.key(lambda: "")) == (None, KEY)


def test_a_deactivated_account_s_key_is_put_aside(account: AccountFiles, tmp_path: Path) -> None:
    """And at that CA, it is said when."""
    account.key(lambda: KEY)
    account.keep_url(CA, "https://ca.test/account/1")
    account.retire(CA, MOMENT)
    assert (account.deactivated(CA), account.deactivated(OTHER)) == (MOMENT, None)
    assert (account.has_key(), account.url(CA)) == (False, None)
    (aside,) = (tmp_path / "accounts/default").glob("*.pem")
    assert aside.read_text() == KEY
    assert aside.stat().st_mode & 0o777 == 0o600


def test_an_account_made_elsewhere_is_taken_over(account: AccountFiles) -> None:
    """Twice is as good as once."""
    for _ in range(2):
        account.adopt(KEY, CA, "https://ca.test/account/1")
    assert (account.key(lambda: ""), account.url(CA)) == (KEY, "https://ca.test/account/1")


def test_an_account_with_another_key_is_not_overwritten(account: AccountFiles) -> None:
    """It is named, and stays."""
    account.key(lambda: KEY)
    with pytest.raises(StoreError, match="another account's key is here"):
        account.adopt(NEW, CA, "https://ca.test/account/2")
    assert (account.key(lambda: ""), account.url(CA)) == (KEY, None)


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}', '{"directory": "https://ca.test/dir"}', "\0"])
def test_a_damaged_account_file_counts_as_none(account: AccountFiles, tmp_path: Path, text: str) -> None:
    """The CA finds the account again by its key."""
    account.key(lambda: KEY)
    (tmp_path / "accounts/default/account.json").write_text(text)
    assert (account.url(CA), account.deactivated(CA)) == (None, None)
