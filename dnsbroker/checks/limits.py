"""What a CA allows just now: its limits as the journal knows them, the account, and what its directory asks for.

Rule: nobody is contacted, no key is read and none is made; whoever has read the CA's directory hands it over. Limits
that only the CA counts are not guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dnsbroker.checks.skew import Reading
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.journal import Attempt, Attempts, Backoff, Backoffs
from dnsbroker.names import shown
from dnsbroker.store import AccountFiles

if TYPE_CHECKING:
    from dnsbroker.acme import Directory

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Counted:
    """What the journal has against asking the CA with this ``directory`` (URL) for ``names`` (identifiers).

    ``certificate`` is the name of the one they are in, empty where they are in none. ``failed`` holds, for each name
    that has any, when its validations failed in the last hour; ``free_at`` is when all may be tried without the risk of
    a lock-out, None where they may be now.
    """

    directory: str
    names: tuple[str, ...]
    certificate: str = ""
    attempt: Attempt | None = None
    backoff: Backoff | None = None
    failed: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    free_at: datetime | None = None


def counted(
    attempts: Attempts, backoffs: Backoffs, directory: str, names: Sequence[str], certificate: str = ""
) -> Counted:
    """What the journal knows, for ``limits``. Raises StoreError."""
    return Counted(
        directory=directory,
        names=tuple(names),
        certificate=certificate,
        attempt=attempts.of(certificate) if certificate else None,
        backoff=backoffs.until(directory, certificate),
        failed=attempts.failed_validations(directory, names),
        free_at=attempts.validations_free_at(directory, names),
    )


def limits(known: Counted, now: datetime) -> tuple[Finding, ...]:
    """What stands against an order at the moment ``now`` (aware), and until when."""
    return tuple(_limits(known, now))


def _limits(known: Counted, now: datetime) -> Iterator[Finding]:
    subject = known.certificate or ", ".join(map(shown, known.names))
    host = _host(known.directory)
    if known.backoff is not None and known.backoff.until > now:
        yield Finding(
            check="rate-limit",
            severity=Severity.ERROR,
            subject=subject,
            message=f"the CA asked not to come back before {_after(known.backoff.until)}",
            hint=f"nothing is asked of {host} until then; `dnsbroker renew` goes on by itself after it",
            evidence=(Evidence(host, known.backoff.message),),
        )
    yield from _failed_validations(known, now, host)
    if known.attempt is not None and not known.attempt.is_mistake and known.attempt.next_try > now:
        yield _postponed(known.attempt)


def _failed_validations(known: Counted, now: datetime, host: str) -> Iterator[Finding]:
    is_full = known.free_at is not None and known.free_at > now
    for name, moments in sorted(known.failed.items()):
        if not moments:
            continue
        times = "one validation" if len(moments) == 1 else f"{len(moments)} validations"
        told = f"{times} of this name failed at {host} in the last hour"
        if is_full and known.free_at is not None:
            told += (
                f"; one more may lock the name out, so that no run tries again by itself before {_after(known.free_at)}"
            )
        yield Finding(
            check="rate-limit",
            severity=Severity.WARNING if is_full else Severity.NOTICE,
            subject=shown(name),
            message=told,
            hint="mend what made them fail before the next attempt; `dnsbroker log` has the CA's words",
            evidence=tuple(Evidence(host, f"failed on {_when(moment)}") for moment in sorted(moments)),
        )


def _postponed(attempt: Attempt) -> Finding:
    times = "once" if attempt.failures == 1 else f"{attempt.failures} times in a row"
    cure = f"{attempt.hint}; " if attempt.hint else ""
    return Finding(
        check="postponed",
        severity=Severity.WARNING,
        subject=attempt.certificate,
        message=f"it failed {times} and is tried again by itself only after {_after(attempt.next_try)}",
        hint=f"{cure}`dnsbroker renew {attempt.certificate}` tries at once",
        evidence=(Evidence(record=f"{_when(attempt.last)}: {attempt.message}"),),
    )


def account(config: AcmeConfig, files: AccountFiles) -> tuple[Finding, ...]:
    """What keeps the account of ``config`` from ordering, as far as configuration and store tell."""
    try:
        gone = files.deactivated(config.directory)
        url = files.url(config.directory)
    except StoreError as error:
        hint = error.hint or f"let this user read {error.path}, or put it back from a copy"
        return (_finding(config, Severity.ERROR, error.message, hint, check="account-unreadable"),)
    return tuple(_account(config, gone, url))


def _account(config: AcmeConfig, gone: datetime | None, url: str | None) -> Iterator[Finding]:
    if not config.agree_tos:
        hint = f"read them at the CA's site, then set agree_tos = true in {config.table}"
        told = "nothing is ordered before you agree to the CA's terms of service"
        yield _finding(config, Severity.ERROR, told, hint, check="terms-not-agreed")
    if gone is not None:
        hint = f"`dnsbroker account register --account {config.name}` makes a new one"
        yield _finding(config, Severity.ERROR, f"it was deactivated on {gone:%Y-%m-%d}", hint, check="account-closed")
    elif not url:
        hint = f"the first order makes one, or `dnsbroker account register --account {config.name}` now"
        told = "there is no account at the CA yet, as far as is known here"
        yield _finding(config, Severity.NOTICE, told, hint, check="no-account")


def directory(config: AcmeConfig, found: Directory | BrokerError, *, has_account: bool) -> tuple[Finding, ...]:
    """What the CA's directory says against an order; ``found`` is the directory, or why it could not be read.

    ``has_account``: an account is known already, so that none has to be made.
    """
    if isinstance(found, ConfigError):
        return (_finding(config, Severity.ERROR, found.message, found.hint, check="misconfigured"),)
    if isinstance(found, BrokerError):
        return (_finding(config, Severity.ERROR, found.message, found.hint, check="ca-unreachable"),)
    findings = []
    if found.external_account_required and not config.eab_kid and not has_account:
        hint = f"get eab_kid and eab_hmac_key from the CA and put both into {config.table}"
        told = "the CA makes accounts only for those whom it knows (external account binding), and no eab_kid is set"
        findings.append(_finding(config, Severity.ERROR, told, hint, check="eab-missing"))
    return tuple(findings)


def clock(config: AcmeConfig, found: Directory | BrokerError) -> Reading | None:
    """What the CA's clock is to ours, where its directory tells; to be judged with those of other CAs."""
    if isinstance(found, BrokerError) or found.clock_ahead is None:
        return None
    return Reading(_host(config.directory), found.clock_ahead)


def _finding(config: AcmeConfig, severity: Severity, message: str, hint: str, *, check: str) -> Finding:
    subject = f"account {config.name}"
    return Finding(check, severity, subject, message, hint, (Evidence(_host(config.directory)),))


def _host(directory: str) -> str:
    return urlsplit(directory).hostname or directory


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _after(moment: datetime) -> str:
    """The full minute after a moment: who comes at the minute before it comes in vain."""
    return _when(moment + _MINUTE - timedelta.resolution)
