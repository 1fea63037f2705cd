"""What an ACME server is asked and what it answers, as values that a test can compare and script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loopback import Response

URN = "urn:ietf:params:acme:error:"


@dataclass(frozen=True)
class Post:
    """A signed request: the path, the protected header as it was sent, the payload, the whole body.

    ``is_genuine`` says whether the signature verifies under the key that the header names.
    """

    path: str
    protected: Mapping[str, Any]
    payload: bytes
    body: bytes
    is_genuine: bool = True

    def json(self) -> Any:
        """The payload as JSON."""
        return json.loads(self.payload)


def answer(status: int, content: object, **headers: str) -> Response:
    """A reply with ``content`` as JSON; ``retry_after`` is the header Retry-After."""
    kind = "application/problem+json" if status >= 400 else "application/json"
    told = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (("Content-Type", kind), *told), json.dumps(content).encode())


def refusal(status: int, type: str, detail: str = "no", **headers: str) -> Response:
    """A problem document of that type."""
    return answer(status, {"type": URN + type, "detail": detail, "status": status}, **headers)
