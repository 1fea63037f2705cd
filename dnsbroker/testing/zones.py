"""What an authoritative server answers from the zones it holds: RFC 1034 section 4.3.2 in its plainest form.

Pure: a question goes in, a reply comes out. Zones may hold RRSIG and NSEC records, which are given to who asks for
them; nothing is signed, transferred or updated here.
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.zone

_LONGEST_CHAIN = 8


def parse(origin: str, text: str) -> dns.zone.Zone:
    """The zone ``origin`` from the records in ``text`` (RFC 1035 section 5), whose names are relative to it.

    TTLs default to 60 seconds. An SOA or NS at the apex may be missing, as on servers that are set up wrongly.
    """
    return dns.zone.from_text("$TTL 60\n" + text, origin=origin, relativize=False, check_origin=False)


def reply(
    zones: Sequence[dns.zone.Zone], query: dns.message.Message, *, recursive: bool = False
) -> dns.message.Message:
    """The reply of a server that holds ``zones``; ``recursive``: of a resolver that sees into all of them."""
    made = dns.message.make_response(query, recursion_available=recursive)
    question = query.question[0]
    answering = _Answering(zones, made, want_dnssec=bool(query.ednsflags & dns.flags.DO), recursive=recursive)
    answering.run(question.name, question.rdtype)
    return made


def holding(zones: Sequence[dns.zone.Zone], name: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.zone.Zone | None:
    """The zone that answers for ``name``: the deepest, but for a DS the one above the cut."""
    able = [zone for zone in zones if zone.origin is not None and name.is_subdomain(zone.origin)]
    able.sort(key=lambda zone: len(zone.origin or dns.name.root), reverse=True)
    if type == dns.rdatatype.DS and len(able) > 1 and able[0].origin == name:
        return able[1]
    return able[0] if able else None


class _Answering:
    """One reply in the making."""

    def __init__(
        self, zones: Sequence[dns.zone.Zone], made: dns.message.Message, *, want_dnssec: bool, recursive: bool
    ) -> None:
        self._zones = zones
        self._made = made
        self._want_dnssec = want_dnssec
        self._recursive = recursive

    def run(self, name: dns.name.Name, type: dns.rdatatype.RdataType) -> None:
        if holding(self._zones, name, type) is None:
            self._made.set_rcode(dns.rcode.REFUSED)
            return
        if not self._recursive:
            self._made.flags |= dns.flags.AA
        for _ in range(_LONGEST_CHAIN):
            zone = holding(self._zones, name, type)
            target = self._step(zone, name, type) if zone else None
            if target is None:
                return
            name = target

    def _step(self, zone: dns.zone.Zone, name: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.name.Name | None:
        """Answer for ``name``; the name to go on with where it is an alias."""
        cut = None if self._recursive else _cut(zone, name, type)
        if cut is not None:
            self._refer(zone, cut)
            return None
        redirecting = _dname_above(zone, name)
        if redirecting is not None:
            return self._redirect(zone, redirecting, name)
        node = _node(zone, name)
        if node is None:
            self._deny(zone, name, exists=_has_names_below(zone, name))
            return None
        return self._from_node(zone, node, name, type)

    def _from_node(
        self, zone: dns.zone.Zone, node: dns.node.Node, name: dns.name.Name, type: dns.rdatatype.RdataType
    ) -> dns.name.Name | None:
        cname = node.get_rdataset(zone.rdclass, dns.rdatatype.CNAME)
        if cname is not None and type != dns.rdatatype.CNAME:
            self._give(self._made.answer, node, name, dns.rdatatype.CNAME)
            return dns.name.from_text(str(cname[0].target))
        if not self._give(self._made.answer, node, name, type):
            self._deny(zone, name, exists=True)
        elif type == dns.rdatatype.NS and not self._recursive:
            self._add_glue(node)
        return None

    def _refer(self, zone: dns.zone.Zone, cut: dns.name.Name) -> None:
        if not self._made.answer:
            self._made.flags &= ~dns.flags.AA
        node = zone.find_node(cut)
        self._give(self._made.authority, node, cut, dns.rdatatype.NS)
        if self._want_dnssec:
            self._give(self._made.authority, node, cut, dns.rdatatype.DS)
        self._add_glue(node)

    def _redirect(self, zone: dns.zone.Zone, above: dns.name.Name, name: dns.name.Name) -> dns.name.Name:
        node = zone.find_node(above)
        self._give(self._made.answer, node, above, dns.rdatatype.DNAME)
        found = node.find_rdataset(zone.rdclass, dns.rdatatype.DNAME)
        target = name.relativize(above).concatenate(dns.name.from_text(str(found[0].target)))
        self._made.answer.append(dns.rrset.from_text(name, found.ttl, "IN", "CNAME", target.to_text()))
        return target

    def _deny(self, zone: dns.zone.Zone, name: dns.name.Name, *, exists: bool) -> None:
        if not exists:
            self._made.set_rcode(dns.rcode.NXDOMAIN)
        apex = zone.get_node(zone.origin or dns.name.root)
        if apex is not None:
            self._give(self._made.authority, apex, zone.origin or dns.name.root, dns.rdatatype.SOA)
        if self._want_dnssec:
            for owner in _denying(zone, name):
                self._give(self._made.authority, zone.find_node(owner), owner, dns.rdatatype.NSEC)

    def _give(
        self,
        section: list[dns.rrset.RRset],
        node: dns.node.Node,
        name: dns.name.Name,
        type: dns.rdatatype.RdataType,
    ) -> bool:
        """Put the RRset, and its signatures if they were asked for, into ``section``; whether there is one."""
        for rdataset in node.rdatasets:
            is_signature = self._want_dnssec and (rdataset.rdtype, rdataset.covers) == (dns.rdatatype.RRSIG, type)
            if rdataset.rdtype == type or is_signature:
                section.append(dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset)))
        return any(rdataset.rdtype == type for rdataset in node.rdatasets)

    def _add_glue(self, node: dns.node.Node) -> None:
        for rdataset in node.rdatasets:
            for rdata in rdataset if rdataset.rdtype == dns.rdatatype.NS else ():
                self._add_addresses(dns.name.from_text(str(rdata.target)))

    def _add_addresses(self, host: dns.name.Name) -> None:
        for type in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found = next((rrset for zone in self._zones if (rrset := zone.get_rrset(host, type))), None)
            if found is not None:
                self._made.additional.append(found)


def _above(zone: dns.zone.Zone, name: dns.name.Name) -> list[dns.name.Name]:
    """The names from just below the apex of ``zone`` down to ``name``."""
    depth = len(zone.origin or dns.name.root)
    return [dns.name.Name(name.labels[-count:]) for count in range(depth + 1, len(name.labels) + 1)]


def _cut(zone: dns.zone.Zone, name: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.name.Name | None:
    for candidate in _above(zone, name):
        if type == dns.rdatatype.DS and candidate == name:
            return None
        if zone.get_rdataset(candidate, dns.rdatatype.NS) is not None:
            return candidate
    return None


def _dname_above(zone: dns.zone.Zone, name: dns.name.Name) -> dns.name.Name | None:
    candidates = [zone.origin or dns.name.root, *_above(zone, name)]
    held = [owner for owner in candidates if zone.get_rdataset(owner, dns.rdatatype.DNAME) is not None]
    return next((owner for owner in held if owner != name), None)


def _node(zone: dns.zone.Zone, name: dns.name.Name) -> dns.node.Node | None:
    """The node of ``name``, or of the wildcard that stands for it (RFC 4592 section 3.3)."""
    found = zone.get_node(name)
    if found is not None or _has_names_below(zone, name) or name == zone.origin:
        return found
    closest = name.parent()
    while closest != zone.origin and zone.get_node(closest) is None and not _has_names_below(zone, closest):
        closest = closest.parent()
    return zone.get_node(dns.name.Name((b"*", *closest.labels)))


def _denying(zone: dns.zone.Zone, name: dns.name.Name) -> list[dns.name.Name]:
    """The owners of the NSEC records that stand for ``name``, or cover it or the wildcard beside it."""
    beside = (name, dns.name.Name((b"*", *name.labels[1:]))) if name != zone.origin else (name,)
    found = []
    for owner in list(zone.nodes):
        nsec = zone.get_rdataset(owner, dns.rdatatype.NSEC)
        end = nsec[0].next if nsec else owner
        if nsec and any(owner == one or (owner < one and (one < end or end == zone.origin)) for one in beside):
            found.append(owner)
    return found


def _has_names_below(zone: dns.zone.Zone, name: dns.name.Name) -> bool:
    return any(owner != name and owner.is_subdomain(name) for owner in list(zone.nodes))
