"""One CA account below ``accounts/NAME``: its private key, its URL, and what is being made of them.

``key.pem`` and ``account.json`` are all there is to an account: copied to another host, they are the account there.
While the key changes, ``next.pem`` holds the new one from before the CA hears of it until the CA has taken it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import PemInvalid, StoreError
from dnsbroker.store import disk
from dnsbroker.store.disk import explained, locked

_HINT = "restore it from a copy, or move it away to have a new account made"


class AccountFiles:
    """The files of one account; the directory is ours alone. Every method raises StoreError."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def has_key(self) -> bool:
        """Whether there is a private key already."""
        with explained(self._home):
            return (self._home / "key.pem").exists()

    def key(self, create: Callable[[], str]) -> str:
        """The private key (PEM); where there is none, ``create``'s, which is kept first.

        All who ask get the same key, also at the same time. Raises StoreError, also where the file holds no key.
        """
        path = self._home / "key.pem"
        with self._opened():
            if not path.exists():
                disk.replace(path, create())
        return self._read(path)

    def url(self, directory: str) -> str | None:
        """The account's URL at the CA with this ``directory`` (URL); None where none is known there.

        A damaged file counts as none: the CA finds the account again by its key.
        """
        kept = self._kept()
        return kept["url"] if kept.get("directory") == directory and kept.get("url") else None

    def deactivated(self, directory: str) -> datetime | None:
        """When the account at this ``directory`` was deactivated from here; None where it was not."""
        kept = self._kept()
        try:
            return datetime.fromisoformat(kept["deactivated"]) if kept.get("directory") == directory else None
        except (KeyError, ValueError):
            return None

    def keep_url(self, directory: str, url: str) -> None:
        """Keep the ``url`` of the account at the CA with this ``directory`` (URL)."""
        self._keep({"directory": directory, "url": url})

    def retire(self, directory: str, moment: datetime) -> None:
        """Put the key of an account deactivated at ``moment`` aside, where nothing uses it any more, and say so."""
        self._keep({"directory": directory, "deactivated": moment.isoformat()})
        with self._opened():
            (self._home / "key.pem").rename(self._home / f"deactivated-{moment:%Y%m%dT%H%M%SZ}.pem")
            disk.sync_directory(self._home)

    def adopt(self, key_pem: str, directory: str, url: str) -> None:
        """Take over an account made elsewhere. Raises StoreError where one with another key is here."""
        path = self._home / "key.pem"
        if self.has_key() and keys.spki_sha256_of(self._read(path)) != keys.spki_sha256_of(key_pem):
            raise StoreError(f"{path}: another account's key is here", path=str(path), hint="move its directory away")
        with self._opened():
            if not path.exists():
                disk.replace(path, key_pem)
        self.keep_url(directory, url)

    def stage(self, key_pem: str) -> None:
        """Keep a key that is to replace the present one, before the CA hears of it."""
        with self._opened():
            disk.replace(self._home / "next.pem", key_pem)

    def staged(self) -> str | None:
        """The key that was to replace the present one when this was left; None where there is none."""
        path = self._home / "next.pem"
        with explained(path):
            if not path.exists():
                return None
        return self._read(path)

    def promote(self) -> None:
        """Let the staged key be the account's."""
        with self._opened():
            (self._home / "next.pem").replace(self._home / "key.pem")
            disk.sync_directory(self._home)

    def unstage(self) -> None:
        """Forget the staged key, which the CA never took."""
        with self._opened():
            (self._home / "next.pem").unlink(missing_ok=True)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """The account's directory, made private and kept to ourselves while something is written."""
        with explained(self._home):
            disk.make_private(self._home.parent)
            disk.make_private(self._home)
            with locked(self._home):
                yield

    def _kept(self) -> dict[str, str]:
        path = self._home / "account.json"
        with explained(path):
            try:
                kept = json.loads(path.read_bytes())
            except (FileNotFoundError, ValueError):
                return {}
        return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, dict) else {}

    def _keep(self, facts: dict[str, str]) -> None:
        with self._opened():
            disk.replace(self._home / "account.json", json.dumps(facts, indent=2) + "\n")

    def _read(self, path: Path) -> str:
        with explained(path):
            key = path.read_bytes().decode("utf-8", "replace")
        try:
            keys.key_type_of(key)
        except PemInvalid as error:
            raise StoreError(f"{path}: {error.message}", path=str(path), hint=_HINT) from error
        return key
