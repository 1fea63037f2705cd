"""What a person should know of an RFC 2136 server before a record is written there: key, clock, zones, policy.

Rule: nothing is changed. Whether the server takes updates is found out by one that asks for nothing: it deletes a value
that nobody can have, so a policy is applied to it and the zone stays as it is, its serial too. Refused: an unsigned
update of any other kind.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import dns.name
import dns.rcode
import dns.update

from dnsbroker.errors import AuthRejected, BrokerError, ProviderError, ProviderUnavailable, ZoneMissing
from dnsbroker.findings import Evidence, Finding, Severity, trouble
from dnsbroker.names import labels, owner
from dnsbroker_rfc2136.plan import Place
from dnsbroker_rfc2136.talk import Talk, each
from dnsbroker_rfc2136.values import rdata_of
from dnsbroker_rfc2136.wire import Reply, Silent, Untrusted

_WORTH_TELLING = 60
_FUDGE = 300
_AT_ONCE = 8
_NARROW = "right as it is where the key is for other names only; else "


class Examination:
    """One look at one server; ``talk_to`` opens the talk about a zone, ``weaknesses`` are those of the key."""

    def __init__(
        self, talk_to: Callable[[str], Awaitable[Talk]], provider: str, server: str, weaknesses: Sequence[str]
    ) -> None:
        self._talk_to = talk_to
        self._subject = f"provider {provider}"
        self._server = server
        self._weaknesses = tuple(weaknesses)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def findings(self, zones: Sequence[str]) -> tuple[Finding, ...]:
        """Of the server, the key and the clock, then of each of ``zones``."""
        names = [owner(zone) for zone in dict.fromkeys(zones)]
        try:
            talk = await self._talk_to(names[0] if names else "")
            reply = await talk.greet(names[0] if names else ".")
        except BrokerError as error:
            return (trouble(error, self._subject, self._server),)
        if reply.tsig_error or reply.rcode == dns.rcode.NOTAUTH:
            return (self._of_key(talk, reply),)
        found = await each(self._of_zone, names)
        return (*self._of_clock(reply), *self._of_weakness(), *(finding for part in found for finding in part))

    def _of_key(self, talk: Talk, reply: Reply) -> Finding:
        error = talk.blame.key(reply)
        message, evidence = _without_place(error), (Evidence(self._server),)
        if reply.tsig_error == dns.rcode.BADTIME:
            return Finding("clock-skew", Severity.ERROR, self._subject, message, error.hint, evidence)
        return Finding("auth", Severity.ERROR, self._subject, message, error.hint, evidence)

    def _of_clock(self, reply: Reply) -> tuple[Finding, ...]:
        if abs(reply.skew) <= _WORTH_TELLING:
            return ()
        finding = Finding(
            check="clock-skew",
            severity=Severity.WARNING,
            subject=self._subject,
            message=f"the server's clock is {abs(reply.skew)} s {'ahead of' if reply.skew > 0 else 'behind'} this "
            f"host's; from {_FUDGE} s on it refuses every signature",
            hint="set the clock that is wrong, and keep it so (chrony, systemd-timesyncd)",
            evidence=(Evidence(self._server, f"{reply.skew:+d} s"),),
        )
        return (finding,)

    def _of_weakness(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                check="weak-key",
                severity=Severity.WARNING,
                subject=self._subject,
                message=weakness,
                hint="make a new key with `tsig-keygen -a hmac-sha256 acme-key`, for the server and for tsig_secret",
                evidence=(Evidence(self._server),),
            )
            for weakness in self._weaknesses
        )

    async def _of_zone(self, zone: str) -> tuple[Finding, ...]:
        try:
            async with self._slots:
                talk = await self._talk_to(zone)
                apex = await talk.apex(zone)
                found = await self._of_updates(talk, zone, apex.serial)
        except BrokerError as error:
            return (trouble(error, zone, self._server),)
        return () if found is None else (found,)

    async def _of_updates(self, talk: Talk, zone: str, serial: int) -> Finding | None:
        """What the server makes of an update that asks for nothing."""
        place = _place(zone)
        try:
            reply = await talk.update(_nothing(zone, place))
            if reply.rcode != dns.rcode.NOERROR:
                return await self._refused(talk, zone, place, reply)
            unsigned = await talk.update_unsigned(_nothing(zone, place))
        except Silent as error:
            raise talk.blame.silence(str(error)) from error
        except Untrusted as error:
            raise talk.blame.distrust(str(error)) from error
        return self._unsigned(zone, serial) if unsigned.rcode == dns.rcode.NOERROR else None

    async def _refused(self, talk: Talk, zone: str, place: Place, reply: Reply) -> Finding:
        """Why the update is not taken; a policy may have other names than the one that was tried."""
        error = talk.blame.update(reply, [place])
        if isinstance(error, ZoneMissing):
            return replace(trouble(error, zone, self._server), check="not-primary")
        if isinstance(error, ProviderUnavailable):
            return trouble(error, zone, self._server)
        if not isinstance(error, AuthRejected):
            return replace(trouble(error, zone, self._server), check="update-refused")
        is_narrow = (await talk.update(dns.update.UpdateMessage(zone))).rcode == dns.rcode.NOERROR
        return Finding(
            check="update-refused",
            severity=Severity.WARNING if is_narrow else Severity.ERROR,
            subject=zone,
            message=_without_place(error),
            hint=_NARROW * is_narrow + error.hint,
            evidence=(Evidence(self._server, dns.rcode.to_text(reply.tsig_error or reply.rcode, tsig=True)),),
        )

    def _unsigned(self, zone: str, serial: int) -> Finding:
        name = zone.rstrip(".")
        return Finding(
            check="unsigned-updates",
            severity=Severity.WARNING,
            subject=zone,
            message="the server takes updates of this zone from here without any key, so whoever can send from this "
            "address can change it",
            hint=f"PowerDNS: `pdnsutil set-meta {name} TSIG-ALLOW-DNSUPDATE` with the names of the keys; BIND: "
            "update-policy with keys instead of allow-update with addresses; Knot: a key in the acl",
            evidence=(Evidence(self._server, "NOERROR to an unsigned update that changes nothing", serial),),
        )


def _place(zone: str) -> Place:
    """The place of a challenge in ``zone``; a zone made for challenges has them at its apex."""
    return (zone if labels(zone)[:1] == ("_acme-challenge",) else f"_acme-challenge.{zone}"), "TXT"


def _nothing(zone: str, place: Place) -> dns.update.UpdateMessage:
    """An unsigned UPDATE that deletes a value that cannot be there (RFC 2136 section 2.5.4: then it is ignored)."""
    name, type = place
    update = dns.update.UpdateMessage(zone)
    update.delete(dns.name.from_text(name), rdata_of(type, f"dnsbroker looks whether it may: {secrets.token_hex(16)}"))
    return update


def _without_place(error: BrokerError) -> str:
    """The message without provider and zone, which the subject names."""
    return error.message.partition(": ")[2] if isinstance(error, ProviderError) else error.message
