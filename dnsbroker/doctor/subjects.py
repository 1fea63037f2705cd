"""Whom the doctor looks at: the configured certificates, or what a person named, be it a certificate or a domain name.

Nobody is asked here. A domain name that a configured certificate has is looked at with that certificate's account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.findings import Finding, Severity
from dnsbroker.names import identifier, meant, shown


@dataclass(frozen=True)
class Subject:
    """``names`` (identifiers) to be validated for ``account``; ``certificate`` is their certificate's name, if any.

    ``allow`` are the checks whose errors stop no order for them.
    """

    names: tuple[str, ...]
    account: str
    certificate: str = ""
    allow: tuple[str, ...] = ()


def chosen(config: Config, names: Sequence[str]) -> tuple[Subject, ...]:
    """What ``names`` mean; without any, every certificate that can be used and is ordered here.

    Raises ConfigError for a certificate whose configuration is wrong, and for what is neither a certificate nor a
    domain name.
    """
    if not names:
        ordered = (item for item in config.certificates.values() if item.lineage is None)
        return tuple(map(_of_certificate, ordered))
    return tuple(dict.fromkeys(_named(config, name) for name in names))


def broken(config: Config) -> tuple[Finding, ...]:
    """A finding for each certificate whose configuration cannot be used."""
    return tuple(
        Finding("misconfigured", Severity.ERROR, name, error.message, error.hint)
        for name, error in config.broken.items()
    )


def _named(config: Config, name: str) -> Subject:
    there = meant(name, [*config.certificates, *config.broken])
    if there in config.broken:
        raise config.broken[there]
    if there in config.certificates and config.certificates[there].lineage is None:
        return _of_certificate(config.certificates[there])
    try:
        domain = identifier(name.removeprefix("_acme-challenge."))
    except NameInvalid as error:
        raise ConfigError(
            f"{name!r} is neither a configured certificate nor a domain name: {error.reason}",
            path=str(config.path or ""),
            hint=f"configured: {', '.join(map(shown, config.certificates)) or 'none'}",
        ) from error
    having = next((item for item in config.certificates.values() if domain in item.names), None)
    return Subject((domain,), having.account, allow=having.allow) if having else Subject((domain,), "default")


def _of_certificate(certificate: CertificateConfig) -> Subject:
    return Subject(certificate.names, certificate.account, certificate.name, certificate.allow)
