"""Which of our accounts each account found becomes, and the tables that say so.

An account that is here already, with the same key, is that one. The most used of the others becomes ``default`` where
there is none yet and the configuration means the same CA, or none; each further one gets a table of its own. An account
in use has agreed to its CA's terms, so its table says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnsbroker import keys
from dnsbroker.config.directories import KNOWN_DIRECTORIES, read_directory
from dnsbroker.config.toml import written, written_key
from dnsbroker.config.values import read_contacts
from dnsbroker.errors import ConfigError
from dnsbroker.importing.found import FoundAccount
from dnsbroker.importing.target import Target
from dnsbroker.settings import Rejected
from dnsbroker.store import Store

_DEFAULT = "default"


@dataclass(frozen=True)
class Placed:
    """Where an account found belongs: its ``name`` here, and the ``table`` to add, empty where one is there."""

    name: str
    table: str


def place(
    accounts: Sequence[FoundAccount], client: str, target: Target, store: Store
) -> dict[FoundAccount, Placed | ConfigError]:
    """A place for each account, the most used first; an error for one that cannot be used here."""
    placed: dict[FoundAccount, Placed | ConfigError] = {}
    for account in accounts:
        taken = {item.name for item in placed.values() if isinstance(item, Placed)}
        try:
            read_directory(account.directory)
        except Rejected as error:
            words = f"its CA cannot be used: {error}"
            placed[account] = ConfigError(words, path=str(account.place), hint=error.hint)
            continue
        name = next(_fitting(account, client, target, store, taken))
        placed[account] = Placed(name, _table(name, account, client, target))
    return placed


def _fitting(account: FoundAccount, client: str, target: Target, store: Store, taken: set[str]) -> Iterator[str]:
    """Names under which the account can stand, the best first."""
    config = target.config
    for name, known in config.known_accounts.items():
        if known.directory == account.directory and _has_key(store, name, account):
            yield name
    is_free = not store.account(_DEFAULT).has_key() or _has_key(store, _DEFAULT, account)
    if _DEFAULT not in taken and is_free and _means(target, account.directory):
        yield _DEFAULT
    for number in itertools.count(1):
        name = client if number == 1 else f"{client}-{number}"
        is_vacant = not store.account(name).has_key() or _has_key(store, name, account)
        if name not in taken and name not in config.known_accounts and is_vacant:
            yield name


def _means(target: Target, directory: str) -> bool:
    """Whether ``[acme]`` is this CA's, or may become so without changing what is configured."""
    config = target.config
    is_open = not (target.has_table("acme") or config.certificates or config.broken)
    return config.acme.directory == directory or is_open


def _has_key(store: Store, name: str, account: FoundAccount) -> bool:
    files = store.account(name)
    if not files.has_key():
        return False
    return keys.spki_sha256_of(files.key(lambda: account.key_pem)) == keys.spki_sha256_of(account.key_pem)


def _table(name: str, account: FoundAccount, client: str, target: Target) -> str:
    if target.has_table("acme") if name == _DEFAULT else name in target.config.accounts:
        return ""
    known = {url: word for word, url in KNOWN_DIRECTORIES.items()}
    lines = [
        "[acme]" if name == _DEFAULT else f"[accounts.{written_key(name)}]",
        f"directory = {written(known.get(account.directory, account.directory))}",
        f"# The account comes from {client}, and agreed to the CA's terms of service there.",
        "agree_tos = true",
    ]
    if contact := _contact(account.contact):
        lines.append(f"contact = {written(contact)}")
    return "\n".join(lines) + "\n"


def _contact(urls: Sequence[str]) -> list[str]:
    """The mail addresses among ``urls``."""
    found: Mapping[str, None] = {}
    for url in urls:
        try:
            found = {**found, **dict.fromkeys(item.removeprefix("mailto:") for item in read_contacts([url]))}
        except Rejected:
            continue
    return list(found)
