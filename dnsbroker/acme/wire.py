"""Signed requests to one CA: nonces, repetition, and errors with everything that the CA said.

Every URL is used and signed exactly as it was given; nothing is redirected. A refused nonce is replaced by the one
that came with the refusal. What failed in passing is repeated a few times, as all of ACME's requests may be.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from dnsbroker import __version__
from dnsbroker.acme import hints, problem
from dnsbroker.acme.directory import Directory, read_directory, unread
from dnsbroker.acme.nonces import Nonces, offered
from dnsbroker.acme.signing import AccountKey
from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import AcmeError, Problem
from dnsbroker.retry import retrying
from dnsbroker.transport import HTTPFailed, Reply, Session

# With half of all nonces refused, eight attempts would still lose one request in 256.
NONCE_ATTEMPTS = 20
ATTEMPTS = 4
PATIENCE = 30.0
#: The payload of a POST-as-GET (RFC 8555 section 6.3).
READ = b""
_HEADERS = {"user-agent": f"dnsbroker/{__version__}", "accept-language": "en"}


class Wire:
    """Requests to the CA whose directory is at ``directory_url``, at most as many at once as ``parallel`` lets through.

    ``key`` signs; ``account_url`` is the ``kid`` of what is signed, empty until the account is known. ``directory`` is
    what was read before. Safe for concurrent use.
    """

    def __init__(
        self,
        directory_url: str,
        key: AccountKey,
        session: Session,
        clock: Clock,
        parallel: asyncio.Semaphore,
        directory: Directory | None = None,
    ) -> None:
        self.account_url = ""
        self.host = urlsplit(directory_url).netloc.rpartition("@")[2] or directory_url
        self._directory_url = directory_url
        self.key = key
        self._session = session
        self._clock = clock
        self._parallel = parallel
        self._nonces = Nonces()
        self._directory = directory
        self._reading = asyncio.Lock()

    async def directory(self) -> Directory:
        """The CA's directory, read once. Raises DirectoryUnreachable."""
        async with self._reading:
            if self._directory is None:
                self._directory = await retrying(self._read_directory, attempts=ATTEMPTS, deadline=self._patience())
            return self._directory

    async def post(
        self,
        url: str,
        payload: bytes,
        *,
        what: str,
        accept: str = "application/json",
        key: AccountKey | None = None,
        deadline: Deadline | None = None,
    ) -> Reply:
        """The CA's reply to a signed POST, if it is a success; an empty payload is a POST-as-GET.

        ``what`` names the request in errors. With a ``key`` that one signs and goes along, instead of the account's,
        which is named by its URL.
        What is repeated is repeated within ``deadline``, or for half a minute.
        Raises Problem, AcmeError and DirectoryUnreachable.
        """
        if key is None and not self.account_url:
            raise AcmeError(f"there is no account at {self.host} yet", hint="register first")

        async def attempt() -> Reply:
            return await self._signed(url, payload, what, accept, key)

        return await retrying(attempt, attempts=ATTEMPTS, deadline=deadline or self._patience())

    async def get(self, url: str, *, what: str) -> Reply:
        """The CA's reply to a plain GET of a public resource, if it is a success; tried once.

        Raises Problem and AcmeError.
        """
        reply = await self._exchange("GET", url, what, {"accept": "application/json"})
        self._nonces.keep(reply)
        if refused := self._refusal(reply, what):
            raise refused
        return reply

    async def _signed(self, url: str, payload: bytes, what: str, accept: str, key: AccountKey | None) -> Reply:
        """One request that counts: refused nonces are replaced on the way."""
        signer, kid = (key, "") if key else (self.key, self.account_url)
        nonce = self._nonces.take() or await self._new_nonce()
        for left in reversed(range(NONCE_ATTEMPTS)):
            body = signer.sign(payload, url=url, nonce=nonce, kid=kid)
            headers = {"content-type": "application/jose+json", "accept": accept}
            reply = await self._exchange("POST", url, what, headers, body)
            refused = self._refusal(reply, what)
            if refused is None or refused.type != "badNonce" or not left:
                break
            nonce = offered(reply) or await self._new_nonce()
        self._nonces.keep(reply)
        if refused is not None:
            raise refused
        return reply

    async def _new_nonce(self) -> str:
        url = (await self.directory()).new_nonce
        reply = await self._exchange("HEAD", url, "a nonce", {})
        if nonce := offered(reply):
            return nonce
        raise self._refusal(reply, "a nonce") or AcmeError(f"{self.host} gave no usable nonce", hint=hints.THEIR_FAULT)

    async def _read_directory(self) -> Directory:
        try:
            reply = await self._request("GET", self._directory_url, {"accept": "application/json"})
        except HTTPFailed as failed:
            raise unread(self._directory_url, failed) from failed
        self._nonces.keep(reply)
        return read_directory(self._directory_url, reply, self._clock.now())

    async def _exchange(
        self, method: str, url: str, what: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        try:
            return await self._request(method, url, headers, body)
        except HTTPFailed as failed:
            raise AcmeError(
                f"no answer from {self.host} to {what}: {failed.reason}",
                hint=hints.unanswered(failed),
                transient=not failed.untrusted,
            ) from failed

    async def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        async with self._parallel:
            return await self._session.request(method, url, headers={**_HEADERS, **headers}, content=body)

    def _refusal(self, reply: Reply, what: str) -> Problem | None:
        if 200 <= reply.status < 300:
            return None
        return problem.refusal(reply, what=what, host=self.host, now=self._clock.now())

    def _patience(self) -> Deadline:
        return Deadline.after(self._clock, PATIENCE)

    def json(self, reply: Reply, what: str) -> Mapping[str, object]:
        """The object in the reply. Raises AcmeError if there is none."""
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise AcmeError(f"{self.host} answered {what} with no JSON object", hint=hints.THEIR_FAULT)
        return found

    def location(self, reply: Reply, what: str) -> str:
        """Where the CA put ``what`` (in words). Raises AcmeError if it does not say."""
        url = reply.headers.get("location", "")
        if not url:
            raise AcmeError(f"{self.host} did not say where {what} is", hint=hints.THEIR_FAULT)
        return url


def payload(members: Mapping[str, object]) -> bytes:
    """The members as a request carries them."""
    return json.dumps(members, indent=2).encode()
