"""The configuration: found, read, checked and kept as frozen values. See ``docs/configuration.md`` for the keys."""

from __future__ import annotations

from dnsbroker.config.certificate import CertificateConfig, CopyConfig
from dnsbroker.config.dane import DaneConfig
from dnsbroker.config.model import (
    AcmeConfig,
    Config,
    DNSConfig,
    PropagationConfig,
    ProviderConfig,
)

__all__ = [
    "AcmeConfig",
    "CertificateConfig",
    "Config",
    "CopyConfig",
    "DNSConfig",
    "DaneConfig",
    "PropagationConfig",
    "ProviderConfig",
]
