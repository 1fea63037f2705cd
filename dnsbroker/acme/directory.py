"""The CA's directory: where its resources are, and what it says of itself (RFC 8555 section 7.1.1).

Pure. Unknown members are ignored, some CAs add random ones; a directory without the three resources that an order
needs is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from dnsbroker import readable
from dnsbroker.acme import hints, problem, retry_after
from dnsbroker.errors import DirectoryUnreachable
from dnsbroker.transport import HTTPFailed, Reply


@dataclass(frozen=True)
class Directory:
    """URLs exactly as the CA gave them, empty where it does not offer the resource.

    ``caa_identities`` are its names in CAA records, ``profiles`` what it says of each of its profiles;
    ``external_account_required`` that an account here is bound to one that was opened elsewhere (section 7.3.4).
    ``clock_ahead`` is by how many seconds the CA's clock was ahead of ours when it was read, None where it did not say.
    """

    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str = ""
    key_change: str = ""
    renewal_info: str = ""
    terms_of_service: str = ""
    website: str = ""
    caa_identities: tuple[str, ...] = ()
    profiles: Mapping[str, str] = field(default_factory=dict)
    external_account_required: bool = False
    clock_ahead: float | None = field(default=None, compare=False)


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
    needed = [_text(found, key) for key in ("newNonce", "newAccount", "newOrder")] if isinstance(found, dict) else []
    if not needed or not all(needed):
        reason = "it names no newNonce, newAccount and newOrder" if needed else "it is not JSON"
        hint = "acme.directory is to be the URL of an RFC 8555 directory, as the CA's documentation gives it"
        raise DirectoryUnreachable(f"{url} is no ACME directory: {reason}", url=url, hint=hint, transient=False)
    return replace(_directory(found), clock_ahead=_clock_ahead(reply.headers, now))


def unread(url: str, failed: HTTPFailed) -> DirectoryUnreachable:
    """The error for a directory that gave no usable reply at all."""
    return DirectoryUnreachable(
        f"the CA's directory {url} cannot be read: {failed.reason}",
        url=url,
        hint=hints.unanswered(failed),
        transient=not failed.untrusted,
    )


def _directory(found: Mapping[str, object]) -> Directory:
    given = found.get("meta")
    meta = given if isinstance(given, Mapping) else {}
    identities, profiles = meta.get("caaIdentities"), meta.get("profiles")
    return Directory(
        new_nonce=_text(found, "newNonce"),
        new_account=_text(found, "newAccount"),
        new_order=_text(found, "newOrder"),
        revoke_cert=_text(found, "revokeCert"),
        key_change=_text(found, "keyChange"),
        renewal_info=_text(found, "renewalInfo"),
        terms_of_service=_text(meta, "termsOfService"),
        website=_text(meta, "website"),
        caa_identities=tuple(name for name in identities if isinstance(name, str))
        if isinstance(identities, list)
        else (),
        profiles={name: readable.line(str(told)) for name, told in profiles.items()}
        if isinstance(profiles, Mapping)
        else {},
        external_account_required=meta.get("externalAccountRequired") is True,
    )


def _clock_ahead(headers: Mapping[str, str], now: datetime) -> float | None:
    """By how many seconds the clock that dated a reply is ahead of ``now`` (aware); None where none did so usably.

    Who answers from a cache says for how long it has had the reply (RFC 9110 section 6.6.1, RFC 9111 section 5.1).
    """
    moment = retry_after.http_date(headers.get("date", "").strip())
    age = headers.get("age", "").strip() or "0"
    if moment is None or not age.isascii() or not age.isdigit():
        return None
    return (moment - now).total_seconds() + float(age)


def _text(found: Mapping[str, object], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _redirect_hint(reply: Reply) -> str:
    target = reply.headers.get("location", "") if 300 <= reply.status < 400 else ""
    return f'set acme.directory = "{target}" if that is the CA you mean' if target else ""
