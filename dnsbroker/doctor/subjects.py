"""Whom the doctor looks at: the configured certificates, or what a person named, be it a certificate or a domain name.

Nobody is asked here. A domain name that a configured certificate has is looked at with that certificate's account; one
by which another client's certificate is called, with none: its order is not ours, only the records of its hooks are.
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

    An empty ``account`` says that another client orders, of a CA that only it knows.

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
    found = (_named(config, name) for name in names)
    return tuple(dict.fromkeys(subject for subject in found if subject is not None))


def elsewhere(config: Config, names: Sequence[str]) -> tuple[CertificateConfig, ...]:
    """The certificates that another client orders, of those that ``names`` mean; without any, all of them."""
    meanings = {meant(name, [*config.certificates, *config.broken]) for name in names}
    kept = [item for item in config.certificates.values() if item.lineage is not None]
    return tuple(item for item in kept if not names or item.name in meanings)


def broken(config: Config) -> tuple[Finding, ...]:
    """A finding for each certificate whose configuration cannot be used."""
    return tuple(
        Finding("misconfigured", Severity.ERROR, name, error.message, error.hint)
        for name, error in config.broken.items()
    )


def _named(config: Config, name: str) -> Subject | None:
    """What ``name`` means; None where it is another client's certificate alone."""
    there = meant(name, [*config.certificates, *config.broken])
    if there in config.broken:
        raise config.broken[there]
    is_kept = there in config.certificates and config.certificates[there].lineage is not None
    if there in config.certificates and not is_kept:
        return _of_certificate(config.certificates[there])
    try:
        domain = identifier(name.removeprefix("_acme-challenge."))
    except NameInvalid as error:
        if is_kept:
            return None
        raise ConfigError(
            f"{name!r} is neither a configured certificate nor a domain name: {error.reason}",
            path=str(config.path or ""),
            hint=f"configured: {', '.join(map(shown, config.certificates)) or 'none'}",
        ) from error
    having = next((item for item in config.certificates.values() if domain in item.names), None)
    if having is not None:
        return Subject((domain,), having.account, allow=having.allow)
    return Subject((domain,), "" if is_kept else "default")


def _of_certificate(certificate: CertificateConfig) -> Subject:
    return Subject(certificate.names, certificate.account, certificate.name, certificate.allow)
