"""What a client's hook asks for, once its arguments and environment are read: plain values, the same for every client.

Rule: a ``session`` names one client's run as far as that can be told from outside (empty where it cannot); calls of one
session belong together. Owner names are as the client gave them; nothing here is checked against DNS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Present:
    """Values to publish, and to wait for on every name server.

    Attributes:
        session: the client's run.
        values: the values by full owner name.
        tokens: the challenge's token of each value, where the client told it.
        following: how many calls of this session are still to come before anything has to stand; with more than none
            the values are only remembered, and written by the last.
        is_first: whether no call of this session came before: what is known of it is an earlier run's.
        is_heeded: whether the client gives up when this fails, and never calls again for it: then what was written
            is taken back, and with it all that its session has in DNS.
        is_spaced: whether a session that failed before is refused until its time has come.
    """

    session: str
    values: Mapping[str, Sequence[str]]
    tokens: Mapping[str, str] = field(default_factory=dict)
    following: int = 0
    is_first: bool = False
    is_heeded: bool = True
    is_spaced: bool = False


@dataclass(frozen=True)
class Cleanup:
    """Values to take back; those that were only remembered are forgotten.

    ``is_forgiving``: a failure is told and left to later sweeps, and is none for the client.
    """

    session: str
    values: Mapping[str, Sequence[str]]
    is_forgiving: bool = False


@dataclass(frozen=True)
class Home:
    """Where a client keeps all its ``certificates``, a directory for each; ``configuration`` is its own file.

    ``base`` is where paths in that begin.
    """

    certificates: Path
    configuration: Path
    base: Path


@dataclass(frozen=True)
class Started:
    """A run of the client has begun: what an earlier one of the same session left is swept.

    It does not go on where a certificate at ``home`` would come by a key that its TLSA records do not name.
    """

    session: str
    home: Home | None = None


@dataclass(frozen=True)
class Stumbled:
    """The client has met an error, and may go on or not: what the session has in DNS is only kept for minutes more.

    The TLSA records of what it keeps at ``home`` are brought up to date, as at the end.
    """

    session: str
    home: Home | None = None


@dataclass(frozen=True)
class Ended:
    """The client's run is over: all that the session still has in DNS is withdrawn, and what failed is told again.

    The TLSA records of what it keeps at ``home`` are brought up to date.
    """

    session: str
    home: Home | None = None


@dataclass(frozen=True)
class Refused:
    """The CA refused a challenge: which one is told by the token in ``response``; ``name`` may be another's."""

    session: str
    name: str
    response: str


@dataclass(frozen=True)
class Deploy:
    """``lineage``, a directory of the client's, holds a new certificate: copies, hooks, reloads, looks.

    ``is_new`` is false where the client only says that it is still there: then what failed before is made up for.
    ``is_heeded`` is false where a failure would end the client's whole run, other certificates included: then it is
    told, remembered for the end of the session, and no failure for the client. ``is_alone``: the client never tells
    that its run is over, so that TLSA records are seen to here.
    """

    session: str
    lineage: Path
    is_new: bool = True
    is_heeded: bool = True
    is_alone: bool = False


@dataclass(frozen=True)
class Admit:
    """A certificate is about to go live in ``lineage``: may it? ``key`` may not exist: ``cert`` has the public key."""

    lineage: Path
    cert: Path
    fullchain: Path
    key: Path


Call = Present | Cleanup | Started | Stumbled | Ended | Refused | Deploy | Admit
