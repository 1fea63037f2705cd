"""Whose key is rolled over elsewhere, and how it is done there."""

from __future__ import annotations

from pathlib import Path

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.errors import ConfigError
from dnsbroker.lineages import client_of
from dnsbroker.names import shown

_CURES = {
    "certbot": "let certbot order it for a key of its own directory that was published before (--csr, or --key of "
    "dnsbroker issue): docs/certbot.md tells how",
    "dehydrated": 'PRIVATE_KEY_ROLLOVER="yes" has dehydrated lay out the next key, which is published: '
    "docs/dehydrated.md",
    "acme.sh": "acme.sh lays out its next key, which is published: docs/acme.sh.md tells how it is taken",
    "uacme": "lay out newkey.pem beside the key, which is published, and renew with it: docs/uacme.md tells how",
}
_FILE = "name the next key's PEM file beside it in certificate = [...], `dnsbroker tlsa publish`, and change it later"


def refusal(config: Config, reference: str, certificate: CertificateConfig | None) -> ConfigError | None:
    """Why the key of ``reference`` is not rolled over here; None where it is. ``certificate`` is what is configured."""
    path = str(config.path or "")
    place = certificate.lineage if certificate is not None else Path(reference)
    if place is None:
        return None
    if certificate is None and not place.is_absolute():
        return ConfigError(f"no certificate {shown(reference)!r} is configured", path=path, hint="`dnsbroker list`")
    if place.is_file():
        return ConfigError(f"{place} is a file: its key is whoever's who makes it", path=path, hint=_FILE)
    client = client_of(place)
    hint = _CURES.get(client, f"let {client} make another one")
    return ConfigError(f"the key of {shown(reference)} is {client}'s, which keeps it in {place}", path=path, hint=hint)
