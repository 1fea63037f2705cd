"""One account at one CA: register, order, answer, finalize, download, revoke (RFC 8555 section 7).

Each step is a coroutine that may be cancelled at any await; nothing is kept but the account's URL, the directory and
unused nonces. What to do in which order, and what to do with DNS in between, is the caller's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from josepy import json_util

from dnsbroker.acme import accounts, chains, hints, orders, renewal, retry_after
from dnsbroker.acme.accounts import AccountFacts
from dnsbroker.acme.binding import Binding
from dnsbroker.acme.directory import Directory
from dnsbroker.acme.orders import Authorization, Dns01, Order
from dnsbroker.acme.pace import Pace
from dnsbroker.acme.renewal import RenewalInfo
from dnsbroker.acme.signing import AccountKey
from dnsbroker.acme.wire import READ, Wire, payload
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import AcmeError, BrokerError, ConfigError, OrderFailed, Problem
from dnsbroker.names import shown
from dnsbroker.tasks import together
from dnsbroker.transport import Reply, Session

T = TypeVar("T")
_MOST_ALTERNATES = 10


@dataclass(frozen=True)
class _Seen:
    """An order as it was seen, and when the CA wants to be asked again."""

    order: Order
    retry_after: float | None


class Client:
    """An ACME client for the account whose private key is ``account_key_pem``.

    ``parallel`` bounds the requests in flight; it may be shared with other clients. ``directory`` is the CA's, where it
    was read before. Safe for concurrent use in one event loop. Raises PemInvalid where the key cannot be used. Every
    coroutine raises DirectoryUnreachable, Problem (what the CA refuses, after repeating what is worth it) and AcmeError
    (no usable answer) beside what it names.
    """

    def __init__(
        self,
        directory_url: str,
        account_key_pem: str,
        session: Session,
        clock: Clock,
        *,
        parallel: asyncio.Semaphore | None = None,
        directory: Directory | None = None,
    ) -> None:
        self._clock = clock
        key = AccountKey(account_key_pem)
        self._wire = Wire(directory_url, key, session, clock, parallel or asyncio.Semaphore(8), directory)

    @property
    def account_url(self) -> str:
        """The account's URL: empty until it is registered, or set from where it was kept."""
        return self._wire.account_url

    @account_url.setter
    def account_url(self, url: str) -> None:
        self._wire.account_url = url

    async def directory(self) -> Directory:
        """The CA's directory, read once."""
        return await self._wire.directory()

    async def register(self, contact: Sequence[str], agree_tos: bool, binding: Binding | None = None) -> str:
        """The URL of the key's account, which is created unless it is there (section 7.3).

        ``contact`` are mail addresses, with or without ``mailto:``, and may be empty; ``binding`` is what the CA gave
        to bind the account to one of its own (section 7.3.4). Raises ConfigError before anything is sent where the
        terms of service are not agreed to, and where the CA wants a binding, there is none and no account of this key.
        """
        if not agree_tos:
            hint = "read the terms of service on the CA's site, then set agree_tos = true"
            raise ConfigError("the CA's terms of service must be agreed to", key="acme.agree_tos", hint=hint)
        self._wire.account_url = await accounts.register(self._wire, contact, binding)
        return self._wire.account_url

    async def find(self) -> str | None:
        """The URL of the key's account, which is used from then on; None, and none made, where there is none."""
        found = await accounts.find(self._wire, self._wire.key)
        self._wire.account_url = found or self._wire.account_url
        return found

    async def account(self) -> AccountFacts:
        """The account as the CA has it."""
        return await accounts.facts(self._wire)

    async def update(self, contact: Sequence[str]) -> AccountFacts:
        """The account with ``contact`` in place of what it had; an empty one removes it (section 7.3.2)."""
        return await accounts.update(self._wire, contact)

    async def deactivate_account(self) -> None:
        """Close the account for ever; its certificates stay valid (section 7.3.6)."""
        await accounts.deactivate(self._wire)

    async def roll_over(self, new_key_pem: str) -> None:
        """Give the account another key, EC or RSA, with which this client signs from then on (section 7.3.5).

        The URL stays. The caller keeps both keys until this returns: where no reply comes and the CA cannot be asked,
        either of them may be the account's, and ``find`` tells which. Raises PemInvalid; a key that opens another
        account is a Problem, by the RFC with status 409.
        """
        hint = "an EC or RSA private key in PEM is wanted, unencrypted"
        await accounts.roll_over(self._wire, AccountKey(new_key_pem, what="new account key", hint=hint))

    async def new_order(self, names: Iterable[str], *, profile: str = "", replaces: str = "") -> Order:
        """A new order for ``names``, identifiers as dnsbroker.names makes them (section 7.4).

        ``profile`` is one that the directory advertises; ``replaces`` the certificate identifier (RFC 9773 section 5)
        of the one that this order renews. What the CA objects to either is a Problem of type ``invalidProfile``,
        ``alreadyReplaced`` (status 409) or ``malformed``.
        """
        wanted: dict[str, object] = {
            "identifiers": [{"type": "dns", "value": name} for name in dict.fromkeys(names)],
            **({"profile": profile} if profile else {}),
            **({"replaces": replaces} if replaces else {}),
        }
        url = (await self.directory()).new_order
        reply = await self._wire.post(url, payload(wanted), what="the order")
        return self._order(self._wire.location(reply, "the order"), reply)

    async def renewal_info(self, certificate_id: str, url: str = "") -> RenewalInfo:
        """When the CA wants the certificate renewed (RFC 9773); no account is needed.

        ``certificate_id`` is what dnsbroker.keys.renewal_id gives; ``url`` the CA's renewalInfo resource where it is
        known already, else the directory is read for it. Tried once. Every answer that is none is an AcmeError:
        ``transient`` (the network, 5xx, 429 with a time) where it is worth asking again before the usual time, lasting
        where the CA has no such resource, does not know the certificate or suggests no usable window.
        """
        what = "the renewal information"
        place = url or (await self.directory()).renewal_info
        if not place:
            raise AcmeError(f"{self._wire.host} offers no renewal information")
        reply = await self._wire.get(f"{place.rstrip('/')}/{certificate_id}", what=what)
        return renewal.read(self._wire.json(reply, what), self._retry_after(reply), self._wire.host)

    async def revoke(self, certificate_pem: str, reason: int, *, key_pem: str = "") -> bool:
        """Revoke the first certificate in ``certificate_pem`` (section 7.6); False where it had been revoked before.

        ``reason`` is a code of RFC 5280 section 5.3.1. Signed by the account that ordered it or, with ``key_pem``, by
        the certificate's own private key, for which no account is needed. Raises PemInvalid.
        """
        hint = "the private key of the certificate itself is wanted"
        key = AccountKey(key_pem, what="certificate key", hint=hint) if key_pem else None
        url = (await self.directory()).revoke_cert
        if not url:
            raise AcmeError(f"{self._wire.host} offers no revocation", hint="ask the CA how it revokes")
        wanted = {"certificate": json_util.encode_b64jose(chains.leaf_der(certificate_pem))}
        told = payload({**wanted, "reason": reason} if reason else wanted)
        try:
            await self._wire.post(url, told, what="the revocation", key=key)
        except Problem as refused:
            if refused.type == "alreadyRevoked":
                return False
            refused.hint = hints.unrevoked(refused.type, by_own_key=key is not None) or refused.hint
            raise
        return True

    async def order(self, url: str) -> Order:
        """The order at ``url`` as it is now."""
        return (await self._see(url)).order

    async def authorizations(self, order: Order) -> tuple[Authorization, ...]:
        """The order's authorizations, in its order of them (which means nothing).

        Each is ``valid`` or has a challenge to answer: raises OrderFailed for one that has failed, or that cannot be
        proved through DNS.
        """
        found = await together(self._authorization(url, "an authorization") for url in order.authorizations)
        for authorization in found:
            await self._check(authorization)
        return tuple(found)

    async def answer(self, challenge: Dns01) -> None:
        """Tell the CA that the record is there (section 7.5.1). Answering twice does no harm."""
        try:
            await self._wire.post(challenge.url, b"{}", what="the answer to a challenge")
        except Problem as refused:
            if refused.type != "malformed":
                raise
            # A repeated answer, its first reply lost, is refused by some CAs although all is well.
            seen = await self._wire.post(challenge.url, READ, what="a challenge")
            if self._wire.json(seen, "a challenge").get("status") == "pending":
                raise

    async def validated(self, authorization: Authorization, deadline: Deadline) -> Authorization:
        """The authorization once it is valid (section 7.5.1).

        Raises OrderFailed with what the CA says of the challenge, OrderUnfinished at the deadline.
        """
        what = f"the authorization of {shown(authorization.identifier)}"
        pace = Pace(deadline, what)
        while True:
            reply = await self._wire.post(authorization.url, READ, what=what, deadline=deadline)
            seen = self._read_authorization(authorization.url, reply, what)
            if seen.is_valid:
                return seen
            if not seen.is_pending:
                raise await self._failed(seen)
            await pace.pause(self._retry_after(reply), seen.status)

    async def deactivate(self, authorization: Authorization) -> None:
        """Give the authorization up, so that it does not count as pending (section 7.5.2). Tried once, not repeated."""
        at_once = Deadline.after(self._clock, 0.0)
        what = f"giving up {shown(authorization.identifier)}"
        await self._wire.post(authorization.url, payload({"status": "deactivated"}), what=what, deadline=at_once)

    async def finalize(self, order: Order, csr_der: bytes, deadline: Deadline) -> Order:
        """The order once its certificate is there, asked for with the CSR in DER (section 7.4).

        Waits for an order that is not ready yet. Raises OrderFailed, and OrderUnfinished at the deadline.
        """
        names = ", ".join(shown(name) for name in order.names)
        pace = Pace(deadline, f"the order for {names}")
        csr = payload({"csr": json_util.encode_b64jose(csr_der)})
        has_csr = order.status in ("processing", "valid")
        seen = await (self._see(order.url, deadline) if has_csr else self._submit(order, csr, deadline))
        while seen.order.status != "valid" or not seen.order.certificate:
            if seen.order.status not in (*orders.WAITING, "ready", "valid"):
                raise orders.failed_order(seen.order, self._wire.host)
            await pace.pause(seen.retry_after, seen.order.status)
            is_ready = seen.order.status == "ready"
            seen = await (self._submit(order, csr, deadline) if is_ready else self._see(order.url, deadline))
        return seen.order

    async def chains(self, order: Order) -> tuple[str, ...]:
        """The certificate's chains in PEM, leaf first in each, the CA's default first (section 7.4.2).

        An alternative that cannot be had is left out. Raises PemInvalid where the default is no chain.
        """
        reply = await self._download(order.certificate)
        default = chains.checked(reply.text(), self._wire.host)
        urls = chains.alternates(reply.links, order.certificate)[:_MOST_ALTERNATES]
        others = await together(self._alternate(url) for url in urls)
        return tuple(dict.fromkeys([default, *(chain for chain in others if chain)]))

    async def _submit(self, order: Order, csr: bytes, deadline: Deadline) -> _Seen:
        """The order after the CSR was sent, or as it is where it is not ready for it."""
        try:
            reply = await self._wire.post(order.finalize, csr, what="the CSR", deadline=deadline)
        except Problem as refused:
            if refused.type != "orderNotReady":
                raise
            return await self._see(order.url, deadline)
        return _Seen(self._order(order.url, reply), self._retry_after(reply))

    async def _see(self, url: str, deadline: Deadline | None = None) -> _Seen:
        reply = await self._wire.post(url, READ, what="the order", deadline=deadline)
        return _Seen(self._order(url, reply), self._retry_after(reply))

    async def _authorization(self, url: str, what: str) -> Authorization:
        return self._read_authorization(url, await self._wire.post(url, READ, what=what), what)

    async def _check(self, authorization: Authorization) -> None:
        if authorization.is_valid or (authorization.is_pending and authorization.challenge):
            return
        if not authorization.is_pending:
            raise await self._failed(authorization)
        raise OrderFailed(
            f"{self._wire.host} offers no dns-01 challenge for {shown(authorization.identifier)}",
            problem_type="",
            detail="",
            identifier=authorization.identifier,
            hint="this CA cannot validate the name through DNS: choose another acme.directory",
        )

    async def _failed(self, authorization: Authorization) -> OrderFailed:
        issuers = (await self.directory()).caa_identities
        return orders.failed_authorization(authorization, self._wire.host, issuers)

    async def _download(self, url: str) -> Reply:
        return await self._wire.post(url, READ, what="the certificate", accept=chains.MEDIA_TYPE)

    async def _alternate(self, url: str) -> str:
        try:
            return chains.checked((await self._download(url)).text(), self._wire.host)
        except BrokerError:
            return ""  # the certificate itself is there; it is not lost for a second way to show it

    def _order(self, url: str, reply: Reply) -> Order:
        return orders.read_order(url, self._wire.json(reply, "the order"))

    def _read_authorization(self, url: str, reply: Reply, what: str) -> Authorization:
        return orders.read_authorization(url, self._wire.json(reply, what), self._wire.key.public)

    def _retry_after(self, reply: Reply) -> float | None:
        return retry_after.seconds(reply.headers.get("retry-after", ""), self._clock.now())
