"""Moving in from another ACME client: its accounts, certificates and settings become our configuration and state.

One module for each client reads what is there into values; one writes those. Nothing of the other client's is written,
locked or run, and what cannot be taken is named while the rest is taken. Refused: following a link to where the other
client keeps nothing. All calls block.
"""

from __future__ import annotations
