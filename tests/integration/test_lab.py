"""The lab is what it says: a chain of trust, services with their known traps, a server that misbehaves on demand."""

from __future__ import annotations

import itertools
import ssl
import time
import tomllib
import urllib.error
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import pytest

from lab import wire
from lab.bind import Bind
from lab.misbehaving import Behaviour
from lab.pebble import fetch
from lab.powerdns import PowerDNS
from lab.processes import LabError, look_until
from lab.rig import Lab
from lab.topology import PLACES, RESOLVER, Domain, has_ipv6

CHALLENGE = "_acme-challenge.example.test"
BIND_CHALLENGE = "_acme-challenge.bind.test"
fresh = (f"fresh{number}.test" for number in itertools.count())


def resolved(name: str, record_type: str = "A") -> dns.message.Message:
    """The validating resolver's answer."""
    return wire.ask(RESOLVER, name, record_type, recursive=True, dnssec=True, seconds=5)


def add_by_update(lab: Lab, *values: str) -> None:
    """Add TXT values at the challenge name of the zone on BIND, in one message."""
    lab.bind.update("bind.test", add={(BIND_CHALLENGE, "TXT"): list(values)}, ttl=5, key="acme-key.")


# -- the chain of trust --


@pytest.mark.parametrize("zone", ["example.test", "bind.test", "sub.example.test", "test"])
def test_signed_zones_validate(lab: Lab, zone: str) -> None:
    """The resolver vouches for every signed zone, from the private root down."""
    answer = resolved(zone, "SOA")
    assert answer.answer
    assert answer.flags & dns.flags.AD


def test_an_unsigned_zone_is_insecure_but_resolves(lab: Lab) -> None:
    """Without DS there is an answer, and no AD bit."""
    answer = resolved("flaky.test")
    assert answer.answer
    assert not answer.flags & dns.flags.AD


def test_fail_a_wrong_ds_makes_a_zone_bogus(lab: Lab) -> None:
    """Twin: with the wrong DS in the parent the resolver refuses to answer."""
    zone = next(fresh)
    lab.create_zone(Domain(zone, "powerdns", ["nsd"]))
    lab.root.update("test", delete={(zone, "DS"): []}, add={(zone, "DS"): [f"4711 13 2 {'00' * 32}"]})
    look_until(
        lambda: wire.values(PLACES["root"].address, zone, "DS") == {f"4711 13 2 {'00' * 32}"}, "the wrong DS is served"
    )
    assert resolved(zone, "SOA").rcode() == dns.rcode.SERVFAIL


def test_delegated_challenge_names_lead_to_the_other_service(lab: Lab) -> None:
    """A CNAME in the PowerDNS zone and a DNAME in the BIND zone are followed by the resolver."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.bind.update("bind.test", add={("_acme-challenge.cname.bind.test", "TXT"): ["by-cname"]})
    lab.powerdns.replace("example.test", "_acme-challenge.dname.example.test", ['"by-dname"'])
    lab.powerdns.notify("example.test")
    lab.await_values("_acme-challenge.cname.bind.test", ["by-cname"])
    lab.await_values("_acme-challenge.dname.example.test", ["by-dname"])
    assert "by-cname" in resolved("_acme-challenge.cname.example.test", "TXT").to_text()
    assert "by-dname" in resolved("_acme-challenge.dname.bind.test", "TXT").to_text()


def test_name_servers_have_ipv6_addresses_too(lab: Lab) -> None:
    """Where the host has IPv6, two secondaries answer at an AAAA address."""
    if has_ipv6():
        assert wire.values("fd00::13", "ns3.example.test", "AAAA") == {"fd00::13"}
        assert wire.serial("fd00::22", "bind.test") == lab.serial("knot", "bind.test")


# -- PowerDNS --


def test_a_change_without_soa_edit_api_never_reaches_the_secondaries(lab: Lab) -> None:
    """The mission's own case: the primary has the value, its serial stands still, NOTIFY or not."""
    before = lab.serial("powerdns", "example.test")
    lab.powerdns.replace("example.test", CHALLENGE, ['"unseen"'])
    lab.powerdns.notify("example.test")
    assert lab.values("powerdns", CHALLENGE) == {"unseen"}
    assert lab.serial("powerdns", "example.test") == before
    with pytest.raises(LabError, match="at bind-secondary"):
        lab.await_values(CHALLENGE, ["unseen"], seconds=1.5)
    assert set(lab.leftovers(CHALLENGE)) == {"powerdns"}


def test_a_change_with_soa_edit_api_reaches_the_secondaries(lab: Lab) -> None:
    """Twin: with INCREASE the same change is everywhere soon."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.powerdns.replace("example.test", CHALLENGE, ['"seen"'])
    lab.powerdns.notify("example.test")
    lab.await_values(CHALLENGE, ["seen"])


def test_zones_are_made_as_asked(lab: Lab) -> None:
    """Kind, serial, SOA-EDIT and SOA-EDIT-API are the caller's, and the zone is delegated and followed."""
    zone = next(fresh)
    lab.create_zone(
        Domain(zone, "powerdns", ["nsd"], serial=2026112001, soa_edit="INCEPTION-EPOCH", soa_edit_api="EPOCH")
    )
    settings = lab.powerdns.settings_of(zone)
    assert (settings["kind"], settings["soa_edit"], settings["soa_edit_api"]) == ("Master", "INCEPTION-EPOCH", "EPOCH")
    assert (settings["serial"], settings["edited_serial"]) == (2026112001, lab.serial("nsd", zone))
    assert resolved(zone, "SOA").flags & dns.flags.AD


def test_a_native_zone_may_stand_without_delegation(lab: Lab) -> None:
    """Reached by the servers' address only; the resolver knows nothing of it."""
    zone = next(fresh)
    lab.create_zone(Domain(zone, "powerdns", parent="", kind="native", signed=False))
    assert lab.powerdns.settings_of(zone)["kind"] == "Native"
    assert resolved(zone, "SOA").rcode() == dns.rcode.NXDOMAIN


# -- BIND --


def test_one_update_reaches_knot_whole(lab: Lab) -> None:
    """Two values in one message arrive together, at the latest when BIND's notify-delay is over."""
    with lab.observer(BIND_CHALLENGE) as seen:
        look_until(lambda: all(seen.history.values()), "the observer has looked at each server")
        add_by_update(lab, "apex", "wildcard")
        lab.await_values(BIND_CHALLENGE, ["apex", "wildcard"], seconds=7)
    sizes = {len(sighting.values) for sightings in seen.history.values() for sighting in sightings}
    assert sizes == {0, 2}


def test_the_acme_key_may_write_txt_only(lab: Lab) -> None:
    """The update policy is as narrow as people are told to make it."""
    with pytest.raises(LabError, match="REFUSED"):
        lab.bind.update("bind.test", add={("www2.bind.test", "A"): ["127.0.0.9"]}, key="acme-key.")


def test_a_zone_can_be_added_to_bind_while_it_runs(lab: Lab) -> None:
    """Signed at once, delegated with DS, followed by Knot."""
    zone = next(fresh)
    lab.create_zone(Domain(zone, "bind", ["knot"]))
    assert resolved(zone, "SOA").flags & dns.flags.AD


# -- starting, stopping, cleaning --


@pytest.mark.parametrize("secondary", ["bind-secondary", "nsd"])
def test_a_stopped_secondary_catches_up(lab: Lab, secondary: str) -> None:
    """Gone, it refuses; back again, it serves what was changed meanwhile."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.stop(secondary)
    with pytest.raises(wire.UNANSWERED):
        wire.ask(PLACES[secondary].address, "example.test", "SOA", tcp=True)
    lab.powerdns.replace("example.test", CHALLENGE, ['"meanwhile"'])
    lab.start(secondary)
    lab.powerdns.notify("example.test")
    lab.await_values(CHALLENGE, ["meanwhile"])


@pytest.mark.parametrize("server", ["powerdns", "bind-secondary", "nsd", "bind", "knot", "root"])
def test_a_frozen_server_is_silent_until_it_thaws(lab: Lab, server: str) -> None:
    """Silence, not refusal."""
    lab.freeze(server)
    assert not wire.answers(PLACES[server].address)
    lab.thaw(server)
    assert wire.answers(PLACES[server].address)


def test_cleaning_brings_everything_back(lab: Lab) -> None:
    """Records, settings, zones, servers, behaviour and caches are what they were, at every server."""
    zone = next(fresh)
    lab.create_zone(Domain(zone, "powerdns", ["bind-secondary"]))
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.powerdns.replace("example.test", CHALLENGE, ['"left"', '"behind"'], ttl=3600)
    lab.powerdns.replace("example.test", "www.example.test", [], record_type="A")
    lab.powerdns.notify("example.test")
    lab.await_values(CHALLENGE, ["left", "behind"])
    lab.powerdns.set_soa_edit_api("example.test", "")
    lab.powerdns.replace("example.test", CHALLENGE, [])  # unseen by the secondaries
    add_by_update(lab, "leftover")
    assert resolved("www.bind.test").answer
    lab.stop("knot")
    lab.freeze("nsd")
    lab.misbehaving.behave(Behaviour(silent=True))

    lab.clean()

    assert lab.leftovers(CHALLENGE) == {}
    assert lab.leftovers(BIND_CHALLENGE) == {}
    assert [lab.values(member, "www.example.test", "A") for member in ("powerdns", "nsd")] == [{"127.0.0.100"}] * 2
    assert lab.powerdns.settings_of("example.test")["soa_edit_api"] == ""
    assert lab.serial("powerdns", zone) is None
    assert resolved(zone, "SOA").rcode() == dns.rcode.NXDOMAIN
    assert lab.serial("misbehaving", "flaky.test") is not None
    assert lab.unbound.queries("www.bind.test") == []


def test_the_observer_notes_coming_and_going(lab: Lab) -> None:
    """For each server, when a value was first there and when it was gone, in this order."""
    with lab.observer(BIND_CHALLENGE, ["bind"]) as seen:
        look_until(lambda: all(seen.history.values()), "the observer has looked")
        began = time.monotonic()
        add_by_update(lab, "brief")
        look_until(lambda: seen.everywhere(seen.having("brief")) is not None, "it has come")
        lab.bind.update("bind.test", delete={(BIND_CHALLENGE, "TXT"): ["brief"]})
        look_until(lambda: seen.everywhere(seen.lacking("brief"), after=began) is not None, "it has gone")
    came, gone = seen.everywhere(seen.having("brief")), seen.everywhere(seen.lacking("brief"), after=began)
    assert came is not None
    assert gone is not None
    assert began < came < gone
    assert seen.everywhere(seen.having("never")) is None


def test_the_resolver_remembers_what_it_was_asked(lab: Lab) -> None:
    """A question that came too early is seen, and its answer outlives the change, as a CA's would."""
    before = time.monotonic()
    assert resolved(BIND_CHALLENGE, "TXT").rcode() == dns.rcode.NXDOMAIN
    add_by_update(lab, "belated")
    lab.await_values(BIND_CHALLENGE, ["belated"])
    assert resolved(BIND_CHALLENGE, "TXT").rcode() == dns.rcode.NXDOMAIN
    look_until(lambda: len(lab.unbound.queries(BIND_CHALLENGE, "TXT")) == 2, "both questions are in the log")
    asked = lab.unbound.queries(BIND_CHALLENGE, "TXT")
    assert before < asked[0].at < asked[1].at < time.monotonic()
    lab.unbound.flush()
    assert "belated" in resolved(BIND_CHALLENGE, "TXT").to_text()


def test_pebble_shows_its_directory_to_those_who_trust_the_lab(lab: Lab) -> None:
    """Over TLS that the CA file vouches for; the system's own trust does not."""
    assert "newOrder" in lab.pebble.get(lab.pebble.url)
    assert lab.pebble.root().startswith("-----BEGIN CERTIFICATE-----")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(lab.pebble.url, ssl.create_default_context())


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error shows the end of its log."""
    with pytest.raises(LabError, match="unknown option 'nonsense'"), Bind(tmp_path, port=5399, options="nonsense yes;"):
        pytest.fail("it started")


def test_servers_run_alone_on_any_port(tmp_path: Path) -> None:
    """Each server can be had without the others."""
    with PowerDNS(tmp_path, address="127.0.0.1", port=5398, api_port=8398) as server:
        server.create_zone("alone.test")
        assert wire.serial("127.0.0.1", "alone.test", port=5398) == 1


def test_the_configuration_fits_the_lab(lab: Lab, configure: Callable[..., Path]) -> None:
    """Both services, the resolver, Pebble; overrides are merged in, None removes."""
    overrides = {"propagation": {"timeout": "20s"}, "providers": {"bind": None, "powerdns": {"ttl": "7s"}}}
    file = configure({"example.test": ["example.test", "*.example.test"]}, overrides)
    table = tomllib.loads(file.read_text())
    assert table["acme"] == {"directory": lab.pebble.url, "ca_bundle": str(lab.pebble.ca_file), "agree_tos": True}
    assert table["propagation"] == {"timeout": "20s"}
    assert list(table["providers"]) == ["powerdns"]
    assert table["providers"]["powerdns"]["ttl"] == "7s"
    assert Path(table["providers"]["powerdns"]["api_key"]["file"]).read_text().strip() == lab.powerdns.api_key
    assert table["certificates"] == {"example.test": {"names": ["example.test", "*.example.test"]}}
    assert file.stat().st_mode & 0o077 == 0
