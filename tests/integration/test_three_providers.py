"""Certificates through Cloudflare, and through three services at once: what is written, how often, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from cloudflare import BAD_GATEWAY, Zone
from cloudflare.delegated import Delegated
from lab.cleaning import served_content
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import PLACES, Domain
from program import Program, Ran

Configured = Callable[..., Program]

#: Zones of each service.
EACH = 5

#: Hosts of a zone that prove themselves elsewhere, with the zone to which their challenge name leads.
DELEGATED = {"away.pdns0.test": "bind0.test", "away.bind1.test": "cloud1.test", "away.cloud2.test": "pdns2.test"}


def target(host: str) -> str:
    """Where the challenge name of a delegated host leads."""
    return f"{host.replace('.', '-')}.{DELEGATED[host]}"


def aliases(zone: str) -> dict[str, str]:
    """The CNAME records of a zone: owner and target, absolute."""
    return {f"_acme-challenge.{host}.": f"{target(host)}." for host in DELEGATED if host.endswith(f".{zone}")}


@pytest.fixture
def fifteen(lab: Lab, cloudflare: Delegated) -> dict[str, str]:
    """Fifteen delegated zones with the providers that hold them; all are gone with the next test."""
    held: dict[str, str] = {}
    for number in range(EACH):
        for provider, kind in (("powerdns", "pdns"), ("bind", "bind")):
            zone = f"{kind}{number}.test"
            records = "".join(f"{owner} CNAME {leads_to}\n" for owner, leads_to in aliases(zone).items())
            lab.create_zone(Domain(zone, provider, records=records, signed=False, soa_edit_api="INCREASE"))
            held[zone] = provider
    for cloud in cloudflare.delegate_all(f"cloud{number}.test" for number in range(EACH)):
        held[cloud.name] = "cf"
        for owner, leads_to in aliases(cloud.name).items():
            cloudflare.plant(cloud, owner.rstrip("."), "CNAME", leads_to.rstrip("."))
            look_until(lambda owner=owner: bool(cloudflare.values(owner, "CNAME")), f"{owner} is an alias")  # type: ignore[misc]
    return held


def hosts(zones: Iterable[str]) -> list[str]:
    """Forty names for one certificate: apex and wildcard, or three hosts, of each zone; the delegated; some more."""
    names = [*DELEGATED]
    for number, zone in enumerate(zones):
        names += [zone, f"*.{zone}"] if number % 3 else [f"{host}.{zone}" for host in ("www", "mail", "a.b")]
    spare = (f"host{number}.cloud0.test" for number in range(40))
    return [*names, *(next(spare) for _ in range(40 - len(names)))]


def left_at(lab: Lab, domain: str) -> list[str]:
    """The owner names of TXT records at the primary of a zone of PowerDNS or BIND."""
    content = served_content(PLACES[lab.domains[domain].primary].address, domain)
    return [name for name, record_type in content if record_type == "TXT"]


def left(lab: Lab, cloudflare: Delegated, zones: Iterable[str]) -> list[str]:
    """The owner names of all TXT records in ``zones``."""
    ours = [name for zone in zones if zone in lab.domains for name in left_at(lab, zone)]
    return ours + [entry.name for zone in cloudflare.zones for entry in cloudflare.see(zone, type="TXT")]


def through_three(program: Configured, cloudflare: Delegated, certificates: Mapping[str, list[str]]) -> Program:
    """The lab's two providers, and the account at Cloudflare, whose servers here have everything at once."""
    overrides = {"providers": {"cf": cloudflare.provider()}, "propagation": {"settle": "0s"}}
    return program(certificates, overrides)


def batches(cloudflare: Delegated, zone: Zone) -> list[tuple[int, int]]:
    """How many records each request that changes a zone made, and how many it took away."""
    seen = [one for one in cloudflare.changing if f"/zones/{zone.id}/" in one.path]
    assert {(one.method, one.path.rpartition("/")[2]) for one in seen} == {("POST", "batch")}
    return [(len(one.body.get("posts") or ()), len(one.body.get("deletes") or ())) for one in seen]


def test_a_zone_costs_one_request_before_and_one_after(cloudflare: Delegated, program: Configured) -> None:
    """Forty names of one zone, apex and wildcard of another: at most two each way are allowed. Nothing is left."""
    forty, pair = cloudflare.delegate_all(["forty.test", "pair.test"])
    names = [f"h{number}.forty.test" for number in range(40)]
    dnsbroker = through_three(program, cloudflare, {"forty": names, "pair": ["pair.test", "*.pair.test"]})
    ran = dnsbroker("--json", "issue").succeeded()
    assert {item["name"]: set(item["names"]) for item in ran.result["certificates"]} == {
        "forty": set(names),
        "pair": {"pair.test", "*.pair.test"},
    }
    assert batches(cloudflare, forty) == [(40, 0), (0, 40)]
    assert batches(cloudflare, pair) == [(2, 0), (0, 2)]
    assert cloudflare.see(forty) == cloudflare.see(pair) == []


def written_by(ran: Ran, event: str) -> dict[str, list[str]]:
    """For each zone, the providers by which it was changed, one for each time."""
    changes: dict[str, list[str]] = {}
    for item in ran.named(event):
        changes.setdefault(item["zone"].rstrip("."), []).append(item["provider"])
    return changes


def test_forty_names_in_fifteen_zones_at_three_providers(
    lab: Lab, cloudflare: Delegated, program: Configured, fifteen: dict[str, str]
) -> None:
    """Each zone is written once, by whom holds it, and cleared once; three names stand where their CNAMEs lead."""
    names = hosts(fifteen)
    assert (len(names), len(set(names)), len(fifteen)) == (40, 40, 15)
    ran = through_three(program, cloudflare, {"all": names})("--json", "issue", "all").succeeded()
    assert set(ran.result["certificates"][0]["names"]) == set(names)
    once = {zone: [provider] for zone, provider in fifteen.items()}
    assert written_by(ran, "written") == written_by(ran, "withdrawn") == once
    led = {item["name"]: item["owner"] for item in ran.named("place") if item.get("chain")}
    assert led == {f"_acme-challenge.{host}.": f"{target(host)}." for host in DELEGATED}
    assert left(lab, cloudflare, fifteen) == []
    assert len([one for one in cloudflare.requests if one.path == "/zones"]) == 1


def test_one_service_that_is_down_is_named_and_nothing_of_the_others_is_left(
    lab: Lab, cloudflare: Delegated, program: Configured, fifteen: dict[str, str]
) -> None:
    """The same forty names. It knows its zones, and says 502 to all about their records; the CA is not asked."""
    dnsbroker = through_three(program, cloudflare, {"all": hosts(fifteen)})
    cloudflare.fail_next(BAD_GATEWAY, path="/dns_records", times=10_000)
    ran = dnsbroker("--json", "issue", "all").failed(1)
    zone = ran.result["error"]["zone"].rstrip(".")
    assert fifteen[zone] == "cf"
    assert f"provider cf, zone {zone}: " in ran.result["error"]["message"]
    assert ran.result["error"]["hint"]
    assert not ran.named("asked")
    others = {zone: [provider] for zone, provider in fifteen.items() if provider != "cf"}
    assert written_by(ran, "written") == written_by(ran, "withdrawn") == others
    assert {item["provider"] for item in ran.named("left")} <= {"cf"}
    assert left(lab, cloudflare, fifteen) == []
