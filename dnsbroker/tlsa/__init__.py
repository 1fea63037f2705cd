"""TLSA records (RFC 6698, RFC 7671): computed, and judged, from text alone. Each name is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.tlsa.computing import compute
    from dnsbroker.tlsa.verifying import Judged, Verdict, verify
else:
    __getattr__ = lazily(__name__, computing="compute", verifying="Judged Verdict verify")

__all__ = ["Judged", "Verdict", "compute", "verify"]
