"""The ways in which a test's name server departs from what is right, as switches. Pure: a reply is bent, not sent."""

from __future__ import annotations

from dataclasses import dataclass

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Behaviour:
    """How one zone on one server, or a whole server, misbehaves; each switch may be set at any time.

    ``rcode`` answers with that alone (``REFUSED``, ``SERVFAIL``, ``NOTIMP``, …). ``not_authoritative``: without AA.
    ``upward``: refers to the root instead of answering. ``no_edns``: FORMERR to EDNS. ``lower_case``: echoes the
    question in lower case. ``close_tcp`` resets every connection. ``denied`` names (owner names in lower case) get
    NXDOMAIN whatever stands there, ``failing`` types (``CAA``) SERVFAIL. ``delay`` is in seconds. A resolver that
    ``validates`` sets AD, except for ``insecure`` names, and answers ``bogus`` names with SERVFAIL unless told not to
    look (CD).
    """

    silent: bool = False
    rcode: str = ""
    not_authoritative: bool = False
    upward: bool = False
    no_edns: bool = False
    lower_case: bool = False
    truncate_udp: bool = False
    drop_udp: bool = False
    close_tcp: bool = False
    denied: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    delay: float = 0.0
    validates: bool = False
    insecure: frozenset[str] = frozenset()
    bogus: frozenset[str] = frozenset()

    def is_mute(self, *, tcp: bool) -> bool:
        """Whether nothing at all is sent back."""
        return self.silent or (self.drop_udp and not tcp)

    def bend(self, query: dns.message.Message, reply: dns.message.Message, *, tcp: bool) -> None:
        """Change ``reply`` to ``query`` into what this server sends instead."""
        failure = self._failure(query)
        if failure:
            _empty(reply)
            reply.set_rcode(dns.rcode.from_text(failure))
        if query.question[0].name.to_text().lower() in self.denied:
            reply.answer.clear()
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if self.validates:
            self._validate(query, reply)
        if self.upward:
            _empty(reply)
            reply.authority.append(dns.rrset.from_text(".", 60, "IN", "NS", "a.root-servers.net."))
        if self.not_authoritative:
            reply.flags &= ~dns.flags.AA
        if self.no_edns:
            reply.use_edns(False)
        if self.truncate_udp and not tcp:
            _empty(reply, keep_authority=True)
            reply.flags |= dns.flags.TC
        if self.lower_case:
            for asked in reply.question:
                asked.name = dns.name.from_text(asked.name.to_text().lower())

    def _failure(self, query: dns.message.Message) -> str:
        """The rcode that is all there is to the reply; empty where it is a whole one."""
        if self.rcode or (self.no_edns and query.edns >= 0):
            return self.rcode or "FORMERR"
        return "SERVFAIL" if dns.rdatatype.to_text(query.question[0].rdtype) in self.failing else ""

    def _validate(self, query: dns.message.Message, reply: dns.message.Message) -> None:
        """Say of the answer what a validator would."""
        name = query.question[0].name.to_text().lower()
        if name in self.bogus and not query.flags & dns.flags.CD:
            _empty(reply)
            reply.set_rcode(dns.rcode.SERVFAIL)
            reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS, "no signature")])
        elif name not in self.insecure | self.bogus:
            reply.flags |= dns.flags.AD


def _empty(reply: dns.message.Message, *, keep_authority: bool = False) -> None:
    """Take every record out of ``reply``, and AA unless the server still claims it."""
    for section in (reply.answer, reply.authority, reply.additional):
        section.clear()
    if not keep_authority:
        reply.flags &= ~dns.flags.AA
