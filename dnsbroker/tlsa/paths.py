"""Paths from a leaf to a CA that a record names: signatures, dates, what CAs may do, and whom the leaf is for.

Rule: as RFC 5280 section 6.1 has it, with the CA of the record as its end; that CA's own issuer and every local store
are of no account (RFC 7671 section 5.2). Revocation is not looked at. The words that come back say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from dnsbroker import readable
from dnsbroker.keys import Link
from dnsbroker.names import shown

#: A path of signatures, leaf first.
Path = tuple[Link, ...]


class Broken(Exception):
    """There is no path that a client would accept; ``str`` says why."""


def path(leaf: Link, authorities: Sequence[Link], is_anchor: Callable[[Link], bool], now: datetime) -> Path:
    """The shortest path from ``leaf`` to one of the ``authorities``, of which it is none, that ``is_anchor``.

    Raises Broken. What is expired, or no CA's, is gone around where there is another way.
    """
    good = [link for link in authorities if not _fault(link, now) and link.is_authority]
    found = _way(leaf, good, is_anchor) or _way(leaf, authorities, is_anchor)
    if not found:
        anchors = " or ".join(dict.fromkeys(repr(link.called) for link in authorities if is_anchor(link)))
        raise Broken(f"no path of signatures leads from {leaf.called!r} to {anchors}")
    if reason := _wrong(found, now):
        raise Broken(reason)
    return found


def _way(leaf: Link, others: Sequence[Link], is_anchor: Callable[[Link], bool]) -> Path:
    """Breadth first, and through each certificate once, so that no chain however tangled takes long; empty if none."""
    paths: list[Path] = [(leaf,)]
    left = list(others)
    while paths:
        so_far = paths.pop(0)
        for issuer in [link for link in left if link.has_signed(so_far[-1])]:
            if is_anchor(issuer):
                return (*so_far, issuer)
            left.remove(issuer)
            paths.append((*so_far, issuer))
    return ()


def _wrong(found: Path, now: datetime) -> str:
    """What a client would refuse in a path of signatures; empty where it would take it."""
    faults = (_fault(link, now) for link in found)
    roles = (f"{link.called!r} is not a CA that may sign certificates" for link in found[1:] if not link.is_authority)
    checks = (*faults, *roles, _too_long(found), _misnamed(found))
    return next((reason for reason in checks if reason), "")


def _fault(link: Link, now: datetime) -> str:
    if now > link.not_after:
        return f"{link.called!r} expired on {link.not_after:%Y-%m-%d}"
    if now < link.not_before:
        return f"{link.called!r} is valid only from {link.not_before:%Y-%m-%d}"
    if link.not_understood:
        return f"{link.called!r} has a critical extension that is not understood: {link.not_understood}"
    return ""


def _too_long(found: Path) -> str:
    """Whether a CA stands over more CAs than it may; those that name themselves as issuer do not count (6.1.4)."""
    for at, link in enumerate(found):
        below = sum(not other.is_self_issued for other in found[1:at])
        if at and link.path_length is not None and below > link.path_length:
            return f"{link.called!r} allows {link.path_length} CAs below it, and there are {below}"
    return ""


def _misnamed(found: Path) -> str:
    """Whether a CA may not have such names below it (6.1.3)."""
    for at, link in enumerate(found):
        limits = link.constraints if at else None
        below = [other for other in found[:at] if other is found[0] or not other.is_self_issued]
        forbidden = (limits.forbids(other.names, is_leaf=other is found[0]) for other in below) if limits else ()
        for name in filter(None, forbidden):
            return f"{link.called!r} may not have {name!r} below it"
    return ""


def named(leaf: Link, hosts: Sequence[str]) -> str:
    """Which of ``hosts`` (A-labels, lower case) the certificate is for; empty for none of them.

    A wildcard is the whole first label, and stands for one (RFC 7672 section 3.2.3); it does not stand right below a
    top-level domain, which clients refuse.
    """
    return next((host for host in hosts if any(_is_for(name, host) for name in leaf.names.hosts)), "")


def _is_for(name: str, host: str) -> bool:
    if name == host:
        return True
    first, _, rest = name.partition(".")
    return first == "*" and "." in rest and rest == host.partition(".")[2]


def misnamed(leaf: Link, hosts: Sequence[str]) -> str:
    """The words for a leaf that is for none of ``hosts``."""
    there = readable.line(", ".join(leaf.names.hosts), 200) or "nobody"
    return f"the leaf is for {there}, and not for {' or '.join(map(shown, hosts))}"
