"""Challenge names that lead elsewhere: each kind is issued through, each broken one is told before an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from cloudflare import Zone
from cloudflare.delegated import Delegated
from lab.cleaning import move_serial
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import Domain
from program import Program, Ran

Configured = Callable[..., Program]

ALIASES = Domain(
    "alias.test",
    "powerdns",
    ["nsd"],
    soa_edit_api="INCREASE",
    records="""\
_acme-challenge.pair CNAME shared.target.test.
_acme-challenge.chain CNAME chain.tree.target.test.
_acme-challenge.circle CNAME Circle.CLOUD.test.
_acme-challenge.itself CNAME _ACME-Challenge.Itself
_acme-challenge.dangling CNAME dangling.nowhere.
_acme-challenge.foreign CNAME somewhere.test.
""",
)
"""A signed zone of PowerDNS whose challenge names lead away from it."""

TARGETS = Domain("target.test", "bind", signed=False, records="tree DNAME leaf.cloud.test.\n")
"""A zone at BIND to which they lead, and a tree in it that leads on."""

OWN = Domain("_acme-challenge.own.cloud.test", "powerdns", parent="", signed=False)
"""A challenge name that is a zone, at another provider than the zone around it."""

CLOUD = {
    ("_acme-challenge.own", "NS"): "ns1.example.test",
    ("_acme-challenge.same", "CNAME"): "shared.target.test",
    ("chain.leaf", "CNAME"): "end.alias.test",
    ("circle", "CNAME"): "_ACME-Challenge.Circle.Alias.TEST",
    ("*.wild", "CNAME"): "elsewhere.target.test",
}
"""What leads away from Cloudflare's zone."""


WAYS = {
    "pair.alias.test": (["_acme-challenge.pair.alias.test"], "shared.target.test", "bind"),
    "same.cloud.test": (["_acme-challenge.same.cloud.test"], "shared.target.test", "bind"),
    "chain.alias.test": (
        ["_acme-challenge.chain.alias.test", "tree.target.test", "chain.leaf.cloud.test"],
        "end.alias.test",
        "powerdns",
    ),
    "own.cloud.test": ([], "_acme-challenge.own.cloud.test", "powerdns"),
    "wild.cloud.test": ([], "_acme-challenge.wild.cloud.test", "cf"),
    "plain.cloud.test": ([], "_acme-challenge.plain.cloud.test", "cf"),
}
"""For each host: the aliases on the way from its challenge name, where that ends, and who writes there.

A CNAME of PowerDNS' and one of Cloudflare's with one target; CNAME, DNAME and CNAME, each at another provider; a
challenge name that is a zone; one that a wildcard CNAME would lead away; one that leads nowhere else.
"""

BROKEN = {
    "circle": (
        "in a circle: _acme-challenge.circle.alias.test -> circle.cloud.test -> _acme-challenge.circle.alias.test",
        "change or delete the CNAME at circle.cloud.test",
    ),
    "itself": (
        "in a circle: _acme-challenge.itself.alias.test -> _acme-challenge.itself.alias.test",
        "change or delete the CNAME at _acme-challenge.itself.alias.test",
    ),
    "dangling": (
        "dangling.nowhere is in no zone below the root: _acme-challenge.dangling.alias.test -> dangling.nowhere",
        "change the CNAME at _acme-challenge.dangling.alias.test",
    ),
    "foreign": (
        "_acme-challenge.foreign.alias.test -> somewhere.test stands in zone test, which no configured provider holds",
        "change the CNAME at _acme-challenge.foreign.alias.test to lead into a zone that one of them holds",
    ),
}
"""For each host of alias.test whose challenge name leads nowhere: what is said, and what to do."""


@pytest.fixture
def cloud(lab: Lab, cloudflare: Delegated) -> Zone:
    """Cloudflare's zone, of three that lead into each other; a fourth one is a challenge name."""
    for domain in (ALIASES, TARGETS, OWN):
        lab.create_zone(domain)
    zone = cloudflare.delegate("cloud.test")
    for (name, record_type), leads_to in CLOUD.items():
        cloudflare.plant(zone, name, record_type, leads_to)
    look_until(lambda: bool(cloudflare.values(f"anything.wild.{zone.name}", "CNAME")), "Cloudflare serves its aliases")
    return zone


def through_three(program: Configured, cloudflare: Delegated, certificates: Mapping[str, Sequence[str]]) -> Program:
    """The lab's two providers, and the account at Cloudflare."""
    overrides = {"providers": {"cf": cloudflare.provider()}, "propagation": {"settle": "1s"}}
    return program(certificates, overrides)


def ways(ran: Ran) -> dict[str, tuple[list[str], str, str]]:
    """What was found out about each host, as in :data:`WAYS`."""
    return {
        item["name"].removeprefix("_acme-challenge.").rstrip("."): (
            [name.rstrip(".") for name in item.get("chain") or []],
            item["owner"].rstrip("."),
            item["provider"],
        )
        for item in ran.named("place")
    }


def changed(ran: Ran, event: str) -> set[tuple[str, str]]:
    """The owner names that were written or withdrawn, with the provider."""
    return {(name.rstrip("."), item["provider"]) for item in ran.named(event) for name in item["names"]}


def test_every_kind_of_delegation(lab: Lab, cloudflare: Delegated, cloud: Zone, program: Configured) -> None:
    """Two certificates share a target, as apex and wildcard do. Nothing is left, and no alias is touched."""
    certificates = {
        "kinds": ["pair.alias.test", "*.pair.alias.test", "chain.alias.test", "own.cloud.test", "wild.cloud.test"],
        "other": ["same.cloud.test", "plain.cloud.test"],
    }
    with lab.observer("shared.target.test") as shared:
        ran = through_three(program, cloudflare, certificates)("--json", "issue").succeeded()
    assert {item["name"]: item["names"] for item in ran.result["certificates"]} == certificates
    assert ways(ran) == WAYS
    places = {(owner, provider) for _, owner, provider in WAYS.values()}
    assert changed(ran, "written") == changed(ran, "withdrawn") == places
    assert shared.everywhere(lambda values: len(values) == 3) is not None
    for owner, provider in places - {place for place in places if place[1] == "cf"}:
        assert lab.values(provider, owner) == frozenset()
    assert {
        (entry.name.removesuffix(".cloud.test"), entry.type): entry.content for entry in cloudflare.see(cloud)
    } == CLOUD
    assert lab.values("powerdns", "_acme-challenge.pair.alias.test", "CNAME") == {"shared.target.test."}


def test_a_delegation_that_leads_nowhere_is_told_before_anybody_is_asked_for_anything(
    cloudflare: Delegated, cloud: Zone, program: Configured
) -> None:
    """With the whole chain and the record to change; a sound name beside it is not written either."""
    certificates = {kind: [f"{kind}.alias.test", "plain.cloud.test"] for kind in BROKEN}
    dnsbroker = through_three(program, cloudflare, certificates)
    ran = dnsbroker("--json", "issue").failed(1)
    errors = {item["certificate"]: item["error"] for item in ran.named("failed")}
    for kind, (message, cure) in BROKEN.items():
        assert message in errors[kind]["message"]
        assert cure in errors[kind]["hint"]
    assert not [item for item in ran.events if item["event"] in ("account", "order", "written")]
    assert cloudflare.changing == []
    error, hint = dnsbroker("issue", "circle").failed(1).error
    assert error.endswith(BROKEN["circle"][0])
    assert hint.startswith(BROKEN["circle"][1])


def test_n14_a_secondary_without_the_alias_is_named_and_the_ca_not_asked(lab: Lab, program: Configured) -> None:
    """The CNAME was made through an API that left the serial alone. Once the serial moves, it is issued."""
    lab.create_zone(Domain("late.test", "powerdns", ["nsd"], serial=0))
    lab.create_zone(TARGETS)
    lab.powerdns.replace("late.test", "_acme-challenge.late.test", ["late.target.test."], record_type="CNAME")
    dnsbroker = program({"late": ["late.test"]}, {"propagation": {"timeout": "3s"}})
    ran = dnsbroker("--json", "issue", "late").failed(3)
    error = ran.result["error"]["message"]
    assert "_acme-challenge.late.test is not right on every server of late.test" in error
    assert "ns3.example.test (127.0.0.13) is stale: has no CNAME of ours" in error
    assert "ns1.example.test" not in error
    assert not ran.named("asked")
    assert lab.values("bind", "late.target.test") == frozenset()
    move_serial(lab.powerdns, "late.test", "")
    lab.await_served("late.test")
    dnsbroker("issue", "late").succeeded()
