"""From what an older client's directory holds to our configuration and state.

The order is that of what needs what: account keys, then the tables that name them, then each certificate's files, then
its configuration. Every step looks first whether it is done, so that a run that was cut off is finished by the next,
and one that has nothing to do changes nothing. One certificate that cannot be taken stops no other.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificates import ad_hoc
from dnsbroker.config.toml import written, written_key
from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.importing import certbot, dehydrated
from dnsbroker.importing.found import Found, FoundAccount, FoundCertificate, FoundProvider
from dnsbroker.importing.placing import Placed, place
from dnsbroker.importing.target import Target, owner_note
from dnsbroker.keys import describe
from dnsbroker.lineages import client_of
from dnsbroker.lineages.tree import unreadable
from dnsbroker.store import Access, Lineage, Provenance, Store

Status = Literal["imported", "kept", "failed"]


@dataclass(frozen=True)
class ImportedAccount:
    """An account that was found: its name here, its CA's directory and its own URL."""

    name: str
    directory: str
    url: str
    status: Status


@dataclass(frozen=True)
class ImportedCertificate:
    """What became of a certificate: ``lineage`` is what is live, ``reason`` says where it is configured, or why not."""

    name: str
    status: Status
    reason: str
    lineage: Lineage | None = None
    notes: tuple[str, ...] = ()
    error: BrokerError | None = None


@dataclass(frozen=True)
class Imported:
    """A whole import. ``providers`` are those added; ``notes`` tell what was not taken, and what is left to do.

    ``still_kept`` are certificates configured here that the client goes on to obtain: it is not to be ended yet.
    """

    client: str
    configuration: Path
    accounts: tuple[ImportedAccount, ...]
    certificates: tuple[ImportedCertificate, ...]
    providers: tuple[str, ...]
    notes: tuple[str, ...]
    changed: bool
    still_kept: tuple[str, ...] = ()


def bring_in(path: Path, configuration: str, environment: Mapping[str, str], *, is_root: bool) -> Imported:
    """Take over the directory ``path`` of certbot or dehydrated into the configuration (empty: the usual place).

    Raises ConfigError where the directory is neither client's, or the configuration cannot be used; StoreError.
    """
    found = _read(path)
    target = Target(configuration, environment, is_root=is_root)
    with target.alone():
        return _Move(found, target).done()


def _read(path: Path) -> Found:
    root = path.absolute()
    try:
        found = _found(root)
    except OSError as error:
        raise unreadable(root, error) from error
    if not (found.certificates or found.accounts or found.failures):
        words = f"is a directory of {found.client}'s without a certificate or an account"
        raise ConfigError(words, path=str(root), hint="there is nothing to take over; `dnsbroker issue` makes new ones")
    return found


def _found(root: Path) -> Found:
    if certbot.is_one(root):
        return certbot.read(root)
    if dehydrated.is_one(root):
        return dehydrated.read(root)
    words = "is a directory neither of certbot nor of dehydrated" if root.is_dir() else "is no directory"
    hint = "name the directory with certbot's renewal/ (/etc/letsencrypt), or with dehydrated's config and domains.txt"
    raise ConfigError(words, path=str(root), hint=hint)


class _Move:
    """One import under way."""

    def __init__(self, found: Found, target: Target) -> None:
        self._found = found
        self._target = target
        self._store = Store(target.config.state_dir)
        self._changed = False
        self._placed: dict[FoundAccount, Placed | ConfigError] = {}
        self._still_kept = _still_kept(found, target.config)

    def done(self) -> Imported:
        """Do all of it."""
        self._placed = place(self._found.accounts, self._found.client, self._target, self._store)
        accounts = tuple(self._adopt(item, name) for item, name in self._placed.items())
        providers = self._configure()
        certificates = [self._taken(item) for item in self._found.certificates]
        failed = [_failed(name, error) for name, error in self._found.failures]
        changed = self._changed or self._target.changed
        return Imported(
            self._found.client,
            self._target.path,
            accounts,
            (*certificates, *failed),
            providers,
            tuple(dict.fromkeys((*self._found.notes, *self._notes()))),
            changed,
            self._still_kept,
        )

    def _adopt(self, account: FoundAccount, placed: Placed | ConfigError) -> ImportedAccount:
        if isinstance(placed, ConfigError):
            return ImportedAccount("", account.directory, account.url, "failed")
        files = self._store.account(placed.name)
        status: Status = "kept"
        if not files.has_key() or (account.url and files.url(account.directory) is None):
            self._store.prepare()
            files.adopt(account.key_pem, account.directory, account.url)
            self._changed, status = True, "imported"
        return ImportedAccount(placed.name, account.directory, account.url, status)

    def _configure(self) -> tuple[str, ...]:
        """Add the tables that are missing; gives back the names of the new providers."""
        tables = [item.table for item in self._placed.values() if isinstance(item, Placed) and item.table]
        named: dict[str, FoundProvider] = {}
        for provider in self._found.providers:
            if name := self._provider_name(provider, named):
                named[name] = provider
        tables += [self._provider_table(name, item) for name, item in named.items()]
        if not tables:
            return ()
        head = f"# Taken over from {self._found.client} in {self._found.root}\n"
        self._target.append(head + "\n".join(tables))
        return tuple(named)

    def _provider_name(self, provider: FoundProvider, others: Collection[str]) -> str:
        """A name for the provider; empty where it is configured, or where its table would not do."""
        known = self._target.tables.get("providers", {})
        tables = known if isinstance(known, Mapping) else {}
        if any(_is_same(table, provider.table) for table in tables.values()):
            return ""
        try:
            table = {**provider.table, provider.secret_key: provider.secret}
            Config.from_dict({"state_dir": str(self._store.state_dir), "providers": {"x": table}})
        except ConfigError as error:
            self._found.notes.append(f"no [providers] table is made: {error.message}")
            return ""
        kind = str(provider.table["type"])
        names = (f"{kind}-{number}" if number > 1 else kind for number in itertools.count(1))
        return next(name for name in names if name not in tables and name not in others)

    def _provider_table(self, name: str, provider: FoundProvider) -> str:
        secret = self._target.add_secret(f"{name}.key", provider.secret)
        keys = {**provider.table, provider.secret_key: {"file": str(secret)}}
        return f"[providers.{written_key(name)}]\n" + "".join(f"{key} = {written(keys[key])}\n" for key in keys)

    def _taken(self, found: FoundCertificate) -> ImportedCertificate:
        try:
            return self._take(found)
        except BrokerError as error:
            return _failed(found.name, error)

    def _take(self, found: FoundCertificate) -> ImportedCertificate:
        there = self._already(found.name)
        if there:
            return ImportedCertificate(found.name, "kept", there, self._store.load(found.name))
        placed = self._placed[found.account]
        if isinstance(placed, ConfigError):
            raise placed
        settings = {**({} if placed.name == "default" else {"account": placed.name}), **found.settings}
        certificate, text = ad_hoc(self._target.config, found.names, name=found.name, settings=settings)
        lineage = self._stored(found, certificate)
        head = f"# Taken over from {self._found.client}: {found.origin} in {self._found.root}\n"
        file = self._target.add(f"certificates.d/{found.name}.toml", head + text)
        return ImportedCertificate(found.name, "imported", f"configured in {file}", lineage, found.notes)

    def _already(self, name: str) -> str:
        """Where a certificate of this name is configured; empty where nowhere."""
        config = self._target.config
        known = {one.lower(): one for one in (*config.certificates, *config.broken)}
        if name.lower() not in known:
            return ""
        if known[name.lower()] in self._still_kept:
            return f"{self._found.client} keeps it (lineage): to take it over, take its table out and import again"
        configured = config.certificates.get(known[name.lower()])
        where = f"remembered in {config.state_dir}" if configured and configured.remembered else "configured"
        return f"it is {where} already, and stays as it is"

    def _stored(self, found: FoundCertificate, certificate: CertificateConfig) -> Lineage | None:
        if found.pair is None:
            return None
        live = self._store.load(found.name)
        if live is not None and live.leaf == describe(found.pair.chain_pem):
            return live
        if live is not None:
            words = f"another certificate of that name is live, serial {live.serial}"
            hint = f"move {live.path} away, or configure this one by hand under another name"
            raise StoreError(words, path=str(live.path), hint=hint)
        self._changed = True
        access = Access(certificate.owner, certificate.group, certificate.mode, f"certificate {found.name}")
        # As if what is configured had been asked for: only what changes from now on makes it due.
        provenance = Provenance(
            directory=found.account.directory,
            key_created=found.pair.key_created,
            account=certificate.account,
            profile=certificate.profile or certificate.preferred_profile,
            preferred_chain=certificate.preferred_chain,
        )
        return self._store.save(found.name, found.pair.key_pem, found.pair.chain_pem, access, provenance)

    def _notes(self) -> list[str]:
        config = self._target.config
        used = {item.name for item in self._placed.values() if isinstance(item, Placed)}
        notes = [
            f"{account.table} has no agree_tos = true, which is needed to order"
            for name, account in config.known_accounts.items()
            if name in used and not account.agree_tos
        ]
        if not config.providers:
            notes.append("no [providers] table says yet which DNS service to write to: see `dnsbroker config example`")
        owner = owner_note(config) if self._changed else ""
        return [*notes, *([owner] if owner else [])]


def _still_kept(found: Found, config: Config) -> tuple[str, ...]:
    """The certificates whose lineage the client keeps: below its directory, or elsewhere under a name found there."""
    places = {name: item.lineage for name, item in config.certificates.items()}
    places |= {item.name: item.path for item in config.broken_lineages}
    known = {item.name.lower() for item in found.certificates}
    root = Path(os.path.realpath(found.root))
    return tuple(
        name
        for name, place in places.items()
        if place is not None
        and (
            Path(os.path.realpath(place)).is_relative_to(root)
            or (name.lower() in known and client_of(place) == found.client)
        )
    )


def _failed(name: str, error: BrokerError) -> ImportedCertificate:
    return ImportedCertificate(name, "failed", error.message, error=error)


def _is_same(table: object, other: Mapping[str, object]) -> bool:
    """Whether two tables of ``rfc2136`` name the same server and key."""
    if not isinstance(table, Mapping):
        return False
    return all(_folded(table.get(key)) == _folded(other.get(key)) for key in ("type", "server", "tsig_name"))


def _folded(value: object) -> str:
    return str(value).lower().rstrip(".")
