"""What `tlsa check` can find: a word for scripts, how grave it is, and what it means. The words stay.

Rule: each word has one severity. An error is what makes conforming clients fail, or leaves an endpoint without DANE; a
warning what will, or what fails other clients; a notice what merely is so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dnsbroker.errors import NameInvalid
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.tlsa.authorities import named_by
from dnsbroker.tlsa.records import parse

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTICE


@dataclass(frozen=True)
class Fault:
    """How grave it is, and what it means."""

    severity: Severity
    meaning: str


FAULTS: Mapping[str, Fault] = {
    # DNSSEC, as clients see it
    "no-trusted-resolver": Fault(_E, "no resolver here validates whose word may be trusted"),
    "insecure": Fault(_E, "an answer on the way is not protected by DNSSEC: clients do without DANE"),
    "bogus": Fault(_E, "an answer fails validation: clients do not connect, mail waits"),
    "unanswered": Fault(_E, "no answer, which clients do not take for no: they do not connect, mail waits"),
    "alias-insecure": Fault(_W, "what the host is an alias of is not protected, only the alias is"),
    # What leads to the host
    "implicit-mx": Fault(_N, "the domain has no MX, so that mail goes to the domain's own address"),
    "null-mx": Fault(_N, "the domain takes no mail"),
    "mx-host-unusable": Fault(_E, "the name in an MX is none that mail can be sent to"),
    "no-srv": Fault(_E, "there is no SRV record"),
    "srv-not-offered": Fault(_N, "the SRV record says that the service is not offered"),
    "srv-target-unusable": Fault(_E, "the target of an SRV is none that a client can connect to"),
    "no-address": Fault(_E, "the host has no address"),
    # The records
    "no-records": Fault(_E, "no TLSA record: the endpoint is without DANE"),
    "alias-one-name": Fault(_W, "the host is an alias, and only one of its two names has records"),
    "wildcard-made": Fault(_N, "the records come from a wildcard"),
    "unusable-record": Fault(_W, "no client can use the record"),
    "digest-of-nothing": Fault(_W, "the record is the digest of nothing"),
    "ca-certificate": Fault(_W, "as in `tlsa compute`"),
    "full-data": Fault(_W, "as in `tlsa compute`"),
    "many": Fault(_W, "as in `tlsa compute`"),
    "pkix": Fault(_W, "as in `tlsa compute`"),
    "sha512-alone": Fault(_W, "as in `tlsa compute`"),
    "whole-certificate": Fault(_W, "as in `tlsa compute`"),
    "unmatched-record": Fault(_N, "nothing that is served matches the record: the next key's, or one left behind"),
    # The name servers
    "no-zone": Fault(_E, "no name server answers for the records' name"),
    "not-signed": Fault(_E, "the zone of the records has no DS in its parent"),
    "server-fails": Fault(_E, "a name server does not answer as it should"),
    "server-untested": Fault(_N, "this host has no way to a name server's address"),
    "servers-differ": Fault(_E, "the name servers do not all have the same records"),
    "ent-denied": Fault(_E, "a name server denies a name above the records, at which resolvers turn back"),
    "bogus-signature": Fault(_E, "a name server's signature over the records does not hold"),
    "signature-expires": Fault(_W, "a signature over the records should have been renewed by now"),
    "resolver-behind": Fault(_N, "the resolver remembers other records than the name servers have"),
    # What is served
    "refused": Fault(_E, "a client that follows RFC 7671 refuses what is served"),
    "kind-uncovered": Fault(_E, "what is served is accepted, but of one kind no record matches it"),
    "other-clients": Fault(_W, "what is served is accepted, but some clients mind something"),
    "no-tls": Fault(_E, "the service answers, and there is no way to TLS"),
    "unreachable": Fault(_E, "the service cannot be reached"),
    "unreadable-chain": Fault(_E, "the service sends a certificate that cannot be read"),
    "address-untested": Fault(_N, "this host has no way to an address of the service"),
    "unseen": Fault(_E, "the service could be seen at no address at all"),
    # What is configured
    "withdrawn": Fault(_N, "DANE was withdrawn for a configured endpoint"),
    "certificate-unreadable": Fault(_W, "a certificate, or its next key, cannot be read"),
    "missing-record": Fault(_E, "a record of the live certificate is not published"),
    "next-unpublished": Fault(_W, "the next key has no record yet"),
    "next-unripe": Fault(_W, "renewal comes before the next key may be used"),
    "no-next-key": Fault(_N, "there is no next key"),
    "stale-record": Fault(_W, "a record that is not wanted matches nothing that is served"),
    "foreign-record": Fault(_N, "a record that is not ours matches what is served"),
    # Authorities
    "issuer-retiring": Fault(_W, "a record names a CA key that issues no more"),
    "issuer-by-chance": Fault(_W, "a record names one CA key of several that issue by turns"),
    "issuer-unsent": Fault(_W, "a record names a CA key that is never sent along"),
    "authorities-outdated": Fault(_N, "what this program knows of the CA's keys has become old"),
}


def fault(word: str, subject: str, message: str, hint: str = "", evidence: tuple[Evidence, ...] = ()) -> Finding:
    """The finding ``word`` of FAULTS, about ``subject``."""
    return Finding(word, FAULTS[word].severity, subject, message, hint, evidence)


def brief(record: str) -> str:
    """A TLSA value as people tell it from others, with the name of the CA whose key it is known to be."""
    kind, _, data = record.rpartition(" ")
    try:
        known = named_by(parse(record))
    except NameInvalid:
        known = None
    return f"{kind} {data[:16]}{'...' if data[16:] else ''}{f' ({known})' if known else ''}"
