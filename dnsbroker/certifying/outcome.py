"""What a caller asks for beside the configuration, and what became of each certificate. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from dnsbroker.errors import BrokerError, DeployFailed, Held
from dnsbroker.events import Emitter, written
from dnsbroker.publishing import Located
from dnsbroker.store import Lineage

#: Why one that is not due is not left alone.
UNFINISHED = "its deployment is not finished"

Status = Literal["issued", "kept", "deployed", "planned", "rehearsed", "postponed", "held", "busy", "failed"]


@dataclass(frozen=True)
class Wishes:
    """What a caller asks for beside the configuration.

    ``key`` is a file with a private key, ``csr`` one with a request.
    """

    force: bool = False
    new_key: bool = False
    key: Path | None = None
    csr: Path | None = None
    dry_run: bool = False
    rehearse: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one certificate, and why; ``error`` where it failed, ``certificate`` where there is one now.

    ``undeployed`` is what kept a certificate that is there from reaching those who use it, ``uncovered`` what is wrong
    with the TLSA records for it. ``would_be`` says what is planned, where something is. ``next_try`` (aware) is when
    one that was postponed is tried again.
    """

    name: str
    status: Status
    reason: str
    certificate: Lineage | None = None
    error: BrokerError | None = None
    undeployed: DeployFailed | None = None
    plan: tuple[Located, ...] = ()
    would_be: Literal["issued", "deployed"] = "issued"
    uncovered: BrokerError | None = None
    next_try: datetime | None = None

    @property
    def until(self) -> str | None:
        """Until when it is held (RFC 3339), where that is known and somebody asked for it."""
        moment = self.error.until if isinstance(self.error, Held) else None
        return None if moment is None else written(moment)

    @property
    def has_changed(self) -> bool:
        """Whether another certificate is live because of it; what is changed around one is told by who changes it."""
        return self.status == "issued"


def tell(outcome: Outcome, emit: Emitter) -> None:
    """Emit what became of one certificate, but that it is issued, which is told as soon as it is live."""
    if outcome.status == "issued":
        return
    if outcome.status == "held":
        emit(outcome.status, reason=outcome.reason, until=outcome.until)
    elif outcome.error is not None:
        error = outcome.error
        emit("failed", error={"kind": error.kind, "message": error.message, "hint": error.hint, **error.fields()})
    elif outcome.status == "planned":
        emit(outcome.status, reason=outcome.reason, would_be=outcome.would_be)
    else:
        emit(outcome.status, reason=outcome.reason)


def described(certificate: Lineage) -> dict[str, object]:
    """A certificate's facts as events and results give them."""
    return {
        "names": list(certificate.names),
        "not_after": written(certificate.not_after),
        "serial": certificate.serial,
        "path": str(certificate.path),
    }
