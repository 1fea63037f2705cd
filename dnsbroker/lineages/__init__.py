"""Certificates as other ACME clients keep them on disk: found in a directory of theirs, read, and never written."""

from dnsbroker.lineages.everyone import ClientLineage, Lineages
from dnsbroker.lineages.layouts import client_of
from dnsbroker.lineages.reading import Reading, next_public_keys, ordered_public_key, read, refused_chain

__all__ = [
    "ClientLineage",
    "Lineages",
    "Reading",
    "client_of",
    "next_public_keys",
    "ordered_public_key",
    "read",
    "refused_chain",
]
