"""Keys, chains, looks and memories for tests of roll-overs, in a few words each."""

from __future__ import annotations

from dnsbroker.rolling import Answer, Look, Memory, Site, wanted
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made

EE, TA = Kind(3, 1, 1), Kind(2, 1, 1)
OWNER = "_25._tcp.mail.example.org."

#: When signatures end in these tests, where it does not matter.
LATER = 10_000_000.0


def key(name: str) -> Presented:
    """A key that no certificate is for yet."""
    return Presented(Subject(b"", b"key " + name.encode()))


def chain(name: str, *authorities: str) -> Presented:
    """A certificate for that key, issued by the first of ``authorities``, the top of which is the last."""
    cas = tuple(Subject(b"ca " + each.encode(), b"ca key " + each.encode()) for each in authorities)
    return Presented(Subject(b"cert " + " ".join((name, *authorities)).encode(), b"key " + name.encode()), cas)


def records(*chains: Presented, kinds: tuple[Kind, ...] = (EE,)) -> frozenset[Tlsa]:
    """Those that name all of ``chains``."""
    return wanted(kinds, chains)


def of_leaf(which: Presented, kind: Kind = EE) -> Tlsa:
    """The record that names the leaf."""
    return made(kind, which.leaf)


def look(
    at: float,
    *sets: frozenset[Tlsa] | None,
    ttl: int = 3600,
    expires: float | None = LATER,
) -> Look:
    """A look at servers ``s0``, ``s1``, …, each with its set; None for one that is silent."""
    answers = {
        f"s{number}": Answer(each, ttl if each else 0, expires if each else None)
        for number, each in enumerate(sets)
        if each is not None
    }
    return Look(at, answers, frozenset(f"s{number}" for number, each in enumerate(sets) if each is None))


def remembered(*looks: Look) -> Memory:
    """What is remembered after these looks."""
    memory = Memory()
    for each in looks:
        memory = memory.after(each)
    return memory


def site(
    memory: Memory,
    kinds: tuple[Kind, ...] = (EE,),
    min_wait: float = 3600.0,
    owner: str = OWNER,
    silent: str = "",
) -> Site:
    """An owner name of which that is remembered, and whose server ``silent`` does not answer."""
    return Site(owner, kinds, memory, min_wait, {silent: "no answer within 10 s"} if silent else {})
