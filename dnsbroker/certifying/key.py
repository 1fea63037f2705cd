"""Which private key the next certificate is for: the present one, a new one, one that was given, or a request's own.

A key that was compromised is never used again. A key that a TLSA record names is not dropped for one that none names;
where ``[[dane]]`` looks after the records, the new key is the one that was published beforehand, once it may be used.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from dnsbroker import due, keys
from dnsbroker.certifying.covering import Closed, Covering
from dnsbroker.certifying.outcome import Wishes
from dnsbroker.config import CertificateConfig
from dnsbroker.endpoints import parse
from dnsbroker.errors import ConfigError
from dnsbroker.events import Emitter
from dnsbroker.guarding import CURE, Guarded, refusal, told, warn_of_certificates
from dnsbroker.names import shown
from dnsbroker.run import Run
from dnsbroker.store import Lineage, NextKey


@dataclass(frozen=True)
class Chosen:
    """A key made at ``created`` and the signing request (DER) for it; ``key_pem`` is empty for a request's own."""

    csr: bytes
    created: datetime
    key_pem: str = field(default="", repr=False)

    @property
    def request(self) -> bytes | None:
        """The request to keep with a certificate whose key is not here."""
        return None if self.key_pem else self.csr


class KeyChoice:
    """Chooses keys in one run. ``choose`` raises ConfigError, StoreError, KeyGuarded and Held."""

    def __init__(self, run: Run, wishes: Wishes) -> None:
        self._run = run
        self._wishes = wishes
        self.covering = Covering(run)
        #: The TLSA records that were looked at, by certificate.
        self.seen: dict[str, tuple[Guarded, ...]] = {}

    def refused(self, lineage: Lineage | None) -> str:
        """Why the key of ``lineage`` may not be used any more; empty where it may."""
        if lineage is not None and self._run.barred.is_barred(lineage.leaf.spki_sha256):
            return "its key was revoked as compromised"
        return ""

    async def choose(
        self, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter, *, is_revoked: bool
    ) -> Chosen:
        """The key for ``certificate``, of which ``lineage`` is live, and taken back by the CA where ``is_revoked``."""
        if self._wishes.csr is not None:
            return await self._from_request(self._wishes.csr, certificate, lineage)
        now = self._run.clock.now()
        is_ours_wanted = self._wishes.key is not None or self._wishes.new_key
        if not is_ours_wanted and lineage is not None and lineage.request is not None:
            return Chosen(self._again(lineage, certificate), _created(lineage) or now)
        present = self._present(lineage, certificate)
        if self._wishes.key is not None:
            key_pem = self._given(self._wishes.key, certificate)
        elif present is not None and not self._is_fresh_wanted(present, certificate, is_revoked, now):
            return self._of(present.private_key, certificate, _created(present) or now, emit, is_reused=True)
        else:
            fresh = await self._fresh(certificate, lineage, emit)
            if fresh is None and lineage is not None:
                return self._of(lineage.private_key, certificate, _created(lineage) or now, emit, is_reused=True)
            key_pem, now = (fresh.key_pem, fresh.created) if fresh else (await self._made(certificate), now)
        if lineage is not None and await self._is_kept(lineage, certificate, keys.public_key_of(key_pem), emit):
            return self._of(lineage.private_key, certificate, _created(lineage) or now, emit, is_reused=True)
        return self._of(key_pem, certificate, now, emit, is_reused=self._wishes.key is not None)

    async def _made(self, certificate: CertificateConfig) -> str:
        return await asyncio.to_thread(keys.generate, certificate.key_type)

    async def _fresh(self, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter) -> NextKey | None:
        """Another key than the present one; None where that is used again, which is told. Raises Held.

        Where TLSA records are looked after it is the next key, once that may be used; earlier only where the present
        one may not be used at all: what is issued for it waits then.
        """
        is_managed = self.covering.manages(certificate.name)
        closed = await self.covering.against_key(certificate.name, lineage) if is_managed else None
        if closed is None or lineage is None or self.refused(lineage):  # where nobody manages it, too
            staged = self._run.store.next_key(certificate.name) if is_managed else None
            return staged or NextKey(await self._made(certificate), self._run.clock.now())
        self._check_worth(certificate, lineage, closed)
        emit("warning", message=f"the present key is used again: {closed.reason}{closed.told_until}")
        return None

    async def foreseen(self, certificate: CertificateConfig, lineage: Lineage | None) -> str:
        """What TLSA records have to say of the next certificate's key, as an end of a sentence; often nothing."""
        is_given = self._wishes.key or self._wishes.csr
        if is_given or lineage is None or not self.covering.manages(certificate.name):
            return ""
        if not self._is_fresh_wanted(lineage, certificate, False, self._run.clock.now()):
            return ", with the present key"
        closed = await self.covering.against_key(certificate.name, lineage)
        return ", with the next key" if closed is None else f", with the present key: {closed.reason}"

    def _check_worth(self, certificate: CertificateConfig, lineage: Lineage, closed: Closed) -> None:
        """Raise Held where another key is all that a certificate is wanted for."""
        without = replace(certificate, key_type=lineage.leaf.key_type)  # type: ignore[arg-type] # of our own making
        is_asked = self._wishes.new_key or self.covering.is_asked(certificate.name) or without != certificate
        if is_asked and not self._is_due_otherwise(lineage, without):
            raise closed.error(certificate.name, f"{shown(certificate.name)} keeps its present key")

    async def may_go_on(
        self, public_key: bytes, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter
    ) -> bool:
        """Whether the key of an open order may still be used: a TLSA record may have come since it was chosen."""
        if self._run.barred.is_barred(hashlib.sha256(public_key).hexdigest()):
            return False
        if lineage is None or public_key == keys.public_key_in(lineage.fullchain):
            return True
        return not await self._guarded(lineage, certificate, public_key, emit)

    def _of(
        self, key_pem: str, certificate: CertificateConfig, created: datetime, emit: Emitter, *, is_reused: bool
    ) -> Chosen:
        emit("key", key_type=keys.key_type_of(key_pem), reused=is_reused)
        return Chosen(keys.csr(key_pem, certificate.names), created, key_pem)

    def _present(self, lineage: Lineage | None, certificate: CertificateConfig) -> Lineage | None:
        """The lineage whose key could be used again."""
        fits = lineage is not None and lineage.has_key and lineage.leaf.key_type == certificate.key_type
        return lineage if fits and not self.refused(lineage) else None

    def _is_fresh_wanted(
        self, present: Lineage, certificate: CertificateConfig, is_revoked: bool, now: datetime
    ) -> bool:
        # Why somebody had it revoked is not known here: the key may be the reason.
        is_asked = self._wishes.new_key or is_revoked or self.covering.is_asked(certificate.name)
        return is_asked or due.new_key_wanted(certificate.key_rotation, _created(present), now)

    async def _is_kept(
        self, lineage: Lineage, certificate: CertificateConfig, new_public_key: bytes, emit: Emitter
    ) -> bool:
        """Whether the present key is to stay because TLSA records name it and not the new one. Raises KeyGuarded."""
        guarded = await self._guarded(lineage, certificate, new_public_key, emit)
        if not guarded:
            return False
        if not lineage.has_key:
            raise refusal("the given key is not used", guarded)
        without = replace(certificate, key_type=lineage.leaf.key_type)  # type: ignore[arg-type] # of our own making
        is_due = self._is_due_otherwise(lineage, without)
        if without != certificate and not is_due:
            raise refusal(f"{certificate.name} keeps its {lineage.leaf.key_type} key", guarded)
        if self.covering.is_asked(certificate.name) and not (is_due or self._wishes.force):
            error = refusal(f"{shown(certificate.name)} keeps its present key", guarded)
            self.covering.object(certificate.name, error.message)
            raise error
        emit("warning", message=f"the present key is used again: {told(guarded)}", hint=CURE)
        return True

    async def _guarded(
        self, lineage: Lineage, certificate: CertificateConfig, new_public_key: bytes, emit: Emitter
    ) -> tuple[Guarded, ...]:
        """What speaks for the present key, where it may be used again at all; where it may not, that is told."""
        if not certificate.tlsa_guard:
            return ()
        verify = [parse(text) for text in certificate.verify]
        names = sorted({*lineage.names, *certificate.names})
        found = self.seen[certificate.name] = await self._run.guard.look(
            names, verify, lineage.fullchain, new_public_key
        )
        warn_of_certificates(found, emit)
        managed = self.covering.owners(certificate.name)
        held = tuple(item for item in found if item.holds_key and item.owner not in managed)
        if held and self.refused(lineage):
            record = f"3 1 1 {hashlib.sha256(new_public_key).hexdigest()}"
            hint = f"publish {record} there at once, and take the old record away"
            emit("warning", message=f"the compromised key is given up all the same: {told(held)}", hint=hint)
            return ()
        return held

    def _is_due_otherwise(self, lineage: Lineage, certificate: CertificateConfig) -> bool:
        directory = self._run.accounts.get(certificate.account).config.directory
        answer = self._run.advice.known(lineage)
        return due.reason(lineage, certificate, directory, self._run.clock.now(), answer) is not None

    def _given(self, path: Path, certificate: CertificateConfig) -> str:
        key_pem = keys.read_key(path)
        found = keys.key_type_of(key_pem)
        if found != certificate.key_type:
            raise ConfigError(
                f"the key is {found}, but {certificate.name} is to have {certificate.key_type}",
                path=str(path),
                hint=f'set key_type = "{found}" for that certificate (-d: --key-type {found}), or give another key',
            )
        self._check_barred(keys.spki_sha256_of(key_pem), path)
        return key_pem

    async def _from_request(self, path: Path, certificate: CertificateConfig, lineage: Lineage | None) -> Chosen:
        request = keys.read_request(path)
        if set(request.names) != set(certificate.names):
            raise ConfigError(
                f"the request is for {', '.join(request.names)}, "
                f"but {certificate.name} is for {', '.join(certificate.names)}",
                path=str(path),
                hint="make a request with just these names, or change names",
            )
        self._check_barred(request.spki_sha256, path)
        if lineage is not None:
            public_key = keys.public_key_requested(request.der)
            guarded = await self._guarded(lineage, certificate, public_key, self._run.emit)
            if guarded:
                raise refusal("the request's key is not used", guarded)
        return Chosen(request.der, self._run.clock.now())

    def _check_barred(self, spki_sha256: str, path: Path) -> None:
        if self._run.barred.is_barred(spki_sha256):
            hint = "make another: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
            raise ConfigError("this key was revoked as compromised and is not used again", path=str(path), hint=hint)

    def _again(self, lineage: Lineage, certificate: CertificateConfig) -> bytes:
        """The request of a certificate whose key is not here, for its renewal."""
        hint = f"`dnsbroker issue {certificate.name} --force --csr FILE` with a new request, or --key, goes on"
        if reason := self.refused(lineage):
            raise ConfigError(f"{certificate.name}: {reason}, and the key is not here", hint=hint)
        if set(lineage.names) != set(certificate.names):
            raise ConfigError(f"{certificate.name}: its names have changed, and its key is not here", hint=hint)
        assert lineage.request is not None  # noqa: S101 - for the type checker
        return lineage.request


def _created(lineage: Lineage) -> datetime | None:
    return lineage.provenance.key_created if lineage.provenance else None
