"""A client's run is told from others of the same names or place by its processes, where those can be told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dnsbroker.cli.hook import certbot, dehydrated
from dnsbroker.hooking.calls import Cleanup, Started

BASE = {"BASEDIR": "/etc/dehydrated"}
CERTBOT = {
    "CERTBOT_DOMAIN": "example.org",
    "CERTBOT_VALIDATION": "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM",
    "CERTBOT_ALL_DOMAINS": "example.org,example.org",
    "CERTBOT_REMAINING_CHALLENGES": "1",
}


def sessions() -> list[str]:
    """Those of a certbot and a dehydrated that call now."""
    calls = certbot.call(["cleanup"], CERTBOT), dehydrated.call(["startup_hook"], BASE)
    return [call.session for call in calls if isinstance(call, Cleanup | Started)]


def test_a_run_has_its_processes_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process group is a number in its PID namespace alone."""
    monkeypatch.setattr(os, "getpgrp", lambda: 4711)
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    told = [f"{name} {namespace} 4711" for name in ("certbot example.org,example.org", "dehydrated /etc/dehydrated")]
    assert sessions() == told


def test_certbot_s_other_names_are_another_run() -> None:
    """The negative twin: a group is that of all which one timer starts."""
    other = certbot.call(["cleanup"], {**CERTBOT, "CERTBOT_ALL_DOMAINS": "example.org"})
    assert isinstance(other, Cleanup)
    assert other.session != sessions()[0]


@pytest.mark.parametrize("missing", ["getpgrp", "stat"])
def test_where_they_cannot_be_told_nobody_is_taken_for_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative twin: a group that began outside has the number 0; certbot's values are parked by the names."""

    def unseen(path: str = "") -> int:
        if missing == "stat":
            raise FileNotFoundError(path)
        return 0

    monkeypatch.setattr(os, missing, unseen)
    assert sessions() == ["certbot example.org,example.org", ""]
