"""Certificates that another client obtains: never ordered here, but looked after once they are there."""

from __future__ import annotations

from dataclasses import replace

from dnsbroker.certifying.outcome import Outcome
from dnsbroker.config import CertificateConfig
from dnsbroker.deploying.unordered import catch_up, planned
from dnsbroker.errors import ConfigError
from dnsbroker.events import Emitter
from dnsbroker.lineages import client_of
from dnsbroker.run import Run


def refusal(run: Run, certificate: CertificateConfig) -> ConfigError:
    """Why ``certificate`` is not ordered, and who does it."""
    assert certificate.lineage is not None  # noqa: S101 - for the type checker
    client = client_of(certificate.lineage)
    return ConfigError(
        f"certificate {certificate.name!r} is never ordered here: {client} keeps it in {certificate.lineage}",
        path=str(run.config.path or ""),
        hint=f"let {client} renew it; `dnsbroker deploy {certificate.name}` brings what is there to its users",
    )


async def look_after(run: Run, certificate: CertificateConfig, emit: Emitter) -> Outcome:
    """Leave it as it is, but for what is still to be done with what is there. Raises StoreError."""
    lineage = planned(run.store, run.deployments, certificate)
    told = f"valid until {lineage.not_after:%Y-%m-%d}; it is another client's"
    kept = Outcome(certificate.name, "kept", told, lineage)
    if await catch_up(run.deploying, certificate, lineage, emit):
        return replace(kept, status="deployed", reason="what was left of its deployment is done")
    return kept
