"""The certificate's life at acme2certifier, another code base than Pebble's: what worked there by chance fails here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.acme2certifier import SecondCA
from lab.processes import run
from lab.rig import Lab
from program import Program, Ran

Configured = Callable[..., Program]
ZONES = {"example.test": "powerdns", "bind.test": "bind"}
"""One at each service, whose primary is named; BIND lets its secondaries wait for a second change."""


@pytest.fixture(scope="module")
def running_ca(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCA]:
    """The CA of this module, which validates through the lab's resolver."""
    with SecondCA(tmp_path_factory.mktemp("second-ca"), resolver=running_lab.unbound.address) as ca:
        yield ca


@pytest.fixture
def ca(running_ca: SecondCA) -> SecondCA:
    """The CA as it was at the start, but for what it remembers."""
    running_ca.start()
    return running_ca


def at(ca: SecondCA, **keys: object) -> dict[str, object]:
    """The configuration's part that goes to that CA, which opens no account without an address."""
    contact = ["hostmaster@example.test"]
    return {"acme": {"directory": ca.url, "ca_bundle": str(ca.ca_file), "contact": contact, **keys}}


def statuses(ran: Ran) -> dict[str, str]:
    """What became of each certificate."""
    return {item["name"]: item["status"] for item in ran.result["certificates"]}


def test_apex_and_wildcard_through_both_services(lab: Lab, program: Configured, ca: SecondCA) -> None:
    """Each chain leads to this CA's root, DNS is as before, and the second run has nothing to do."""
    dnsbroker = program({zone: [zone, f"*.{zone}"] for zone in ZONES}, at(ca))
    first = dnsbroker("--json", "issue").succeeded()
    assert statuses(first) == dict.fromkeys(ZONES, "issued")
    for zone, primary in ZONES.items():
        assert lab.values(primary, f"_acme-challenge.{zone}") == frozenset()
        verify(ca.root_file, dnsbroker.live(zone) / "fullchain.pem", zone, f"anything.{zone}")
    orders = ca.requests("/acme/neworders")
    second = dnsbroker("--json", "renew").succeeded()
    assert statuses(second) == dict.fromkeys(ZONES, "kept")
    assert second.result["changed"] is False
    assert ca.requests("/acme/neworders") == orders


def verify(root: Path, chain: Path, *hosts: str) -> None:
    """A TLS client that trusts only ``root`` takes the chain for each host, by OpenSSL; LabError if not."""
    for host in hosts:
        run(["openssl", "verify", "-CAfile", root, "-untrusted", chain, "-verify_hostname", host, chain])


def test_fail_a_ca_that_sees_other_servers(lab: Lab, program: Configured, ca: SecondCA) -> None:
    """The twin: it really looks. Where its resolver has nothing, nothing is issued, and DNS is cleaned all the same."""
    ca.resolver = lab.root.address  # no resolver at all
    ca.restart()
    try:
        ran = program({"unseen": ["unseen.example.test"]}, at(ca))("issue", "unseen").failed(1)
    finally:
        ca.resolver = lab.unbound.address
        ca.restart()
    assert "could not validate unseen.example.test" in ran.error[0]
    assert "split horizon" in ran.error[1]
    lab.await_values("_acme-challenge.unseen.example.test", [])
