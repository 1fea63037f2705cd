"""What an examination finds: a fault or an oddity, the evidence for it, and the exact next step, as a value.

A finding is for the person at the terminal and for monitoring alike. It holds no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from dnsbroker.errors import AuthRejected, BrokerError, ConfigError, ProviderError, ZoneMissing

#: The checks that an order waits for; an error that one of them finds stops it, unless the certificate allows it.
PREFLIGHT = ("caa-forbids", "caa-servfail", "wildcard-shadowing")


class Severity(StrEnum):
    """How grave a finding is; the gravest first."""

    ERROR = "error"  # a validation, or DANE, fails by it
    WARNING = "warning"  # it may fail by it, or will
    NOTICE = "notice"  # worth knowing; nothing fails by it


@dataclass(frozen=True)
class Evidence:
    """What was seen, and where: ``server`` is a name server, a provider or a CA, ``record`` what it has or answered.

    ``serial`` is the SOA serial that was served with it.
    """

    server: str = ""
    record: str = ""
    serial: int | None = None

    def fields(self) -> dict[str, object]:
        """As JSON takes it, without what it does not say."""
        told: dict[str, object] = {"server": self.server, "record": self.record, "serial": self.serial}
        return {key: value for key, value in told.items() if value not in ("", None)}


@dataclass(frozen=True)
class Finding:
    """One fault or oddity.

    ``check`` names its kind for scripts (``stale-server``; docs/doctor.md has them all), ``subject`` what it concerns:
    an owner name, a zone, a provider. ``message`` says what is wrong, ``hint`` what to do next. ``fixed`` tells that it
    was mended just now.
    """

    check: str
    severity: Severity
    subject: str
    message: str
    hint: str = ""
    evidence: tuple[Evidence, ...] = field(default=())
    fixed: bool = False

    def fields(self) -> dict[str, object]:
        """The event ``finding``; None for what it does not say."""
        return {
            "check": self.check,
            "severity": str(self.severity),
            "subject": self.subject,
            "message": self.message,
            "hint": self.hint or None,
            "evidence": [item.fields() for item in self.evidence] or None,
            "fixed": self.fixed or None,
        }


def trouble(error: BrokerError, subject: str, server: str, *, zone_hint: str = "") -> Finding:
    """The finding for what kept an adapter from looking at ``subject``, its provider or a zone, at ``server``.

    ``zone_hint`` is for a zone that is not there, where the error has no hint. Provider and zone, which a message
    begins with, are left to ``subject``.
    """
    check = "provider-fails"
    if isinstance(error, AuthRejected):
        check = "auth"
    elif isinstance(error, ZoneMissing):
        check = "zone-missing"
    elif isinstance(error, ConfigError):
        check = "misconfigured"
    told = error.message.partition(": ")[2] if isinstance(error, ProviderError) else error.message
    hint = error.hint or (zone_hint if isinstance(error, ZoneMissing) else "")
    return Finding(check, Severity.ERROR, subject, told, hint, (Evidence(server),))
