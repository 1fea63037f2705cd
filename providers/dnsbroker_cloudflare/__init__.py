"""The Cloudflare adapter of dnsbroker, for version 4 of the service's API."""

from __future__ import annotations

from dnsbroker_cloudflare.adapter import Cloudflare
from dnsbroker_cloudflare.settings import CloudflareSettings

__all__ = ["Cloudflare", "CloudflareSettings"]
