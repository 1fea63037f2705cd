"""What a TLSA RRset is to be, and the one change that leads there, if it is harmless.

Rule: only records of ours are removed, one change at a time, additions first. A change is harmless where every chain
that is served, by whomever, is covered by the whole set that results; while something cannot be seen, only what adds to
kinds that are there already is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Tlsa


@dataclass(frozen=True)
class Change:
    """What to write to one owner name: ``add`` or ``remove``, never both; and what stands against more.

    ``objections`` are sentences for people: why a record that is wanted is not added, or one that is not is kept.
    """

    add: frozenset[Tlsa] = frozenset()
    remove: frozenset[Tlsa] = frozenset()
    objections: tuple[str, ...] = ()


def wanted(
    kinds: Iterable[Kind],
    chains: Iterable[Presented],
    *,
    issuer: str = "top",
    ta_pool: Iterable[str] = (),
) -> frozenset[Tlsa]:
    """The records of ``kinds`` for ``chains``: what is live, what is held, and keys to come (without authorities).

    ``issuer`` is ``top``, ``issuing`` or ``both``; ``ta_pool`` are hex SHA-256 digests of further CA keys, for 2 1 1.
    A chain without authorities has no record of a CA.
    """
    raise NotImplementedError


def change(
    wanted: frozenset[Tlsa],
    ours: frozenset[Tlsa],
    present: frozenset[Tlsa],
    served: Sequence[Presented],
    unseen: Sequence[str],
    *,
    keep: frozenset[Tlsa] = frozenset(),
) -> Change:
    """The next change for an owner name that has ``present``, of which ``ours`` are the broker's own.

    ``served`` are all chains seen at all addresses of all its endpoints, ours and others', ``unseen`` those that could
    not be seen, as words. ``keep`` are records not wanted any more whose time to go has not come.
    """
    raise NotImplementedError
