"""A client's run is told from others of the same names or place by its processes, where those can be told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnsbroker.cli.hook import certbot, dehydrated
from dnsbroker.cli.hook.challenge import one_by_one
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
    """A process group, where no client is among the ancestors, is a number in its PID namespace alone."""
    monkeypatch.setattr(os, "getpgrp", lambda: 4711)
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    told = [f"{name} {namespace} 4711 0" for name in ("certbot example.org,example.org", "dehydrated /etc/dehydrated")]
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


def test_a_client_whose_calls_stand_for_themselves_has_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its own process or not at all: what a script started beside it is no business of its."""
    assert one_by_one("lego") == ""
    monkeypatch.setattr("dnsbroker.cli.hook.challenge.client", lambda program: {"lego": 4711}[program])
    assert one_by_one("lego") == f"lego {Path('/proc/self/ns/pid').stat().st_ino} 0 4711"


# -- the client's own process --

#: What a hook of the client's would find; run by a shell, as most clients run theirs.
_ASK = "import sys; from dnsbroker.cli.hook.ancestry import client; print(client(sys.argv[1]), flush=True)"


def script(path: Path, *lines: str) -> Path:
    """A program of that name, in shell."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def found(command: list[str | Path]) -> tuple[int, int]:
    """The process that runs ``command``, and the one that its hook takes for the client."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        return process.pid, int(process.stdout.read())


@pytest.mark.parametrize("client", ["certbot", "dehydrated", "acme.sh"])
@pytest.mark.parametrize(
    "called",
    [
        '"$HOOK" {ask}',
        'sh -c "{quoted}; true"',
        'timeout 60 "$HOOK" {ask}',
        'setsid --wait "$HOOK" {ask}',
        "$({captured}) # ",
    ],
    ids=["itself", "by a shell", "in another group", "in another session", "captured"],
)
def test_the_client_is_found_whatever_stands_between(tmp_path: Path, client: str, called: str) -> None:
    """Its own process, and not a copy of it in which a script runs a part of itself."""
    asked = script(tmp_path / "asked", f"exec {sys.executable} -c '{_ASK}' {client}")
    line = called.format(ask="", quoted=asked, captured=f"echo echo $({asked}; true)")
    program = script(tmp_path / client, f"HOOK={asked}", line, "true")
    process, told = found([program])
    assert told == process


def test_fail_a_program_of_another_name_is_not_the_client(tmp_path: Path) -> None:
    """Twin: nor is the hook itself, whose words are like it."""
    asked = script(tmp_path / "asked", f"exec {sys.executable} -c '{_ASK}' certbot")
    program = script(tmp_path / "another", f"{asked} certbot-auth", "true")
    assert found([program])[1] == 0
    assert found(["env", "-u", "certbot", program])[1] == 0
    wrapper = script(tmp_path / "as", '[ "$1 $2" = "-u certbot" ] || exit 2', asked.as_posix())
    assert found([wrapper, "-u", "certbot"])[1] == 0
