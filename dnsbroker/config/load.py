"""From a file, or from the tables that a program gives, to a Config.

What is wrong outside the single certificates is raised, the first error found; what is wrong inside one stays with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnsbroker.adapter import Adapter
from dnsbroker.config.adapters import Adapters
from dnsbroker.config.certificate import CertificateConfig, CopyConfig
from dnsbroker.config.certificates import gather, unusable
from dnsbroker.config.dane import DaneConfig, Named, read_dane
from dnsbroker.config.files import configuration_path, read_configuration, state_directory
from dnsbroker.config.model import (
    AcmeConfig,
    Config,
    DNSConfig,
    PropagationConfig,
    ProviderConfig,
)
from dnsbroker.config.providers import read_provider
from dnsbroker.config.tables import Document, Table, key_names
from dnsbroker.config.toml import written_key
from dnsbroker.environment import variables

#: The tables whose keys are the same in every configuration, in the order of the reference.
SECTIONS: Mapping[str, type[Any]] = {"acme": AcmeConfig, "dns": DNSConfig, "propagation": PropagationConfig}
TABLES = (*SECTIONS, "accounts", "providers", "defaults", "certificates", "dane")
#: What no two certificates have in common.
_SINGULAR = ("names", "lineage")


def from_file(
    path: Path | str | None,
    *,
    environment: Mapping[str, str] | None,
    is_root: bool | None,
    adapters: Mapping[str, type[Adapter]] | None,
) -> Config:
    """See ``Config.load``."""
    environment = variables() if environment is None else environment
    is_root = os.geteuid() == 0 if is_root is None else is_root
    place, why = configuration_path(path, environment, is_root=is_root)
    opened = read_configuration(place, why)
    document = Document(str(place), place.parent, opened.status, environment=environment, homes=_homes())
    return _config(document, opened.tables, Adapters(adapters), path=place, is_root=is_root)


def from_tables(
    data: Mapping[str, object], *, environment: Mapping[str, str], adapters: Mapping[str, type[Adapter]] | None
) -> Config:
    """See ``Config.from_dict``."""
    document = Document("", Path(), environment=environment, homes=_homes())
    return _config(document, data, Adapters(adapters), path=None, is_root=os.geteuid() == 0)


def _homes() -> dict[str, str]:
    """Where each key of the core belongs, in words that follow a verb."""
    homes = dict.fromkeys(key_names(DaneConfig), "in [[dane]]")
    homes |= dict.fromkeys(key_names(CertificateConfig), "in [certificates.NAME] or [defaults]")
    homes |= dict.fromkeys(_SINGULAR, "in [certificates.NAME]")
    homes |= {name: "in [[certificates.NAME.copies]]" for name in key_names(CopyConfig) if name not in homes}
    homes |= dict.fromkeys(key_names(ProviderConfig), "in [providers.NAME]")
    for section, cls in SECTIONS.items():
        homes |= dict.fromkeys(key_names(cls), f"in [{section}]")
    return homes | dict.fromkeys(key_names(Config), "at the top of the file, before the first [table]")


def _config(
    document: Document,
    tables: Mapping[str, object],
    adapters: Mapping[str, type[Adapter]],
    *,
    path: Path | None,
    is_root: bool,
) -> Config:
    top = Table(document, "", tables)
    top.check_keys((*key_names(Config), *TABLES))
    values = top.values(Config)
    values.setdefault("state_dir", state_directory(document.environment, is_root=is_root))
    document = replace(document, secrets_group=values.get("secrets_group", ""))
    config = Config(
        **values,
        **{name: _section(Table.of(document, name, tables.get(name, {})), cls) for name, cls in SECTIONS.items()},
        accounts=_accounts(Table.of(document, "accounts", tables.get("accounts", {}))),
        providers=_providers(Table.of(document, "providers", tables.get("providers", {})), adapters),
        defaults=_defaults(Table.of(document, "defaults", tables.get("defaults", {}))),
        path=path,
        environment=document.environment,
    )
    config = _with_certificates(config, Table.of(document, "certificates", tables.get("certificates", {})))
    return replace(config, dane=_dane(document, tables["dane"], config)) if "dane" in tables else config


def _dane(document: Document, raw: object, config: Config) -> tuple[DaneConfig, ...]:
    elsewhere = ((each.name, each.path) for each in config.broken_lineages)
    return read_dane(document, raw, Named(config.certificates, config.broken, elsewhere, config.state_dir))


def _section(table: Table, cls: type[Any]) -> Any:
    table.check_keys(key_names(cls))
    return table.build(cls)


def _accounts(table: Table) -> dict[str, AcmeConfig]:
    """The accounts beside ``[acme]``; their names are those of directories too."""
    found = {}
    for name, raw in table.raw.items():
        if name == "default":
            raise table.error(name, "the account default is [acme]", "write its keys into [acme]")
        if reason := unusable(name, "an account"):
            raise table.error(name, reason, "choose another name, for example [accounts.tcs]")
        own = Table.of(table.document, f"accounts.{written_key(name)}", raw)
        own.check_keys(key_names(AcmeConfig))
        found[name] = own.build(AcmeConfig, name=name)
    return found


def _providers(table: Table, adapters: Mapping[str, type[Adapter]]) -> dict[str, ProviderConfig]:
    found = {}
    for name, raw in table.raw.items():
        found[name] = read_provider(name, Table.of(table.document, f"providers.{written_key(name)}", raw), adapters)
    return found


def _defaults(table: Table) -> Mapping[str, object]:
    table.check_keys(name for name in key_names(CertificateConfig) if name not in _SINGULAR)
    table.values(CertificateConfig)
    return dict(table.raw)


def _with_certificates(config: Config, table: Table) -> Config:
    directory = config.path.parent / "certificates.d" if config.path else None
    found = gather(table, directory, config.state_dir, config.defaults, tuple(config.known_accounts))
    return replace(
        config,
        certificates=found.certificates,
        broken=found.broken,
        broken_lineages=tuple(found.broken_lineages),
    )
