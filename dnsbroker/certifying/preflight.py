"""What is looked for before an order, since it would come to nothing or do harm: an error there costs no attempt.

Rule: only what a few questions to the names' own servers tell, and never a resolver; the CA is asked for its directory,
which is public, and an account is opened only where a CAA record permits one alone. What a certificate's ``allow``
names is told, and does not stop it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from dnsbroker.account import Account
from dnsbroker.checks.caa import Authority, caa, caa_servers
from dnsbroker.checks.shadowing import shadowing
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import BrokerError, LookupFailed, PreflightFailed
from dnsbroker.events import Emitter
from dnsbroker.findings import PREFLIGHT, Finding, Severity
from dnsbroker.lookup.zone import Zone
from dnsbroker.names import owner, shown
from dnsbroker.publishing import Located
from dnsbroker.run import Run
from dnsbroker.tasks import together

#: Seconds for a server to say of CAA what another one has said already.
_PATIENCE = 2.0


class Preflight:
    """What stands against an order for ``certificate``, whose records are ``located``, from ``account``."""

    def __init__(
        self,
        run: Run,
        certificate: CertificateConfig,
        located: Mapping[str, Located],
        account: Account,
        emit: Emitter,
    ) -> None:
        self._run = run
        self._certificate = certificate
        self._places = {item.place.owner: item.place for item in located.values()}.values()
        self._account = account
        self._emit = emit

    async def check(self) -> None:
        """Raise PreflightFailed where an order cannot succeed, or its records would do harm.

        An account that is not known yet is opened only where a CAA record is for one account. Raises as
        ``Account.client`` too.
        """
        await self._check_places()
        account = self._account
        known = account.kept_url
        if known:
            await account.client()  # which asks the CA nothing, and reads its directory but once
        identities = (await account.directory()).caa_identities
        found = await self._check_caa(Authority(identities, known))
        if any(finding.check == "caa-account" for finding in found):
            url = (await account.client()).account_url
            again = await self._caa(Authority(identities, url))
            self._judge(finding for finding in again if finding.severity is Severity.ERROR)

    async def foresee(self) -> None:
        """As ``check``, as far as it can be told without an account or a CA, and without a change on disk."""
        await self._check_places()
        try:
            identities = (await self._account.directory()).caa_identities
            known = self._account.kept_url
        except BrokerError:
            return
        await self._check_caa(Authority(identities, known))

    async def _check_places(self) -> None:
        looks = await together(shadowing(place, self._run.finder) for place in self._places)
        self._judge(finding for found in looks for finding in found)

    async def _check_caa(self, authority: Authority) -> list[Finding]:
        found, doubts = await together([self._caa(authority), self._doubts()])
        self._judge(found)
        self._judge(doubts)
        return found

    async def _caa(self, authority: Authority) -> list[Finding]:
        looks = await together(caa(name, self._run.caa_sets, authority) for name in self._certificate.names)
        return [finding for found in looks for finding in found]

    async def _doubts(self) -> list[Finding]:
        """Servers that fail for CAA, by which an order may fail; whether it must, the names' own records tell."""
        zones = await together(self._home(name) for name in self._certificate.names)
        homes = {zone.name: zone for zone in zones if zone is not None}.values()
        run, ignore = self._run, self._run.config.propagation.ignore
        looks = await together(caa_servers(zone, run.exchange, ignore=ignore, patience=_PATIENCE) for zone in homes)
        return [replace(finding, severity=Severity.WARNING) for found in looks for finding in found]

    async def _home(self, name: str) -> Zone | None:
        with suppress(LookupFailed):
            return await self._run.finder.zone_of(owner(name.removeprefix("*.")))
        return None

    def _judge(self, findings: Iterable[Finding]) -> None:
        """Tell of ``findings`` that warn, and raise PreflightFailed for those that stop an order."""
        counted = [finding for finding in dict.fromkeys(findings) if finding.check in PREFLIGHT]
        stopping = [
            finding
            for finding in counted
            if finding.severity is Severity.ERROR and finding.check not in self._certificate.allow
        ]
        told = [finding for finding in counted if finding not in stopping and finding.severity is not Severity.NOTICE]
        for message, finding in _said(told).items():
            self._emit("warning", message=message, hint=finding.hint or None)
        if stopping:
            raise _failed(self._certificate, stopping)


def _said(findings: Sequence[Finding]) -> dict[str, Finding]:
    """Each message with its finding; what holds for several names, as apex and wildcard, is said once."""
    subjects: dict[str, list[str]] = {}
    for finding in findings:
        subjects.setdefault(finding.message, []).append(shown(finding.subject))
    first = {finding.message: finding for finding in reversed(findings)}
    return {f"{', '.join(names)}: {message}": first[message] for message, names in subjects.items()}


def _failed(certificate: CertificateConfig, stopping: Sequence[Finding]) -> PreflightFailed:
    checks = sorted({finding.check for finding in stopping})
    override = ", ".join(f'"{check}"' for check in checks)
    return PreflightFailed(
        f"no order is opened: {'; '.join(_said(stopping))}",
        name=certificate.name,
        checks=checks,
        hint=f"{stopping[0].hint}; or go on all the same with allow = [{override}] for this certificate",
    )
