"""Certificates through both services, from the installed program to a chain that a client takes; real servers only."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dnsbroker.environment import variables
from lab import wire
from lab.pebble import Pebble
from lab.processes import LabError, look_until, run
from lab.rig import Lab
from lab.topology import PLACES, RESOLVER
from program import Program, Ran

Configured = Callable[..., Program]

#: How often in a row an issuance must succeed with the default TTL at both services; the suite has time for fewer.
TIMES = int(variables().get("DNSBROKER_ISSUE_TIMES", "0"))


@dataclass(frozen=True)
class Service:
    """A zone of the lab at one of the services, with its apex and wildcard as one certificate."""

    zone: str
    provider: str

    @property
    def certificates(self) -> dict[str, list[str]]:
        """The certificate's table."""
        return {self.zone: [self.zone, f"*.{self.zone}"]}

    @property
    def challenge(self) -> str:
        """The owner name of both values."""
        return f"_acme-challenge.{self.zone}"


POWERDNS = Service("example.test", "powerdns")
BIND = Service("bind.test", "bind")
both_services = pytest.mark.parametrize("service", [POWERDNS, BIND], ids=lambda service: service.provider)


def early_questions(lab: Lab, name: str, everywhere: float) -> list[str]:
    """What the validating resolver was asked at or below a name before every server had its values."""
    return [
        f"{query.name} {query.record_type}"
        for query in lab.unbound.queries()
        if f".{query.name}".rstrip(".").endswith(f".{name}") and query.at < everywhere
    ]


def accepts(root: Path, chain: Path, host: str) -> bool:
    """Whether a TLS client that trusts only ``root`` takes the chain for ``host``, by OpenSSL."""
    try:
        run(["openssl", "verify", "-CAfile", root, "-untrusted", chain, "-verify_hostname", host, chain])
    except LabError:
        return False
    return True


def issued_in_a_row(lab: Lab, dnsbroker: Program, service: Service, times: int) -> int:
    """How many different certificates came of so many calls, each of which left no value on any server."""
    serials = set()
    for _ in range(times):
        ran = dnsbroker("issue", "--force", "--json", service.zone).succeeded()
        serials.add(ran.result["certificates"][0]["serial"])
        lab.await_values(service.challenge, [])
    return len(serials)


@both_services
def test_apex_and_wildcard_every_time(lab: Lab, program: Configured, service: Service) -> None:
    """Again and again without a pause, though the CA's resolver may still hold the values of the time before."""
    brief = {"providers": {"powerdns": {"ttl": "1s"}}} if not TIMES else {}
    times = TIMES or (3 if service is POWERDNS else 2)
    assert issued_in_a_row(lab, program(service.certificates, brief), service, times) == times


def test_the_cas_cache_is_outlasted_only_where_the_ca_was_asked(lab: Lab, program: Configured) -> None:
    """A run that ended before it asked holds up no other; one that asked holds up the next."""
    names = {"cache": ["cache.example.test"]}
    lab.freeze("nsd")
    late = program(names, {"propagation": {"timeout": "2s"}})("--json", "issue", "cache").failed(3)
    assert late.named("written")
    lab.thaw("nsd")
    dnsbroker = program(names)
    assert not dnsbroker("--json", "issue", "cache").succeeded().named("held")
    assert dnsbroker("--json", "issue", "--force", "cache").succeeded().named("held")


@both_services
def test_nobody_asks_for_the_name_before_every_server_has_it(lab: Lab, program: Configured, service: Service) -> None:
    """The resolver's log shows the CA's questions alone, the first of them after the last server followed."""
    dnsbroker = program(service.certificates)
    with lab.observer(service.challenge) as observer:
        dnsbroker("issue", service.zone).succeeded()
    everywhere = observer.everywhere(lambda values: len(values) == 2)
    assert everywhere is not None
    assert lab.unbound.queries(service.challenge, "TXT")
    assert early_questions(lab, service.challenge, everywhere) == []


def test_a_question_asked_too_early_would_be_seen(lab: Lab, program: Configured) -> None:
    """The log is really looked at: somebody else's curiosity before the issuance is in it."""
    wire.ask(RESOLVER, f"deeper.{POWERDNS.challenge}", "A", recursive=True)
    with lab.observer(POWERDNS.challenge) as observer:
        program(POWERDNS.certificates)("txt", "present", POWERDNS.challenge, "one", "--no-wait").succeeded()
        look_until(lambda: observer.everywhere(observer.having("one")) is not None, "the value on every server")
    everywhere = observer.everywhere(observer.having("one"))
    assert everywhere is not None
    assert early_questions(lab, POWERDNS.challenge, everywhere) == [f"deeper.{POWERDNS.challenge}. A"]


def test_foreign_and_disabled_records_survive_in_powerdns(lab: Lab, program: Configured) -> None:
    """Values, TTL, comment and the disabled ones are what they were, to the letter."""
    comment = {"content": "ask hostmaster", "account": "ops", "modified_at": 1700000000}
    records = [
        {"content": '"somebody else\'s"', "disabled": False},
        {"content": '"kept in reserve"', "disabled": True},
    ]
    name = f"{POWERDNS.challenge}."
    foreign = {"name": name, "type": "TXT", "ttl": 3600, "records": records, "comments": [comment]}
    lab.powerdns.set_soa_edit_api(POWERDNS.zone, "INCREASE")
    lab.powerdns.patch(POWERDNS.zone, [{**foreign, "changetype": "REPLACE"}])
    lab.powerdns.notify(POWERDNS.zone)
    lab.await_values(name, ["somebody else's"])
    with lab.observer(name) as observer:
        program(POWERDNS.certificates)("issue", POWERDNS.zone).succeeded()
    assert observer.everywhere(lambda values: len(values) == 3) is not None
    assert all("somebody else's" in one.values for seen in observer.history.values() for one in seen)
    (after,) = (item for item in lab.powerdns.settings_of(POWERDNS.zone)["rrsets"] if item["name"] == name)
    assert after | {"records": sorted(after["records"], key=str)} == foreign | {"records": sorted(records, key=str)}
    lab.await_values(name, ["somebody else's"])


def test_foreign_records_survive_in_bind(lab: Lab, program: Configured) -> None:
    """With the TTL they had, on every server."""
    lab.bind.update(BIND.zone, add={(BIND.challenge, "TXT"): ['"one"', '"two words"']}, ttl=1800)
    with lab.observer(BIND.challenge) as observer:
        program(BIND.certificates)("issue", BIND.zone).succeeded()
    assert observer.everywhere(lambda values: len(values) == 4) is not None
    lab.await_values(BIND.challenge, ["one", "two words"])
    for member in lab.domains[BIND.zone].members:
        (rrset, *_) = wire.ask(PLACES[member].address, BIND.challenge, "TXT").answer
        assert rrset.ttl == 1800


@both_services
def test_the_chain_is_for_those_names_and_from_that_ca(
    lab: Lab, program: Configured, service: Service, tmp_path: Path
) -> None:
    """A client that trusts the CA's root takes it for apex and wildcard, for no other name, and under no other root."""
    dnsbroker = program(service.certificates)
    dnsbroker("issue", service.zone).succeeded()
    root, chain = tmp_path / "root.pem", dnsbroker.live(service.zone) / "fullchain.pem"
    root.write_text(lab.pebble.root())
    for host in (service.zone, f"anything.{service.zone}"):
        assert accepts(root, chain, host)
    for host in (f"two.labels.{service.zone}", "test", "else.test"):
        assert not accepts(root, chain, host)
    assert not accepts(lab.pebble.ca_file, chain, service.zone)


def test_the_files_are_where_and_as_they_should_be(lab: Lab, program: Configured) -> None:
    """Links into an archive by serial, through one inner link; the key for its owner alone."""
    dnsbroker = program(POWERDNS.certificates)
    (facts,) = dnsbroker("--json", "issue", POWERDNS.zone).succeeded().result["certificates"]
    live = dnsbroker.live(POWERDNS.zone)
    assert facts["path"] == str(live)
    assert (live / "current").readlink() == Path("../../archive") / POWERDNS.zone / facts["serial"]
    modes = {"privkey": 0o600, "cert": 0o644, "chain": 0o644, "fullchain": 0o644, "combined": 0o600}
    text = {}
    for kind, mode in modes.items():
        file = live / f"{kind}.pem"
        assert file.readlink() == Path("current") / file.name
        assert stat.S_IMODE(file.stat().st_mode) == mode
        text[kind] = file.read_text()
    assert text["fullchain"] == text["cert"] + text["chain"]
    assert text["combined"] == text["privkey"] + text["fullchain"]
    shown = run(["openssl", "x509", "-noout", "-serial", "-in", live / "cert.pem"])
    assert int(shown.partition("=")[2], 16) == int(facts["serial"], 16)
    assert facts["serial"] == f"{int(facts['serial'], 16):x}"


def test_both_services_in_one_certificate(lab: Lab, program: Configured) -> None:
    """Each name is proved where its zone is, all in one order."""
    names = [*POWERDNS.certificates[POWERDNS.zone], *BIND.certificates[BIND.zone]]
    ran = program({"all": names})("--json", "issue", "all").succeeded()
    assert set(ran.result["certificates"][0]["names"]) == set(names)
    assert {(item["zone"], item["provider"]) for item in ran.named("written")} == {
        ("example.test.", "powerdns"),
        ("bind.test.", "bind"),
    }
    lab.await_values(POWERDNS.challenge, [])
    lab.await_values(BIND.challenge, [])


def test_a_delegated_challenge_name_is_written_where_it_leads(lab: Lab, program: Configured) -> None:
    """A CNAME and a DNAME, each into a zone of the other service."""
    ways = {"_acme-challenge.cname.bind.test": "bind", "_acme-challenge.dname.example.test": "powerdns"}
    dnsbroker = program({"away": ["cname.example.test", "*.cname.example.test", "dname.bind.test"]})
    ran = dnsbroker("--json", "issue", "away").succeeded()
    assert {name.rstrip("."): item["provider"] for item in ran.named("written") for name in item["names"]} == ways
    for name in ways:
        lab.await_values(name, [])


def test_a_zone_below_a_zone_is_written_at_its_own_service(lab: Lab, program: Configured) -> None:
    """One certificate over the cut between two zones of different services."""
    names = ["www.example.test", "sub.example.test", "*.sub.example.test"]
    ran = program({"cut": names})("--json", "issue", "cut").succeeded()
    written = {item["zone"]: item["names"] for item in ran.named("written")}
    assert written == {
        "example.test.": ["_acme-challenge.www.example.test."],
        "sub.example.test.": ["_acme-challenge.sub.example.test."],
    }
    lab.await_values("_acme-challenge.sub.example.test", [])
    lab.await_values("_acme-challenge.www.example.test", [])


# CAs of a test's own


@pytest.fixture
def other_ca(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Pebble]]:
    """Start one more CA, as unkind as a test wants it."""
    started: list[Pebble] = []

    def start(**settings: int) -> Pebble:
        directory = tmp_path / "ca"
        ca = Pebble(directory, resolver=f"{RESOLVER}:53", port=14001, management_port=15001, name="other", **settings)  # type: ignore[arg-type]
        started.append(ca)
        return ca.__enter__()

    yield start
    for ca in started:
        ca.stop()


def trusting(ca: Pebble, **more: object) -> Mapping[str, object]:
    """The configuration's part that goes to that CA."""
    return {"acme": {"directory": ca.url, "ca_bundle": str(ca.ca_file)}, **more}


def test_half_of_all_nonces_refused(lab: Lab, program: Configured, other_ca: Callable[..., Pebble]) -> None:
    """Fifty certificates of fifty in one run, each proved in DNS."""
    names = [f"host{number}.example.test" for number in range(50)]
    dnsbroker = program({name: [name] for name in names}, trusting(other_ca(nonce_reject=50)))
    ran = dnsbroker("--json", "issue").succeeded()
    assert [item["status"] for item in ran.result["certificates"]] == ["issued"] * 50
    for name in names:
        assert lab.values("powerdns", f"_acme-challenge.{name}") == frozenset()


def written(ran: Ran) -> list[str]:
    """The owner names that a run wrote."""
    return [name for item in ran.named("written") for name in item["names"]]


def test_what_is_already_proved_is_left_alone(lab: Lab, program: Configured, other_ca: Callable[..., Pebble]) -> None:
    """A CA that offers valid authorizations again causes no write to DNS for these names, and one for a new one."""
    overrides = trusting(other_ca(authorization_reuse=100))
    dnsbroker = program(BIND.certificates, overrides)
    assert written(dnsbroker("--json", "issue", BIND.zone).succeeded()) == ["_acme-challenge.bind.test."]
    lab.await_values(BIND.challenge, [])
    before = lab.serial("bind", BIND.zone)
    again = dnsbroker("--json", "issue", "--force", BIND.zone).succeeded()
    assert not [item for name in ("written", "withdrawn", "asked") for item in again.named(name)]
    assert lab.serial("bind", BIND.zone) == before
    dnsbroker = program({BIND.zone: [*BIND.certificates[BIND.zone], "new.sub.example.test"]}, overrides)
    more = dnsbroker("--json", "renew").succeeded()
    assert written(more) == ["_acme-challenge.new.sub.example.test."]
    assert lab.serial("bind", BIND.zone) == before
