"""What goes wrong at the CA, with a certificate that has to wait, and with what is done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dnsbroker.errors.root import BrokerError


class Held(BrokerError):
    """Asked for and accepted, but it has to wait ``until`` a moment that lies beyond this run's time-out.

    None: until something else happens, which the message names.
    """

    kind = "held"

    def __init__(self, message: str, *, name: str, until: datetime | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.until = until


class KeyGuarded(BrokerError):
    """A new key is wanted, but TLSA records at ``names`` (owner names) hold the present one and not the new."""

    kind = "key-guarded"

    def __init__(self, message: str, *, names: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.names = tuple(names)


class PreflightFailed(BrokerError):
    """Certificate ``name`` cannot be had as things stand, so no order was opened; ``checks`` are the faults found."""

    kind = "preflight"

    def __init__(self, message: str, *, name: str, checks: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.checks = tuple(checks)


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


class Postponed(AcmeError):
    """Nothing was asked of the CA: certificate ``name`` is not to be tried before ``until``."""

    kind = "postponed"

    def __init__(self, message: str, *, name: str, until: datetime, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        self.until = until


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


class DeployFailed(BrokerError):
    """``certificate`` is issued, but ``steps`` of its deployment failed: copies, hooks, reloads or what is served."""

    kind = "not-deployed"

    def __init__(self, message: str, *, certificate: str, steps: Sequence[str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.certificate = certificate
        self.steps = tuple(steps)


class ServiceUnreachable(BrokerError):
    """What ``endpoint`` serves at ``address`` cannot be seen; ``untested``: this host lacks a way there at all."""

    kind = "service"

    def __init__(self, endpoint: str, address: str, reason: str, *, untested: bool = False, hint: str = "") -> None:
        super().__init__(f"{endpoint} at {address}: {reason}", hint=hint, transient=True)
        self.endpoint = endpoint
        self.address = address
        self.reason = reason
        self.untested = untested
