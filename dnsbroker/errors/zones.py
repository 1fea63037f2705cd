"""What goes wrong at DNS services and name servers, from finding a zone to withdrawing a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnsbroker.errors.root import BrokerError


class ProviderError(BrokerError):
    """A DNS service said no, or nothing.

    ``nothing_done`` is an adapter's word, by the constructor or set later, that of the changes it was asked for none
    was made nor can be any more. Without it that is not known, and what may stand is looked after.
    """

    kind = "provider"

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        zone: str = "",
        rrset: str = "",
        hint: str = "",
        transient: bool = False,
        nothing_done: bool = False,
    ) -> None:
        where = f"provider {provider}" + (f", zone {zone.rstrip('.') or '.'}" if zone else "")
        super().__init__(f"{where}: {message}", hint=hint, transient=transient)
        self.provider = provider
        self.zone = zone
        self.rrset = rrset
        self.nothing_done = nothing_done


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
