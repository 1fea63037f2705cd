"""A front desk before Pebble: it says what Pebble 2.4 cannot, and writes down who came, when, and what they asked.

Rule: what it is not told to answer itself goes to Pebble and back untouched, so that accounts, orders and signatures
are real; the client's Host goes along, and every URL that Pebble makes leads back here. Refused: anything beyond
loopback, and making up certificates.
"""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from lab.pebble import Pebble

URN = "urn:ietf:params:acme:error:"
CONNECTION_SECONDS = 20
RENEWAL_INFO = "/renewal-info/"
_RESOURCES = {
    "/dir": "directory",
    "/nonce-plz": "newNonce",
    "/sign-me-up": "newAccount",
    "/order-plz": "newOrder",
    "/revoke-cert": "revokeCert",
    "/rollover-account-key": "keyChange",
    "/my-account": "account",
    "/my-order": "order",
    "/authZ": "authorization",
    "/chalZ": "challenge",
    "/finalize-order": "finalize",
    "/certZ": "certificate",
    RENEWAL_INFO.rstrip("/"): "renewalInfo",
}
Fields = tuple[tuple[str, str], ...]
"""Header fields; of a name there may be several."""
_NOT_PASSED_ON = frozenset({"connection", "content-length", "date", "host", "transfer-encoding"})


@dataclass(frozen=True)
class Heard:
    """One request that came in: ``resource`` as RFC 8555 calls it, ``sent`` the payload of a signed one.

    ``at`` is a time of the monotonic clock; ``agent`` the program's own name for itself.
    """

    at: float
    method: str
    path: str
    resource: str
    status: int
    sent: Mapping[str, Any] = field(default_factory=dict)
    agent: str = ""


@dataclass(frozen=True)
class Refusal:
    """What to answer in place of the CA.

    Attributes:
        status: of HTTP.
        type: of the problem document, less the ACME prefix; empty: a page in HTML, as a load balancer sends.
        wait: the seconds of Retry-After; None: none is sent.
        dated: Retry-After is an HTTP-date.
        having: only to requests whose payload has this member.
    """

    status: int
    type: str = ""
    wait: float | None = None
    dated: bool = False
    having: str = ""

    def fields(self) -> Fields:
        """The header fields of the answer."""
        kind = "application/problem+json" if self.type else "text/html"
        return (("Content-Type", kind), *retry_after(self.wait, dated=self.dated))

    def body(self) -> bytes:
        """The body of the answer."""
        if not self.type:
            return b"<html><body><h1>The service is unavailable</h1></body></html>"
        told = {"type": URN + self.type, "detail": f"the desk says {self.type}", "status": self.status}
        return json.dumps(told).encode()


@dataclass(frozen=True)
class Window:
    """A suggestion of renewal information (RFC 9773), its moments as text so that they may be nonsense."""

    start: str | None = None
    end: str | None = None
    explanation: str = ""
    wait: float | None = 21600.0

    def body(self) -> bytes:
        """The answer; a window without start and end is left out."""
        window = {key: text for key, text in (("start", self.start), ("end", self.end)) if text is not None}
        told = {"suggestedWindow": window} if window else {}
        return json.dumps(told | ({"explanationURL": self.explanation} if self.explanation else {})).encode()


def retry_after(seconds: float | None, *, dated: bool = False) -> Fields:
    """The header field, in one of its two forms (RFC 9110 section 10.2.3); none where ``seconds`` is None."""
    if seconds is None:
        return ()
    return (("Retry-After", formatdate(time.time() + seconds, usegmt=True) if dated else str(round(seconds))),)


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    fields: Fields
    body: bytes


@dataclass
class _Order:
    """A refusal as the desk was told to give it, so often more."""

    resource: str
    refusal: Refusal
    left: float

    def is_for(self, resource: str, sent: Mapping[str, Any]) -> bool:
        """Whether it is to be given to such a request."""
        is_meant = self.resource in ("", resource) and (not self.refusal.having or self.refusal.having in sent)
        return is_meant and self.left > 0


class FrontDesk:
    """An ACME server at ``url``, which is ``pebble`` but for what it is told; a context manager, listening inside.

    Attributes:
        renewal_info: whether the directory offers renewal information.
        window: its suggestion for every certificate, or how the question is refused.
        windows: for some, by the certificate's identifier, in place of that.
        profiles: what the directory advertises; any other one is refused (``invalidProfile``).
        identities: the names by which CAA records call this CA, as the directory tells them (``caaIdentities``).
        heard: the requests so far, in the order in which they were answered.
    """

    def __init__(self, pebble: Pebble, *, address: str = "127.0.0.1", port: int = 14100) -> None:
        self.pebble = pebble
        self.address = address
        self.port = port
        self.heard: list[Heard] = []
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._listener: _Listener | None = None
        self.behave()

    @property
    def url(self) -> str:
        """The ACME directory's URL."""
        return f"https://localhost:{self.port}/dir"

    def behave(self) -> None:
        """Be Pebble again, and forget who came."""
        self.renewal_info = False
        self.window: Window | Refusal = Window()
        self.windows: dict[str, Window | Refusal] = {}
        self.profiles: dict[str, str] = {}
        self.identities: list[str] = []
        with self._lock:
            self._orders.clear()
            self.heard.clear()

    def refuse(self, resource: str, refusal: Refusal, *, times: float = math.inf) -> None:
        """Answer so to the next requests for a resource ("": any): so many, or until :meth:`serve`."""
        with self._lock:
            self._orders.append(_Order(resource, refusal, times))

    def serve(self) -> None:
        """Refuse nobody any more."""
        with self._lock:
            self._orders.clear()

    def asked(self, resource: str = "") -> list[Heard]:
        """The requests for a resource so far; of all without one."""
        with self._lock:
            return [one for one in self.heard if resource in ("", one.resource)]

    def forget(self) -> None:
        """Forget who came."""
        with self._lock:
            self.heard.clear()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request, its header fields by their names in lower case; it is written down."""
        resource = resource_of(path)
        sent = _payload(body)
        refusal = self._refusal(resource, sent)
        answer = self._refused(method, refusal) if refusal else self._own(method, path, resource, sent)
        answer = answer or self._passed_on(method, path, headers, body)
        if resource == "directory" and answer.status == 200:
            answer = self._extended(answer)
        agent = headers.get("user-agent", "")
        with self._lock:
            self.heard.append(Heard(time.monotonic(), method, path, resource, answer.status, sent, agent))
        return answer

    def _refusal(self, resource: str, sent: Mapping[str, Any]) -> Refusal | None:
        """The first that fits, of which there is one less then; else the desk's own."""
        with self._lock:
            fitting = (order for order in self._orders if order.is_for(resource, sent))
            if order := next(fitting, None):
                order.left -= 1
                return order.refusal
        profile = sent.get("profile") if resource == "newOrder" else None
        return Refusal(400, "invalidProfile") if profile is not None and profile not in self.profiles else None

    def _refused(self, method: str, refusal: Refusal) -> Answer:
        """A CA gives a nonce with each problem (RFC 8555 section 6.5), what stands before it has none."""
        nonce: Fields = ()
        if method == "POST" and refusal.type:
            fresh = self._passed_on("HEAD", "/nonce-plz", {"host": f"localhost:{self.port}"}, b"")
            nonce = tuple(item for item in fresh.fields if item[0].lower() == "replay-nonce")
        return Answer(refusal.status, (*refusal.fields(), *nonce), refusal.body())

    def _own(self, method: str, path: str, resource: str, sent: Mapping[str, Any]) -> Answer | None:
        if resource != "renewalInfo":
            return None
        told = self.windows.get(path.removeprefix(RENEWAL_INFO), self.window)
        if isinstance(told, Refusal):
            return self._refused(method, told)
        return Answer(200, (("Content-Type", "application/json"), *retry_after(told.wait)), told.body())

    def _passed_on(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        trust = ssl.create_default_context(cafile=str(self.pebble.ca_file))
        pebble = http.client.HTTPSConnection("localhost", self.pebble.port, timeout=CONNECTION_SECONDS, context=trust)
        try:
            passed = {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
            pebble.request(method, path, body or None, {**passed, "host": headers["host"]})
            reply = pebble.getresponse()
            return Answer(reply.status, tuple(reply.getheaders()), reply.read())
        finally:
            pebble.close()

    def _extended(self, answer: Answer) -> Answer:
        directory = json.loads(answer.body)
        if self.renewal_info:
            directory["renewalInfo"] = f"https://localhost:{self.port}{RENEWAL_INFO.rstrip('/')}"
        told = {"profiles": self.profiles, "caaIdentities": self.identities}
        directory["meta"] = directory.get("meta", {}) | {key: value for key, value in told.items() if value}
        return Answer(answer.status, answer.fields, json.dumps(directory).encode())

    def start(self) -> None:
        """Listen; OSError if the port is taken."""
        self._listener = _Listener(self)
        threading.Thread(target=self._listener.serve_forever, args=[0.05], name="front-desk", daemon=True).start()

    def stop(self) -> None:
        """Listen no longer."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def resource_of(path: str) -> str:
    """What RFC 8555 calls the resource at a path of Pebble's; the path itself where it has no name."""
    head = "/" + path.split("?")[0].split("/")[1]
    return _RESOURCES.get(head, path)


def _payload(body: bytes) -> Mapping[str, Any]:
    """What a signed request says, unchecked; empty for a POST-as-GET and for what is none."""
    try:
        encoded = json.loads(body)["payload"]
        found = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


class _Listener(http.server.ThreadingHTTPServer):
    """A thread for each connection, which does the handshake as well."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, desk: FrontDesk) -> None:
        self.desk = desk
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        directory = desk.pebble.directory
        self._tls.load_cert_chain(directory / "listener.pem", directory / "listener.key")
        super().__init__((desk.address, desk.port), _Request)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection whose handshake is still to come."""
        connection, peer = super().get_request()
        connection.settimeout(CONNECTION_SECONDS)
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answer()

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.desk.answer(self.command, self.path, headers, body)
        self.send_response(answer.status)
        for name, value in answer.fields:
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """The desk writes down what matters."""
