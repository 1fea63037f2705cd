"""Somebody who asks the service, request by request, and looks at its answers: for tests of the service itself.

Rule: nothing is retried, completed or hidden. Refused: being a model for an adapter.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from cloudflare.credentials import Token
from cloudflare.server import Cloudflare
from cloudflare.zones import Zone

NAME = "_acme-challenge.example.com"
TRUST = ssl.create_default_context()


class Visitor:
    """Somebody who asks one service with one token."""

    def __init__(self, service: Cloudflare, token: Token | None = None, headers: Mapping[str, str] = {}) -> None:
        self._url = service.url
        self._headers = {"Authorization": f"Bearer {token.secret}"} if token else headers
        self.timeout = 30.0

    def __call__(self, method: str, path: str, body: object = None, **query: str | int) -> httpx.Response:
        """One request."""
        parameters = {key.replace("__", "."): value for key, value in query.items()}
        with httpx.Client(headers=self._headers, trust_env=False, timeout=self.timeout, verify=TRUST) as http:
            return http.request(method, self._url + path, json=body, params=parameters)

    def create(self, zone: Zone, content: str | None = '"ours"', **more: object) -> httpx.Response:
        """POST a TXT record, unless told otherwise."""
        body = {"type": "TXT", "name": NAME, "content": content, "ttl": 60, **more}
        return self("POST", f"/zones/{zone.id}/dns_records", {key: body[key] for key in body if body[key] is not None})

    def records(self, zone: Zone, **query: str | int) -> list[dict[str, Any]]:
        """What a list shows."""
        found: list[dict[str, Any]] = self("GET", f"/zones/{zone.id}/dns_records", **query).json()["result"]
        return found

    def batch(self, zone: Zone, **parts: Sequence[object]) -> httpx.Response:
        """POST a batch."""
        return self("POST", f"/zones/{zone.id}/dns_records/batch", parts)


def codes(answer: httpx.Response) -> list[int]:
    """Status and codes of a refusal."""
    told = answer.json()
    assert not told["success"]
    assert told["result"] is None
    return [answer.status_code, *(error["code"] for error in told["errors"])]
