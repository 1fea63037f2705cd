"""What becomes of each certificate in a run: looked at, left alone or obtained, and stored. Each one fails alone.

One process at a time has a certificate; who comes second leaves it to the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dnsbroker import due, keys
from dnsbroker.acme import Client
from dnsbroker.config import CertificateConfig
from dnsbroker.config.toml import written_key
from dnsbroker.errors import BrokerError, ConfigError, Problem, StoreError
from dnsbroker.events import Emitter
from dnsbroker.issuance import Issuance
from dnsbroker.journal import FileLock
from dnsbroker.names import challenge_name
from dnsbroker.publishing import Located
from dnsbroker.run import Run
from dnsbroker.store import Access, Lineage, Provenance
from dnsbroker.tasks import together

Status = Literal["issued", "kept", "planned", "busy", "failed"]


@dataclass(frozen=True)
class Wishes:
    """What a caller asks for beside the configuration. ``key`` is a file with an existing private key."""

    force: bool = False
    new_key: bool = False
    key: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one certificate, and why; ``error`` where it failed, ``certificate`` where there is one now."""

    name: str
    status: Status
    reason: str
    certificate: Lineage | None = None
    error: BrokerError | None = None
    plan: tuple[Located, ...] = ()


class Certifying:
    """Brings certificates to what the configuration says, in one run."""

    def __init__(self, run: Run, wishes: Wishes) -> None:
        self._run = run
        self._wishes = wishes

    def check(self, certificates: Sequence[CertificateConfig]) -> None:
        """Raise ConfigError where one of ``certificates`` is to be ordered, and nothing may be; contacts nobody."""
        if not self._wishes.dry_run and any(self._is_to_be_ordered(item) for item in certificates):
            self._run.account.check()

    def _is_to_be_ordered(self, certificate: CertificateConfig) -> bool:
        try:
            return self._reason(certificate, self._run.store.load(certificate.name)) is not None
        except BrokerError:
            return False  # told when its turn comes, as its own failure

    def _reason(self, certificate: CertificateConfig, lineage: Lineage | None) -> str | None:
        """Why the certificate is to be ordered; None where it is not."""
        reason = due.reason(lineage, certificate, self._run.config.acme.directory, self._run.clock.now())
        return reason or ("asked for" if self._wishes.force else None)

    async def bring(self, certificates: Sequence[CertificateConfig]) -> tuple[Outcome, ...]:
        """Every certificate at once; one outcome each, in their order."""
        return tuple(await together(self._one(certificate) for certificate in certificates))

    async def _one(self, certificate: CertificateConfig) -> Outcome:
        emit = self._run.emit.bound(certificate=certificate.name)
        try:
            outcome = await self._alone(certificate, emit)
        except BrokerError as error:
            outcome = Outcome(certificate.name, "failed", error.message, error=error)
        _tell(outcome, emit)
        return outcome

    async def _alone(self, certificate: CertificateConfig, emit: Emitter) -> Outcome:
        lock = FileLock(self._run.config.state_dir / "locks" / f"certificate-{certificate.name}")
        if not lock.try_acquire():
            reason = f"left to another dnsbroker, pid {lock.holder()}"
            return Outcome(certificate.name, "busy", reason, self._run.store.load(certificate.name))
        try:
            return await self._decide(certificate, emit)
        finally:
            lock.release()

    async def _decide(self, certificate: CertificateConfig, emit: Emitter) -> Outcome:
        lineage = self._load(certificate.name)
        reason = self._reason(certificate, lineage)
        if reason is None:
            assert lineage is not None  # noqa: S101 - what is missing is due
            return Outcome(certificate.name, "kept", f"valid until {lineage.not_after:%Y-%m-%d}", lineage)
        if self._wishes.dry_run:
            located = await self._run.publisher.locate(challenge_name(name) for name in certificate.names)
            return Outcome(certificate.name, "planned", reason, lineage, plan=tuple(located.values()))
        return Outcome(certificate.name, "issued", reason, await self._obtain(certificate, lineage, emit))

    def _load(self, name: str) -> Lineage | None:
        """What is live. By force a damaged certificate counts as none; otherwise raises StoreError."""
        try:
            lineage = self._run.store.load(name)
            if lineage is not None and self._wishes.force:
                _ = lineage.private_key  # read and checked: it may be used again
            return lineage
        except StoreError:
            if not self._wishes.force:
                raise
            return None

    async def _obtain(self, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter) -> Lineage:
        table = f"[certificates.{written_key(certificate.name)}]"
        access = Access(certificate.owner, certificate.group, certificate.mode, table)
        self._run.store.check(access)
        key_pem, provenance = await self._key(certificate, lineage, emit)
        # A name without a zone, or a provider without its secret, is found before the CA hears of us.
        located = await self._run.publisher.locate(challenge_name(name) for name in certificate.names)
        account = self._run.account
        try:
            chain_pem = await self._issuance(await account.client()).obtain(certificate, key_pem, located, emit)
        except Problem as problem:
            if problem.type != "accountDoesNotExist":
                raise
            emit("warning", message="the CA has forgotten our account: making it again")
            chain_pem = await self._issuance(await account.renewed()).obtain(certificate, key_pem, located, emit)
        return self._run.store.save(certificate.name, key_pem, chain_pem, access, provenance)

    def _issuance(self, client: Client) -> Issuance:
        return Issuance(
            client,
            self._run.publisher,
            self._run.clock,
            timeout=self._run.config.propagation.timeout,
            cache_limit=self._run.account.cache_limit,
        )

    async def _key(
        self, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter
    ) -> tuple[str, Provenance]:
        """The private key to use, and what is to be known about the new certificate."""
        directory, now = self._run.config.acme.directory, self._run.clock.now()
        if self._wishes.key is not None:
            key_pem = _given_key(self._wishes.key, certificate)
            emit("key", key_type=certificate.key_type, reused=True)
            return key_pem, Provenance(directory, now)
        created = lineage.provenance.key_created if lineage and lineage.provenance else None
        fits = lineage is not None and lineage.leaf.key_type == certificate.key_type
        fresh = self._wishes.new_key or not fits or due.new_key_wanted(certificate.key_rotation, created, now)
        emit("key", key_type=certificate.key_type, reused=not fresh)
        if lineage is not None and not fresh:
            return lineage.private_key, Provenance(directory, created or now)
        return await asyncio.to_thread(keys.generate, certificate.key_type), Provenance(directory, now)


def _given_key(path: Path, certificate: CertificateConfig) -> str:
    key_pem = keys.read_key(path)
    found = keys.key_type_of(key_pem)
    if found != certificate.key_type:
        raise ConfigError(
            f"the key is {found}, but {certificate.name} is to have {certificate.key_type}",
            path=str(path),
            hint=f'set key_type = "{found}" for that certificate (with -d: --key-type {found}), or give another key',
        )
    return key_pem


def _tell(outcome: Outcome, emit: Emitter) -> None:
    if outcome.status == "issued" and outcome.certificate is not None:
        emit("issued", reason=outcome.reason, **described(outcome.certificate))
    elif outcome.error is not None:
        error = outcome.error
        emit("failed", error={"kind": error.kind, "message": error.message, "hint": error.hint, **error.fields()})
    else:
        emit(outcome.status, reason=outcome.reason)


def described(certificate: Lineage) -> dict[str, object]:
    """A certificate's facts as events and results give them."""
    return {
        "names": list(certificate.names),
        "not_after": certificate.not_after.isoformat().replace("+00:00", "Z"),
        "serial": certificate.serial,
        "path": str(certificate.path),
    }
