"""Certificates that are issued and may not be served yet: kept where no daemon looks, until TLSA records cover them.

Rule: what is issued is on disk before anything else is done with it, and goes live through one door, at once or later.
What is not wanted any more, or can never go live in time, is given up; what is live stays then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnsbroker import due, keys
from dnsbroker.certifying.covering import Covering
from dnsbroker.config import CertificateConfig
from dnsbroker.config.toml import written_key
from dnsbroker.events import Emitter
from dnsbroker.names import shown
from dnsbroker.run import Run
from dnsbroker.store import Access, HeldBack, Lineage, Provenance

if TYPE_CHECKING:
    from dnsbroker.rolling.situation import Case


@dataclass(frozen=True)
class Waiting:
    """A certificate that is issued and not live."""

    kept: HeldBack = field(repr=False)
    leaf: keys.Leaf

    @property
    def fullchain(self) -> str:
        """The chain in PEM, leaf first."""
        return self.kept.chain_pem

    @property
    def provenance(self) -> Provenance | None:
        """What was asked for."""
        return self.kept.provenance

    @property
    def has_key(self) -> bool:
        """Whether its private key is here."""
        return self.kept.key_pem is not None


class Holding:
    """Keeps and lets go what was issued in one run."""

    def __init__(self, run: Run, covering: Covering) -> None:
        self._run = run
        self._covering = covering

    def found(self, certificate: CertificateConfig, live: Lineage | None, emit: Emitter) -> Waiting | None:
        """What waits for ``certificate``; None where nothing does that is still wanted. Raises StoreError."""
        waiting = self._read(certificate.name)
        if waiting is None:
            return None
        if live is not None and live.leaf == waiting.leaf:  # of a run that was killed when it had just gone live
            earlier = self._run.store.archived(certificate.name, self._run.store.live_before(certificate.name))
            self._covering.settle(live, earlier)
            self.drop(certificate.name)
            return None
        reason = self._unwanted(waiting, certificate, live)
        if reason:
            self.drop(certificate.name)
            emit("warning", message=f"the certificate that waited is given up: {reason}")
            return None
        return waiting

    def foreseen(self, certificate: CertificateConfig, live: Lineage | None) -> Waiting | None:
        """The same, and nothing is given up."""
        waiting = self._read(certificate.name)
        return None if waiting is None or self._unwanted(waiting, certificate, live) else waiting

    def _read(self, name: str) -> Waiting | None:
        kept = self._run.store.held_back(name)
        return None if kept is None else Waiting(kept, keys.describe(kept.chain_pem))

    def _unwanted(self, waiting: Waiting, certificate: CertificateConfig, live: Lineage | None) -> str:
        """Why it is not wanted any more; empty where it is."""
        if live is not None and live.leaf == waiting.leaf:
            return "it is live"
        if self._run.barred.is_barred(waiting.leaf.spki_sha256):
            return "its key was revoked as compromised"
        if self._case(waiting, live, certificate.name).is_held_void:
            return "it has the present key, which is not to be used any more"
        directory = self._run.accounts.get(certificate.account).config.directory
        return due.outdated(waiting, certificate, directory, self._run.clock.now())

    def drop(self, name: str) -> None:
        """Forget what waits, and the order that led to it. Raises StoreError."""
        kept, pending = self._run.store.held_back(name), self._run.store.pending(name)
        if kept is not None and pending is not None and kept.provenance.order == pending.order:
            self._run.store.drop_pending(name)
        self._run.store.drop_held_back(name)

    async def release(self, certificate: CertificateConfig, live: Lineage | None, emit: Emitter) -> Lineage:
        """What waits for ``certificate``, live now in the place of ``live``.

        Raises Held where caches may hold records that do not cover it, and BrokerError where that cannot be told.
        """
        name = certificate.name
        waiting = self._read(name)
        assert waiting is not None  # noqa: S101 - whoever calls has kept or found it
        closed = await self._covering.against_chain(name, waiting.fullchain, live, emit)
        if closed is not None:
            raise closed.error(name, f"{shown(name)} is issued and not live yet")
        fresh = self.make_live(certificate, waiting.kept)
        self._covering.settle(fresh, live)
        self.drop(name)  # last: while it is here, a killed run is known to have come so far
        return fresh

    def make_live(self, certificate: CertificateConfig, kept: HeldBack) -> Lineage:
        """``kept``, live from now on, whatever stands in DNS. Raises StoreError, ConfigError."""
        self._run.deploying.plan(certificate, keys.describe(kept.chain_pem).serial_text)
        return self._run.store.save(
            certificate.name, kept.key_pem, kept.chain_pem, access_of(certificate), kept.provenance, kept.request
        )

    def is_hopeless(self, waiting: Waiting, live: Lineage | None) -> bool:
        """Whether a certificate for the present key is to be had instead, which may go live in time."""
        return live is not None and self._case(waiting, live, live.name).is_held_hopeless

    def _case(self, waiting: Waiting, live: Lineage | None, name: str) -> Case:
        from dnsbroker.tlsa.computing import of_chain

        return self._covering.case(name, live, held=of_chain(waiting.fullchain))


def access_of(certificate: CertificateConfig) -> Access:
    """Who may read the private key, by the configuration."""
    table = f"[certificates.{written_key(certificate.name)}]"
    return Access(certificate.owner, certificate.group, certificate.mode, table)
