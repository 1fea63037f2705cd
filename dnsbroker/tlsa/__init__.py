"""TLSA records (RFC 6698, RFC 7671) as pure functions over text: no network, no clock but where a moment is given."""
