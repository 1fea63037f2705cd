"""Whether a certificate is due, and why: decided from what is there and what is wanted, and from nothing else.

Pure functions over values. Whether the CA can be asked, and whether somebody forces it, is decided elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from dnsbroker.config import CertificateConfig
from dnsbroker.keys import Leaf
from dnsbroker.settings import Duration
from dnsbroker.store import Lineage

_SHORT_LIFE = timedelta(days=10)


def reason(lineage: Lineage | None, wanted: CertificateConfig, directory: str, now: datetime) -> str | None:
    """Why the certificate is due at the moment ``now`` (aware), in words; None where it is not.

    ``lineage`` is what is live, None for nothing; ``directory`` the URL of the CA that is configured now.
    """
    if lineage is None:
        return "not there"
    return _age(lineage.leaf, now) or _difference(lineage, wanted, directory)


def renewal_moment(leaf: Leaf) -> datetime:
    """When the certificate becomes due by its age: past two thirds of its lifetime, or half of a short one."""
    lifetime = leaf.not_after - leaf.not_before
    return leaf.not_before + (lifetime / 2 if lifetime < _SHORT_LIFE else lifetime * 2 / 3)


def _age(leaf: Leaf, now: datetime) -> str | None:
    if now >= leaf.not_after:
        return f"expired on {_shown(leaf.not_after)}"
    if now < renewal_moment(leaf):
        return None
    share = "half" if leaf.not_after - leaf.not_before < _SHORT_LIFE else "two thirds"
    return f"past {share} of its lifetime since {_shown(renewal_moment(leaf))}"


def _difference(lineage: Lineage, wanted: CertificateConfig, directory: str) -> str | None:
    """What the configuration says otherwise than the certificate; its names are a set."""
    there, asked = set(lineage.names), set(wanted.names)
    if there != asked:
        changes = [*(f"+{name}" for name in sorted(asked - there)), *(f"-{name}" for name in sorted(there - asked))]
        return f"names changed: {' '.join(changes)}"
    if lineage.leaf.key_type != wanted.key_type:
        return f"key_type changed: {lineage.leaf.key_type} to {wanted.key_type}"
    if lineage.provenance is not None and lineage.provenance.directory != directory:
        return f"directory changed: {lineage.provenance.directory} to {directory}"
    return None


def new_key_wanted(rotation: Literal["renewal", "never"] | Duration, created: datetime | None, now: datetime) -> bool:
    """Whether the next certificate is to have a new key: ``rotation`` as configured, a duration in seconds.

    ``created`` is when the present key was made; a key of unknown age counts as old.
    """
    if isinstance(rotation, str):
        return rotation == "renewal"
    return created is None or now - created >= timedelta(seconds=rotation)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
