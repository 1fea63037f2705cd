"""Certificates that another client obtains: never ordered here, but looked after once they are there."""

from __future__ import annotations

from dataclasses import replace

from dnsbroker.certifying.covering import Covering
from dnsbroker.certifying.outcome import UNFINISHED, Outcome
from dnsbroker.config import CertificateConfig
from dnsbroker.deploying.steps import steps
from dnsbroker.deploying.unordered import catch_up, planned
from dnsbroker.errors import ConfigError
from dnsbroker.events import Emitter
from dnsbroker.lineages import client_of
from dnsbroker.run import Run
from dnsbroker.store import Lineage


def refusal(run: Run, certificate: CertificateConfig) -> ConfigError:
    """Why ``certificate`` is not ordered, and who does it."""
    assert certificate.lineage is not None  # noqa: S101 - for the type checker
    client = client_of(certificate.lineage)
    return ConfigError(
        f"certificate {certificate.name!r} is never ordered here: {client} keeps it in {certificate.lineage}",
        path=str(run.config.path or ""),
        hint=f"let {client} renew it; `dnsbroker deploy {certificate.name}` brings what is there to its users",
    )


def foreseen(run: Run, certificate: CertificateConfig) -> Outcome:
    """What ``look_after`` would do. Raises StoreError where that would."""
    # Where nothing stands, planning that is what says so.
    lineage = run.store.load_whole(certificate.name) or planned(run.store, run.deployments, certificate)
    if run.deployments.of(certificate.name, lineage.serial):
        is_wanting = run.deploying.is_unfinished(certificate, lineage)
    else:
        is_wanting = bool(steps(certificate))
    if is_wanting:
        return Outcome(certificate.name, "planned", UNFINISHED, lineage, would_be="deployed")
    return _kept(certificate, lineage)


async def look_after(run: Run, certificate: CertificateConfig, covering: Covering, emit: Emitter) -> Outcome:
    """Leave it as it is, but for what is still to be done with what is there. Raises BrokerError.

    What TLSA records do not cover yet is not brought to those who serve it.
    """
    lineage = planned(run.store, run.deployments, certificate)
    kept = _kept(certificate, lineage)
    references = covering.references(certificate)
    if references and run.deploying.is_unfinished(certificate, lineage):
        await covering.ready()
        for reference in references:
            closed = await covering.against_chain(reference, lineage.fullchain, None, emit)
            if closed is None:
                continue
            return replace(kept, status="held", reason=f"it is not deployed yet: {closed.reason}{closed.told_until}")
    if await catch_up(run.deploying, certificate, lineage, emit):
        return replace(kept, status="deployed", reason="what was left of its deployment is done")
    return kept


def _kept(certificate: CertificateConfig, lineage: Lineage) -> Outcome:
    told = f"valid until {lineage.not_after:%Y-%m-%d}; it is another client's"
    return Outcome(certificate.name, "kept", told, lineage)
