"""Keys, requests and certificates as PEM text: the one door to ``cryptography``.

A private key goes in and out as unencrypted PKCS#8, a chain leaf first. Nothing here touches the store or the network;
only what is called ``read_key`` and ``read_request`` opens a file. No error holds key material. Each name is imported
when it is first used: most runs of a hook need none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.keys.certificates import Leaf, describe, matches, read_chain, renewal_id, top_issuer
    from dnsbroker.keys.linked import Link, link, links
    from dnsbroker.keys.private import KEY_TYPES, generate, key_type_of, pkcs8, read_key, spki_sha256_of
    from dnsbroker.keys.public import public_key_in, public_key_in_request, public_key_of, public_key_requested
    from dnsbroker.keys.requests import Request, csr, read_request, request_matches
    from dnsbroker.keys.revocation import crl_urls, revoked_at
else:
    __getattr__ = lazily(
        __name__,
        certificates="Leaf describe matches read_chain renewal_id top_issuer",
        linked="Link link links",
        private="KEY_TYPES generate key_type_of pkcs8 read_key spki_sha256_of",
        public="public_key_in public_key_in_request public_key_of public_key_requested",
        requests="Request csr read_request request_matches",
        revocation="crl_urls revoked_at",
    )

__all__ = [
    "KEY_TYPES",
    "Leaf",
    "Link",
    "Request",
    "crl_urls",
    "csr",
    "describe",
    "generate",
    "key_type_of",
    "link",
    "links",
    "matches",
    "pkcs8",
    "public_key_in",
    "public_key_in_request",
    "public_key_of",
    "public_key_requested",
    "read_chain",
    "read_key",
    "read_request",
    "renewal_id",
    "request_matches",
    "revoked_at",
    "spki_sha256_of",
    "top_issuer",
]
