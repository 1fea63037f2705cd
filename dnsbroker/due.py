"""Whether a certificate is due, and why: decided from what is there and what is wanted, and from nothing else.

Pure functions over values. Whether the CA can be asked, and whether somebody forces it, is decided elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from dnsbroker import keys
from dnsbroker.config import CertificateConfig
from dnsbroker.journal import Answer
from dnsbroker.keys import Leaf
from dnsbroker.names import shown
from dnsbroker.settings import Duration
from dnsbroker.store import Lineage, Provenance

_SHORT_LIFE = timedelta(days=10)
_MINUTE = timedelta(minutes=1)
#: Time presses once less than this part of what a renewal in time leaves is left.
_PRESSING = 3


class Issued(Protocol):
    """A certificate that is there, live or not."""

    @property
    def leaf(self) -> Leaf:
        """Its own facts."""
        ...

    @property
    def fullchain(self) -> str:
        """The chain in PEM, leaf first."""
        ...

    @property
    def provenance(self) -> Provenance | None:
        """What was asked for, as far as that is known."""
        ...

    @property
    def has_key(self) -> bool:
        """Whether its private key is here."""
        ...


def reason(
    lineage: Lineage | None, wanted: CertificateConfig, directory: str, now: datetime, answer: Answer | None = None
) -> str | None:
    """Why the certificate is due at the moment ``now`` (aware), in words; None where it is not.

    ``lineage`` is what is live, None for nothing; ``directory`` the URL of the CA that is configured now; ``answer`` is
    what the CA has said about when to renew, None where it has not.
    """
    if lineage is None:
        return "not there"
    return _end(lineage.leaf, now, answer) or _difference(lineage, wanted, directory)


def renewal_moment(leaf: Leaf) -> datetime:
    """When the certificate becomes due by its age: past two thirds of its lifetime, or half of a short one."""
    lifetime = leaf.not_after - leaf.not_before
    return leaf.not_before + (lifetime / 2 if lifetime < _SHORT_LIFE else lifetime * 2 / 3)


def is_pressing(leaf: Leaf, now: datetime) -> bool:
    """Whether the certificate ends so soon that what it waits for is given up: a third of the usual rest is left."""
    return leaf.not_after - now < (leaf.not_after - renewal_moment(leaf)) / _PRESSING


def outdated(held: Issued, wanted: CertificateConfig, directory: str, now: datetime) -> str:
    """Why a certificate that never went live is not what is wanted any more; empty where it still is."""
    if now >= renewal_moment(held.leaf):
        return f"past its own time for renewal since {when(renewal_moment(held.leaf))}"
    return _difference(held, wanted, directory) or ""


def next_moment(leaf: Leaf, answer: Answer | None) -> datetime:
    """When the certificate becomes due if nothing else changes: by the CA's word, or else by its age."""
    return answer.moment if answer is not None and answer.moment is not None else renewal_moment(leaf)


def _end(leaf: Leaf, now: datetime, answer: Answer | None) -> str | None:
    if now >= leaf.not_after:
        return f"expired on {when(leaf.not_after)}"
    if answer is not None and answer.revoked_at is not None:
        return f"revoked on {when(answer.revoked_at)}"
    if answer is not None and answer.moment is not None:
        return _advised(answer, answer.moment) if now >= answer.moment else None
    if now < renewal_moment(leaf):
        return None
    share = "half" if leaf.not_after - leaf.not_before < _SHORT_LIFE else "two thirds"
    return f"past {share} of its lifetime since {when(renewal_moment(leaf))}"


def _advised(answer: Answer, moment: datetime) -> str:
    explained = f" ({answer.explanation})" if answer.explanation else ""
    return f"the CA wants it renewed since {when(moment)}{explained}"


def _difference(lineage: Issued, wanted: CertificateConfig, directory: str) -> str | None:
    """What the configuration says otherwise than the certificate; its names are a set."""
    there, asked = set(lineage.leaf.names), set(wanted.names)
    if there != asked:
        more, fewer = sorted(asked - there), sorted(there - asked)
        changes = [*(f"+{shown(name)}" for name in more), *(f"-{shown(name)}" for name in fewer)]
        return f"names changed: {' '.join(changes)}"
    if lineage.leaf.key_type != wanted.key_type and lineage.has_key:
        return f"key_type changed: {lineage.leaf.key_type} to {wanted.key_type}"
    return None if lineage.provenance is None else _otherwise(lineage, lineage.provenance, wanted, directory)


def _otherwise(lineage: Issued, origin: Provenance, wanted: CertificateConfig, directory: str) -> str | None:
    """What is asked of another CA, or otherwise of the same, than when the certificate was issued."""
    if origin.directory != directory:
        return f"directory changed: {origin.directory} to {directory}"
    if origin.account != wanted.account:
        return f"account changed: {origin.account} to {wanted.account}"
    profile = wanted_profile(wanted)
    if origin.profile != profile:
        return f"profile changed: {origin.profile or 'the default'} to {profile or 'the default'}"
    chain = wanted.preferred_chain
    # A CA that does not have the chain was asked once, and is not asked again for that alone.
    if chain and origin.preferred_chain != chain and keys.top_issuer(lineage.fullchain) != chain:
        return f"preferred_chain changed: {origin.preferred_chain or 'the default'} to {chain}"
    return None


def wanted_profile(wanted: CertificateConfig) -> str:
    """The profile that is asked for, required or preferred; empty for the CA's default."""
    return wanted.profile or wanted.preferred_profile


def new_key_wanted(rotation: Literal["renewal", "never"] | Duration, created: datetime | None, now: datetime) -> bool:
    """Whether the next certificate is to have a new key: ``rotation`` as configured, a duration in seconds.

    ``created`` is when the present key was made; a key of unknown age counts as old.
    """
    if isinstance(rotation, str):
        return rotation == "renewal"
    return created is None or now - created >= timedelta(seconds=rotation)


def when(moment: datetime) -> str:
    """A moment for a person."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def when_after(moment: datetime) -> str:
    """The full minute after a moment, for a person: who comes at the minute before it would come in vain."""
    return when(moment + _MINUTE - timedelta.resolution)
