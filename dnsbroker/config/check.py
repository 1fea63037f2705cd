"""What can be found wrong with a configuration without asking anybody over the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from dnsbroker.config.certificate import CertificateConfig
from dnsbroker.config.model import AcmeConfig, Config
from dnsbroker.config.permissions import group_id, user_id
from dnsbroker.config.toml import written_key
from dnsbroker.errors import ConfigError
from dnsbroker.settings import secrets_of


def check(config: Config) -> list[ConfigError]:
    """Every error in ``config``: of broken certificates, of secrets that cannot be fetched, of files and accounts.

    Fetches each secret, so may run commands; keeps none.
    """
    errors = list(config.broken.values())
    errors += _accounts(config, "", "secrets_group", config.secrets_group, group_id)
    for account in config.known_accounts.values():
        errors += _trust(config, account)
        errors += _binding(config, account)
    for provider in config.providers.values():
        errors += _secrets(provider.settings)
    for certificate in config.certificates.values():
        errors += _ownership(config, certificate)
        errors += _lineage(config, certificate)
    return errors


def _accounts(
    config: Config, table: str, name: str, account: str, number: Callable[[str], int | None]
) -> Iterator[ConfigError]:
    if account and number(account) is None:
        kind = "user" if name == "owner" else "group"
        hint = f"getent {'passwd' if kind == 'user' else 'group'} lists those that this machine knows"
        key = f"[{table}] {name}" if table else name
        yield ConfigError(f"there is no {kind} {account}", path=str(config.path or ""), key=key, hint=hint)


def _binding(config: Config, account: AcmeConfig) -> Iterator[ConfigError]:
    """The key of an external account binding is needed once: after that its file may be gone."""
    if not (config.state_dir / "accounts" / account.name / "account.json").exists():
        yield from _secrets(account)


def _trust(config: Config, account: AcmeConfig) -> Iterator[ConfigError]:
    if not account.ca_bundle:
        return
    import ssl

    try:
        ssl.create_default_context(cafile=account.ca_bundle)
    except (ssl.SSLError, OSError) as error:
        message = f"{account.ca_bundle} holds no certificates: {error}"
        hint = "it should hold certificates in PEM, -----BEGIN CERTIFICATE-----"
        yield ConfigError(message, path=str(config.path or ""), key=f"{account.table} ca_bundle", hint=hint)


def _secrets(settings: Any) -> Iterator[ConfigError]:
    for secret in secrets_of(settings):
        try:
            secret.reveal()
        except ConfigError as error:
            yield error


def _ownership(config: Config, certificate: CertificateConfig) -> Iterator[ConfigError]:
    table = f"certificates.{written_key(certificate.name)}"
    yield from _accounts(config, table, "owner", certificate.owner, user_id)
    yield from _accounts(config, table, "group", certificate.group, group_id)
    for copy in certificate.copies:
        yield from _accounts(config, f"{table}.copies", "owner", copy.owner, user_id)
        yield from _accounts(config, f"{table}.copies", "group", copy.group, group_id)


def _lineage(config: Config, certificate: CertificateConfig) -> Iterator[ConfigError]:
    """It need not be there yet, but a file it never is."""
    path = certificate.lineage
    if path is not None and os.path.isfile(path):  # where it may not be looked at, nothing is known
        hint = f"name the directory that it is in: {path.parent}"
        key = f"[certificates.{written_key(certificate.name)}] lineage"
        yield ConfigError(f"{path} is a file", path=str(config.path or ""), key=key, hint=hint)
