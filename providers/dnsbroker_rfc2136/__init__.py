"""The RFC 2136 adapter: dynamic updates signed with TSIG, for BIND, Knot, PowerDNS and whatever else takes them.

Importing it is cheap: dnspython comes in when the adapter acts. Refused: updates without a key, SIG(0) and GSS-TSIG.
"""

from dnsbroker_rfc2136.adapter import RFC2136
from dnsbroker_rfc2136.settings import RFC2136Settings

__all__ = ["RFC2136", "RFC2136Settings"]
