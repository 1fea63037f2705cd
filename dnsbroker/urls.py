"""URLs of HTTP as people configure them: their parts, and whether a host is near.

Pure text: nothing is looked up. What Python says of a bad URL may repeat a password in it, so none of it is passed on.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def http_parts(raw: object) -> SplitResult | None:
    """An HTTP URL in parts; None where it is none."""
    try:
        parts = urlsplit(raw) if isinstance(raw, str) else None
        return parts if parts and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def is_near(host: str) -> bool:
    """Whether ``host`` is this machine by name, or a loopback, private or link-local address; no other name is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_private or address.is_link_local
