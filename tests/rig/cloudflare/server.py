"""The service on the wire, in a thread of its own, with side doors for tests.

Rule: every request and every reply is held against the description, and what violates it is kept in ``violations``,
which must be empty when the service ends. Refused: being kind; a request that the real one refuses is refused.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qsl, urlsplit

from cloudflare import description, rules, text
from cloudflare.credentials import GlobalKey, Token
from cloudflare.description import Call
from cloudflare.faults import Fault
from cloudflare.service import Service
from cloudflare.zones import Account, Entry, Zone
from dnsbroker.testing.listener import Thread
from loopback import LoopbackServer, Request, Response

BASE = "/client/v4"


class Publisher(Protocol):
    """Name servers that are told the records. Called in the service's thread."""

    def publish(self, zone: Zone, name: str, type: str) -> None:
        """Serve at this name what the zone has there now."""
        ...


@dataclass(frozen=True)
class Seen:
    """A request that came: ``path`` without the base URL's, ``body`` its JSON, ``status`` 0: no answer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int

    @property
    def is_changing(self) -> bool:
        """Whether it asks for a change."""
        return self.method != "GET"


@dataclass
class Expected:
    """A fault that waits for its request."""

    fault: Fault
    method: str
    path: str
    times: int


class Cloudflare:
    """The service at ``url`` while the context is open. See the package for what can be done with it.

    ``delay``: seconds from a change to its being served by ``publisher``'s name servers; ``skew``: by how many seconds
    the Date of replies is ahead; ``strict``: whether leaving the context fails on violations.
    """

    def __init__(
        self,
        *,
        publisher: Publisher | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.publisher = publisher
        self.account = Account()
        self.delay = 0.0
        self.skew = 0.0
        self.strict = True
        self.requests: list[Seen] = []
        self.violations: list[str] = []
        self.service = Service(self._changed)
        self._faults: list[Expected] = []
        self._lock = threading.RLock()
        self._server = _Server(self._answer, address, tls, wanted_port=port)
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # What it holds

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return self._server.url + BASE

    @property
    def zones(self) -> list[Zone]:
        """Every zone."""
        return self.service.zones

    @property
    def tokens(self) -> list[Token]:
        """Every token."""
        return self.service.tokens

    def add_zone(self, name: str, account: Account | None = None, **more: Any) -> Zone:
        """A further zone (no trailing dot); ``more`` are members of :class:`Zone`."""
        zone = Zone(name.rstrip("."), account or self.account, **more)
        with self._lock:
            self.zones.append(zone)
        return zone

    def add_token(self, **more: Any) -> Token:
        """A further token, for everything unless told otherwise; ``more`` are members of :class:`Token`."""
        token = Token(**more)
        with self._lock:
            self.tokens.append(token)
        return token

    def add_key(self, email: str = "somebody@example.org") -> GlobalKey:
        """The global key of an account."""
        key = GlobalKey(email)
        with self._lock:
            self.service.keys.append(key)
        return key

    # Side doors

    def plant(
        self, zone: Zone, name: str, type: str, *contents: str, ttl: int = 300, comment: str | None = None
    ) -> list[Entry]:
        """Make the records of one name and type exactly these: contents as the API takes them, TLSA in text form."""
        with self._lock:
            before = dict(zone.records)
            for old in zone.at(rules.owner_name(zone, name), type):
                del zone.records[old.id]
            bodies = [
                {"name": name, "type": type, "ttl": ttl, "comment": comment, **_content(type, one)} for one in contents
            ]
            made = [rules.new_entry(zone, body) for body in bodies]
            zone.records.update({one.id: one for one in made})
            self.service.tell(zone, before)
        return made

    def see(self, zone: Zone, name: str = "", type: str = "") -> list[Entry]:
        """The records at a name, or of the whole zone; of one type, or of all."""
        with self._lock:
            if name:
                return zone.at(rules.owner_name(zone, name), type)
            return [one for one in zone.records.values() if type in ("", one.type)]

    def texts(self, zone: Zone, name: str) -> list[str]:
        """The TXT values at a name, without quotes."""
        return sorted(text.octets(one.content).decode() for one in self.see(zone, name, "TXT"))

    def hide(self, zone: Zone, name: str, value: str) -> None:
        """Universal SSL's own TXT: name servers tell it, the API does not."""
        with self._lock:
            owner = rules.owner_name(zone, name)
            zone.hidden.setdefault(owner, []).append(value)
            self._changed(zone, {(owner, "TXT")})

    def fail_next(self, fault: Fault, method: str = "", path: str = "", *, times: int = 1) -> None:
        """Let the next requests meet a fault: those with this method and ``path`` in their path; others pass."""
        with self._lock:
            self._faults.append(Expected(fault, method, path, times))

    @property
    def changing(self) -> list[Seen]:
        """The requests so far that asked for a change."""
        return [seen for seen in self.requests if seen.is_changing]

    def forgive(self) -> list[str]:
        """The violations so far, which are forgotten: a foreign client's, that cannot be helped."""
        with self._lock:
            forgiven, self.violations = self.violations, []
        return forgiven

    # Life

    def __enter__(self) -> Self:
        self._thread = Thread()
        self._thread.run(self._open())
        return self

    async def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.__aenter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        try:
            self._thread.run(self._server.__aexit__(None, None, None))
        finally:
            self._thread.close()
        if self.strict and error is None:
            assert self.violations == []

    # Requests

    def _answer(self, request: Request) -> Response:
        url = urlsplit(request.target)
        path, query = url.path.removeprefix(BASE), dict(parse_qsl(url.query, keep_blank_values=True))
        body = json.loads(request.body) if request.body else None
        call = description.call(request.method, path) if url.path.startswith(BASE) else None
        with self._lock:
            response = self._dated(self._response(request, call, query, body))
            status = 0 if response.hang or response.hang_up else response.status
            self.requests.append(Seen(request.method, path, query, request.headers, body, status))
        return response

    def _response(self, request: Request, call: Call | None, query: Mapping[str, str], body: Any) -> Response:
        what = f"{request.method} {request.target}"
        self._note(what, description.request_violations(call, query, body) if call else ["there is no such call"])
        fault = self._fault(request)
        if fault and not fault.stored:
            return fault.response
        reply = self.service.answer(call, request.headers, query, body)
        self._note(
            f"{what} {reply.status}", description.reply_violations(call, reply.status, reply.document) if call else ()
        )
        return fault.response if fault else reply.response()

    def _note(self, what: str, found: Iterable[str]) -> None:
        self.violations += [f"{what}: {one}" for one in found]

    def _fault(self, request: Request) -> Fault | None:
        for expected in self._faults:
            if expected.method in ("", request.method) and expected.path in request.target:
                expected.times -= 1
                if not expected.times:
                    self._faults.remove(expected)
                return expected.fault
        return None

    def _dated(self, response: Response) -> Response:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=self.skew), usegmt=True)
        return Response(
            response.status,
            (*response.headers, ("Date", date)),
            response.body,
            response.drip,
            response.hang,
            response.hang_up,
        )

    # Name servers

    def _changed(self, zone: Zone, places: set[tuple[str, str]]) -> None:
        if self.publisher is None:
            return
        assert self._loop is not None
        for name, type in sorted(places):
            # Not of this thread's loop: a test's side doors come through here, too.
            self._loop.call_soon_threadsafe(self._loop.call_later, self.delay, self._publish, zone, name, type)

    def _publish(self, zone: Zone, name: str, type: str) -> None:
        assert self.publisher is not None
        with self._lock:
            self.publisher.publish(zone, name, type)


class _Server(LoopbackServer):
    """At a port of one's own, where one is wanted."""

    def __init__(self, answer: Any, host: str, tls: ssl.SSLContext | None, *, wanted_port: int) -> None:
        super().__init__(answer, host, tls)
        self._wanted = wanted_port

    async def __aenter__(self) -> Self:
        if not self._wanted:
            return await super().__aenter__()
        self._server = await asyncio.start_server(self._accepted, self.host, self._wanted, ssl=self.tls)
        self.port = self._wanted
        return self


def _content(type: str, content: str) -> dict[str, object]:
    if type != "TLSA":
        return {"content": content}
    return {"data": dict(zip(rules.TLSA_PARTS, content.split(" ", 3), strict=True))}
