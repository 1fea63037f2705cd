"""Certificate chains as the CA serves them (RFC 8555 section 7.4.2).

Pure. What is stored as a chain is certificates in PEM and nothing else: a stray private key or a page of HTML is
refused here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urljoin

from dnsbroker import keys
from dnsbroker.acme import hints
from dnsbroker.errors import PemInvalid

MEDIA_TYPE = "application/pem-certificate-chain"
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s=;,\"<>]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"<>]+))?)*)")
_RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def checked(text: str, host: str) -> str:
    """The chain, each certificate in lines of PEM that end with a line feed.

    Raises PemInvalid if the text holds anything else.
    """
    blocks = _BLOCK.findall(text)
    if not blocks or _BLOCK.sub("", text).strip():
        raise _unusable(host, "it is not certificates in PEM alone")
    return "".join(_pem(block, host) for block in blocks)


def leaf_der(pem: str) -> bytes:
    """The first certificate in ``pem``, in DER. Raises PemInvalid."""
    found = _BLOCK.search(pem)
    try:
        return base64.b64decode("".join(found[1].split()), validate=True) if found else _refuse_leaf()
    except binascii.Error:
        return _refuse_leaf()


def _refuse_leaf() -> bytes:
    raise PemInvalid("certificate", "there is none in PEM form", hint="it begins with -----BEGIN CERTIFICATE-----")


def preferred(chains: Sequence[str], issuer: str) -> str | None:
    """The chain whose topmost certificate was issued by the CA called ``issuer``; None where none was.

    A name that is the same to the letter goes before one that differs in case. What cannot be read is passed over.
    """
    tops = {chain: _top_issuer(chain) for chain in chains}
    exact = (chain for chain, top in tops.items() if top == issuer)
    similar = (chain for chain, top in tops.items() if top is not None and top.casefold() == issuer.casefold())
    return next(exact, None) or next(similar, None)


def _top_issuer(chain: str) -> str | None:
    try:
        return keys.top_issuer(chain)
    except PemInvalid:
        return None


def _pem(block: str, host: str) -> str:
    try:
        octets = base64.b64decode("".join(block.split()), validate=True)
    except binascii.Error as error:
        raise _unusable(host, "a certificate is no base64") from error
    encoded = base64.b64encode(octets).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def alternates(links: Iterable[str], url: str) -> tuple[str, ...]:
    """The targets of ``rel="alternate"`` in Link fields that came with ``url`` (RFC 8288), each once, in order.

    A field may hold several links, and there may be several fields.
    """
    found = (match for field in links for match in _LINK.finditer(field))
    targets = [_target(match[1], url) for match in found if _is_alternate(match[2])]
    return tuple(dict.fromkeys(targets))


def _is_alternate(parameters: str) -> bool:
    relation = _RELATION.search(parameters)
    return relation is not None and "alternate" in (relation[1] or relation[2] or "").lower().split()


def _target(reference: str, url: str) -> str:
    # A URL that is whole is signed exactly as it was given.
    return reference if "://" in reference else urljoin(url, reference)


def _unusable(host: str, reason: str) -> PemInvalid:
    return PemInvalid(f"the certificate chain from {host}", reason, hint=hints.THEIR_FAULT)
