"""The memory of everything we put into DNS, kept from before the first request until the last trace is gone.

The journal is one SQLite file below ``state_dir``, shared by every process on this host. It is also the writer's queue.
A network file system is not supported.
"""

from __future__ import annotations

from dnsbroker.journal.answers import Answers
from dnsbroker.journal.database import Journal
from dnsbroker.journal.leases import Lease, Leases, State
from dnsbroker.journal.runs import FileLock, Run, Runs

__all__ = ["Answers", "FileLock", "Journal", "Lease", "Leases", "Run", "Runs", "State"]
