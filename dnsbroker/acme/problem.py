"""What a CA says when it refuses: a problem document, or whatever page came in its place, as data.

Pure. A document is read with tolerance, for it is read when things go wrong: a member of the wrong type counts as
absent, and unknown types stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from dnsbroker import readable
from dnsbroker.acme import hints, retry_after
from dnsbroker.errors import Problem
from dnsbroker.names import shown
from dnsbroker.transport import Reply

URN = "urn:ietf:params:acme:error:"
#: Long enough for the link in it by which a CA lets a paused account go on.
_LONGEST_DETAIL = 2000
_TERMS = re.compile(r"<(https?://[^<>]*)>\s*;[^,]*\brel\s*=\s*\"?terms-of-service\b", re.IGNORECASE)
_TRANSIENT_STATUS = frozenset({408, 500, 502, 503, 504})


@dataclass(frozen=True)
class Document:
    """A problem document: RFC 7807, RFC 8555 sections 6.7 and 6.7.1.

    ``type`` is without the ACME prefix and empty where none is given; ``subproblems`` are mappings of ``type``,
    ``detail`` and, where given, ``identifier``; ``instance`` is a URL for a person, or empty.
    """

    type: str = ""
    detail: str = ""
    subproblems: tuple[Mapping[str, str], ...] = ()
    instance: str = ""

    def summary(self) -> str:
        """The details, those of the subproblems included, on one line."""
        parts = [self.detail] if self.detail else []
        for sub in self.subproblems:
            text = sub["detail"] + (f" ({sub['type']})" if sub["type"] else "")
            parts.append(f"{shown(sub['identifier'])}: {text}" if "identifier" in sub else text)
        return "; ".join(parts) or "no reason given"


def read(value: object) -> Document:
    """The document in ``value``, which is what JSON gave; an empty one if that is no object."""
    if not isinstance(value, Mapping):
        return Document()
    listed = value.get("subproblems")
    return Document(
        type=_type(value),
        detail=_text(value, "detail") or _text(value, "title"),
        subproblems=tuple(_subproblem(sub) for sub in listed if isinstance(sub, Mapping))
        if isinstance(listed, list)
        else (),
        instance=_text(value, "instance"),
    )


def _subproblem(value: Mapping[str, object]) -> Mapping[str, str]:
    sub = {"type": _type(value), "detail": _text(value, "detail") or _text(value, "title")}
    identifier = value.get("identifier")
    name = _text(identifier, "value") if isinstance(identifier, Mapping) else ""
    return {**sub, "identifier": name} if name else sub


def _type(value: Mapping[str, object]) -> str:
    kind = _text(value, "type").removeprefix(URN)
    return "" if kind == "about:blank" else kind


def _text(value: Mapping[str, object], key: str) -> str:
    text = value.get(key)
    return readable.line(text, _LONGEST_DETAIL) if isinstance(text, str) else ""


def refusal(reply: Reply, *, what: str, host: str, now: datetime) -> Problem:
    """The error for a reply of ``host`` to ``what`` (in words) that is no success."""
    told = _told(reply)
    wait = retry_after.seconds(reply.headers.get("retry-after", ""), now)
    kind = told.type or f"HTTP {reply.status}"
    return Problem(
        f"{host} refused {what}: {told.summary()} ({kind})",
        type=told.type,
        detail=told.detail,
        status=reply.status,
        retry_after=wait,
        subproblems=told.subproblems,
        hint=hints.paused(told.type, told.detail)
        or _when(wait, now)
        or hints.refused(told.type, told.instance or _terms(told.type, reply)),
        transient=_is_transient(reply.status, told.type, wait),
    )


def _terms(kind: str, reply: Reply) -> str:
    """Where the new terms are, if that is what is to be agreed to (RFC 8555 section 7.3.3)."""
    if kind != "userActionRequired":
        return ""
    found = (_TERMS.search(field) for field in reply.links)
    return next((readable.line(match[1]) for match in found if match), "")


def _is_transient(status: int, type: str, wait: float | None) -> bool:
    """Whether asking again may help; a limit of which the CA does not say when it ends is not tried against."""
    if type == "rateLimited" or status == 429:
        return wait is not None
    return status in _TRANSIENT_STATUS or type == "serverInternal"


def _told(reply: Reply) -> Document:
    """The document in the reply, or one made of what else came."""
    if 300 <= reply.status < 400:
        target = readable.line(reply.headers.get("location", "nowhere"), 200)
        return Document(detail=f"it redirects to {target}, which is not followed")
    try:
        told = read(json.loads(reply.body))
    except (ValueError, RecursionError):
        told = Document()
    if told.type or told.detail:
        return told
    return Document(detail=readable.words(reply.text()) or _phrase(reply.status))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return ""


def _when(wait: float | None, now: datetime) -> str:
    return "" if wait is None else f"the CA asks to come back at {retry_after.moment(now, wait)}"
