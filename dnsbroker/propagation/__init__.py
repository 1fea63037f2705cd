"""Waiting until every authoritative server shows a value: looks, verdicts, and the table of who disagrees.

What a look means, and whether a zone is through, is decided in ``verdict``; ``poller`` looks, ``watcher`` waits.
"""

from __future__ import annotations

from dnsbroker.propagation.verdict import ServerVerdict, Verdict
from dnsbroker.propagation.watcher import Expectation, Outcome, Watcher

__all__ = ["Expectation", "Outcome", "ServerVerdict", "Verdict", "Watcher"]
