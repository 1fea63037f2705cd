"""What the program makes of a ``rolling_world`` that it looks at: its own ``Scene``, of that world's state.

Rule: nothing is decided here. One certificate, one endpoint, and a look that is over now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.looking import Presence
from dnsbroker.dane.places import Post, Service
from dnsbroker.dane.remembering import digest
from dnsbroker.dane.scenes import Scene, Wish
from dnsbroker.dane.subjects import Subject
from dnsbroker.endpoints import parse
from dnsbroker.journal.rollovers import Progress, Served
from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.rolling import Memory, Situation
from dnsbroker.settings import Duration
from dnsbroker.tlsa.records import Kind, Tlsa
from rolling_state import NONE, Chain, State, present

#: How the certificate is called.
NAME = "mail"
_ENDPOINT = parse("smtp://mail.example.test")


@cache
def posts(owners: int, kinds: tuple[Kind, ...], min_wait: int) -> tuple[Post, ...]:
    """The owner names, each with records of ``kinds``."""
    table = DaneConfig((str(_ENDPOINT),), (NAME,), tuple(map(str, kinds)), min_wait=Duration(min_wait))
    service = Service(_ENDPOINT, (table,), certificates=(NAME,))
    zone = Zone("example.test.", (), SOA("example.test.", "ns.example.test.", 1, 1, 1, 1))
    names = [f"owner-{number}.example.test." for number in range(owners)]
    return tuple(Post(Place(name, name, zone), (name,), (service,)) for name in names)


def scene(
    state: State,
    at: Sequence[Post],
    memories: Sequence[Memory],
    silent: Sequence[Mapping[str, str]],
    which: type[Scene] = Scene,
) -> Scene:
    """What is seen of ``state``; ``memories`` and ``silent`` servers are those of the owner names, in order."""
    live = state.live
    subject = Subject(
        NAME,
        live=present(live),
        serial=_serial(live),
        next=() if state.next == NONE else (present(Chain(state.next, NONE)),),
        held=state.held and present(state.held),
    )
    known = Progress(
        NAME,
        "",
        0.0,
        "",
        is_asked=state.is_asked,
        is_emergency=state.is_emergency,
        refused=_serial(state.refused) if state.refused else "",
    )
    ours: Mapping[str, frozenset[Tlsa]] = {post.owner: owner.ours for post, owner in zip(at, state.owners, strict=True)}
    return which(
        0.0,
        tuple(at),
        {NAME: subject},
        {str(_ENDPOINT): _presence(state)},
        {post.owner: memory for post, memory in zip(at, memories, strict=True)},
        ours,
        {NAME: known},
        {str(_ENDPOINT): _rows(state)},
        silent={post.owner: which_are for post, which_are in zip(at, silent, strict=True)},
    )


def situation(seen: Scene, state: State, previous: Chain | None) -> Situation:
    """How it stands with the certificate, for one who may go back to ``previous``."""
    wish = Wish(state.is_due, True, state.is_pressing, previous=previous and present(previous))
    return seen.situation(NAME, wish)


def _presence(state: State) -> Presence:
    chains = {
        str(address): (present(chain),)
        for address, chain in enumerate(state.served)
        if chain is not None and not (state.is_hidden and address == 0)
    }
    unseen = {str(address): "an address" for address in range(len(state.served)) if str(address) not in chains}
    return Presence(_ENDPOINT, chains, unseen)


def _rows(state: State) -> tuple[Served, ...]:
    """What the journal has of each address: the key that was seen there last, and those before it."""
    found = []
    for address, seen in enumerate(state.seen):
        moments = {key: (-99.0, -98.0) for key in seen.before} | {seen.key: (-float(seen.age), 0.0)}
        for key, (first, last) in moments.items():
            if key != NONE:
                found.append(Served(str(_ENDPOINT), str(address), _digest(key), first, last))
    return tuple(found)


@cache
def _digest(key: int) -> str:
    return digest(present(Chain(key, NONE)))


def _serial(chain: Chain) -> str:
    return f"{chain.key}-{chain.issuer}"
