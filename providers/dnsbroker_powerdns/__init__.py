"""The PowerDNS adapter of dnsbroker, for PowerDNS Authoritative 4.7 to 5.1."""

from __future__ import annotations

from dnsbroker_powerdns.adapter import PowerDNS
from dnsbroker_powerdns.settings import PowerDNSSettings

__all__ = ["PowerDNS", "PowerDNSSettings"]
