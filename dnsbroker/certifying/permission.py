"""Whether a certificate that is due may be asked for now, and what is noted of an attempt for the runs to come.

What the CA demanded always holds. Our own spacing of attempts, and of failed validations, holds where nobody named the
certificate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from dnsbroker.config import CertificateConfig
from dnsbroker.due import when_after
from dnsbroker.errors import (
    AcmeError,
    BrokerError,
    ConfigError,
    Held,
    KeyGuarded,
    OrderUnfinished,
    Postponed,
    PreflightFailed,
    Problem,
)
from dnsbroker.run import Run

#: What only a person can mend, in the configuration or in DNS.
_MISTAKES = (ConfigError, KeyGuarded, PreflightFailed)


class Permission:
    """Asks and keeps the journal's counts. ``is_named`` says that the certificates were named by a person.

    ``is_as_configured`` says that nothing was asked for but what the configuration says: then what is wrong with that
    is kept as a mistake in it.
    """

    def __init__(self, run: Run, *, is_named: bool, is_as_configured: bool = True) -> None:
        self._run = run
        self._is_named = is_named
        self._is_as_configured = is_as_configured

    def check(self, certificate: CertificateConfig, directory: str) -> None:
        """Raise Postponed where ``certificate`` is not to be asked for at the CA with this ``directory`` now."""
        _check_demands(self._run, directory, certificate.name, certificate.name)
        if not self._is_named:
            self._check_ours(certificate, directory)

    def _check_ours(self, certificate: CertificateConfig, directory: str) -> None:
        hint = f"`dnsbroker renew {certificate.name}` tries now"
        attempt = self._run.attempts.of(certificate.name)
        now = self._run.clock.now()
        if attempt is not None and attempt.next_try > now:
            times = "once" if attempt.failures == 1 else f"{attempt.failures} times in a row"
            told = f"failed {times}, tried again after {when_after(attempt.next_try)}: {attempt.message}"
            raise Postponed(told, name=certificate.name, until=attempt.next_try, hint=hint)
        free = self._run.attempts.validations_free_at(directory, certificate.names)
        if free is not None and free > now:
            again = f"tried again after {when_after(free)}"
            told = f"so many validations failed that one more may lock the name out: {again}"
            raise Postponed(told, name=certificate.name, until=free, hint=hint)

    def validation_failed(self, directory: str, identifiers: Collection[str]) -> bool:
        """Count failed validations; whether another try of the same run stays away from the CA's limit."""
        self._run.attempts.validation_failed(directory, identifiers)
        return self._run.attempts.validations_free_at(directory, identifiers) is None

    def failed(self, certificate: CertificateConfig, directory: str, error: BrokerError) -> None:
        """Note a failed attempt, and what the CA demanded with it; what only waits for its time leaves no trace."""
        if isinstance(error, _MISTAKES):
            self.mistaken(certificate, error)
        if isinstance(error, (*_MISTAKES, Held, Postponed)):
            return
        self._run.attempts.failed(certificate.name, error)
        until = _demanded(self._run, error)
        if until is not None:
            # A limit named by the CA is the order's affair; a CA that is busy, or takes no account, is everybody's.
            is_limit = isinstance(error, Problem) and error.type == "rateLimited"
            is_own = isinstance(error, OrderUnfinished) or (
                is_limit and self._run.accounts.get(certificate.account).is_open
            )
            self._run.backoffs.demanded(directory, until, error.message, certificate.name if is_own else "")

    def mistaken(self, certificate: CertificateConfig, error: BrokerError) -> None:
        """Note what a person has to mend; waiting mends nothing, so that every run tries again."""
        if self._is_as_configured:
            self._run.attempts.mistaken(certificate.name, error)

    def succeeded(self, certificate: CertificateConfig) -> None:
        """The attempt went well."""
        self._run.attempts.succeeded(certificate.name)

    def kept(self, certificate: CertificateConfig) -> None:
        """There is nothing to ask for, and no mistake any more; how attempts failed is not forgotten for that."""
        attempt = self._run.attempts.of(certificate.name)
        if attempt is not None and attempt.is_mistake:
            self._run.attempts.forget(certificate.name)


@contextmanager
def heeding(run: Run, directory: str, account: str) -> Iterator[None]:
    """Ask the CA with this ``directory`` something beside an order; ``account`` is whose name an error gives.

    Raises Postponed where the CA does not want to be asked now; what it demands inside is kept for all.
    """
    _check_demands(run, directory, "", account)
    try:
        yield
    except BrokerError as error:
        until = _demanded(run, error)
        if until is not None:
            run.backoffs.demanded(directory, until, error.message)
        raise


def _check_demands(run: Run, directory: str, certificate: str, name: str) -> None:
    demanded = run.backoffs.until(directory, certificate)
    if demanded is not None:
        told = f"the CA asked not to come back before {when_after(demanded.until)}: {demanded.message}"
        hint = "a later run goes on; what the CA demands holds whatever is asked here"
        raise Postponed(told, name=name, until=demanded.until, hint=hint)


def _demanded(run: Run, error: BrokerError) -> datetime | None:
    # A DNS service may name a time too, which is no affair of the CA's.
    seconds = getattr(error, "retry_after", None) if isinstance(error, AcmeError) else None
    return None if seconds is None else run.clock.now() + timedelta(seconds=seconds)
