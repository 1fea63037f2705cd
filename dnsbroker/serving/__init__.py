"""What a service serves: the certificate behind an endpoint, at one of its addresses, seen over TLS or STARTTLS.

Rule: whoever asks compares; nothing is believed here because a chain or a name is valid, and nothing after the
handshake is read or sent. No address is looked up.
"""

from dnsbroker.serving.leaf import chain_served, chains_served, is_refusal, leaf_served
from dnsbroker.serving.verifying import Seen, verify

__all__ = ["Seen", "chain_served", "chains_served", "is_refusal", "leaf_served", "verify"]
