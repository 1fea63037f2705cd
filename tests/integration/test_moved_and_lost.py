"""Zones that were moved and left a copy behind, and a state directory that is lost: at Cloudflare and beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from cloudflare.delegated import Delegated
from lab.processes import look_until
from lab.rig import Lab
from program import Program

ZONE = "cloud.test"
NAME = f"_acme-challenge.{ZONE}"


def configured(program: Callable[..., Program], cloudflare: Delegated) -> Program:
    """With the lab's providers and the account at Cloudflare; nothing in here waits for name servers."""
    return program({}, {"providers": {"cf": cloudflare.provider()}})


@pytest.fixture
def old_copy(lab: Lab) -> Iterator[None]:
    """The zone at PowerDNS, from where it was moved to Cloudflare."""
    lab.powerdns.create_zone(ZONE)
    yield
    lab.powerdns.delete_zone(ZONE)


def test_a_zone_that_was_moved_is_written_where_it_is_delegated_to(
    lab: Lab, cloudflare: Delegated, program: Callable[..., Program], old_copy: None
) -> None:
    """Each way: of two providers that hold it, one has an old copy; where both have, the error names both."""
    cloudflare.delegate(ZONE)
    cloudflare.add_zone("bind.test")
    dnsbroker = configured(program, cloudflare)
    for name, provider in ((NAME, "cf"), ("_acme-challenge.bind.test", "bind")):
        written = dnsbroker("--json", "txt", "present", "--no-wait", name, "value").succeeded().named("written")
        assert [event["provider"] for event in written] == [provider]
    cloudflare.add_zone("flaky.test", name_servers=["ns.flaky.test", "ada.ns.cloudflare.test"])
    error, hint = dnsbroker("txt", "present", "_acme-challenge.flaky.test", "value").failed(2).error
    assert "zone flaky.test is held by several providers: powerdns, cf; powerdns serves it by ns.flaky.test" in error
    assert "`zones`" in hint


def test_what_a_lost_state_directory_forgot_is_found_by_its_notes(
    cloudflare: Delegated, program: Callable[..., Program]
) -> None:
    """What has expired goes; what has not, and what a person noted, stays. Providers that keep no notes are named."""
    zone = cloudflare.delegate(ZONE)
    dnsbroker = configured(program, cloudflare)
    cloudflare.plant(zone, NAME, "TXT", '"by hand"', comment="dnsbroker: delete after the audit")
    for value, expires in (("old", "0s"), ("new", "1h")):
        dnsbroker("txt", "present", "--no-wait", "--expires", expires, NAME, value).succeeded()
    shutil.rmtree(dnsbroker.state)
    assert dnsbroker("gc").succeeded().stdout == "nothing to withdraw\n"
    assert cloudflare.texts(zone, NAME) == ["by hand", "new", "old"]

    def is_found() -> bool:
        return bool(dnsbroker("--json", "gc", "--search").succeeded().result["forgotten"] == 1)

    look_until(is_found, "the moment in the note has passed")
    assert cloudflare.texts(zone, NAME) == ["by hand", "new"]
    told = dnsbroker("gc", "--search").succeeded().stdout.splitlines()
    assert told[0] == "nothing to withdraw"
    assert told[1].startswith(f"left: {NAME} at provider cf, until ")
    assert [line.partition(": it keeps no notes")[0] for line in told[2:]] == [
        "not searched: provider powerdns",
        "not searched: provider bind",
    ]
