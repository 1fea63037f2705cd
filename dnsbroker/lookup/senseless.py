"""TLSA records whose data has another length than its digest has: no client can use them, but they are there.

Rule: the library leaves such a record out, and then no signature over its RRset would hold, nor could anybody take it
away by its value. So it is put back, as octets.
"""

from __future__ import annotations

import dns.exception
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire


def put_back(message: dns.message.Message, octets: bytes) -> None:
    """Add the TLSA records that are in ``octets``, whose ``message`` was read without what means nothing."""
    parser = dns.wire.Parser(octets)
    _, _, questions, answers, authorities, _ = parser.get_struct("!HHHHHH")
    for _ in range(questions):
        parser.get_name(decompress=True)
        parser.get_struct("!HH")
    for section, count in ((message.answer, answers), (message.authority, authorities)):
        for _ in range(count):
            name = parser.get_name(decompress=True)
            type, rdclass, ttl, length = parser.get_struct("!HHIH")
            data = parser.get_bytes(length)
            if type == dns.rdatatype.TLSA and not _is_read(rdclass, data):
                rrset = message.find_rrset(section, name, rdclass, type, create=True)
                rrset.add(dns.rdata.GenericRdata(rdclass, type, data), ttl)


def _is_read(rdclass: int, data: bytes) -> bool:
    """Whether the library has it."""
    try:
        dns.rdata.from_wire(dns.rdataclass.RdataClass.make(rdclass), dns.rdatatype.TLSA, data, 0, len(data))
    except dns.exception.DNSException:
        return False
    return True
