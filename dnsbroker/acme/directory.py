"""The CA's directory: where its resources are, and what it says of itself (RFC 8555 section 7.1.1).

Pure. Unknown members are ignored, some CAs add random ones; a directory without the three resources that an order
needs is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dnsbroker.acme import hints, problem
from dnsbroker.errors import DirectoryUnreachable
from dnsbroker.transport import HTTPFailed, Reply


@dataclass(frozen=True)
class Directory:
    """URLs exactly as the CA gave them; ``caa_identities`` are its names in CAA records."""

    new_nonce: str
    new_account: str
    new_order: str
    terms_of_service: str = ""
    caa_identities: tuple[str, ...] = ()


def read_directory(url: str, reply: Reply, now: datetime) -> Directory:
    """The directory in the reply to a GET of ``url``. Raises DirectoryUnreachable."""
    if reply.status != 200:
        refused = problem.refusal(reply, what="its directory", host=url, now=now)
        raise DirectoryUnreachable(
            refused.message,
            url=url,
            retry_after=refused.retry_after,
            hint=refused.hint or _redirect_hint(reply) or "correct acme.directory",
            transient=refused.transient,
        )
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        found = None
    urls = _urls(found) if isinstance(found, Mapping) else None
    if urls is None:
        reason = "it names no newNonce, newAccount and newOrder" if isinstance(found, Mapping) else "it is not JSON"
        hint = "acme.directory is to be the URL of an RFC 8555 directory, as the CA's documentation gives it"
        raise DirectoryUnreachable(f"{url} is no ACME directory: {reason}", url=url, hint=hint, transient=False)
    meta = found.get("meta")
    return Directory(*urls, *(_told(meta) if isinstance(meta, Mapping) else ()))


def unread(url: str, failed: HTTPFailed) -> DirectoryUnreachable:
    """The error for a directory that gave no usable reply at all."""
    return DirectoryUnreachable(
        f"the CA's directory {url} cannot be read: {failed.reason}",
        url=url,
        hint=hints.unanswered(failed),
        transient=not failed.untrusted,
    )


def _urls(found: Mapping[str, object]) -> tuple[str, str, str] | None:
    urls = tuple(found.get(key) for key in ("newNonce", "newAccount", "newOrder"))
    match urls:
        case (str(nonce), str(account), str(order)) if nonce and account and order:
            return nonce, account, order
    return None


def _told(meta: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    terms, identities = meta.get("termsOfService"), meta.get("caaIdentities")
    listed = identities if isinstance(identities, list) else []
    return terms if isinstance(terms, str) else "", tuple(name for name in listed if isinstance(name, str))


def _redirect_hint(reply: Reply) -> str:
    target = reply.headers.get("location", "") if 300 <= reply.status < 400 else ""
    return f'set acme.directory = "{target}" if that is the CA you mean' if target else ""
