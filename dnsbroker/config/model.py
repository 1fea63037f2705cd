"""What a configuration is once it has been read: frozen values, each key with its default and its one sentence.

Names, addresses and durations stand here in their one canonical form. Nothing here reads a file, and no value is
a secret: a Secret only knows where to fetch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dnsbroker.adapter import Adapter
from dnsbroker.config import values
from dnsbroker.config.certificate import BrokenLineage, CertificateConfig
from dnsbroker.config.dane import DaneConfig
from dnsbroker.config.directories import KNOWN_DIRECTORIES, read_directory, read_staging, staging_of
from dnsbroker.config.tables import ReadableFile
from dnsbroker.config.toml import written_key
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Duration, Rejected, Secret, key

Require = Literal["all-reachable", "all", "resolvers", "none"]


@dataclass(frozen=True)
class AcmeConfig:
    """``[acme]`` or ``[accounts.NAME]``: one account at a CA, and what the CA is told.

    ``directory`` is a URL, ``contact`` holds URLs (``mailto:…``); the account in ``[acme]`` is called ``default``.
    """

    directory: str = key(
        KNOWN_DIRECTORIES["letsencrypt"],
        doc=f"The CA: {', '.join(KNOWN_DIRECTORIES)}, or the URL of a directory.",
        example='"letsencrypt"',
        read=read_directory,
    )
    staging: str = key(
        "",
        doc="The URL of the CA's directory for --rehearse; known for letsencrypt and google.",
        example='"https://staging.ca.example/directory"',
        read=read_staging,
    )
    contact: tuple[str, ...] = key(
        (),
        doc="Mail addresses that the CA may write to about this account.",
        example='["hostmaster@example.org"]',
        read=values.read_contacts,
    )
    agree_tos: bool = key(
        False,
        doc="Whether you agree to the CA's terms of service; must be true before anything is ordered.",
        example="true",
    )
    ca_bundle: ReadableFile = key(
        "",
        doc="A PEM file with the certificates to trust for the CA's own TLS, instead of the system's.",
        example='"/etc/dnsbroker/ca.pem"',
    )
    eab_kid: str = key(
        "",
        doc="The key identifier that the CA gave out for external account binding.",
        example='"kid-1"',
    )
    eab_hmac_key: Secret | None = key(
        None,
        doc="The key that belongs to eab_kid, in base64url; it is read to register the account, and not kept.",
        example='{ file = "/etc/dnsbroker/eab.key" }',
    )
    eab_algorithm: Literal["HS256", "HS384", "HS512"] = key(
        "HS256", doc="The algorithm of eab_hmac_key: HS256, HS384 or HS512."
    )
    proxy: str = key(
        "",
        doc="The HTTP proxy on the way to the CA, by default the environment's. Loopback, private and link-local "
        "addresses are asked through a proxy only where it is set here.",
        example='"http://proxy.example.org:3128"',
        read=values.read_proxy,
    )
    name: str = "default"

    def __post_init__(self) -> None:
        if bool(self.eab_kid) != (self.eab_hmac_key is not None):
            missing = "eab_hmac_key" if self.eab_kid else "eab_kid"
            raise Rejected(
                f"external account binding needs {missing} too",
                key=missing,
                hint="the CA gives out both, eab_kid and eab_hmac_key, for one account",
            )

    @property
    def table(self) -> str:
        """The table where it stands, for messages: ``[acme]`` or ``[accounts.NAME]``."""
        return "[acme]" if self.name == "default" else f"[accounts.{written_key(self.name)}]"

    @property
    def rehearsal_directory(self) -> str:
        """The URL of the CA's directory for a rehearsal, empty where none is known."""
        return self.staging or staging_of(self.directory)


@dataclass(frozen=True)
class DNSConfig:
    """``[dns]``: whom to ask. ``resolvers`` empty means the system's; ``servers`` is keyed by owner name."""

    resolvers: tuple[str, ...] = key(
        (),
        doc="The resolvers to ask for delegations, by default the system's: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.",
        example='["192.0.2.53"]',
        read=values.read_addresses,
    )
    trust_ad: bool | None = key(
        None,
        doc="Whether to believe these resolvers' AD bit, by default only where every one is a loopback address; "
        "`tlsa check` and `tlsa publish` rely on it.",
        example="false",
    )
    nameserver_port: int = key(
        53,
        doc="The port at which authoritative servers listen; another one is for private labs.",
        read=values.read_port,
    )
    servers: Mapping[str, tuple[str, ...]] = key(
        {},
        doc="For each zone named here, the servers to ask instead of those that its delegation names (split horizon).",
        example='{ "corp.example" = ["10.0.0.53"] }',
        read=values.read_servers,
    )


@dataclass(frozen=True)
class PropagationConfig:
    """``[propagation]``: when a record counts as published. Durations in seconds."""

    timeout: Duration = key(
        600.0, doc="How long to wait until every server agrees.", read=values.read_positive_duration
    )
    require: Require = key(
        "all-reachable",
        doc='Who must agree. "all-reachable": every server that answers for the zone; an address that is silent for '
        '10 s, or lame, is reported, and does not count as long as the zone has another that answers. "all": it '
        'fails the wait like one that disagrees. "resolvers": only dns.resolvers, first asked after settle. "none": '
        "nobody, only settle is waited. The last two need a settle above zero.",
    )
    ignore: tuple[str, ...] = key(
        (),
        doc="Servers, by name or address, whose answers do not count; a warning says so in every run.",
        example='["ns3.example.net", "192.0.2.3"]',
        read=values.read_ignored,
    )
    interval: Duration = key(
        0.2, doc="The first interval between two rounds of questions; it grows.", read=values.read_positive_duration
    )
    rounds: int = key(
        2,
        doc="How many complete rounds in a row must agree before a name counts as propagated.",
        read=values.read_count,
    )
    settle: Duration | None = key(
        None,
        doc="How much longer to wait after the verdict, by default what the adapter holds for right (cloudflare and "
        "lexicon: 3s, the others: 0s). Where it is set, it holds for every provider.",
        example='"0s"',
    )

    def __post_init__(self) -> None:
        if self.require in ("resolvers", "none") and not self.settle:
            raise Rejected(
                f"{self.require!r} needs a settle above zero, for nobody asks the zone's own servers",
                key="require",
                hint='set settle = "60s" in the same table, or leave require at "all-reachable"',
            )


@dataclass(frozen=True)
class ProviderConfig:
    """``[providers.NAME]``: one account at one DNS service. ``settings`` are those of its ``adapter``."""

    name: str
    adapter: type[Adapter]
    settings: Any
    type: str = key(doc="The kind of service; `dnsbroker providers` lists those installed.", example='"powerdns"')
    zones: tuple[str, ...] = key(
        (),
        doc="The only zones that it may write, and that are routed to it; by default all that the account may write.",
        example='["example.org"]',
        read=values.read_zones,
    )
    ttl: Duration | None = key(
        None,
        doc="The TTL of challenge records in a new RRset, by default what the adapter holds for right.",
        example='"5s"',
        read=values.read_ttl,
    )


@dataclass(frozen=True)
class Config:
    """A whole configuration. ``broken`` holds the error of each certificate that cannot be used; the others can.

    ``broken_lineages`` are those of them that another client keeps, or may keep. ``dane`` may name any of them too.
    ``accounts`` are those beside the one in ``[acme]``.
    ``environment`` is where proxies and ``{ env = … }`` come from; empty where the program gave the configuration.
    ``defaults`` is the table ``[defaults]`` as it was written, already found to be right.
    """

    state_dir: Path = key(
        Path("/var/lib/dnsbroker"),
        doc="Where keys, certificates and the journal are kept; $XDG_STATE_HOME/dnsbroker by default if not root.",
    )
    secrets_group: str = key(
        "", doc="The group that may read files with secrets, beside their owner.", example='"dnsbroker"'
    )
    parallel: int = key(
        8,
        doc="How many requests to the CA may be under way at once; the certificates are all worked on together.",
        read=values.read_count,
    )
    metrics: Path | None = key(
        None,
        doc="A file for Prometheus (textfile collector), rewritten whole after every run.",
        example='"/var/lib/prometheus/node-exporter/dnsbroker.prom"',
    )
    alert_hooks: tuple[str, ...] = key(
        (),
        doc="Commands for the shell that call a person: at once when one is needed, again each day while that lasts, "
        "and when it is past. They read the story on standard input, and find it in one line in DNSBROKER_SUMMARY.",
        example='["mail -s dnsbroker hostmaster@example.org"]',
    )
    alert_after: Duration = key(
        259_200.0,
        doc="How long a certificate may fail before that needs a person; at once where a third of its remaining "
        "lifetime is gone.",
        read=values.read_positive_duration,
    )
    acme: AcmeConfig = field(default_factory=AcmeConfig)
    accounts: Mapping[str, AcmeConfig] = field(default_factory=dict)
    dns: DNSConfig = field(default_factory=DNSConfig)
    propagation: PropagationConfig = field(default_factory=PropagationConfig)
    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    certificates: Mapping[str, CertificateConfig] = field(default_factory=dict)
    dane: Sequence[DaneConfig] = ()
    broken: Mapping[str, ConfigError] = field(default_factory=dict)
    broken_lineages: Sequence[BrokenLineage] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    path: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def known_accounts(self) -> Mapping[str, AcmeConfig]:
        """Every CA account by name; the one in ``[acme]`` is ``default``."""
        return {self.acme.name: self.acme, **self.accounts}

    def ignoring(self, servers: Iterable[str]) -> Config:
        """The same, but with ``servers`` (names or addresses) left out of every verdict as well. Raises ConfigError."""
        try:
            ignore = (*self.propagation.ignore, *values.read_ignored(list(servers)))
        except ValueError as error:
            raise ConfigError(str(error), key="--ignore", hint="name a server or an address") from error
        return replace(self, propagation=replace(self.propagation, ignore=ignore))

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        is_root: bool | None = None,
        adapters: Mapping[str, type[Adapter]] | None = None,
    ) -> Config:
        """The configuration in the file ``path``, else ``$DNSBROKER_CONFIG``, else the place for root or this user.

        ``environment`` replaces the process's, ``is_root`` what the process is; ``adapters`` stand beside those
        installed, by their type. Raises ConfigError for all that is wrong outside the single certificates.
        """
        from dnsbroker.config import load

        return load.from_file(path, environment=environment, is_root=is_root, adapters=adapters)

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, object],
        *,
        environment: Mapping[str, str] | None = None,
        adapters: Mapping[str, type[Adapter]] | None = None,
    ) -> Config:
        """The configuration in ``data``, shaped as the file is; a secret may be a function that returns it.

        No environment is read; ``environment`` may hand one over. Raises ConfigError as ``load`` does.
        """
        from dnsbroker.config import load

        return load.from_tables(data, environment=environment or {}, adapters=adapters)
