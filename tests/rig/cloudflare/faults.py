"""Partial outages: what a request meets instead of its answer, or after it was done.

Rule: each is what README.md beside this tells ("outages", "phantom", "rate limits"), or what a client sees when a line
breaks. Refused: faults that no client could tell from another here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudflare.replies import RATE_HEADERS, Failure, Refusal, refused
from cloudflare.service import throttled
from loopback import Response

HTML = (("Content-Type", "text/html; charset=UTF-8"),)


@dataclass(frozen=True)
class Fault:
    """Instead of the true answer, ``response``; where ``stored``, the request is carried out all the same."""

    response: Response = field(default_factory=Response)
    stored: bool = False


def page(status: int, *, stored: bool = False) -> Fault:
    """An error page in HTML, as the edge sends it before or after the service has done its work."""
    body = f"<!DOCTYPE html><html><head><title>{status}</title></head><body>cloudflare</body></html>"
    return Fault(Response(status, HTML, body.encode()), stored)


def errors(status: int, *codes: int, stored: bool = False) -> Fault:
    """A refusal with these codes, whatever the truth is."""
    refusal = Refusal(status, *(Failure(code, f"Error {code}") for code in codes))
    return Fault(refused(refusal).response(), stored)


def throttle(seconds: int, *, status: int = 429) -> Fault:
    """Too many requests: come again after ``seconds``."""
    refusal = throttled(seconds)
    return Fault(refused(Refusal(status, *refusal.failures, headers=refusal.headers)).response())


BAD_GATEWAY = page(502)
BAD_GATEWAY_AFTER = page(502, stored=True)
WEB_SERVER_DOWN = page(521)
SILENCE = Fault(Response(hang=True))
SILENCE_AFTER = Fault(Response(hang=True), stored=True)
CLOSED = Fault(Response(hang_up=True))
CLOSED_AFTER = Fault(Response(hang_up=True), stored=True)
PHANTOM = errors(400, 81057)
"""A duplicate that no list shows."""
NOT_JSON = Fault(Response(200, (("Content-Type", "application/json"), *RATE_HEADERS), b"<html>"))
