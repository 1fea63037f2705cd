"""One certificate, from its names to its files: the pipeline in the order of events.

::

    located → account → order → written → everywhere → asked → validated → finalized, withdrawn → stored

Whatever was written is withdrawn on every way out, and pending authorizations are given up. An order is kept by its URL
before anything is written, and a later run goes on with it. Whether a certificate is due is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dnsbroker.acme import Authorization, Client, Dns01, Order
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import AcmeError, BrokerError, OrderFailed, Problem
from dnsbroker.events import Emitter
from dnsbroker.names import challenge_name
from dnsbroker.publishing import Located, Publisher
from dnsbroker.tasks import all_through, together, uninterrupted
from dnsbroker.writer import Announcement

_CA_PATIENCE = 300.0
_FAREWELL = 1.0
_UNPROFILED = "ordering without the preferred profile"
#: The states in which an order can still lead to a certificate.
_OPEN = frozenset({"pending", "ready", "processing", "valid"})
#: Those in which every authorization is valid, or was when it counted (RFC 8555 section 7.1.6).
_PROVED = _OPEN - {"pending"}


@dataclass(frozen=True)
class Commission:
    """What is asked of the CA: ``names`` for the key that signed ``csr`` (DER), each proved where ``located`` says.

    ``profile`` may be left away by the CA unless ``profile_required``; ``replaces`` is the id of the certificate whose
    renewal this is (RFC 9773 section 5), ``resume`` the URL of an order to go on with; both may be empty. ``opened`` is
    told the order's URL before anything else happens with it, ``over`` that nobody can go on with it. ``failed`` hears,
    where a validation failed, of which names the CA was asked and nobody saw it validate them; it says whether another
    try of this run stays away from the CA's limit.
    """

    names: tuple[str, ...]
    csr: bytes
    located: Mapping[str, Located]
    profile: str = ""
    profile_required: bool = False
    replaces: str = ""
    resume: str = ""
    opened: Callable[[Order], None] = lambda order: None
    over: Callable[[], None] = lambda: None
    failed: Callable[[Collection[str]], bool] = lambda identifiers: True


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

    async def obtain(self, commission: Commission, emit: Emitter) -> tuple[str, ...]:
        """The new certificate's chains (PEM, leaf first in each, the CA's default first). Raises any BrokerError.

        A validation that failed is tried once more with a new order where there is hope that the CA sees more then. So
        is an order of which the CA says only at its end that it does not take the preferred profile, without that.
        """
        try:
            return await self._obtained(commission, emit)
        except (Problem, OrderFailed) as error:
            if not commission.profile or commission.profile_required or not _is_about_profile(error):
                raise
            emit("warning", message=error.message, hint=_UNPROFILED)
        return await self._obtained(replace(commission, profile="", resume=""), emit)

    async def _obtained(self, commission: Commission, emit: Emitter) -> tuple[str, ...]:
        deadline = Deadline.after(self._clock, self._timeout)
        unproved: set[str] = set()
        try:
            return await self._attempt(commission, unproved, deadline, emit)
        except OrderFailed as error:
            may_try = commission.failed(_failed(unproved, error))
            hope = self._hope(error, commission.located, deadline) if may_try else ""
            if not hope:
                raise
            emit("warning", message=error.message, hint=hope)
        unproved.clear()
        try:
            return await self._attempt(replace(commission, resume=""), unproved, deadline, emit)
        except OrderFailed as error:
            commission.failed(_failed(unproved, error))
            raise

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
        self, commission: Commission, unproved: set[str], deadline: Deadline, emit: Emitter
    ) -> tuple[str, ...]:
        """One order, from opened to downloaded; ``unproved`` holds what the CA was asked about and has not answered."""
        with self._publisher.announced(commission.located.values()) as announcement:
            order = await self._order(commission, emit)
            pending: Sequence[Authorization] = ()
            try:
                pending = await self._unproved(order)
                await self._publish(pending, commission.located, announcement, deadline)
                patience = Deadline.after(self._clock, _CA_PATIENCE)
                await together(self._ask(item, patience, unproved, emit) for item in pending)
            except BaseException:
                commission.over()
                await uninterrupted(self._give_up(pending, announcement))
                raise
            return await self._complete(order, commission, announcement)

    async def _unproved(self, order: Order) -> Sequence[Authorization]:
        """What is left to prove; of an order that has come further nobody asks."""
        if order.status in _PROVED:
            return ()
        return [item for item in await self._client.authorizations(order) if not item.is_valid]

    async def _order(self, commission: Commission, emit: Emitter) -> Order:
        """The order to go on with, else a new one."""
        if commission.resume:
            order = await self._resumed(commission.resume)
            if order is not None:
                emit("resumed", url=order.url, names=list(commission.names))
                return order
            commission.over()
        order = await self._opened(commission, emit)
        commission.opened(order)
        emit("order", url=order.url, names=list(commission.names))
        return order

    async def _resumed(self, url: str) -> Order | None:
        """The order at ``url`` where it can still lead to a certificate."""
        try:
            order = await self._client.order(url)
        except Problem as problem:
            if problem.transient:
                raise
            return None  # the CA does not know it any more
        is_over = order.expires is not None and order.expires <= self._clock.now() and order.status != "valid"
        return None if is_over or order.status not in _OPEN else order

    async def _opened(self, commission: Commission, emit: Emitter) -> Order:
        """A new order.

        What the CA does not take of ``replaces`` and of a profile that is only preferred is left away.
        """
        profile = await self._profile(commission, emit)
        replaces = commission.replaces if (await self._client.directory()).renewal_info else ""
        while True:
            try:
                return await self._client.new_order(commission.names, profile=profile, replaces=replaces)
            except Problem as problem:
                if profile and problem.type == "invalidProfile" and not commission.profile_required:
                    emit("warning", message=problem.message, hint=_UNPROFILED)
                    profile = ""
                elif replaces and not problem.transient and _is_about_replacing(problem):
                    emit("not_replacing", message=problem.message)
                    replaces = ""
                else:
                    raise

    async def _profile(self, commission: Commission, emit: Emitter) -> str:
        """The profile to ask for: never one that the CA does not advertise. Raises AcmeError where it is required."""
        if not commission.profile:
            return ""
        offered = (await self._client.directory()).profiles
        if commission.profile in offered:
            return commission.profile
        told = f"the CA offers no profile {commission.profile!r}"
        hint = f"it offers {', '.join(offered)}" if offered else "it offers none: take profile out"
        if commission.profile_required:
            raise AcmeError(told, hint=hint)
        emit("warning", message=f"{told}: ordering without it", hint=hint)
        return ""

    async def _publish(
        self,
        pending: Sequence[Authorization],
        located: Mapping[str, Located],
        announcement: Announcement,
        deadline: Deadline,
    ) -> None:
        """Publish the values of ``pending``, until nobody can see anything else."""
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

    async def _ask(self, authorization: Authorization, patience: Deadline, unproved: set[str], emit: Emitter) -> None:
        emit("asked", identifier=authorization.identifier)
        await self._client.answer(_challenge(authorization))
        unproved.add(authorization.identifier)
        await self._client.validated(authorization, patience)
        unproved.discard(authorization.identifier)
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

    async def _complete(self, order: Order, commission: Commission, announcement: Announcement) -> tuple[str, ...]:
        """Finalize while the records go: the authorizations are final, nobody needs them any more.

        An order that is not finished in time, or for now, stays open for the next run; what would fail again does not.
        """
        withdrawal = asyncio.ensure_future(self._publisher.withdraw(announcement.leases))
        try:
            patience = Deadline.after(self._clock, _CA_PATIENCE)
            done = await self._client.finalize(order, commission.csr, patience)
            return await self._client.chains(done)
        except BrokerError as error:
            if not error.transient and not _is_limit(error):
                commission.over()
            raise
        finally:
            await uninterrupted(withdrawal)


def _challenge(authorization: Authorization) -> Dns01:
    """The dns-01 challenge of a pending authorization, which the client has checked to have one."""
    assert authorization.challenge is not None  # noqa: S101 - for the type checker
    return authorization.challenge


def _failed(unproved: Collection[str], error: OrderFailed) -> frozenset[str]:
    """The names that count as failed: the one that ``error`` is about, and those that the CA fails beside it unseen."""
    return frozenset(unproved) | ({error.identifier} if error.identifier else frozenset())


def _is_limit(error: BrokerError) -> bool:
    """Whether the CA says no for now, though it may not say until when."""
    return isinstance(error, Problem) and (error.type == "rateLimited" or error.status == 429)


def _is_about_profile(error: Problem | OrderFailed) -> bool:
    return (error.type if isinstance(error, Problem) else error.problem_type) == "invalidProfile"


def _is_about_replacing(problem: Problem) -> bool:
    """Whether the CA may refuse the order for what it is to replace, and take it without (RFC 9773 section 5).

    Let's Encrypt calls a certificate that another account ordered ``unauthorized``.
    """
    return problem.type in ("alreadyReplaced", "malformed", "unauthorized") or problem.status in (404, 409)


def _is_timeout(error: OrderFailed) -> bool:
    """Whether the CA says that a name server did not answer it in time; CAs have no problem type for that alone."""
    words = _words(error)
    return "timeout" in words or "timed out" in words


def _is_denial(error: OrderFailed) -> bool:
    """Whether the CA says that it found no record at all (Let's Encrypt: ``dns``; others say so in words).

    Pebble says it by the DNS response code alone, as a quoted octet; 3 is NXDOMAIN (RFC 1035 section 4.1.1).
    """
    words = _words(error)
    return error.problem_type == "dns" or any(sign in words for sign in ("nxdomain", "no txt record", r"\x03'"))


def _words(error: OrderFailed) -> str:
    """What the CA says, in lower case, less the name that it says it of."""
    return error.detail.lower().replace(error.identifier.removeprefix("*."), "")
