"""Keys and certificates below ``state_dir``: all of it whole or not at all, and a pair goes live in one rename.

The journal's ``state.db`` stands beside them and is the journal's affair. No global state: a Store is its directory.
All calls block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.store.access import Access
    from dnsbroker.store.accounts import AccountFiles
    from dnsbroker.store.lineage import Lineage, Provenance
    from dnsbroker.store.pending import Pending
    from dnsbroker.store.staged import HeldBack, NextKey
    from dnsbroker.store.state import Store
else:
    __getattr__ = lazily(
        __name__,
        access="Access",
        accounts="AccountFiles",
        lineage="Lineage Provenance",
        pending="Pending",
        staged="HeldBack NextKey",
        state="Store",
    )

__all__ = ["Access", "AccountFiles", "HeldBack", "Lineage", "NextKey", "Pending", "Provenance", "Store"]
