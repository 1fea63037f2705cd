"""What README.md and the manual show as output is what the program prints in the lab."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pages
from lab.misbehaving import Behaviour
from lab.rig import Lab
from program import Program, Ran

#: What differs from run to run.
VARYING = {
    r"/my-account/\w+": "/my-account/…",
    r"until \d{4}-\d\d-\d\d": "until …",
    r"in /\S+/live/": "in …/live/",
    r"serial \d+": "serial …",
    r"needs \d+": "needs …",
    r"after \d+s": "after …",
    r"to \d+m": "to …m",
    r"http://127\.0\.0\.\d+:8081": "http://…:8081",
}


def shown(command: str) -> Sequence[str]:
    """The output of ``command`` on any page, line by line, each as in every run."""
    for page in ("README.md", "docs/getting-started.md"):
        for block in pages.blocks(pages.text(page), "console"):
            first, *lines = block.splitlines()
            if first == f"# dnsbroker {command}":
                return settled(lines)
    raise AssertionError(f"no page shows {command}")


def settled(lines: Sequence[str]) -> Sequence[str]:
    """``lines`` without what varies; servers that are behind come and go, so they are left out."""
    text = "\n".join(line for line in lines if not re.match(r"  \S+ \S+: stale: ", line))
    for pattern, replacement in VARYING.items():
        text = re.sub(pattern, replacement, text)
    return sorted(text.splitlines())


def printed(ran: Ran) -> Sequence[str]:
    """What a terminal would have got."""
    return settled([*ran.stderr.splitlines(), *ran.stdout.splitlines()])


def test_a_certificate_is_obtained_as_shown(lab: Lab, configure: Callable[..., Path]) -> None:
    """First the plan, then the run."""
    dnsbroker = Program(configure({"example.test": ["example.test", "*.example.test"]}))
    assert printed(dnsbroker("issue", "--dry-run")) == shown("issue --dry-run")
    assert printed(dnsbroker("issue")) == shown("issue")


def test_a_server_that_does_not_follow_is_named_as_shown(lab: Lab, configure: Callable[..., Path]) -> None:
    """With the cure; the account is there already."""
    dnsbroker = Program(configure(overrides={"propagation": {"timeout": "6s"}}))
    lab.misbehaving.behave(Behaviour(stale=True))
    ran = dnsbroker("issue", "-d", "flaky.test", "-d", "*.flaky.test")
    assert ran.status == 3
    without_account = [line for line in printed(ran) if "my-account" not in line]
    assert without_account == shown("issue -d flaky.test -d '*.flaky.test'")


def test_the_doctor_names_a_fault_and_mends_it_as_shown(lab: Lab, configure: Callable[..., Path]) -> None:
    """The zone is as pdnsutil makes it; afterwards nothing is found."""
    dnsbroker = Program(configure({"example.test": ["example.test", "*.example.test"]}))
    assert printed(dnsbroker("doctor").succeeded()) == shown("doctor")
    assert printed(dnsbroker("doctor", "--fix").succeeded()) == shown("doctor --fix")
    assert not printed(dnsbroker("-q", "doctor").succeeded())
