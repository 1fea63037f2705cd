"""Zones of PowerDNS whose SOA-EDIT-API does nothing, goes backwards or works: what the program makes of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dnsbroker.records import rfc1982_newer
from lab.rig import Lab
from lab.topology import Domain
from program import Program

Configured = Callable[..., Program]
NOW = -1


@dataclass(frozen=True)
class Setting:
    """A zone's stored serial (NOW: the seconds since the epoch), its SOA-EDIT-API, and its SOA-EDIT."""

    serial: int
    api: str
    edit: str = ""

    def domain(self, number: int) -> Domain:
        """A zone with it, one secondary beside PowerDNS."""
        serial = int(time.time()) if self.serial == NOW else self.serial
        return Domain(
            f"serial{number}.test",
            "powerdns",
            ["nsd"],
            signed=False,
            serial=serial,
            soa_edit=self.edit,
            soa_edit_api=self.api,
        )


CERTIFIED = [
    Setting(1, ""),
    Setting(2026112001, "EPOCH"),
    Setting(10, "SOA-EDIT", "INCEPTION-EPOCH"),
    Setting(10, "INCREASE", "INCEPTION-INCREMENT"),
]
"""Each does nothing to the served serial, or moves it backwards; their zones get a certificate."""

STUCK = [
    Setting(10, "INCEPTION-INCREMENT"),
    Setting(10, "FOO"),
    Setting(10, "SOA-EDIT"),
    Setting(10, "INCREASE", "INCEPTION-EPOCH"),
]
"""Such ones as well; a TXT value is enough for them."""

WORKING = [
    Setting(4294967295, "INCREASE"),
    Setting(NOW, "EPOCH"),
    Setting(10, "SOA-EDIT", "INCREMENT-WEEKS"),
]
"""Each moves it as it should be."""


def zones(lab: Lab, settings: Sequence[Setting], first: int = 0) -> dict[str, Setting]:
    """New zones, one for each setting."""
    made = {}
    for number, setting in enumerate(settings, first):
        domain = setting.domain(number)
        lab.create_zone(domain)
        made[domain.name] = setting
    return made


def state(lab: Lab, zone: str) -> dict[str, Any]:
    """All that the API tells of a zone, in a fixed order, but for what the server's own NOTIFY cycle moves."""
    settings = lab.powerdns.settings_of(zone)
    del settings["notified_serial"]
    settings["rrsets"].sort(key=lambda rrset: (rrset["name"], rrset["type"]))
    return settings


def served(lab: Lab, zone: str) -> int:
    """The serial at the secondary."""
    serial = lab.serial("nsd", zone)
    assert serial is not None
    return serial


FORBIDDEN = {"providers": {"powerdns": {"soa_edit_api": False}}}


def test_a_stuck_serial_is_an_error_or_mended(lab: Lab, program: Configured) -> None:
    """Where nothing may be mended each zone stays as it was, to the letter; where it may, each gets its certificate."""
    made = zones(lab, CERTIFIED)
    before, serials = {name: state(lab, name) for name in made}, {name: served(lab, name) for name in made}
    tables = {name: [name, f"*.{name}"] for name in made}

    refused = program(tables, FORBIDDEN)("--json", "renew").failed(1)
    errors = {error["certificate"]: error for error in refused.result["errors"]}
    assert list(errors) == list(made)
    assert {error["kind"] for error in errors.values()} == {"serial-stuck"}
    assert refused.result["changed"] is False
    assert {name: state(lab, name) for name in made} == before

    mended = program(tables)("--json", "renew", *made).succeeded()  # by name: it has just failed
    assert {item["status"] for item in mended.result["certificates"]} == {"issued"}
    told = [item["zone"] for item in mended.named("warning") if "SOA-EDIT-API was" in item["message"]]
    assert sorted(told) == [f"{name}." for name in made]
    for name in made:
        lab.await_values(f"_acme-challenge.{name}", [])
        assert rfc1982_newer(served(lab, name), serials[name])


def test_a_value_arrives_whatever_the_setting(lab: Lab, program: Configured) -> None:
    """What works is left as it is; what does not is an error where it may not be mended."""
    stuck, working = zones(lab, STUCK), zones(lab, WORKING, len(STUCK))
    made = stuck | working
    before = {name: state(lab, name) for name in stuck}
    pairs = [word for name in stuck for word in (f"_acme-challenge.{name}", "ours")]
    program({}, FORBIDDEN)("txt", "present", *pairs).failed(1)
    assert {name: state(lab, name) for name in stuck} == before

    pairs = [word for name in made for word in (f"_acme-challenge.{name}", "ours")]
    program({})("txt", "present", *pairs).succeeded()
    for name in made:
        assert lab.values("nsd", f"_acme-challenge.{name}") == {"ours"}
    program({})("txt", "cleanup", *pairs).succeeded()
    for name, setting in made.items():
        lab.await_values(f"_acme-challenge.{name}", [])
        assert (state(lab, name)["soa_edit_api"] == setting.api) is (name in working)


def test_the_error_about_a_serial_in_words(lab: Lab, program: Configured) -> None:
    """One line, and the command that cures it."""
    (name,) = zones(lab, CERTIFIED[:1])
    error, hint = program({name: [name]}, FORBIDDEN)("issue", name).failed(1).error
    assert error.startswith(f"provider powerdns, zone {name}: ")
    assert f"pdnsutil set-meta {name} SOA-EDIT-API INCREASE" in hint
