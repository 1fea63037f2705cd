"""What a person should know of the credentials and of each zone before a record is written there.

Rule: everything is asked, nothing is changed. A trouble in asking is a finding. What the service does not tell, as the
rights of a token that may not read its zone, is not guessed, but said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dnsbroker.clock import Clock
from dnsbroker.errors import AuthRejected, BrokerError
from dnsbroker.findings import Evidence, Finding, Severity, trouble
from dnsbroker.names import owner, shown
from dnsbroker_cloudflare.api import API
from dnsbroker_cloudflare.credentials import Errand
from dnsbroker_cloudflare.service import Service
from dnsbroker_cloudflare.settings import CloudflareSettings
from dnsbroker_cloudflare.stored import StoredZone

_AT_ONCE = 4
_SOON = timedelta(days=30)
_SKEW_SECONDS = 60.0
_EDIT = "#dns_records:edit"
_RECIPE = (
    'in the dashboard, under "My Profile", "API Tokens": create a token from the template "Edit zone DNS", add '
    "Zone:Read, limit it to the zones concerned; set api_token to it, and take api_email and api_key out"
)


@dataclass(frozen=True)
class _Token:
    """What the service says of a token."""

    status: str
    expires: datetime | None
    begins: datetime | None


class Examination:
    """One look at what one provider's credentials open."""

    def __init__(self, service: Service, api: API, settings: CloudflareSettings, clock: Clock) -> None:
        self._service = service
        self._api = api
        self._settings = settings
        self._clock = clock
        self._subject = f"provider {service.provider}"
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def findings(self, zones: Sequence[str]) -> tuple[Finding, ...]:
        """Of the credentials, then of each of ``zones``; of these nothing where the credentials do not work."""
        found = [finding for errand in self._errands() for finding in await self._of_credential(errand)]
        if not any(finding.severity is Severity.ERROR for finding in found):
            parts = await asyncio.gather(*(self._of_zone(zone) for zone in dict.fromkeys(map(owner, zones))))
            found += [finding for part in parts for finding in part]
        return (*found, *self._of_clock())

    def _errands(self) -> tuple[Errand, ...]:
        return (Errand.RECORDS, Errand.ZONES) if self._settings.zone_api_token else (Errand.RECORDS,)

    async def _of_credential(self, errand: Errand) -> list[Finding]:
        key = self._api.identity(errand).key
        try:
            if key == "api_key":
                await self._service.probe(errand)
                return [self._finding("global-api-key", Severity.WARNING, _GLOBAL, _RECIPE, key)]
            return list(self._of_token(await self._token(errand), key))
        except BrokerError as error:
            return [trouble(error, self._subject, self._settings.base_url)]

    async def _token(self, errand: Errand) -> _Token:
        try:
            return await self._api.get("/user/tokens/verify", _token, errand=errand)
        except AuthRejected:
            # A token that belongs to an account is not known there, though it works.
            await self._service.probe(errand)
            return _Token("active", None, None)

    def _of_token(self, token: _Token, key: str) -> Iterator[Finding]:
        now = self._clock.now()
        renew = f"make a new token, or give this one more time, in the dashboard; then set {key}"
        if token.status != "active" or (token.expires and token.expires <= now):
            told = (
                f"the token in {key} is {token.status}" if token.status != "active" else f"the token in {key} is over"
            )
            cure = f"enable it in the dashboard, or {renew}" if token.status == "disabled" else renew
            yield self._finding("token-inactive", Severity.ERROR, told, cure, _term(token))
        elif token.begins and token.begins > now:
            told = f"the token in {key} is not to be used before {token.begins:%Y-%m-%d %H:%M} UTC"
            yield self._finding("token-inactive", Severity.ERROR, told, renew, _term(token))
        elif token.expires and token.expires - now < _SOON:
            told = f"the token in {key} ends on {token.expires:%Y-%m-%d %H:%M} UTC"
            yield self._finding("token-expires", Severity.WARNING, told, renew, _term(token))

    async def _of_zone(self, name: str) -> list[Finding]:
        async with self._slots:
            try:
                zone = await self._service.described(name)
                await self._service.records(name, ((f"_acme-challenge.{name}", "TXT"),))
                rights = await self._rights(zone)
            except BrokerError as error:
                return [trouble(error, name, self._settings.base_url)]
        return [*self._of_described(zone), *self._of_rights(zone, rights)]

    @property
    def _is_read_by_another(self) -> bool:
        """Whether the credential that writes is not the one by which zones are known."""
        return bool(self._settings.zone_api_token or self._settings.zone_ids)

    async def _rights(self, zone: StoredZone) -> frozenset[str]:
        """What the credential that writes may do in the zone; none where the service does not tell it that."""
        if not self._is_read_by_another:
            return zone.permissions
        try:
            return await self._service.permissions(zone)
        except AuthRejected:
            return frozenset()

    def _of_described(self, zone: StoredZone) -> Iterator[Finding]:
        servers = ", ".join(sorted(server.rstrip(".") for server in zone.servers))
        if zone.status not in ("", "active"):
            told = f"its status at the service is {zone.status}, so it is not, or not for long, served from there"
            hint = f"have it delegated to {servers}, or take {shown(zone.name)} out of this provider"
            yield self._finding("zone-inactive", Severity.WARNING, told, hint, zone.status, subject=zone.name)
        if zone.is_paused:
            hint = "right where that is meant; DNS goes on as before"
            yield self._finding("zone-paused", Severity.NOTICE, "it is paused at the service", hint, subject=zone.name)

    def _of_rights(self, zone: StoredZone, rights: frozenset[str]) -> Iterator[Finding]:
        key = self._api.identity(Errand.RECORDS).key
        if rights and _EDIT not in rights:
            hint = f"add DNS:Edit for this zone to the permissions of the token in {key}"
            told, seen = "records may be read, but not written", ", ".join(sorted(rights))
            yield self._finding("no-edit-right", Severity.ERROR, told, hint, seen, subject=zone.name)
        elif not rights and self._is_read_by_another and key != "api_key":
            told = f"records may be read; whether the token in {key} may write them could not be seen"
            hint = "see in the dashboard that it has DNS:Edit for this zone; with Zone:Read, too, it would be seen here"
            yield self._finding("no-edit-right", Severity.NOTICE, told, hint, subject=zone.name)

    def _of_clock(self) -> Iterator[Finding]:
        skew = self._api.skew
        if skew is not None and abs(skew) > _SKEW_SECONDS:
            told = f"this host's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the service's"
            hint = "keep the clock right: let chrony or systemd-timesyncd run, and see that it reaches its servers"
            yield self._finding("clock-skew", Severity.WARNING, told, hint, f"{-skew:+.0f} s")

    def _finding(
        self, check: str, severity: Severity, message: str, hint: str, record: str = "", *, subject: str = ""
    ) -> Finding:
        evidence = (Evidence(self._settings.base_url, record),)
        return Finding(check, severity, subject or self._subject, message, hint, evidence)


_GLOBAL = "api_key is the account's global key: whoever reads it here may do everything there, and it cannot be limited"


def _token(told: Any) -> _Token:
    result = told["result"]
    return _Token(str(result["status"]), _moment(result.get("expires_on")), _moment(result.get("not_before")))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _term(token: _Token) -> str:
    """From when until when, as far as that is limited."""
    ends = (("from", token.begins), ("until", token.expires))
    return " ".join((token.status, *(f"{word} {moment:%Y-%m-%d %H:%M} UTC" for word, moment in ends if moment)))
