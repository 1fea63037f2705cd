"""DANE kept right: TLSA records published for what is served and for what comes next, and nothing served before them.

``subjects`` knows keys and chains, ``places`` owner names, ``looking`` asks servers, ``publishing`` writes, ``front``
puts them together for whoever brings certificates about. ``checking`` looks as clients do. What follows from what was
seen is decided in ``dnsbroker.rolling``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.dane.front import Brought, Dane, Parts, Stands
    from dnsbroker.dane.scenes import Wish
    from dnsbroker.dane.subjects import Subject, Subjects
    from dnsbroker.dane.withdrawing import Withdrawn
else:
    __getattr__ = lazily(
        __name__,
        front="Brought Dane Parts Stands",
        scenes="Wish",
        subjects="Subject Subjects",
        withdrawing="Withdrawn",
    )

__all__ = ["Brought", "Dane", "Parts", "Stands", "Subject", "Subjects", "Wish", "Withdrawn"]
