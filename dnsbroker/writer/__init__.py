"""Group commit: one writer for each zone sends whatever is pending there, for every task and process, in one write.

Nothing is sent that the journal does not hold; only what stands already is taken back without it, where it fails.
"""

from __future__ import annotations

from dnsbroker.writer.front import Announcement, Writer

__all__ = ["Announcement", "Writer"]
