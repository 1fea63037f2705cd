"""What the API says: the envelope of a success and of a refusal.

Rule: a refusal is raised where it is noticed, and becomes a reply in one place. Refused: an ``error_chain`` but for
headers, which is the only place that still has one ("changes to expect in replies" of README.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loopback import Response

Document = Mapping[str, object]

#: Every reply since September 2025 has them ("rate limits").
RATE_HEADERS = (("Ratelimit", '"default";r=50;t=30'), ("Ratelimit-Policy", '"burst";q=100;w=60'))


@dataclass(frozen=True)
class Failure:
    """One entry of ``errors``."""

    code: int
    message: str
    chain: Sequence[Failure] = ()

    def document(self) -> dict[str, object]:
        """As it stands in the reply."""
        chain = {"error_chain": [one.document() for one in self.chain]} if self.chain else {}
        return {"code": self.code, "message": self.message, **chain}


class Refusal(Exception):
    """The request is answered with ``status`` and these errors; what it began is undone."""

    def __init__(self, status: int, *failures: Failure, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__("; ".join(f"{one.code} {one.message}" for one in failures))
        self.status = status
        self.failures = failures
        self.headers = tuple(headers)


@dataclass(frozen=True)
class Reply:
    """A reply before it goes out; ``document`` is its JSON."""

    status: int
    document: Document
    headers: Sequence[tuple[str, str]] = field(default=())

    def response(self) -> Response:
        """As octets."""
        kind = ("Content-Type", "application/json")
        return Response(self.status, (kind, *RATE_HEADERS, *self.headers), json.dumps(self.document).encode())


def refuse(status: int, code: int, message: str) -> Refusal:
    """A refusal with one error."""
    return Refusal(status, Failure(code, message))


def refused(refusal: Refusal) -> Reply:
    """The reply of a refusal."""
    errors = [one.document() for one in refusal.failures]
    return Reply(refusal.status, {"success": False, "errors": errors, "messages": [], "result": None}, refusal.headers)


def success(result: object, *, info: Document | None = None, messages: Sequence[Document] = ()) -> Reply:
    """The reply of a success; ``info`` is ``result_info``."""
    more = {"result_info": info} if info is not None else {}
    return Reply(200, {"success": True, "errors": [], "messages": list(messages), "result": result, **more})
