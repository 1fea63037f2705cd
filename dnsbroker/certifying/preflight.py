"""What is looked for before an order, since it would come to nothing or do harm: an error there costs no attempt.

Rule: only what a few questions to the names' own servers tell, and never a resolver. What a certificate's ``allow``
names is told, and does not stop it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dnsbroker.account import Account
from dnsbroker.checks.caa import Authority, caa
from dnsbroker.checks.shadowing import shadowing
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import PreflightFailed
from dnsbroker.events import Emitter
from dnsbroker.findings import PREFLIGHT, Finding, Severity
from dnsbroker.names import shown
from dnsbroker.publishing import Located
from dnsbroker.run import Run
from dnsbroker.tasks import together


async def preflight(
    run: Run, certificate: CertificateConfig, located: Mapping[str, Located], account: Account, emit: Emitter
) -> None:
    """Raise PreflightFailed where an order for ``certificate`` cannot succeed, or its records would do harm.

    Asks DNS first, then opens the account, whose URL a CAA record may hold. Raises as ``Account.client`` too.
    """
    places = {item.place.owner: item.place for item in located.values()}
    _judge(certificate, await together(shadowing(place, run.finder) for place in places.values()), emit)
    client = await account.client()
    identities = (await client.directory()).caa_identities
    authority = Authority(identities, client.account_url)
    _judge(certificate, await together(caa(name, run.caa_sets, authority) for name in certificate.names), emit)


def _judge(certificate: CertificateConfig, found: Iterable[Iterable[Finding]], emit: Emitter) -> None:
    findings = list(dict.fromkeys(finding for part in found for finding in part if finding.check in PREFLIGHT))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    stopping = [finding for finding in errors if finding.check not in certificate.allow]
    for finding in findings:
        if finding not in stopping and finding.severity is not Severity.NOTICE:
            emit("warning", message=f"{shown(finding.subject)}: {finding.message}", hint=finding.hint or None)
    if stopping:
        raise _failed(certificate, stopping)


def _failed(certificate: CertificateConfig, stopping: list[Finding]) -> PreflightFailed:
    told = "; ".join(f"{shown(finding.subject)}: {finding.message}" for finding in stopping)
    checks = sorted({finding.check for finding in stopping})
    override = ", ".join(f'"{check}"' for check in checks)
    return PreflightFailed(
        f"nothing was ordered: {told}",
        name=certificate.name,
        checks=checks,
        hint=f"{stopping[0].hint}; or go on all the same with allow = [{override}] for this certificate",
    )
