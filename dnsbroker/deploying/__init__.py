"""What happens once a certificate is live: copies, hooks, reloads, and a look at what is served.

Rule: a step that failed is tried again alone, and none of them is a reason to order a certificate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from dnsbroker.clock import Clock
from dnsbroker.config import CertificateConfig
from dnsbroker.events import Emitter
from dnsbroker.journal import Deployments, Step
from dnsbroker.store import Lineage, Store


class Deploying:
    """One run's deployments."""

    def __init__(
        self,
        store: Store,
        deployments: Deployments,
        environment: Mapping[str, str],
        clock: Clock,
        emit: Emitter,
        addresses: Callable[[str], Awaitable[Sequence[str]]],
    ) -> None:
        self._deployments = deployments

    def plan(self, certificate: CertificateConfig, serial: str) -> None:
        """Note what is to be done, before the certificate goes live."""
        self._deployments.plan(certificate.name, serial, ())

    async def pre(self, certificate: CertificateConfig) -> None:
        """Run the hooks that come before an order."""

    async def spread(
        self, certificate: CertificateConfig, lineage: Lineage, emit: Emitter, *, again: bool = False
    ) -> None:
        """Copy, and run the hooks of this certificate."""

    async def finish(self) -> None:
        """Reload, and look at what is served."""

    async def close(self, attempted: Sequence[tuple[CertificateConfig, bool]]) -> None:
        """Run the hooks that come at the end."""

    def unfinished(self, certificate: CertificateConfig, serial: str) -> bool:
        """Whether something is left to do."""
        return bool(self._deployments.unfinished(certificate.name, serial))

    def failures(self, name: str) -> tuple[Step, ...]:
        """What failed in this run."""
        return ()
