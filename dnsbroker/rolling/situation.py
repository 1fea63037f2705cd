"""All that is known of one certificate whose TLSA records are looked after, and what follows from it.

Rule: plain values in, answers to questions out; what to do about them is decided in ``table``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dnsbroker.names import shown
from dnsbroker.rolling.gates import Gate, Site, for_chain, for_key, leaf_records, names, unanswered, uncovered
from dnsbroker.tlsa.computing import Presented


@dataclass(frozen=True)
class Situation:
    """All that is known of one certificate whose records are looked after; moments are seconds since the epoch.

    Attributes:
        now: the moment.
        live: what its daemons are to serve; None where there is nothing yet.
        next: the key that comes next (a Presented without authorities); None where none is made.
        held: a chain that is issued, and not live.
        is_due: whether a new certificate is to be ordered.
        is_new_key_wanted: whether that, or somebody, asks for a new key.
        is_asked: whether somebody asked for a new key to be used as soon as may be.
        is_emergency: whether the present key is not to be used a moment longer than need be.
        is_pressing: whether the live certificate ends soon.
        is_key_barred: whether the live key was revoked as compromised.
        is_ordered_here: whether certificates are ordered by this program; another client's are not.
        served: the chains seen at the certificate's own addresses.
        unseen: those addresses at which nothing could be seen, in words.
        strange: those that do not present the live key, or another one beside, and which, in words.
        verified_since: since when all its own addresses are seen serving nothing but the live key.
        has_old_records: whether records of ours name keys that are live, next or held no more.
        grace: how long old records stay once the new key is verified (seconds).
        sites: the owner names.
        previous: what was live before, and may be gone back to; None where there is no such thing, or no need.
        lost: own addresses, in words, that answered before the live certificate was deployed and do not any more.
        serial: the serial number of what is live.
        refused: that of a certificate that was taken back after its deployment, or is to be; empty for none.
    """

    now: float
    live: Presented | None
    next: Presented | None = None
    held: Presented | None = None
    is_due: bool = False
    is_new_key_wanted: bool = False
    is_asked: bool = False
    is_emergency: bool = False
    is_pressing: bool = False
    is_key_barred: bool = False
    is_ordered_here: bool = True
    served: tuple[Presented, ...] = ()
    unseen: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    verified_since: float | None = None
    has_old_records: bool = False
    grace: float = 60.0
    sites: tuple[Site, ...] = ()
    previous: Presented | None = None
    lost: tuple[str, ...] = ()
    serial: str = ""
    refused: str = ""


class Case:
    """The questions that the table asks of a situation, and that whoever orders asks before he acts.

    ``key_gate`` is given where it was looked for later than all else.
    """

    def __init__(self, situation: Situation, key_gate: Gate | None = None) -> None:
        self.situation = situation
        if key_gate is not None:
            self.key_gate = key_gate

    @cached_property
    def key_gate(self) -> Gate:
        """May an order be made for the next key?"""
        its = self.situation
        return for_key(its.next, its.sites, its.now) if its.next else Gate(False, "there is no next key")

    @cached_property
    def held_gate(self) -> Gate:
        """May the chain that is held be served?"""
        return self._chain_gate(leaf_only=False)

    @cached_property
    def loud_gate(self) -> Gate:
        """May it where conforming clients are all that counts?"""
        return self._chain_gate(leaf_only=True)

    def _chain_gate(self, *, leaf_only: bool) -> Gate:
        its = self.situation
        if its.held is None:
            return Gate(False, "no chain is held")
        return for_chain(its.held, its.sites, its.now, leaf_only=leaf_only, live=its.live)

    @property
    def is_held_for_present_key(self) -> bool:
        """Whether the chain that is held has the key that is live."""
        its = self.situation
        return bool(its.held and its.live and its.held.leaf.public_key == its.live.leaf.public_key)

    @property
    def is_held_void(self) -> bool:
        """Whether what is held is for a key that is not to be used any more."""
        its = self.situation
        return (its.is_emergency or its.is_key_barred) and self.is_held_for_present_key

    @property
    def is_held_hopeless(self) -> bool:
        """Whether what is held, and may not go live yet, is given up for one that may: for the present key."""
        its = self.situation
        is_present_usable = self.is_stageable and not (its.is_emergency or its.is_key_barred)
        return bool(its.held) and its.is_pressing and is_present_usable and not self.is_held_for_present_key

    @property
    def is_held_key_everywhere(self) -> bool:
        """Whether every server has records of the key that is held, however lately; a silent one what it had last."""
        held, sites = self.situation.held, self.situation.sites
        return held is not None and all(_had_leaf(site, held) and not _unfollowed(site, held) for site in sites)

    @property
    def unfollowed(self) -> str:
        """The silent servers that had no record of the key that is held, and what each said; empty for none."""
        held, sites = self.situation.held, self.situation.sites
        return "; ".join(dict.fromkeys(told for site in sites if held for told in _unfollowed(site, held)))

    @property
    def unanswered(self) -> str:
        """What is told of servers that are silent; empty where every one answers."""
        return "; ".join(unanswered(site) for site in self.situation.sites if site.silent)

    @property
    def is_renewal_due(self) -> bool:
        """Whether a certificate is to be ordered, and here."""
        return self.situation.is_due and self.situation.is_ordered_here

    @property
    def is_stageable(self) -> bool:
        """Whether a next key is this program's to make and to use."""
        return self.situation.is_ordered_here and self.situation.live is not None

    @property
    def is_new_key_due(self) -> bool:
        """Whether the next certificate ordered is to be for the next key."""
        its = self.situation
        return its.is_asked or its.is_emergency or (its.is_due and (its.is_new_key_wanted or its.is_key_barred))

    @property
    def next_gate(self) -> Gate:
        """May it be? The next key is ripe, the roll-over before is over, and there is time.

        Where the present key may not be used nobody is asked: what is issued then waits, or goes live loudly.
        """
        its = self.situation
        if its.is_emergency or its.is_key_barred:
            return Gate(True)
        if its.refused:
            return Gate(False, f"{taken_back(its.refused)}: `dnsbroker tlsa rollover` tries another one")
        if its.has_old_records:
            return Gate(False, "records of the key before it still stand")
        return Gate(False, "the live certificate ends soon") if its.is_pressing else self.key_gate

    @property
    def is_live_refused(self) -> bool:
        """Whether what is live is to be taken back, and who had begun to has not come so far."""
        return bool(self.situation.refused) and self.situation.refused == self.situation.serial

    @property
    def is_left_to_person(self) -> bool:
        """Whether nothing is ordered since a certificate was taken back, and there is time to see why."""
        its = self.situation
        return bool(its.refused) and not (its.is_pressing and self.is_renewal_due)

    @property
    def is_failing(self) -> bool:
        """Whether what was deployed last keeps an address from serving, or has it serve what no record names."""
        its = self.situation
        return its.verified_since is None and bool(its.lost or any(self._is_misfit(chain) for chain in its.served))

    def _is_misfit(self, chain: Presented) -> bool:
        return any(uncovered(site.memory.anywhere, chain, leaf_only=True) for site in self.situation.sites)

    @property
    def is_way_back_open(self) -> bool:
        """Whether what was live before may be served again: each name server by itself has a record of its key."""
        its = self.situation
        given = [records for site in its.sites for records in site.memory.given]
        return bool(
            its.previous
            and not its.is_emergency
            and not any(uncovered(records, its.previous, leaf_only=True) for records in given)
        )

    @property
    def unpublished(self) -> str:
        """The owner names that have no record of a key or chain of its own; withdrawn ones where there are no others.

        A withdrawn one is to have none (it has no kinds), and has a say only as long as a cache may have some.
        """
        its = self.situation
        own = [chain for chain in (its.live, its.next, its.held) if chain]
        sites = [site for site in its.sites if site.kinds] or its.sites
        return _owners(site for site in sites if not any(names(r, c) for r in site.memory.anywhere for c in own))

    @property
    def live_lacking(self) -> str:
        """The owner names at which some server has no record of the live chain, of some kind."""
        its = self.situation
        return _owners(site for site in its.sites if its.live and not _has_all(site, its.live))

    @property
    def next_unwritten(self) -> str:
        """The owner names at which no server has the record of the next key."""
        its = self.situation
        return _owners(
            site for site in its.sites if its.next and not leaf_records(its.next, site.kinds) <= site.memory.anywhere
        )

    @property
    def next_lacking(self) -> str:
        """The owner names at which some server has not."""
        its = self.situation
        return _owners(site for site in its.sites if its.next and not _has_leaf(site, its.next))

    @property
    def old_may_go_at(self) -> float:
        """From when on old records may go; infinity while the live key is not seen everywhere."""
        its = self.situation
        return float("inf") if its.verified_since is None or its.unseen else its.verified_since + its.grace


def taken_back(serial: str) -> str:
    """What is told of the certificate with that number."""
    return f"the certificate {serial} was taken back after its deployment"


def _owners(sites: Iterable[Site]) -> str:
    return " and ".join(shown(site.owner) for site in sites)


def _has_leaf(site: Site, key: Presented) -> bool:
    return leaf_records(key, site.kinds) <= site.memory.everywhere


def _had_leaf(site: Site, key: Presented) -> bool:
    return leaf_records(key, site.kinds) <= site.memory.common


def _unfollowed(site: Site, key: Presented) -> tuple[str, ...]:
    """The silent servers that never had it, as far as is known; one of an alias on the way has none to have."""
    awaited = leaf_records(key, site.kinds)
    given = {view.server: view.records for view in site.memory.views if view.is_given}
    own = {server: why for server, why in site.silent.items() if " at " not in server}
    return tuple(f"{server}: {why}" for server, why in own.items() if not awaited <= given.get(server, frozenset()))


def _has_all(site: Site, chain: Presented) -> bool:
    kinds = {kind for kind in site.kinds if kind.is_of_leaf or chain.authorities}
    return kinds <= {record.kind for record in site.memory.everywhere if names(record, chain)}
