"""What an older client's directory holds, in our words: values that its reader makes, and that the writer takes.

No secret is in a repr. Settings are keys of ``[certificates.NAME]`` with values as TOML has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dnsbroker.errors import BrokerError


@dataclass(frozen=True)
class FoundAccount:
    """A registered account: ``directory`` and ``url`` are URLs, the latter empty where the client did not keep it."""

    place: Path
    directory: str
    url: str
    key_pem: str = field(repr=False)
    contact: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundPair:
    """A live certificate: its key and its chain, leaf first, as PEM; ``key_created`` (aware) as far as it is known.

    ``access`` says who may read the key, as settings; empty where that is nobody but us.
    """

    key_pem: str = field(repr=False)
    chain_pem: str = field(repr=False)
    key_created: datetime
    access: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundCertificate:
    """One certificate that the client keeps: ``pair`` is None where it was never issued; ``notes`` are for people."""

    name: str
    names: tuple[str, ...]
    account: FoundAccount
    settings: Mapping[str, object]
    pair: FoundPair | None
    origin: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundProvider:
    """A DNS service that the client writes to: the keys of ``[providers.NAME]`` but its one secret, ``secret_key``."""

    table: Mapping[str, object]
    secret_key: str
    secret: str = field(repr=False)


@dataclass
class Found:
    """All of one directory. ``failures`` are by certificate name; accounts stand with the most used one first."""

    client: str
    root: Path
    certificates: list[FoundCertificate] = field(default_factory=list)
    accounts: list[FoundAccount] = field(default_factory=list)
    providers: list[FoundProvider] = field(default_factory=list)
    failures: list[tuple[str, BrokerError]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
