"""When the CA wants a certificate renewed: its renewal information (RFC 9773), or its revocation list if it has none.

Asked no sooner than the CA allows, whichever process asks, and remembered. A window that makes no sense is no answer; a
CA that cannot be reached changes nothing about what is known. Whether the certificate is due is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from dnsbroker import keys
from dnsbroker.account import Account
from dnsbroker.acme import RenewalInfo
from dnsbroker.clock import Clock
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import AcmeError, BrokerError, PemInvalid
from dnsbroker.events import Emitter
from dnsbroker.journal import Answer, RenewalAnswers
from dnsbroker.journal.moments import CLOCK_SLACK
from dnsbroker.store import Lineage
from dnsbroker.tasks import background
from dnsbroker.transport import Connections, HTTPFailed

_UNSAID = timedelta(hours=6)
_SOONEST = timedelta(minutes=1)
_CLOCK_SLACK = timedelta(seconds=CLOCK_SLACK)
_LIST_PERIOD = timedelta(days=1)
_LIST_LIMIT = 32 * 1024 * 1024
_LIST_SECONDS = 30.0


class Advice:
    """What CAs say about the certificates of one run.

    ``share`` gives a number from 0 to 1 for the moment in a window.
    """

    def __init__(
        self,
        answers: RenewalAnswers,
        connections: Connections,
        clock: Clock,
        share: Callable[[], float] = random.random,
    ) -> None:
        self._answers = answers
        self._connections = connections
        self._clock = clock
        self._share = share
        self._lists: dict[str, asyncio.Task[bytes]] = {}

    def introduce(self, lineage: Lineage, renewal_info: str) -> None:
        """Note where to ask about a certificate that was just issued; ``renewal_info`` is the CA's URL, or empty."""
        ident = keys.renewal_id(lineage.fullchain)
        if ident is not None:
            self._answers.keep(self._first(ident, lineage, renewal_info))

    def forget(self, lineage: Lineage) -> None:
        """Forget what was said about a certificate that has been replaced. Raises StoreError."""
        ident = keys.renewal_id(lineage.fullchain)
        if ident is not None:
            self._answers.forget(ident)

    def known(self, lineage: Lineage) -> Answer | None:
        """What is known without asking anybody. Raises StoreError."""
        ident = keys.renewal_id(lineage.fullchain)
        return None if ident is None else self._answers.get(ident)

    async def ask(self, lineage: Lineage, account: Account, emit: Emitter) -> Answer | None:
        """What is known about ``lineage``, asked for where that is allowed by now.

        ``account`` is at the CA that issued it. None where nobody can be asked. A failure to ask is told and kept, not
        raised. Raises StoreError.
        """
        ident = keys.renewal_id(lineage.fullchain)
        now = self._clock.now()
        if ident is None or now >= lineage.not_after:
            return None
        known = self._answers.get(ident)
        if known is not None and known.asked_at <= now + _CLOCK_SLACK and now < known.ask_again_at:
            return known
        try:
            if known is None or (not known.url and known.source == "ari"):
                known = self._first(ident, lineage, (await account.visitor().directory()).renewal_info)
            answer = await self._asked(known, lineage, account)
        except BrokerError as error:
            answer = self._failed(known, ident, error)
            emit("warning", message=f"cannot ask when to renew: {error.message}", hint=error.hint)
        self._answers.keep(answer)
        return answer

    def _first(self, ident: str, lineage: Lineage, renewal_info: str) -> Answer:
        now = self._clock.now()
        if renewal_info:
            return Answer(id=ident, source="ari", url=renewal_info, asked_at=now, ask_again_at=now)
        if keys.crl_urls(lineage.fullchain):
            return Answer(id=ident, source="crl", url="", asked_at=now, ask_again_at=now)
        return Answer(id=ident, source="none", url="", asked_at=now, ask_again_at=lineage.not_after)

    async def _asked(self, known: Answer, lineage: Lineage, account: Account) -> Answer:
        if known.source == "ari":
            info = await account.visitor().renewal_info(known.id, known.url)
            return self._from_window(known, info, lineage)
        if known.source == "crl":
            return await self._from_list(known, lineage, account.config)
        return known

    def _from_window(self, known: Answer, info: RenewalInfo, lineage: Lineage) -> Answer:
        now = self._clock.now()
        wait = _UNSAID if info.retry_after is None else timedelta(seconds=info.retry_after)
        asked = replace(known, asked_at=now, ask_again_at=now + wait, failures=0, explanation=info.explanation_url)
        if info.start >= lineage.not_after:
            return replace(asked, start=None, end=None, moment=None)  # no advice at all: the lifetime decides
        if (info.start, info.end) == (known.start, known.end) and known.moment is not None:
            return asked
        moment = info.start + (min(info.end, lineage.not_after) - info.start) * self._share()
        return replace(asked, start=info.start, end=info.end, moment=moment)

    async def _from_list(self, known: Answer, lineage: Lineage, ca: AcmeConfig) -> Answer:
        now = self._clock.now()
        url, *_ = keys.crl_urls(lineage.fullchain)
        if url not in self._lists:  # many certificates stand on one list, and it may be long
            self._lists[url] = background(self._list(url, ca))
        found = await asyncio.shield(self._lists[url])
        try:
            revoked_at = keys.revoked_at(found, lineage.fullchain, now)
        except PemInvalid as error:
            raise AcmeError(f"the revocation list {url} cannot be used: {error.message}") from error
        # What was revoked from here is on no list yet.
        revoked_at = known.revoked_at or revoked_at
        return replace(known, asked_at=now, ask_again_at=now + _LIST_PERIOD, failures=0, revoked_at=revoked_at)

    async def _list(self, url: str, ca: AcmeConfig) -> bytes:
        session = self._connections.session(
            timeout=_LIST_SECONDS, proxy=ca.proxy, ca_bundle=ca.ca_bundle, body_limit=_LIST_LIMIT
        )
        try:
            reply = await session.request("GET", url)
        except HTTPFailed as failed:
            raise AcmeError(f"the revocation list {url} cannot be had: {failed.reason}", transient=True) from failed
        finally:
            await session.aclose()
        if reply.status != 200:
            raise AcmeError(f"the revocation list {url} cannot be had: status {reply.status}", transient=True)
        return reply.body

    def _failed(self, known: Answer | None, ident: str, error: BrokerError) -> Answer:
        """What was known stays; the next question waits longer each time, six hours where it is no use."""
        now = self._clock.now()
        known = known or Answer(id=ident, source="ari", url="", asked_at=now, ask_again_at=now)
        demanded = getattr(error, "retry_after", None)
        wait = min(_SOONEST * 2**known.failures, _UNSAID) if error.transient else _UNSAID
        if known.source == "crl":
            wait = _LIST_PERIOD
        elif demanded is not None:
            wait = max(_SOONEST, timedelta(seconds=demanded))
        return replace(known, asked_at=now, ask_again_at=now + wait, failures=min(known.failures + 1, 16))
