"""What this broker has, or may have, in DNS: written down before it is sent, closed when its withdrawal is confirmed.

The journal is one SQLite file below ``state_dir``, shared by every process on this host. It is also the writer's queue.
A network file system is not supported.
"""

from __future__ import annotations

from dnsbroker.journal.answers import Answers
from dnsbroker.journal.database import Journal
from dnsbroker.journal.leases import Lease, Leases, State
from dnsbroker.journal.runs import FileLock, Run, Runs

__all__ = ["Answers", "FileLock", "Journal", "Lease", "Leases", "Run", "Runs", "State"]
