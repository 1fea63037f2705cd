"""Where each challenge's record would stand, and who would write it; where that cannot be told, why not.

As a run finds out, by the same parts: what keeps a run from it is what is found here. Nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from dnsbroker.checks.delegation import broken
from dnsbroker.clock import Deadline
from dnsbroker.doctor.alone import patience
from dnsbroker.errors import BrokerError, ConfigError, LookupFailed, ProviderError
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.names import challenge_name, labels, shown
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.tasks import together

#: Seconds within which it must be known where every record stands, and who writes there; a little more for each name.
LONGEST = 10.0
#: How many providers' answers are waited for at once: a service asked for more answers none of them in time.
_AT_ONCE = 8


@dataclass(frozen=True)
class Site:
    """One challenge: its ``place`` and its ``target`` as far as they are known, and what keeps them from being known.

    ``home`` is the zone of the domain name itself, which is where a CA looks for CAA records.
    """

    challenge: str
    home: Zone | None = None
    place: Place | None = None
    target: Target | None = None
    findings: tuple[Finding, ...] = ()

    def zones(self) -> Iterable[Zone]:
        """Every zone on which the validation depends."""
        if self.home is not None:
            yield self.home
        if self.place is not None:
            yield from (hop.zone for hop in self.place.hops)
            yield self.place.zone


async def find_sites(run: Run, names: Iterable[str]) -> dict[str, Site]:
    """The site for each of ``names``, identifiers; apex and wildcard share one. Raises nothing for a network."""
    challenges = {name: challenge_name(name) for name in names}
    search = _Search(run, patience(LONGEST, len(challenges)))
    unlike = tuple(dict.fromkeys(challenges.values()))
    sites = dict(zip(unlike, await together(search.site(challenge) for challenge in unlike), strict=True))
    return {name: sites[challenge] for name, challenge in challenges.items()}


class _Search:
    """Looks for sites, all within ``seconds`` from now."""

    def __init__(self, run: Run, seconds: float) -> None:
        self._run = run
        self._deadline = Deadline.after(run.clock, seconds)
        self._providers = asyncio.Semaphore(_AT_ONCE)

    async def site(self, challenge: str) -> Site:
        try:
            async with asyncio.timeout(self._deadline.left()):
                place = await self._run.finder.find(challenge)
                home = await self._run.finder.zone_of(".".join(labels(challenge)[1:]) + ".")
        except TimeoutError:
            return Site(challenge, findings=(_silent(challenge),))
        except BrokerError as error:
            return Site(challenge, findings=(broken(challenge, error),))
        try:
            async with asyncio.timeout(self._deadline.left()), self._providers:
                target = (await self._run.routing.route(place)).target
        except (BrokerError, TimeoutError) as error:
            return Site(challenge, home, place, findings=(_unrouted(place, error),))
        return Site(challenge, home, place, target)


def _silent(challenge: str) -> Finding:
    hint = "let this host reach port 53 of the zone's servers by UDP and TCP, or name servers in dns.servers"
    told = f"no server told in time where the record for {shown(challenge)} stands"
    return broken(challenge, LookupFailed(told, name=challenge, hint=hint))


def _unrouted(place: Place, error: BrokerError | TimeoutError) -> Finding:
    """Why nobody can be said to write at ``place``. What concerns a whole zone or provider is told of that, once."""
    if isinstance(error, ProviderError):
        return failing(error.provider, error)
    if isinstance(error, ConfigError):
        check = "ambiguous-provider" if error.key.endswith(".zones") else "misconfigured"
        return Finding(check, Severity.ERROR, place.zone.name, error.message, error.hint)
    if isinstance(error, TimeoutError):
        told = "no provider told in time whether it holds the zone"
        return Finding("unexamined", Severity.ERROR, place.zone.name, told, "see that this host reaches the providers")
    return broken(place.challenge, error)


def failing(provider: str, error: BrokerError) -> Finding:
    """The finding for a question that ``provider`` refused, or did not answer."""
    if isinstance(error, ConfigError):
        return Finding("misconfigured", Severity.ERROR, f"provider {provider}", error.message, error.hint)
    zone = getattr(error, "zone", "") or ""
    evidence = (Evidence(server=provider, record=f"zone {zone}" if zone else ""),)
    subject = f"provider {provider}"
    told = error.message.removeprefix(subject).lstrip(",: ")  # the subject says whose trouble it is
    return Finding("provider-fails", Severity.ERROR, subject, told, error.hint, evidence)
