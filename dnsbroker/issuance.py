"""One certificate, from its names to its files: the pipeline in the order of events.

::

    located → account → order → written → everywhere → asked → validated → finalized, withdrawn → stored

Whatever was written is withdrawn on every way out, and pending authorizations are given up. The certificate that is
live is touched last, in one step. Whether a certificate is due is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from dnsbroker import keys
from dnsbroker.acme import Authorization, Client, Dns01, Order
from dnsbroker.clock import Clock, Deadline
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import AcmeError, OrderFailed
from dnsbroker.events import Emitter
from dnsbroker.names import challenge_name
from dnsbroker.publishing import Located, Publisher
from dnsbroker.tasks import all_through, together, uninterrupted
from dnsbroker.writer import Announcement

_CA_PATIENCE = 300.0
_FAREWELL = 1.0


class Issuance:
    """Obtains certificates for one run from one CA account.

    ``timeout`` is for propagation (seconds); ``cache_limit`` caps the TTLs that the CA respects, where that is known.
    """

    def __init__(
        self, client: Client, publisher: Publisher, clock: Clock, *, timeout: float, cache_limit: float | None
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._clock = clock
        self._timeout = timeout
        self._cache_limit = cache_limit

    async def obtain(
        self, certificate: CertificateConfig, key_pem: str, located: Mapping[str, Located], emit: Emitter
    ) -> str:
        """A new chain (PEM, leaf first) for ``certificate`` and its private key. Raises any BrokerError.

        ``located`` holds the place of each challenge name.

        A validation that failed is tried once more with a new order where there is hope that the CA sees more then.
        """
        deadline = Deadline.after(self._clock, self._timeout)
        try:
            return await self._attempt(certificate, key_pem, located, deadline, emit)
        except OrderFailed as error:
            hope = self._hope(error, located, deadline)
            if not hope:
                raise
            emit("warning", message=error.message, hint=hope)
            return await self._attempt(certificate, key_pem, located, deadline, emit)

    def _hope(self, error: OrderFailed, located: Mapping[str, Located], deadline: Deadline) -> str:
        """Why the CA may see at a second attempt what it did not see at the first; empty where it will not.

        Where it says that a name does not exist although every server has it, it was told so before, and may believe it
        for a time that has to run out before the propagation time-out. A time-out of its own is not kept by any cache.
        """
        item = located.get(challenge_name(error.identifier)) if error.identifier else None
        if item is None:
            return ""
        if _is_timeout(error):
            return "the CA waited in vain for a name server: it is asked once more"
        if not _is_denial(error):
            return ""
        until = self._publisher.deny(item)
        if (until - self._clock.now()).total_seconds() > deadline.left():
            return ""
        return f"the CA may have cached that until {until:%H:%M:%S} UTC: it is asked once more after that"

    async def _attempt(
        self,
        certificate: CertificateConfig,
        key_pem: str,
        located: Mapping[str, Located],
        deadline: Deadline,
        emit: Emitter,
    ) -> str:
        """One order, from opened to downloaded."""
        with self._publisher.announced(located.values()) as announcement:
            order = await self._client.new_order(certificate.names)
            emit("order", url=order.url, names=list(certificate.names))
            pending: Sequence[Authorization] = ()
            try:
                authorizations = await self._client.authorizations(order)
                pending = [item for item in authorizations if not item.is_valid]
                await self._validate(pending, located, announcement, deadline, emit)
            except BaseException:
                await uninterrupted(self._give_up(pending, announcement))
                raise
            return await self._complete(order, certificate, key_pem, announcement)

    async def _validate(
        self,
        pending: Sequence[Authorization],
        located: Mapping[str, Located],
        announcement: Announcement,
        deadline: Deadline,
        emit: Emitter,
    ) -> None:
        """Publish the values of ``pending``, and ask the CA when nobody can see anything else."""
        values: dict[str, frozenset[str]] = {}
        for item in pending:
            name = challenge_name(item.identifier)
            values[name] = values.get(name, frozenset()) | {_challenge(item).value}
        announcement.narrow({located[name].route.target for name in values})
        if values:
            try:
                leases = await self._publisher.write(values, located, announcement)
                outcomes = await self._publisher.watch(located, leases, deadline)
                await self._publisher.outlast_caches(located, leases, outcomes, deadline, self._cache_limit)
            except BaseException:
                self._publisher.never_asked(announcement.leases)
                raise
        patience = Deadline.after(self._clock, _CA_PATIENCE)
        await together(self._ask(item, patience, emit) for item in pending)

    async def _ask(self, authorization: Authorization, patience: Deadline, emit: Emitter) -> None:
        emit("asked", identifier=authorization.identifier)
        await self._client.answer(_challenge(authorization))
        await self._client.validated(authorization, patience)
        emit("validated", identifier=authorization.identifier)

    async def _give_up(self, pending: Sequence[Authorization], announcement: Announcement) -> None:
        """Leave nothing behind: no record, and no authorization that counts against the CA's limits."""
        announcement.settle()
        await all_through(
            [self._publisher.withdraw(announcement.leases), *(self._deactivate(item) for item in pending)]
        )

    async def _deactivate(self, authorization: Authorization) -> None:
        try:
            async with asyncio.timeout(_FAREWELL):
                await self._client.deactivate(authorization)
        except (AcmeError, TimeoutError):
            return  # the failure that brought us here is what the user must hear of

    async def _complete(
        self, order: Order, certificate: CertificateConfig, key_pem: str, announcement: Announcement
    ) -> str:
        """Finalize while the records go: the authorizations are final, nobody needs them any more."""
        withdrawal = asyncio.ensure_future(self._publisher.withdraw(announcement.leases))
        try:
            patience = Deadline.after(self._clock, _CA_PATIENCE)
            done = await self._client.finalize(order, keys.csr(key_pem, certificate.names), patience)
            chains = await self._client.chains(done)
        finally:
            await uninterrupted(withdrawal)
        return chains[0]


def _challenge(authorization: Authorization) -> Dns01:
    """The dns-01 challenge of a pending authorization, which the client has checked to have one."""
    assert authorization.challenge is not None  # noqa: S101 - for the type checker
    return authorization.challenge


def _is_timeout(error: OrderFailed) -> bool:
    """Whether the CA says that a name server did not answer it in time; CAs have no problem type for that alone."""
    words = _words(error)
    return "timeout" in words or "timed out" in words


def _is_denial(error: OrderFailed) -> bool:
    """Whether the CA says that it found no record at all (Let's Encrypt: ``dns``; others say so in words)."""
    words = _words(error)
    return error.problem_type == "dns" or "nxdomain" in words or "no txt record" in words


def _words(error: OrderFailed) -> str:
    """What the CA says, in lower case, less the name that it says it of."""
    return error.detail.lower().replace(error.identifier.removeprefix("*."), "")
