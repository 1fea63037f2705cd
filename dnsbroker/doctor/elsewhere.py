"""Certificates that another client orders: who does, and whether what it keeps can be read now.

Rule: only one that was named is looked at, and of its order nothing: that is the client's. The others are counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dnsbroker.config import CertificateConfig
from dnsbroker.doctor.alone import Alone, Job
from dnsbroker.errors import StoreError
from dnsbroker.findings import Finding
from dnsbroker.lineages import client_of
from dnsbroker.names import shown
from dnsbroker.run import Run

#: Seconds; its files are on disk.
_LONGEST = 10.0


async def look(run: Run, certificate: CertificateConfig) -> tuple[str, tuple[Finding, ...]]:
    """What is told of a ``certificate`` with a lineage, and a finding where it cannot be read."""
    assert certificate.lineage is not None  # noqa: S101 - for the type checker
    place, client = certificate.lineage, client_of(certificate.lineage)
    store = run.store

    async def read() -> tuple[Finding, ...]:
        if await asyncio.to_thread(store.load_whole, certificate.name) is None:
            raise _absent(place, client)
        return ()

    found = await Alone(run.clock, _LONGEST).run(Job(certificate.name, f"what {client} keeps of it", read))
    told = f"{shown(certificate.name)}: {client} orders it, and keeps it in {place}"
    return told if found else f"{told}, where it can be read", found


def _absent(place: Path, client: str) -> StoreError:
    hint = f"let {client} obtain it, or correct lineage"
    return StoreError(f"there is no certificate in {place}", path=str(place), hint=hint)


def left_out(certificates: Sequence[CertificateConfig]) -> tuple[str, ...]:
    """That ``certificates`` were not looked at, if there are any."""
    if not certificates:
        return ()
    if len(certificates) == 1:
        return ("1 certificate that another client orders is left out: `dnsbroker status` tells how it is",)
    told = f"{len(certificates)} certificates that other clients order are left out"
    return (f"{told}: `dnsbroker status` tells how they are",)
