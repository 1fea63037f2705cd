"""The memory of everything we put into DNS, kept from before the first request until the last trace is gone.

And of what has to outlive a run: failures and demands, plans of deployments, renewal advice, barred keys, history. The
journal is one SQLite file below ``state_dir``, shared by every process on this host. It is also the writer's queue.
A network file system is not supported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsbroker.lazily import lazily

if TYPE_CHECKING:
    from dnsbroker.journal.alerts import Alerts, Told
    from dnsbroker.journal.answers import Answers
    from dnsbroker.journal.attempts import Attempt, Attempts, spacing
    from dnsbroker.journal.backoffs import Backoff, Backoffs
    from dnsbroker.journal.barred import Barred
    from dnsbroker.journal.database import Journal
    from dnsbroker.journal.deployments import Deployments, Step
    from dnsbroker.journal.history import Entry, History
    from dnsbroker.journal.hooked import Failed, Sessions
    from dnsbroker.journal.lease import NEVER, Lease, State
    from dnsbroker.journal.leases import Leases
    from dnsbroker.journal.observations import Observations, Observed
    from dnsbroker.journal.renewal_answers import Answer, RenewalAnswers
    from dnsbroker.journal.rollovers import Progress, Published, Rollovers, Served, Sight, StepTaken
    from dnsbroker.journal.runs import FileLock, Run, Runs
else:
    __getattr__ = lazily(
        __name__,
        alerts="Alerts Told",
        answers="Answers",
        attempts="Attempt Attempts spacing",
        backoffs="Backoff Backoffs",
        barred="Barred",
        database="Journal",
        deployments="Deployments Step",
        history="Entry History",
        hooked="Failed Sessions",
        lease="NEVER Lease State",
        leases="Leases",
        observations="Observations Observed",
        renewal_answers="Answer RenewalAnswers",
        rollovers="Progress Published Rollovers Served Sight StepTaken",
        runs="FileLock Run Runs",
    )

__all__ = [
    "NEVER",
    "Alerts",
    "Answer",
    "Answers",
    "Attempt",
    "Attempts",
    "Backoff",
    "Backoffs",
    "Barred",
    "Deployments",
    "Entry",
    "Failed",
    "FileLock",
    "History",
    "Journal",
    "Lease",
    "Leases",
    "Observations",
    "Observed",
    "Progress",
    "Published",
    "RenewalAnswers",
    "Rollovers",
    "Run",
    "Runs",
    "Served",
    "Sessions",
    "Sight",
    "State",
    "Step",
    "StepTaken",
    "Told",
    "spacing",
]
