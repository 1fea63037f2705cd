"""The metrics file: what is known, in the text format of Prometheus, for its node exporter's textfile collector.

Written whole, beside, and renamed, so that nobody reads half of it; readable by all, for the exporter is another user.
One process at a time writes it, which is the caller's to see to.
Nothing in it is secret. Families are only ever added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dnsbroker.journal import Observed
from dnsbroker.knowing.files import put
from dnsbroker.knowing.health import Known

if TYPE_CHECKING:
    from dnsbroker.knowing.rollovers import Rollover

_Labels = Mapping[str, str]
_Sample = tuple[_Labels, float]


@dataclass(frozen=True)
class Family:
    """One metric, all of them gauges: its ``name``, what it says, and its samples by their labels."""

    name: str
    help: str
    samples: tuple[_Sample, ...]

    def text(self) -> str:
        """As the file has it."""
        lines = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} gauge"]
        return "".join(f"{line}\n" for line in [*lines, *(self._line(*sample) for sample in self.samples)])

    def _line(self, labels: _Labels, value: float) -> str:
        told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        number = f"{value:.3f}".rstrip("0").rstrip(".")
        return f"{self.name}{{{told}}} {number}" if told else f"{self.name} {number}"


def families(
    certificates: Sequence[Known],
    observed: Iterable[Observed],
    leases: int,
    now: datetime,
    status: int,
    rollovers: Sequence[Rollover] = (),
) -> tuple[Family, ...]:
    """What is known, as metrics: ``leases`` are open, and a run ended at ``now`` with ``status``."""
    return (
        Family(
            "dnsbroker_certificate_not_after_seconds",
            "When the certificate ends, in seconds since the epoch.",
            tuple((_of(one), one.lineage.not_after.timestamp()) for one in certificates if one.lineage is not None),
        ),
        Family(
            "dnsbroker_renewal_failures",
            "How many attempts to obtain the certificate have failed in a row.",
            tuple((_of(one), one.attempt.failures if one.attempt else 0) for one in certificates),
        ),
        Family(
            "dnsbroker_deploy_pending",
            "How many steps of the certificate's deployment are not done.",
            tuple((_of(one), len(one.unfinished)) for one in certificates),
        ),
        Family(
            "dnsbroker_tlsa_covered",
            "Whether a TLSA record of the endpoint named the key of its certificate when it was last looked at.",
            tuple(({"endpoint": endpoint}, covered) for endpoint, covered in _by_endpoint(observed).items()),
        ),
        *_of_rollovers(rollovers),
        Family(
            "dnsbroker_leases",
            "How many records are, or may be, in DNS by dnsbroker at this moment.",
            (({}, leases),),
        ),
        Family(
            "dnsbroker_last_run_timestamp_seconds",
            "When the last run ended, in seconds since the epoch.",
            (({}, now.timestamp()),),
        ),
        Family("dnsbroker_last_run_status", "The exit status of the last run.", (({}, status),)),
    )


def _of_rollovers(rollovers: Sequence[Rollover]) -> tuple[Family, ...]:
    return (
        Family(
            "dnsbroker_rollover_since_seconds",
            "Since when the roll-over of the certificate's key has stood at its step, in seconds since the epoch.",
            tuple(({"certificate": one.reference, "step": str(one.step)}, one.since) for one in rollovers),
        ),
        Family(
            "dnsbroker_rollover_until_seconds",
            "Until when the roll-over waits, in seconds since the epoch, where that is a matter of time.",
            tuple(({"certificate": one.reference}, one.until) for one in rollovers if one.until is not None),
        ),
    )


def _of(certificate: Known) -> _Labels:
    return {"certificate": certificate.name}


def _by_endpoint(observed: Iterable[Observed]) -> dict[str, bool]:
    """Whether every certificate of an endpoint is covered there."""
    found: dict[str, bool] = {}
    for seen in observed:
        found[seen.endpoint] = found.get(seen.endpoint, True) and seen.covered
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(path: Path, metrics: Iterable[Family]) -> None:
    """Put ``metrics`` in the place of the file ``path``. Raises StoreError."""
    put(path, "".join(family.text() for family in metrics))
