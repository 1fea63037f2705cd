"""One certificate from the decision that it is due to its files in place: key, order, store, and the hooks around them.

What stands against an order is looked for before a key is made for it. One that a killed run left open is gone on with,
its key included, where it still is what is wanted. What TLSA records do not cover yet is kept, and goes live later. A
rehearsal takes the same way at the CA's staging directory, and keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dnsbroker import acme, due, keys
from dnsbroker.account import Account
from dnsbroker.acme import Client, Order
from dnsbroker.certifying.holding import Holding, access_of
from dnsbroker.certifying.key import Chosen, KeyChoice
from dnsbroker.certifying.outcome import Wishes, described
from dnsbroker.certifying.permission import Permission, heeding
from dnsbroker.certifying.preflight import Preflight
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import BrokerError, PemInvalid, Problem
from dnsbroker.events import Emitter
from dnsbroker.guarding import coverage
from dnsbroker.issuance import Commission, Issuance
from dnsbroker.names import challenge_name
from dnsbroker.publishing import Located
from dnsbroker.run import Run
from dnsbroker.store import HeldBack, Lineage, Pending, Provenance


class Obtaining:
    """Obtains certificates in one run. ``attempted`` holds each one, and whether it went well."""

    def __init__(self, run: Run, wishes: Wishes, choice: KeyChoice, permission: Permission) -> None:
        self._run = run
        self._wishes = wishes
        self._keys = choice
        self.permission = permission
        self.holding = Holding(run, choice.covering)
        self.attempted: list[tuple[CertificateConfig, bool]] = []

    async def obtain(
        self,
        certificate: CertificateConfig,
        lineage: Lineage | None,
        emit: Emitter,
        *,
        reason: str,
        is_revoked: bool,
    ) -> Lineage:
        """The new certificate, live and with its files spread; ``lineage`` is what is live until then.

        ``reason`` is why, for what is told as soon as it is live. Raises BrokerError, also Held where it is kept until
        TLSA records cover it.
        """
        account = self._run.accounts.get(certificate.account)
        try:
            account.check()
            self._run.store.check(access_of(certificate))
            pending = await self._resumable(certificate, lineage, account, emit)
            chosen = _from(pending) if pending else None
            if chosen is None and (self._wishes.key or self._wishes.csr):  # looked at before anybody is asked
                chosen = await self._keys.choose(certificate, lineage, emit, is_revoked=is_revoked)
            # A name without a zone, or a provider without its secret, is found before a hook or the CA hears of us.
            located = await self._located(certificate)
            if pending is None:  # an order that is open may need no record any more
                await Preflight(self._run, certificate, located, account, emit).check()
            chosen = chosen or await self._keys.choose(certificate, lineage, emit, is_revoked=is_revoked)
            fresh = await self._hooked(certificate, lineage, account, chosen, pending, located, emit)
        except BrokerError as error:
            self.permission.failed(certificate, account.config.directory, error)
            raise
        self.permission.succeeded(certificate)
        return await self._spread(certificate, fresh, emit, reason)

    async def go_live(
        self, certificate: CertificateConfig, lineage: Lineage | None, emit: Emitter, *, reason: str
    ) -> Lineage:
        """The certificate that waited, live and with its files spread, in the place of ``lineage``.

        Raises BrokerError, also Held where it has to wait on.
        """
        self._run.store.check(access_of(certificate))
        fresh = await self.holding.release(certificate, lineage, emit)
        if lineage is not None:
            self._run.advice.forget(lineage)
        return await self._spread(certificate, fresh, emit, reason)

    async def _spread(self, certificate: CertificateConfig, fresh: Lineage, emit: Emitter, reason: str) -> Lineage:
        emit("issued", reason=reason, **described(fresh))
        self._observe(fresh)
        await self._run.deploying.spread(certificate, fresh, emit)
        return fresh

    def _observe(self, fresh: Lineage) -> None:
        """Keep whether the TLSA records that were looked at cover what is live now."""
        seen = self._keys.seen.get(fresh.name, ())
        self._run.observations.observe(fresh.name, coverage(seen, fresh.fullchain))

    async def _hooked(
        self,
        certificate: CertificateConfig,
        lineage: Lineage | None,
        account: Account,
        chosen: Chosen,
        pending: Pending | None,
        located: Mapping[str, Located],
        emit: Emitter,
    ) -> Lineage:
        """From the first hook to the stored certificate; noted as attempted, however it ends."""
        is_done = False
        try:
            await self._run.deploying.pre(certificate)
            commission = self._commission(certificate, lineage, account, chosen, pending, located)
            chains = await self._ordered(account, commission, emit)
            fresh = await self._stored(certificate, lineage, account, chosen, chains, emit)
            is_done = True
        finally:
            self.attempted.append((certificate, is_done))
        if lineage is not None and lineage.serial != fresh.serial:
            self._run.advice.forget(lineage)
        self._run.advice.introduce(fresh, (await (await account.client()).directory()).renewal_info)
        return fresh

    async def rehearse(self, certificate: CertificateConfig, emit: Emitter) -> None:
        """The whole way at the CA's staging directory, with real DNS writes; nothing is kept. Raises BrokerError."""
        account = self._run.accounts.get(certificate.account, rehearsing=True)
        account.check()
        located = await self._located(certificate)
        with heeding(self._run, account.config.directory, certificate.name):
            await Preflight(self._run, certificate, located, account, emit).check()
            key_pem = await asyncio.to_thread(keys.generate, certificate.key_type)
            commission = Commission(
                certificate.names,
                keys.csr(key_pem, certificate.names),
                located,
                profile=due.wanted_profile(certificate),
                profile_required=bool(certificate.profile),
            )
            await self._ordered(account, commission, emit)

    async def _located(self, certificate: CertificateConfig) -> Mapping[str, Located]:
        return await self._run.publisher.locate(challenge_name(name) for name in certificate.names)

    async def _resumable(
        self, certificate: CertificateConfig, lineage: Lineage | None, account: Account, emit: Emitter
    ) -> Pending | None:
        """The order that a run left open, where it is for just what is wanted now; another one is forgotten."""
        pending = self._run.store.pending(certificate.name)
        if pending is None:
            return None
        is_same = (
            (pending.directory, pending.account) == (account.config.directory, certificate.account)
            and set(pending.names) == set(certificate.names)
            and pending.asked == _asked(certificate)
            and bool(pending.key_pem or pending.request)
        )
        # Its run may have died when the certificate was live, and before the order was forgotten.
        is_same = is_same and not (lineage and lineage.provenance and lineage.provenance.order == pending.order)
        is_same = is_same and not (self._wishes.new_key or self._wishes.key)
        if self._keys.covering.is_asked(certificate.name) and lineage is not None and is_same:
            is_same = _public_key(pending) != keys.public_key_in(lineage.fullchain)
        if self._wishes.csr is not None:
            is_same = is_same and pending.request == keys.read_request(self._wishes.csr).der
        if is_same and await self._keys.may_go_on(_public_key(pending), certificate, lineage, emit):
            return pending
        self._run.store.drop_pending(certificate.name)
        return None

    def _commission(
        self,
        certificate: CertificateConfig,
        lineage: Lineage | None,
        account: Account,
        chosen: Chosen,
        pending: Pending | None,
        located: Mapping[str, Located],
    ) -> Commission:
        directory = account.config.directory
        is_successor = lineage is not None and lineage.provenance is not None
        is_successor = is_successor and lineage.provenance.directory == directory  # type: ignore[union-attr]

        def opened(order: Order) -> None:
            asked = _asked(certificate)
            account_name, request = certificate.account, chosen.request or b""
            kept = Pending(
                order.url, directory, account_name, certificate.names, asked, chosen.created, chosen.key_pem, request
            )
            self._run.store.keep_pending(certificate.name, kept)

        return Commission(
            certificate.names,
            chosen.csr,
            located,
            profile=due.wanted_profile(certificate),
            profile_required=bool(certificate.profile),
            replaces=(keys.renewal_id(lineage.fullchain) or "") if is_successor and lineage else "",
            resume=pending.order if pending else "",
            opened=opened,
            over=lambda: self._run.store.drop_pending(certificate.name),
            failed=lambda identifiers: self.permission.validation_failed(directory, identifiers),
        )

    async def _ordered(self, account: Account, commission: Commission, emit: Emitter) -> tuple[str, ...]:
        """The chains; an account that the CA has forgotten is made again."""
        try:
            return await self._issuance(await account.client(), account).obtain(commission, emit)
        except Problem as problem:
            if problem.type != "accountDoesNotExist":
                raise
            emit("warning", message="the CA has forgotten our account: making it again")
        return await self._issuance(await account.renewed(), account).obtain(replace(commission, resume=""), emit)

    def _issuance(self, client: Client, account: Account) -> Issuance:
        return Issuance(
            client,
            self._run.publisher,
            self._run.clock,
            timeout=self._run.config.propagation.timeout,
            cache_limit=account.cache_limit,
        )

    async def _stored(
        self,
        certificate: CertificateConfig,
        lineage: Lineage | None,
        account: Account,
        chosen: Chosen,
        chains: Sequence[str],
        emit: Emitter,
    ) -> Lineage:
        """Planned, stored and live; from here on the order is history. Raises Held where it is kept, and not live."""
        name, store = certificate.name, self._run.store
        pending = store.pending(name)
        provenance = Provenance(
            account.config.directory,
            chosen.created,
            account=certificate.account,
            profile=due.wanted_profile(certificate),
            preferred_chain=certificate.preferred_chain,
            order=pending.order if pending else "",
        )
        kept = HeldBack(
            _preferred(chains, certificate, emit), provenance, key_pem=chosen.key_pem or None, request=chosen.request
        )
        if keys.public_key_in(kept.chain_pem) != keys.public_key_requested(chosen.csr):
            store.drop_pending(name)  # there is nothing to go on with
            raise PemInvalid("certificate", "it is for another key than the one it was asked for")
        if self._keys.covering.manages(name):
            store.hold_back(name, kept)
            self.permission.succeeded(certificate)
            store.drop_pending(name)
            return await self.holding.release(certificate, lineage, emit)
        fresh = self.holding.make_live(certificate, kept)
        store.drop_pending(name)
        return fresh


def _asked(certificate: CertificateConfig) -> str:
    """What an order is for beside its names, to compare it by."""
    return f"{certificate.key_type} {due.wanted_profile(certificate)}".strip()


def _from(pending: Pending) -> Chosen:
    request = pending.request or keys.csr(pending.key_pem, pending.names)
    return Chosen(request, pending.key_created, pending.key_pem)


def _public_key(pending: Pending) -> bytes:
    return keys.public_key_of(pending.key_pem) if pending.key_pem else keys.public_key_requested(pending.request)


def _preferred(chains: Sequence[str], certificate: CertificateConfig, emit: Emitter) -> str:
    """The chain that the configuration prefers, else the CA's default."""
    if not certificate.preferred_chain:
        return chains[0]
    found = acme.preferred(chains, certificate.preferred_chain)
    if found is None:
        tops = ", ".join(dict.fromkeys(keys.top_issuer(chain) for chain in chains))
        emit(
            "warning",
            message=f"the CA has no chain from {certificate.preferred_chain}",
            hint=f"it has those from {tops}",
        )
    return found or chains[0]
