"""What can be wrong with TLSA records that are configured."""

from __future__ import annotations

from doctor_scenes.scene import ERROR, Scene
from practice import Practice


def table(practice: Practice) -> None:
    """Records are wanted for a host of the zone."""
    practice.tables["dane"] = [{"endpoint": "tls://www.example.test:5061", "certificate": "example.test"}]


DANE = (
    # the zone is not signed, so that nobody would see them
    Scene("tlsa-publication", ERROR, table),
)
