"""Deploying what another client obtained: nobody plans that before it goes live, so it is planned when it is seen.

Rule: what the journal knows of a serial number goes on where it stopped; what it knows nothing of is deployed whole.
"""

from __future__ import annotations

from dataclasses import replace

from dnsbroker.config import CertificateConfig
from dnsbroker.deploying.deployment import Deploying
from dnsbroker.deploying.steps import steps
from dnsbroker.errors import StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import Deployments
from dnsbroker.store import Lineage, Store


def planned(store: Store, deployments: Deployments, certificate: CertificateConfig) -> Lineage:
    """What stands in the client's directory, whole, and its deployment planned.

    Raises StoreError where nothing stands there, or it is damaged; and where the journal cannot be read or written.
    """
    lineage = store.load_whole(certificate.name)
    if lineage is None:
        told = f"there is no certificate in {certificate.lineage}"
        hint = "let the client obtain it, or let lineage name the directory with its own fullchain.pem (certbot, "
        hint += "dehydrated), fullchain.cer (acme.sh) or cert.pem (uacme)"
        raise StoreError(told, path=str(certificate.lineage), hint=hint)
    if not deployments.of(certificate.name, lineage.serial):
        deployments.plan(certificate.name, lineage.serial, steps(certificate))
    return lineage


async def catch_up(deploying: Deploying, certificate: CertificateConfig, lineage: Lineage, emit: Emitter) -> bool:
    """Do what is not done yet for ``lineage``, which is ``planned``; whether that was anything.

    The run's ``finish`` is still to come. Raises StoreError where the journal cannot be read.
    """
    if not deploying.is_unfinished(certificate, lineage):
        return False
    await deploying.spread(replace(certificate, names=lineage.names), lineage, emit)
    return True
