"""What the server's refusals mean, as the errors of ``dnsbroker.errors`` in words, with what to do next.

Rule: an error names the server, the zone and the key by its name; never the secret, and never a value where a name will
do. Nothing here asks anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.rcode

from dnsbroker.errors import AuthRejected, Conflict, ProviderError, ProviderUnavailable, RecordRejected, ZoneMissing
from dnsbroker_rfc2136.plan import Mismatch, Place
from dnsbroker_rfc2136.values import Standing
from dnsbroker_rfc2136.wire import Reply

PREREQUISITE_FAILED = frozenset({dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.NXRRSET})
_FUDGE = 300


@dataclass(frozen=True)
class Blame:
    """Makes errors about one server and zone. ``primary`` is the zone's by its SOA, where that is known."""

    provider: str
    server: str
    key_name: str
    algorithm: str
    zone: str = ""
    primary: str = ""

    def silence(self, reason: str) -> ProviderUnavailable:
        """No answer from any address."""
        return ProviderUnavailable(
            f"{self.server} does not answer: {reason}",
            provider=self.provider,
            zone=self.zone,
            hint="check server and port, that the server runs, and that TCP reaches its port from here; "
            "BIND also drops updates beyond its update-quota",
        )

    def late(self) -> ProviderUnavailable:
        """The server took so long over what stands that nothing may be sent any more."""
        return ProviderUnavailable(
            f"{self.server} took too long to show what stands, so nothing more was sent",
            provider=self.provider,
            zone=self.zone,
            hint="see what keeps the server busy, and whether anything on the way swallows packets",
        )

    def unresolved(self, reason: str) -> ProviderUnavailable:
        """The server's host name leads to no address."""
        return ProviderUnavailable(
            f"no address of the server {self.server} could be found: {reason}",
            provider=self.provider,
            zone=self.zone,
            hint="check server, or give its address instead of a name",
        )

    def distrust(self, reason: str, *, after_update: bool = False) -> ProviderError:
        """An answer that cannot be believed; that to an update is as good as none."""
        kind = ProviderUnavailable if after_update else AuthRejected
        return kind(
            f"{self.server} cannot be trusted: {reason}",
            provider=self.provider,
            zone=self.zone,
            hint=f"the server must sign its answers with key {self.key_name} ({self.algorithm}) as we sign ours; "
            "look for something on the way that changes or forges DNS messages",
        )

    def missing(self, tried: Sequence[str], answered: str) -> ZoneMissing:
        """The server has no such zone, or does not show it to this key."""
        return ZoneMissing(
            f"{self.server} does not answer with authority for {' or '.join(tried)} ({answered})",
            provider=self.provider,
            zone=self.zone,
            tried=tried,
            hint=f"check that the server holds the zone and lets key {self.key_name} query it; with views, that the "
            "key leads into the right one",
        )

    def question(self, reply: Reply, name: str) -> ProviderError:
        """A question about ``name`` was answered with an error."""
        if reply.tsig_error or reply.rcode == dns.rcode.NOTAUTH:
            return self.key(reply)
        if reply.rcode == dns.rcode.SERVFAIL:
            return self.failure("a question")
        return self.missing((self.zone or name,), _code(reply))

    def key(self, reply: Reply) -> AuthRejected:
        """The server could not verify our signature (RFC 8945 section 5.2)."""
        said, hint = {
            dns.rcode.BADSIG: (
                f"finds that the signature with key {self.key_name} is wrong (BADSIG)",
                "the secret is another one than the server's; compare tsig_secret with the server's key statement",
            ),
            dns.rcode.BADTIME: (
                f"has a clock that is {_skew(reply.skew)} this host's (BADTIME)",
                f"set the clock that is wrong, and keep it so (chrony, systemd-timesyncd); TSIG allows {_FUDGE} s",
            ),
            dns.rcode.BADTRUNC: (
                f"does not take signatures as short as {self.algorithm}'s (BADTRUNC)",
                "set tsig_algorithm to one that is not truncated, such as hmac-sha256, here and at the server",
            ),
            dns.rcode.BADKEY: (
                f"does not know key {self.key_name} with algorithm {self.algorithm} (BADKEY)",
                "tsig_name and tsig_algorithm must be exactly those of the server's key statement; Knot also wants the "
                "key in an acl of the zone",
            ),
        }.get(
            reply.tsig_error,
            (
                f"does not accept the signature with key {self.key_name} and does not say why ({_code(reply)})",
                "compare tsig_name, tsig_algorithm and tsig_secret with the server's key, and both clocks",
            ),
        )
        return AuthRejected(f"{self.server} {said}", provider=self.provider, zone=self.zone, hint=hint)

    def failure(self, what: str) -> ProviderUnavailable:
        """SERVFAIL."""
        return ProviderUnavailable(
            f"{self.server} failed at {what} (SERVFAIL)",
            provider=self.provider,
            zone=self.zone,
            hint="the server's log says why: its journal, its database, or a primary to which it forwards"
            + self._elsewhere(),
        )

    def update(self, reply: Reply, places: Sequence[Place]) -> ProviderError:
        """The update of ``places`` was answered with an error (RFC 2136 section 3)."""
        code = _code(reply)
        if reply.tsig_error == dns.rcode.BADKEY:
            # The key has just been good enough for a question: so Knot says that its acl has no such update.
            return self.refused(places, code)
        if reply.tsig_error:
            return self.key(reply)
        if reply.rcode == dns.rcode.SERVFAIL:
            return self.failure("the update")
        if reply.rcode == dns.rcode.REFUSED:
            return self.refused(places, code)
        if reply.rcode == dns.rcode.NOTAUTH:
            return ZoneMissing(
                f"{self.server} takes no updates of {self.zone}: it is not its primary (NOTAUTH)",
                provider=self.provider,
                zone=self.zone,
                tried=(self.zone,),
                hint="set server to the zone's primary" + self._elsewhere(),
            )
        if reply.rcode in PREREQUISITE_FAILED:
            return Conflict(
                f"somebody else keeps changing {_named(places)} ({code})",
                provider=self.provider,
                zone=self.zone,
                rrset=_named(places[:1]),
                transient=True,
            )
        return self.rejected(code, places)

    def refused(self, places: Sequence[Place], code: str) -> ProviderError:
        """A refusal, which has many reasons that look the same from outside.

        Of several places a policy may allow all but one, which is no reason to give up the others.
        """
        (name, type), zone = places[0], self.zone.rstrip(".")
        kind = AuthRejected if len(places) == 1 else RecordRejected
        return kind(
            f"{self.server} refuses key {self.key_name} the update of {_named(places)} ({code})",
            provider=self.provider,
            zone=self.zone,
            rrset=_named(places[:1]),
            hint=f"BIND: `grant {self.key_name} name {name} {type};` in the zone's update-policy, and if the zone is "
            f"frozen `rndc thaw {zone}`; Knot: an acl with action update for the key; PowerDNS: dnsupdate=yes, "
            f"allow-dnsupdate-from, and `pdnsutil set-meta {zone} TSIG-ALLOW-DNSUPDATE {self.key_name.rstrip('.')}`"
            + self._elsewhere(),
        )

    def rejected(self, code: str, places: Sequence[Place]) -> RecordRejected:
        """The server cannot, or will not, do what was asked."""
        hint = {
            "NOTIMP": "the server does not do dynamic updates; set server to one that does",
            "FORMERR": "the server does not understand the update; PowerDNS says so where a name has a CNAME, too",
            "NOTZONE": "a name is not in the zone",
        }.get(code, "the server's log may say more")
        return RecordRejected(
            f"{self.server} does not take the update of {_named(places)} ({code})",
            provider=self.provider,
            zone=self.zone,
            rrset=_named(places[:1]),
            status=code,
            hint=hint,
        )

    def outside(self, name: str) -> RecordRejected:
        """A name that is not in the zone; found before anybody was asked."""
        return RecordRejected(
            f"{name} is not in the zone", provider=self.provider, zone=self.zone, rrset=name, status="NOTZONE"
        )

    def too_big(self, place: Place) -> RecordRejected:
        """The changes of one RRset do not fit into a message."""
        return RecordRejected(
            f"the changes of {_named([place])} do not fit into one message",
            provider=self.provider,
            zone=self.zone,
            rrset=_named([place]),
        )

    def mismatch(self, found: Mismatch) -> Conflict:
        """A Swap's RRset is not what it expects."""
        there = found.standing
        return Conflict(
            f"{there.name} {there.type} is not what the change expects",
            provider=self.provider,
            zone=self.zone,
            rrset=f"{there.name} {there.type}",
            expected=sorted(found.expected),
            found=sorted(there.values),
        )

    def obstacle(self, there: Standing) -> ProviderError | None:
        """Why nothing can be added at a place where a CNAME or a zone cut is; None where there is neither."""
        rrset = f"{there.name} {there.type}"
        if there.alias:
            return Conflict(
                f"{there.name} is a CNAME of {there.alias}: nothing can stand beside it (RFC 1034 section 3.6.2)",
                provider=self.provider,
                zone=self.zone,
                rrset=rrset,
                found=(f"CNAME {there.alias}",),
                hint=f"write to {there.alias} instead, or remove the CNAME",
            )
        if there.delegated_to:
            return RecordRejected(
                f"{there.name} is not in the zone: it is delegated to {', '.join(there.delegated_to)}",
                provider=self.provider,
                zone=self.zone,
                rrset=rrset,
                hint="configure a provider for the delegated zone",
            )
        return None

    def unchanged(self, there: Standing) -> ProviderError:
        """NOERROR was the answer to the update, but the server shows no trace of it."""
        return self.obstacle(there) or RecordRejected(
            f"{self.server} accepted the update of {there.name} {there.type} but did not make it",
            provider=self.provider,
            zone=self.zone,
            rrset=f"{there.name} {there.type}",
            status="NOERROR",
            hint="a policy that drops records silently (PowerDNS's Lua update policy, a limit of records in BIND's "
            "update-policy), or a secondary that forwards updates" + self._elsewhere(),
        )

    def _elsewhere(self) -> str:
        return f"; by its SOA the zone's primary is {self.primary.rstrip('.')}" if self.primary else ""


def _skew(seconds: int) -> str:
    if not seconds:
        return f"more than {_FUDGE} s off"
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"


def _code(reply: Reply) -> str:
    return dns.rcode.to_text(reply.tsig_error or reply.rcode, tsig=True)


def _named(places: Iterable[Place]) -> str:
    """The places for a person; of many, the first."""
    first, *others = [f"{name} {type}" for name, type in places]
    return f"{first} and {len(others)} more" if others else first
