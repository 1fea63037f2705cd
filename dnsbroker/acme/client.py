"""One account at one CA: register, order, answer, finalize, download (RFC 8555 section 7).

Each step is a coroutine that may be cancelled at any await; nothing is kept but the account's URL, the directory and
unused nonces. What to do in which order, and what to do with DNS in between, is the caller's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from acme import messages
from josepy import interfaces, json_util

from dnsbroker.acme import chains, hints, orders, retry_after
from dnsbroker.acme.directory import Directory
from dnsbroker.acme.orders import Authorization, Dns01, Order
from dnsbroker.acme.pace import Pace
from dnsbroker.acme.signing import AccountKey
from dnsbroker.acme.wire import Wire
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import AcmeError, BrokerError, ConfigError, OrderFailed, Problem
from dnsbroker.tasks import together
from dnsbroker.transport import Reply, Session

T = TypeVar("T")
_READ = b""
_MOST_ALTERNATES = 10


@dataclass(frozen=True)
class _Seen:
    """An order as it was seen, and when the CA wants to be asked again."""

    order: Order
    retry_after: float | None


class Client:
    """An ACME client for the account whose private key is ``account_key_pem``.

    ``parallel`` bounds the requests in flight; it may be shared with other clients. Safe for concurrent use in one
    event loop. Raises PemInvalid where the key cannot be used. Every coroutine raises DirectoryUnreachable, Problem
    (what the CA refuses, after repeating what is worth it) and AcmeError (no usable answer) beside what it names.
    """

    def __init__(
        self,
        directory_url: str,
        account_key_pem: str,
        session: Session,
        clock: Clock,
        *,
        parallel: asyncio.Semaphore | None = None,
    ) -> None:
        self._key = AccountKey(account_key_pem)
        self._clock = clock
        self._wire = Wire(directory_url, self._key, session, clock, parallel or asyncio.Semaphore(8))

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

    async def register(self, contact: Sequence[str], agree_tos: bool) -> str:
        """The URL of the key's account, which is created unless it is there (section 7.3).

        ``contact`` are mail addresses, with or without ``mailto:``, and may be empty. Raises ConfigError before
        anything is sent where the terms of service are not agreed to.
        """
        if not agree_tos:
            hint = "read the terms of service on the CA's site, then set agree_tos = true"
            raise ConfigError("the CA's terms of service must be agreed to", key="acme.agree_tos", hint=hint)
        urls = tuple(entry if ":" in entry else f"mailto:{entry}" for entry in contact)
        # An empty contact is left out: josepy cannot write an empty list, and the CA needs none.
        wanted = {"contact": urls} if urls else {}
        account = messages.NewRegistration(terms_of_service_agreed=True, **wanted)
        url = (await self.directory()).new_account
        reply = await self._wire.post(url, _payload(account), what="the account", by_key=True)
        self._wire.account_url = self._location(reply, "the account")
        return self._wire.account_url

    async def new_order(self, names: Iterable[str]) -> Order:
        """A new order for ``names``, identifiers as dnsbroker.names makes them (section 7.4)."""
        wanted = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name) for name in dict.fromkeys(names)]
        url = (await self.directory()).new_order
        reply = await self._wire.post(url, _payload(messages.NewOrder(identifiers=wanted)), what="the order")
        return self._order(self._location(reply, "the order"), reply)

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
            seen = await self._wire.post(challenge.url, _READ, what="a challenge")
            if self._wire.json(seen, "a challenge").get("status") == "pending":
                raise

    async def validated(self, authorization: Authorization, deadline: Deadline) -> Authorization:
        """The authorization once it is valid (section 7.5.1).

        Raises OrderFailed with what the CA says of the challenge, OrderUnfinished at the deadline.
        """
        what = f"the authorization of {authorization.identifier}"
        pace = Pace(deadline, what)
        while True:
            reply = await self._wire.post(authorization.url, _READ, what=what, deadline=deadline)
            seen = self._read_authorization(authorization.url, reply, what)
            if seen.is_valid:
                return seen
            if not seen.is_pending:
                raise await self._failed(seen)
            await pace.pause(self._retry_after(reply), seen.status)

    async def deactivate(self, authorization: Authorization) -> None:
        """Give the authorization up, so that it does not count as pending (section 7.5.2). Tried once, not repeated."""
        payload = _payload(messages.UpdateAuthorization(status="deactivated"))
        at_once = Deadline.after(self._clock, 0.0)
        await self._wire.post(
            authorization.url, payload, what=f"giving up {authorization.identifier}", deadline=at_once
        )

    async def finalize(self, order: Order, csr_der: bytes, deadline: Deadline) -> Order:
        """The order once its certificate is there, asked for with the CSR in DER (section 7.4).

        Waits for an order that is not ready yet. Raises OrderFailed, and OrderUnfinished at the deadline.
        """
        names = ", ".join(order.names)
        pace = Pace(deadline, f"the order for {names}")
        csr = messages.CertificateRequest.from_json({"csr": json_util.encode_b64jose(csr_der)})
        seen = await self._submit(order, _payload(csr), deadline)
        while seen.order.status != "valid" or not seen.order.certificate:
            if seen.order.status not in (*orders.WAITING, "ready", "valid"):
                raise orders.failed_order(seen.order, self._wire.host)
            await pace.pause(seen.retry_after, seen.order.status)
            is_ready = seen.order.status == "ready"
            seen = await (self._submit(order, _payload(csr), deadline) if is_ready else self._see(order.url, deadline))
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

    async def _submit(self, order: Order, payload: bytes, deadline: Deadline) -> _Seen:
        """The order after the CSR was sent, or as it is where it is not ready for it."""
        try:
            reply = await self._wire.post(order.finalize, payload, what="the CSR", deadline=deadline)
        except Problem as refused:
            if refused.type != "orderNotReady":
                raise
            return await self._see(order.url, deadline)
        return _Seen(self._order(order.url, reply), self._retry_after(reply))

    async def _see(self, url: str, deadline: Deadline | None = None) -> _Seen:
        reply = await self._wire.post(url, _READ, what="the order", deadline=deadline)
        return _Seen(self._order(url, reply), self._retry_after(reply))

    async def _authorization(self, url: str, what: str) -> Authorization:
        return self._read_authorization(url, await self._wire.post(url, _READ, what=what), what)

    async def _check(self, authorization: Authorization) -> None:
        if authorization.is_valid or (authorization.is_pending and authorization.challenge):
            return
        if not authorization.is_pending:
            raise await self._failed(authorization)
        raise OrderFailed(
            f"{self._wire.host} offers no dns-01 challenge for {authorization.identifier}",
            problem_type="",
            detail="",
            identifier=authorization.identifier,
            hint="this CA cannot validate the name through DNS: choose another acme.directory",
        )

    async def _failed(self, authorization: Authorization) -> OrderFailed:
        issuers = (await self.directory()).caa_identities
        return orders.failed_authorization(authorization, self._wire.host, issuers)

    async def _download(self, url: str) -> Reply:
        return await self._wire.post(url, _READ, what="the certificate", accept=chains.MEDIA_TYPE)

    async def _alternate(self, url: str) -> str:
        try:
            return chains.checked((await self._download(url)).text(), self._wire.host)
        except BrokerError:
            return ""  # the certificate itself is there; it is not lost for a second way to show it

    def _order(self, url: str, reply: Reply) -> Order:
        return orders.read_order(url, self._wire.json(reply, "the order"))

    def _read_authorization(self, url: str, reply: Reply, what: str) -> Authorization:
        return orders.read_authorization(url, self._wire.json(reply, what), self._key.public)

    def _retry_after(self, reply: Reply) -> float | None:
        return retry_after.seconds(reply.headers.get("retry-after", ""), self._clock.now())

    def _location(self, reply: Reply, what: str) -> str:
        url = reply.headers.get("location", "")
        if not url:
            raise AcmeError(f"{self._wire.host} did not say where {what} is", hint=hints.THEIR_FAULT)
        return url


def _payload(message: interfaces.JSONDeSerializable) -> bytes:
    """The message as acme's own client writes it."""
    text: str = message.json_dumps(indent=2)
    return text.encode()
