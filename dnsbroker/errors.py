"""Every error this library raises; errors are data, their message is built from their fields.

::

    BrokerError [hint, transient]
    ├── ConfigError [path, key]
    ├── NameInvalid [name, reason]
    ├── ProviderError [provider, zone, rrset]
    │   ├── AuthRejected
    │   ├── ZoneMissing [tried]
    │   ├── Conflict [expected, found]
    │   ├── RateLimited [retry_after]
    │   ├── ProviderUnavailable
    │   ├── SerialStuck [setting, serial]
    │   └── RecordRejected [status, detail]
    ├── LookupFailed [server, name, rcode]
    ├── DelegationBroken [name, chain]
    ├── NoProvider [name, zone]
    ├── NotPropagated [name, expected, seen_by_server, waited]
    ├── NotWithdrawn [names]
    ├── Held [name, until]
    ├── AcmeError
    │   ├── DirectoryUnreachable [url, retry_after]
    │   ├── Problem [type, detail, status, retry_after, subproblems]
    │   ├── OrderUnfinished [waited, retry_after]
    │   └── OrderFailed [problem_type, detail, identifier, subproblems]
    ├── PemInvalid [what, reason]
    ├── ServiceUnreachable [endpoint, address, reason, untested]
    └── StoreError [path]

``transient`` is all that a retry asks. No field holds a secret. Exit statuses follow from the class, in one table
of the command line; nothing here knows about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime


class BrokerError(Exception):
    """The root: something failed, ``str(error)`` says what and who said so, ``hint`` what to do next."""

    kind = "error"

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient

    def fields(self) -> dict[str, object]:
        """The facts beside message and hint, as JSON takes them."""
        return {
            name: _plain(value)
            for name, value in vars(self).items()
            if name not in ("message", "hint") and value not in (None, "", (), {})
        }


def _plain(value: object) -> object:
    """``value`` in the types that JSON knows."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


class ConfigError(BrokerError):
    """Configuration or arguments are wrong; nothing was contacted."""

    kind = "config"

    def __init__(self, message: str, *, path: str = "", key: str = "", hint: str = "") -> None:
        where = ": ".join(part for part in (path, key) if part)
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.path = path
        self.key = key


class NameInvalid(BrokerError):
    """``name`` is no domain name that can be used here."""

    kind = "name"

    def __init__(self, name: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{name!r} is not a usable name: {reason}", hint=hint)
        self.name = name
        self.reason = reason


class ProviderError(BrokerError):
    """A DNS service said no, or nothing."""

    kind = "provider"

    def __init__(
        self, message: str, *, provider: str, zone: str = "", rrset: str = "", hint: str = "", transient: bool = False
    ) -> None:
        where = f"provider {provider}" + (f", zone {zone.rstrip('.') or '.'}" if zone else "")
        super().__init__(f"{where}: {message}", hint=hint, transient=transient)
        self.provider = provider
        self.zone = zone
        self.rrset = rrset


class AuthRejected(ProviderError):
    """The service refused the credentials or what they ask for."""

    kind = "auth"


class ZoneMissing(ProviderError):
    """The service does not hold the zone; ``tried`` are the names asked for."""

    kind = "zone-missing"

    def __init__(
        self, message: str, *, provider: str, zone: str = "", tried: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message, provider=provider, zone=zone, hint=hint)
        self.tried = tuple(tried)


class Conflict(ProviderError):
    """The RRset is not what the change took for granted, or other data stands in its way."""

    kind = "conflict"

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        zone: str = "",
        rrset: str = "",
        expected: Sequence[str] = (),
        found: Sequence[str] = (),
        hint: str = "",
        transient: bool = False,
    ) -> None:
        super().__init__(message, provider=provider, zone=zone, rrset=rrset, hint=hint, transient=transient)
        self.expected = tuple(expected)
        self.found = tuple(found)


class RateLimited(ProviderError):
    """The service wants to be left alone for ``retry_after`` seconds."""

    kind = "rate-limited"

    def __init__(self, message: str, *, provider: str, retry_after: float, zone: str = "", hint: str = "") -> None:
        super().__init__(message, provider=provider, zone=zone, hint=hint, transient=True)
        self.retry_after = retry_after


class ProviderUnavailable(ProviderError):
    """No answer, or one that says to come back: whether a change was made is not known."""

    kind = "unavailable"

    def __init__(self, message: str, *, provider: str, zone: str = "", rrset: str = "", hint: str = "") -> None:
        super().__init__(message, provider=provider, zone=zone, rrset=rrset, hint=hint, transient=True)


class SerialStuck(ProviderError):
    """The zone's served serial does not move with a change, so secondaries would never see it."""

    kind = "serial-stuck"

    def __init__(
        self, message: str, *, provider: str, zone: str, setting: str = "", serial: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, provider=provider, zone=zone, hint=hint)
        self.setting = setting
        self.serial = serial


class RecordRejected(ProviderError):
    """The service refuses the record; ``detail`` holds its own words, ``status`` its code."""

    kind = "rejected"

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        zone: str = "",
        rrset: str = "",
        status: str = "",
        detail: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, provider=provider, zone=zone, rrset=rrset, hint=hint)
        self.status = status
        self.detail = detail


class LookupFailed(BrokerError):
    """A DNS question got no usable answer; ``rcode`` is empty where there was no answer at all."""

    kind = "lookup"

    def __init__(
        self, message: str, *, name: str, server: str = "", rcode: str = "", hint: str = "", transient: bool = True
    ) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.name = name
        self.server = server
        self.rcode = rcode


class DelegationBroken(BrokerError):
    """The CNAMEs or DNAMEs of ``name`` lead nowhere or in a circle; ``chain`` holds each owner on the way."""

    kind = "delegation"

    def __init__(self, message: str, *, name: str, chain: Sequence[str], hint: str = "") -> None:
        super().__init__(f"{message}: {' -> '.join(chain)}", hint=hint)
        self.name = name
        self.chain = tuple(chain)


class NoProvider(BrokerError):
    """No configured provider holds ``zone``, in which ``name`` really stands."""

    kind = "no-provider"

    def __init__(self, message: str, *, name: str, zone: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.zone = zone


class NotPropagated(BrokerError):
    """At the deadline some authoritative server still disagrees; ``seen_by_server`` says which, and what it has."""

    kind = "not-propagated"

    def __init__(
        self,
        message: str,
        *,
        name: str,
        expected: Sequence[str],
        seen_by_server: Mapping[str, str],
        waited: float,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.expected = tuple(expected)
        self.seen_by_server = dict(seen_by_server)
        self.waited = waited


class NotWithdrawn(BrokerError):
    """The work is done, but records of ours still stand at ``names``; ``gc`` will try again."""

    kind = "not-withdrawn"

    def __init__(self, message: str, *, names: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.names = tuple(names)


class Held(BrokerError):
    """Asked for and accepted, but it has to wait ``until`` a moment that lies beyond this run's time-out."""

    kind = "held"

    def __init__(self, message: str, *, name: str, until: datetime, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.until = until


class AcmeError(BrokerError):
    """The CA, or the way to it, failed."""

    kind = "acme"


class DirectoryUnreachable(AcmeError):
    """The CA's directory at ``url`` cannot be read; ``retry_after`` is in seconds, or None."""

    kind = "directory"

    def __init__(
        self, message: str, *, url: str, retry_after: float | None = None, hint: str = "", transient: bool = True
    ) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.url = url
        self.retry_after = retry_after


class Problem(AcmeError):
    """A problem document (RFC 7807, RFC 8555 section 6.7) or an HTTP error of the CA without one.

    ``type`` is the problem's URN less ``urn:ietf:params:acme:error:``; ``retry_after`` is in seconds, or None.
    """

    kind = "problem"

    def __init__(
        self,
        message: str,
        *,
        type: str,
        detail: str,
        status: int,
        retry_after: float | None = None,
        subproblems: Sequence[Mapping[str, object]] = (),
        hint: str = "",
        transient: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.type = type
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.subproblems = tuple(subproblems)


class OrderUnfinished(AcmeError):
    """The CA had not decided by the deadline, or asks to come back after it; it may still do so.

    ``waited`` and ``retry_after`` (None where the CA named no time) are in seconds.
    """

    kind = "unfinished"

    def __init__(self, message: str, *, waited: float, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint, transient=True)
        self.waited = waited
        self.retry_after = retry_after


class OrderFailed(AcmeError):
    """An authorization or the order became invalid; the CA's own words are in ``detail``."""

    kind = "order"

    def __init__(
        self,
        message: str,
        *,
        problem_type: str,
        detail: str,
        identifier: str = "",
        subproblems: Sequence[Mapping[str, object]] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.problem_type = problem_type
        self.detail = detail
        self.identifier = identifier
        self.subproblems = tuple(subproblems)


class PemInvalid(BrokerError):
    """A key or a certificate is not what it should be: ``what`` names it, ``reason`` says why."""

    kind = "pem"

    def __init__(self, what: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{what}: {reason}", hint=hint)
        self.what = what
        self.reason = reason


class ServiceUnreachable(BrokerError):
    """What ``endpoint`` serves at ``address`` cannot be seen; ``untested``: this host lacks a way there at all."""

    kind = "service"

    def __init__(self, endpoint: str, address: str, reason: str, *, untested: bool = False, hint: str = "") -> None:
        super().__init__(f"{endpoint} at {address}: {reason}", hint=hint, transient=True)
        self.endpoint = endpoint
        self.address = address
        self.reason = reason
        self.untested = untested


class StoreError(BrokerError):
    """A file or the journal below ``state_dir`` cannot be read or written."""

    kind = "store"

    def __init__(self, message: str, *, path: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
