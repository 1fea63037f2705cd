"""The accounts of the small ACME server: their keys, contacts and states (RFC 8555 section 7.3).

Rule: what the protocol has a server verify is verified here, by the standard library where that is possible: the MAC of
a binding, both halves of a change of keys. Refused is whatever does not hold, in the problem type that CAs use for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from acme import jws
from josepy import json_util, jwk

from acme_replies import Post, answer, refusal
from loopback import Response

_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


@dataclass
class Accounts:
    """``keys`` and ``facts`` by account URL; with ``mac_keys`` (by their identifier) an account has to be bound."""

    url: Callable[[str], str]
    keys: dict[str, jwk.JWK] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    mac_keys: dict[str, bytes] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)

    def refusal(self, post: Post) -> Response | None:
        """Why the account that signed has no say here; None where it has."""
        kid = post.protected.get("kid")
        if kid is not None and kid not in self.keys:
            return refusal(400, "accountDoesNotExist", "no such account")
        if not post.is_genuine:
            return refusal(401, "unauthorized", "the signature does not verify")
        if kid is not None and self.facts[kid]["status"] != "valid":
            return refusal(401, "unauthorized", "the account is deactivated")
        return None

    def register(self, post: Post) -> Response:
        """Find or make the account of the key that signed."""
        key, asked = public(post.protected["jwk"]), post.json()
        if known := self.opened_by(key):
            return answer(200, self.facts[known], Location=known)
        if asked.get("onlyReturnExisting"):
            return refusal(400, "accountDoesNotExist", "no account has this key")
        if self.mac_keys and (refused := self._unbound(post, asked.get("externalAccountBinding"))):
            return refused
        url = self.url(f"account/{len(self.keys) + 1}")
        self.keys[url] = key
        self.facts[url] = {
            "status": "valid",
            **{name: asked[name] for name in ("contact", "termsOfServiceAgreed") if name in asked},
            "orders": f"{url}/orders",
        }
        if binding := asked.get("externalAccountBinding"):
            self.bound[url] = _header(binding)["kid"]
        return answer(201, self.facts[url], Location=url)

    def opened_by(self, key: jwk.JWK) -> str:
        """The URL of the key's account; empty if it has none."""
        return next((url for url, known in self.keys.items() if known == key), "")

    def _unbound(self, post: Post, binding: Mapping[str, str] | None) -> Response | None:
        """What is wrong with the binding (section 7.3.4); None if nothing is."""
        if binding is None:
            return refusal(400, "externalAccountRequired", "bind it")
        header = _header(binding)
        if set(header) != {"alg", "kid", "url"} or header["url"] != self.url("new-account"):
            return refusal(400, "malformed", "the binding's header")
        if json.loads(_decoded(binding["payload"])) != post.protected["jwk"]:
            return refusal(400, "malformed", "the binding is of another key")
        signed = f"{binding['protected']}.{binding['payload']}".encode()
        mac = hmac.new(self.mac_keys.get(header["kid"], b""), signed, _DIGESTS[header["alg"]]).digest()
        if header["kid"] not in self.mac_keys or not hmac.compare_digest(mac, _decoded(binding["signature"])):
            return refusal(401, "unauthorized", "the binding does not verify")
        return None

    def show(self, post: Post) -> Response:
        """The account, after what the request changes of it."""
        url = post.protected["kid"]
        assert self.url(post.path) == url
        if post.payload:
            self.facts[url].update(post.json())
        return answer(200, {name: value for name, value in self.facts[url].items() if value != []})

    def change_key(self, post: Post) -> Response:
        """Another key for the account that signed (section 7.3.5)."""
        inner = json.loads(post.payload)
        header, change = _header(inner), json.loads(_decoded(inner["payload"]))
        new, kid = public(header["jwk"]), post.protected["kid"]
        if not jws.JWS.json_loads(post.payload.decode()).verify(new):
            return refusal(400, "malformed", "the inner signature does not verify")
        if set(header) != {"alg", "jwk", "url"} or header["url"] != post.protected["url"]:
            return refusal(400, "malformed", "the inner header")
        if (
            change["account"] != kid
            or public(change["oldKey"]) != self.keys[kid]
            or set(change) != {"account", "oldKey"}
        ):
            return refusal(400, "malformed", "it speaks of another account or key")
        if owner := self.opened_by(new):
            return refusal(409, "conflict", "the key is in use", Location=owner)
        self.keys[kid] = new
        return answer(200, self.facts[kid])


def public(members: Mapping[str, object]) -> jwk.JWK:
    """The key that a JSON Web Key holds."""
    key = jwk.JWK.from_json(members)
    assert isinstance(key, jwk.JWK)
    return key


def is_signed_by(signed: jws.JWS, key: jwk.JWK | None) -> bool:
    """Whether the signature verifies under ``key``; a key of another kind than the algorithm's verifies nothing."""
    try:
        return key is not None and bool(signed.verify(key))
    except (AttributeError, TypeError):
        return False


def _header(signed: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_decoded(signed["protected"]))
    return found


def _decoded(text: str) -> bytes:
    octets: bytes = json_util.decode_b64jose(text)
    return octets
