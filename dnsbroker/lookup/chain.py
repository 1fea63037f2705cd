"""The steps of a DNSSEC chain, one by one: DS to key, key to records (RFC 4035 section 5). Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.dnssecalgs import get_algorithm_cls
from dns.dnssectypes import DSDigest
from dns.rdtypes.ANY.DS import DS

_DIGESTS = (DSDigest.SHA1, DSDigest.SHA256, DSDigest.SHA384)
#: Validators treat these as unknown (RFC 8624 section 3.1): RSAMD5, DSA, DSA-NSEC3-SHA1.
_ABANDONED = (1, 3, 6)


def supported(texts: Iterable[str]) -> list[DS]:
    """Those of the DS values that validators can check; without any a zone counts as unsigned (RFC 4035 5.2)."""
    return [ds for ds in map(_ds, texts) if _is_supported(ds)]


def names_key(ds: DS, apex: dns.name.Name, key: dns.rdata.Rdata) -> bool:
    """Whether ``ds`` names ``key`` (RFC 4034 section 5.1.4)."""
    return bool(dns.dnssec.make_ds(apex, key, ds.digest_type, validating=True) == ds)


def with_signatures(
    section: Iterable[dns.rrset.RRset], name: str, type: str
) -> tuple[dns.rrset.RRset | None, dns.rrset.RRset | None]:
    """The RRset of ``name`` in a section of a message, and its signatures."""
    owner, kind = dns.name.from_text(name), dns.rdatatype.from_text(type)
    at_name = {(rrset.rdtype, rrset.covers): rrset for rrset in section if rrset.name == owner}
    return at_name.get((kind, dns.rdatatype.NONE)), at_name.get((dns.rdatatype.RRSIG, kind))


def validate(rrset: dns.rrset.RRset, signatures: dns.rrset.RRset, keys: dns.rrset.RRset, now: datetime) -> None:
    """Raise dnspython's error where none of ``signatures`` proves ``rrset`` by ``keys``."""
    dns.dnssec.validate(rrset, signatures, {keys.name: keys}, now=now.timestamp())


def _ds(text: str) -> DS:
    ds = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text)
    assert isinstance(ds, DS)  # noqa: S101 - for the type checker
    return ds


def _is_supported(ds: DS) -> bool:
    try:
        get_algorithm_cls(ds.algorithm)
    except dns.exception.DNSException:
        return False
    return ds.algorithm not in _ABANDONED and ds.digest_type in _DIGESTS
