"""The PowerDNS adapter."""
