"""A small ACME server (RFC 8555) on loopback that says yes, or at any point what a test scripts.

Rule: it is strict where the protocol is: a nonce counts once, the signed URL is the URL, the signature verifies under
the account's key. Left to itself it validates every challenge at once and issues, knows no certificate to renew or to
revoke and offers no profile. Keys here are for tests.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from josepy import json_util, jwk

from acme_replies import URN, Post, answer, refusal
from dnsbroker.acme import Client
from dnsbroker.testing import FakeClock
from dnsbroker.transport import Connections
from fake_accounts import Accounts, is_signed_by, public
from loopback import LoopbackServer, Request, Response

__all__ = ["CHAIN", "URN", "FakeCA", "Post", "Stage", "account_key", "answer", "opened", "pem", "refusal", "scenario"]

CHAIN = "-----BEGIN CERTIFICATE-----\nMAoCAQE=\n-----END CERTIFICATE-----\n"


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """The key as the store keeps it."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def account_key(kind: str = "P-256") -> str:
    """A test's account key in PEM: ``P-256``, ``P-384``, ``P-521`` or ``RSA``; the same each time."""
    return _made(kind)


@functools.cache
def _made(kind: str) -> str:
    if kind == "RSA":
        return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return pem(ec.generate_private_key(curves[kind]))


@dataclass
class FakeCA:
    """The server's state. ``scripts[path]`` are replies that replace the next ones at that path, ``"order/1"`` say.

    A scripted reply brings a nonce of its own unless it has a Replay-Nonce header. ``rejects`` says of each POST
    whether its nonce is refused whatever it is. ``absent`` are members of the directory that it does without.
    ``windows`` are answers about renewal by certificate identifier; ``issued`` says by whom a certificate (DER) was
    ordered, ``revoked`` for which reason it is no longer valid; ``replaced`` are identifiers of predecessors.
    """

    posts: list[Post] = field(default_factory=list)
    scripts: defaultdict[str, list[Response]] = field(default_factory=lambda: defaultdict(list))
    rejects: Iterator[bool] = field(default_factory=lambda: itertools.repeat(False))
    meta: dict[str, object] = field(default_factory=dict)
    challenge_types: tuple[str, ...] = ("http-01", "dns-01")
    absent: frozenset[str] = frozenset()
    windows: dict[str, dict[str, Any]] = field(default_factory=dict)
    issued: dict[bytes, str] = field(default_factory=dict)
    revoked: dict[bytes, int] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    authorizations: dict[int, dict[str, Any]] = field(default_factory=dict)
    _nonces: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(self._answer)
        self.members = Accounts(self.url)

    @property
    def accounts(self) -> dict[str, jwk.JWK]:
        """The accounts' keys by URL."""
        return self.members.keys

    def url(self, path: str) -> str:
        """The URL of a path of ours."""
        return f"{self.server.url}/{path}"

    @property
    def paths(self) -> list[str]:
        """Method and path of every request so far."""
        return [f"{request.method} {request.target.removeprefix('/')}" for request in self.server.requests]

    def nonce(self) -> str:
        """A fresh nonce that counts once."""
        fresh = json_util.encode_b64jose(f"nonce-{next(self._numbers):06}".encode())
        self._nonces.add(fresh)
        return fresh

    def _answer(self, request: Request) -> Response:
        path = request.target.removeprefix("/")
        post = self._post(path, request) if request.method == "POST" else None
        scripted = self.scripts[path].pop(0) if self.scripts[path] else None
        told = scripted or (self._told(path, post) if post else self._read(path))
        if told.header("Replay-Nonce") or path == "dir":
            return told
        return replace(told, headers=(*told.headers, ("Replay-Nonce", self.nonce())))

    def _read(self, path: str) -> Response:
        place, _, name = path.partition("/")
        if place == "renewal-info" and name:
            return answer(200, self.windows[name]) if name in self.windows else refusal(404, "malformed", "not ours")
        if path != "dir":
            return Response(200 if path == "new-nonce" else 405)
        urls = {
            "newNonce": "new-nonce",
            "newAccount": "new-account",
            "newOrder": "new-order",
            "keyChange": "key-change",
        }
        urls |= {"revokeCert": "revoke-cert", "renewalInfo": "renewal-info"}
        found = {key: self.url(value) for key, value in urls.items() if key not in self.absent}
        meta = {**self.meta, **({"externalAccountRequired": True} if self.members.mac_keys else {})}
        return answer(200, {**found, "x7Gq": "https://example.test/random", "meta": meta})

    def _post(self, path: str, request: Request) -> Post:
        """The request, taken apart and checked as far as a script may want it too."""
        assert request.headers["content-type"] == "application/jose+json"
        assert request.headers["user-agent"].startswith("dnsbroker/")
        signed = jws.JWS.json_loads(request.body.decode())
        protected = json.loads(signed.signature.protected)
        assert protected["url"] == self.url(path)
        assert ("jwk" in protected) != ("kid" in protected)
        key = self.accounts.get(protected["kid"]) if "kid" in protected else signed.signature.combined.jwk
        post = Post(path, protected, signed.payload, request.body, is_signed_by(signed, key))
        self.posts.append(post)
        return post

    def _told(self, path: str, post: Post) -> Response:
        fresh = post.protected["nonce"] in self._nonces
        self._nonces.discard(post.protected["nonce"])
        if next(self.rejects) or not fresh:
            return refusal(400, "badNonce", "the nonce is used or unknown")
        if refused := self.members.refusal(post):
            return refused
        place, _, number = path.partition("/")
        known: dict[str, Callable[[Post, int], Response]] = {
            "new-account": lambda post, number: self.members.register(post),
            "account": lambda post, number: self.members.show(post),
            "key-change": lambda post, number: self.members.change_key(post),
            "revoke-cert": lambda post, number: self._revoke(post),
            "new-order": self._new_order,
            "order": lambda post, number: answer(200, self.orders[number]),
            "authz": self._authorization,
            "challenge": self._challenge,
            "finalize": self._finalize,
            "cert": lambda post, number: Response(200, body=CHAIN.encode()),
        }
        return known[place](post, int(number or 0))

    def _new_order(self, post: Post, _: int) -> Response:
        number, asked = len(self.orders) + 1, post.json()
        if refused := self._unacceptable(asked):
            return refused
        self.replaced |= {asked["replaces"]} if "replaces" in asked else set()
        names = [identifier["value"] for identifier in asked["identifiers"]]
        self.orders[number] = {
            "status": "pending",
            **{key: asked[key] for key in ("profile", "replaces") if key in asked},
            "expires": "2026-11-27T12:00:00Z",
            "identifiers": asked["identifiers"],
            "authorizations": [self.url(f"authz/{self._open(name)}") for name in reversed(names)],
            "finalize": self.url(f"finalize/{number}"),
        }
        return answer(201, self.orders[number], Location=self.url(f"order/{number}"))

    def _unacceptable(self, asked: dict[str, Any]) -> Response | None:
        """What is wrong with a new order's profile, or with the certificate that it replaces."""
        profiles = self.meta.get("profiles", {})
        if "profile" in asked and not (isinstance(profiles, dict) and asked["profile"] in profiles):
            return refusal(400, "invalidProfile", "there is no such profile")
        if asked.get("replaces") in self.replaced:
            return refusal(409, "alreadyReplaced", "another order did")
        if "replaces" in asked and asked["replaces"] not in self.windows:
            return refusal(404, "malformed", "no such certificate")
        return None

    def _revoke(self, post: Post) -> Response:
        """Revoke for the account that ordered, or for the certificate's own key (section 7.6)."""
        der, reason = json_util.decode_b64jose(post.json()["certificate"]), post.json().get("reason", 0)
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        spki = x509.load_der_x509_certificate(der).public_key().public_bytes(*form)
        if "kid" in post.protected:
            is_entitled = self.issued.get(der) == post.protected["kid"]
        else:
            is_entitled = public(post.protected["jwk"]).key.public_bytes(*form) == spki and der in self.issued
        if not is_entitled:
            return refusal(403, "unauthorized", "it is not yours")
        if der in self.revoked:
            return refusal(400, "alreadyRevoked", "it is revoked")
        if reason not in (0, 1, 4, 5):
            return refusal(400, "badRevocationReason", "not that one")
        self.revoked[der] = reason
        return Response(200)

    def _open(self, name: str) -> int:
        number = len(self.authorizations) + 1
        found: dict[str, Any] = {
            "status": "pending",
            "identifier": {"type": "dns", "value": name.removeprefix("*.")},
            "challenges": [self._offer(kind, number) for kind in self.challenge_types],
        }
        self.authorizations[number] = {**found, "wildcard": True} if name.startswith("*.") else found
        return number

    def _offer(self, kind: str, number: int) -> dict[str, object]:
        token = json_util.encode_b64jose(f"token {number:020}".encode())
        return {"type": kind, "url": self.url(f"challenge/{number}"), "status": "pending", "token": token}

    def _authorization(self, post: Post, number: int) -> Response:
        if post.payload:
            self.authorizations[number]["status"] = post.json()["status"]
        return answer(200, self.authorizations[number])

    def _challenge(self, post: Post, number: int) -> Response:
        if post.payload:
            self.authorizations[number]["status"] = "valid"
        if all(found["status"] == "valid" for found in self.authorizations.values()):
            for order in self.orders.values():
                order["status"] = "ready"
        return answer(200, {"type": "dns-01", "status": self.authorizations[number]["status"]})

    def _finalize(self, post: Post, number: int) -> Response:
        order = self.orders[number]
        if order["status"] != "ready":
            return refusal(403, "orderNotReady")
        order.update(status="valid", certificate=self.url(f"cert/{number}"))
        return answer(200, order)


@dataclass(frozen=True)
class Stage:
    """A CA, and a client of it with an account; the clock is turned by the client's own waits."""

    ca: FakeCA
    client: Client
    clock: FakeClock


class Scenario(Protocol):
    """A test as a coroutine on a stage."""

    __name__: str

    def __call__(self, stage: Stage) -> Awaitable[None]:
        """Play it."""
        ...


@asynccontextmanager
async def opened(
    ca: FakeCA,
    *,
    key: str = "P-256",
    clock: FakeClock | None = None,
    parallel: int = 8,
    timeout: float = 5.0,
    at: str = "dir",
) -> AsyncIterator[Client]:
    """A client of the running ``ca`` that has no account yet; its connections are closed afterwards."""
    session = Connections({}).session(timeout=timeout, body_limit=1024 * 1024)
    try:
        used = clock or FakeClock()
        yield Client(ca.url(at), account_key(key), session, used, parallel=asyncio.Semaphore(parallel))
    finally:
        await session.aclose()


def scenario(play: Scenario) -> Callable[[], None]:
    """The test as pytest runs it: a fresh CA, an account on it, the coroutine, and everything closed."""

    async def played() -> None:
        ca, clock = FakeCA(), FakeClock()
        async with ca.server, opened(ca, clock=clock) as client:
            await client.register((), agree_tos=True)
            await play(Stage(ca, client, clock))

    def test() -> None:
        asyncio.run(played())

    test.__name__, test.__doc__ = play.__name__, play.__doc__
    return test
