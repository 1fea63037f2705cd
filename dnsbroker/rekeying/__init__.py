"""Keys rolled over at a person's word, and every roll-over moved on; what a program does with TLSA records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.rekeying.front import Rekeying
    from dnsbroker.rekeying.standing import Rekeyed
else:
    __getattr__ = lazily(__name__, front="Rekeying", standing="Rekeyed")

__all__ = ["Rekeyed", "Rekeying"]
