"""The CA's part: is it there, what does it ask for, does the account stand, and what do its limits allow just now?

Only what the CA tells everybody is asked of it: its directory. No account is registered, and no key is made to stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from dnsbroker.acme import Directory
from dnsbroker.checks import limits
from dnsbroker.checks.caa import Authority
from dnsbroker.checks.skew import Reading, skew
from dnsbroker.doctor.subjects import Subject
from dnsbroker.errors import BrokerError, DirectoryUnreachable, StoreError
from dnsbroker.findings import Finding
from dnsbroker.run import Run

_LONGEST = 10.0


@dataclass(frozen=True)
class Office:
    """A CA as one account sees it: whom CAA records must permit, and what keeps it from issuing.

    ``cache_limit`` is for how many seconds the CA keeps a DNS answer at most, ``clock`` what its clock is to this
    host's; None where it does not say.
    """

    authority: Authority
    findings: tuple[Finding, ...]
    cache_limit: float | None
    clock: Reading | None = None


async def visit(run: Run, name: str, *, is_ordering: bool) -> Office:
    """The office behind the account ``name``; ``is_ordering``: a certificate uses it. Raises ConfigError."""
    account = run.accounts.get(name)
    found: Directory | BrokerError
    try:
        async with asyncio.timeout(_LONGEST):
            found = await account.visitor().directory()
    except TimeoutError:
        url = account.config.directory
        told = f"the CA's directory {url} did not come within {_LONGEST:g} s"
        found = DirectoryUnreachable(told, url=url, hint="see that this host reaches the CA by HTTPS, or set proxy")
    except BrokerError as error:
        found = error
    try:
        url = account.kept_url
    except StoreError:
        url = ""  # which the account's own check tells
    files = run.store.account(account.config.name)
    findings = [*limits.account(account.config, files)] if is_ordering else []
    findings += limits.directory(account.config, found, has_account=bool(url) or not is_ordering)
    identities = found.caa_identities if isinstance(found, Directory) else ()
    clock = limits.clock(account.config, found)
    return Office(Authority(identities, url), tuple(findings), account.cache_limit, clock)


def compared(offices: Iterable[Office]) -> tuple[Finding, ...]:
    """What the clocks of all CAs together say of this host's; a CA counts once, however many accounts are there."""
    clocks = {office.clock.witness: office.clock for office in offices if office.clock is not None}
    return skew(clocks.values())


async def examine_limits(run: Run, subject: Subject) -> tuple[Finding, ...]:
    """What stands against an order for ``subject`` just now, and until when. Raises StoreError."""
    directory = run.accounts.get(subject.account).config.directory
    known = limits.counted(run.attempts, run.backoffs, directory, subject.names, subject.certificate)
    return limits.limits(known, run.clock.now())
