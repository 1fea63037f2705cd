"""One certificate as it is configured: its names and key, where it comes from, and what becomes of its files.

Frozen values, each key with its default and its one sentence, as in the model beside this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnsbroker import settings
from dnsbroker.config import values
from dnsbroker.config.tables import Mode
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Duration, Rejected, key

KeyType = Literal["ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096"]


@dataclass(frozen=True)
class CopyConfig:
    """``[[certificates.NAME.copies]]``: files for a daemon of its own; paths are absolute once read."""

    to: Path | None = settings.key(
        None,
        doc="A directory for all five files under their usual names, privkey.pem and so on.",
        example='"/etc/prosody/certs/example.org"',
    )
    key: Path | None = settings.key(
        None, doc="Where the private key goes.", example='"/etc/prosody/certs/example.org.key"'
    )
    fullchain: Path | None = settings.key(
        None, doc="Where the certificate goes with its chain.", example='"/etc/prosody/certs/example.org.crt"'
    )
    chain: Path | None = settings.key(
        None, doc="Where the chain goes without the certificate.", example='"/etc/daemon/chain.pem"'
    )
    cert: Path | None = settings.key(None, doc="Where the certificate goes alone.", example='"/etc/daemon/cert.pem"')
    combined: Path | None = settings.key(
        None, doc="Where the private key goes with the full chain behind it.", example='"/etc/haproxy/example.org.pem"'
    )
    owner: str = settings.key(
        "", doc="The user who owns the copies, by default the one who runs dnsbroker.", example='"prosody"'
    )
    group: str = settings.key("", doc="The group of the copies.", example='"prosody"')
    mode: Mode = settings.key(
        0o600, doc="The mode of copies that hold the private key, in octal; the others are 0644.", read=values.read_mode
    )
    keep: int = settings.key(
        1, doc="How many older copies are kept beside each, with their date.", read=values.read_number
    )

    def __post_init__(self) -> None:
        single = [name for name in ("key", "fullchain", "chain", "cert", "combined") if getattr(self, name) is not None]
        if self.to is None and not single:
            raise Rejected(
                "says not where to copy to", key="to", hint='for example to = "/etc/prosody/certs/example.org"'
            )
        if self.to is not None and single:
            raise Rejected(
                f"stands beside {single[0]}",
                key="to",
                hint="name a directory for all files, or a path for each, not both",
            )

    @property
    def places(self) -> tuple[Path, ...]:
        """The directory, or the path of each file."""
        paths = (self.to, self.key, self.fullchain, self.chain, self.cert, self.combined)
        return tuple(path for path in paths if path is not None)


@dataclass(frozen=True)
class CertificateConfig:
    """``[certificates.NAME]``: one certificate. ``names`` are identifiers; ``key_rotation`` in seconds if a duration.

    ``remembered`` is true for one that stands in no configuration file, but was issued before by its names. One with a
    ``lineage`` has no names of its own: they are those in the certificate that is there.
    """

    name: str
    names: tuple[str, ...] = key(
        (),
        doc="The names in the certificate, by default the table's own NAME.",
        example='["example.org", "*.example.org"]',
        read=values.read_identifiers,
    )
    account: str = key(
        "default", doc="The CA account to use: default is the one in [acme], another stands in [accounts.NAME]."
    )
    key_type: KeyType = key(
        "ecdsa-p256", doc="The kind of private key: ecdsa-p256, ecdsa-p384, rsa2048, rsa3072 or rsa4096."
    )
    key_rotation: Literal["renewal", "never"] | Duration = key(
        "renewal",
        doc='When to make a new private key: at each "renewal", "never", or once the key is as old as a duration.',
        example='"180d"',
        read=values.read_key_rotation,
    )
    tlsa_guard: bool = key(
        True,
        doc="Whether a key that a TLSA record names stays in use, rather than be replaced by one that none names.",
    )
    allow: tuple[str, ...] = key(
        (),
        doc="Faults found before an order that are told but do not stop it; docs/doctor.md has them.",
        example='["wildcard-shadowing"]',
        read=values.read_allowed,
    )
    profile: str = key(
        "", doc="The CA's certificate profile to ask for; without it nothing is ordered.", example='"shortlived"'
    )
    preferred_profile: str = key("", doc="The certificate profile to ask for where the CA offers it.")
    preferred_chain: str = key(
        "",
        doc="Of several chains, the one whose topmost certificate was issued by this issuer (common name).",
        example='"ISRG Root X1"',
    )
    lineage: Path | None = key(
        None,
        doc="The directory in which another client keeps this certificate; it is deployed from there, never ordered.",
        example='"/etc/letsencrypt/live/example.org"',
        instead_of="names",
    )
    owner: str = key(
        "",
        doc="The user who owns privkey.pem and combined.pem, by default the one who runs dnsbroker.",
        example='"root"',
    )
    group: str = key("", doc="The group of privkey.pem and combined.pem.", example='"ssl-cert"')
    mode: Mode = key(0o600, doc="The mode of privkey.pem and combined.pem, in octal.", read=values.read_mode)
    reload: tuple[str, ...] = key(
        (),
        doc="Units of systemd to reload, or to restart where they cannot be reloaded, once in a run.",
        example='["nginx", "postfix"]',
        read=values.read_units,
    )
    pre_hooks: tuple[str, ...] = key(
        (), doc="Commands for the shell to run before an order is opened.", example='["/etc/dnsbroker/pre.sh"]'
    )
    deploy_hooks: tuple[str, ...] = key(
        (),
        doc="Commands for the shell to run for each new certificate, the first included.",
        example='["/etc/dnsbroker/deploy.sh"]',
    )
    post_hooks: tuple[str, ...] = key(
        (),
        doc="Commands for the shell to run at the end of each run that attempted such a certificate, each "
        "distinct one once.",
        example='["/etc/dnsbroker/post.sh"]',
    )
    hook_timeout: Duration = key(
        300.0, doc="How long each hook may take before it is stopped.", read=values.read_positive_duration
    )
    verify: tuple[str, ...] = key(
        (),
        doc="Endpoints of which each address must serve the new certificate after deployment.",
        example='["https://www.example.org"]',
        read=values.read_endpoints,
    )
    copies: tuple[CopyConfig, ...] = key(
        (),
        doc="Copies for daemons that want files of their own.",
        example='[{ to = "/etc/prosody/certs/example.org", owner = "prosody" }]',
    )
    remembered: bool = False

    def __post_init__(self) -> None:
        if self.profile and self.preferred_profile:
            raise Rejected(
                "stands beside profile", key="preferred_profile", hint="profile is required of the CA; keep one of them"
            )


@dataclass(frozen=True)
class BrokenLineage:
    """What is said of a certificate that another client keeps in ``path`` cannot be used, for the ``error``.

    ``path`` is None where it cannot be told, not even whether there is one.
    """

    name: str
    path: Path | None
    error: ConfigError
