"""The RFC 2136 adapter."""
