"""Roll-overs of keys and CAs under TLSA records, decided: no network, no disk, no clock of its own.

Rule: a chain may be served only where every RRset that any cache may still hold covers it (RFC 7671 section 8), each
kind in it by a record that names this chain. What is possible is kept as values, and every decision is a function of
them; so the same code that acts can be run through all that may happen.
"""

from dnsbroker.rolling.changes import Change, change, wanted
from dnsbroker.rolling.gates import Gate, Site, for_chain, for_key
from dnsbroker.rolling.memory import Answer, Look, Memory, View
from dnsbroker.rolling.situation import Situation
from dnsbroker.rolling.table import Act, Move, Step, move

__all__ = [
    "Act",
    "Answer",
    "Change",
    "Gate",
    "Look",
    "Memory",
    "Move",
    "Site",
    "Situation",
    "Step",
    "View",
    "change",
    "for_chain",
    "for_key",
    "move",
    "wanted",
]
