"""lego, uacme and acme.sh with our hook, as their pages show it: certificates by either service, nothing left in DNS.

Most of its time each waits for the CA, so all goes at once: what is to succeed with one journal, as on one host, and
beside it what fails or is killed, in a zone one of whose servers follows no more.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import other_clients
from dnsbroker import keys
from lab.misbehaving import Behaviour
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import Domain
from lab.unbound import Unbound
from other_clients import Client
from program import Program, Ran
from underway import open_leases

FOREIGN = "theirs"

#: One server, so that five clients' changes do not wait for five notifications that BIND spaces.
DYNAMIC = Domain("dynamic.test", "bind")

#: The first has the page's way, the second the other one that it tells of; the third leaves aliases to lego.
LEGO: Mapping[str, Mapping[str, str]] = {
    "lego.example.test": {},
    "lego.dynamic.test": {"EXEC_MODE": "RAW"},
    "alias.example.test": {"LEGO_DISABLE_CNAME_SUPPORT": "false"},
}
UACME = ("uacme.example.test", "uacme.dynamic.test")
ACME_SH = "sh.example.test"
HOSTS = (*LEGO, *UACME)

#: Where the alias leads: not to a challenge name.
TARGET = "validation.dynamic.test"

LATE = ("lego.flaky.test", "uacme.flaky.test", "sh.flaky.test")
KILLED = ("killed-lego.flaky.test", "killed-uacme.flaky.test")


@dataclass(frozen=True)
class Played:
    """What came of it: of the clients that had a chance, of those that had none, and of those that were killed."""

    program: Program
    homes: Mapping[str, Path]
    ran: Mapping[str, Ran]
    impatient: Program
    late: Mapping[str, Ran]
    bereft: Program


def owner(host: str) -> str:
    """Where the values of a host's challenges stand."""
    return TARGET if host.startswith("alias.") else f"_acme-challenge.{host}"


def plant(lab: Lab) -> None:
    """Somebody else's value where each of ours will stand, and an alias; low TTLs, since those are ours then."""
    lab.create_zone(DYNAMIC)
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.powerdns.replace("example.test", "_acme-challenge.alias.example.test", [f"{TARGET}."], record_type="CNAME")
    for name in (owner(host) for host in (*HOSTS, ACME_SH)):
        if name.endswith(DYNAMIC.name):
            lab.bind.update(DYNAMIC.name, add={(name, "TXT"): [FOREIGN]}, ttl=1)
        else:
            lab.powerdns.replace("example.test", name, [f'"{FOREIGN}"'], ttl=1)
    lab.powerdns.notify("example.test")
    lab.await_served("example.test")
    lab.misbehaving.behave(Behaviour(stale=True))


def configured(lab: Lab, home: Path, overrides: Mapping[str, object] | None = None) -> Program:
    """A home with a configuration that has the services of the pages, in place of the lab's own tables for them."""
    services = {**other_clients.providers(lab, "docs/lego.md"), **other_clients.providers(lab, "docs/uacme.md")}
    home.mkdir()
    file = home / "dnsbroker.toml"
    file.touch(mode=0o600)
    usual: dict[str, object] = {"providers": {"powerdns": None, "bind": None, **services}}
    file.write_text(lab.config(home / "state", overrides={**usual, **(overrides or {})}))
    return Program(file)


def together(clients: Mapping[str, Client]) -> dict[str, Ran]:
    """What came of each, all of them run at once."""
    with ThreadPoolExecutor(len(clients)) as pool:
        return dict(zip(clients, pool.map(Client.__call__, clients.values()), strict=True))


def killed_while_they_wait(lab: Lab, clients: Mapping[str, Client]) -> None:
    """Start them, and kill each with its hook once its value stands at the primary."""
    processes = [client.started() for client in clients.values()]
    try:
        look_until(lambda: all(lab.values("powerdns", owner(host)) for host in clients), "a value of each client's", 90)
    finally:
        for process in processes:
            process.signal(signal.SIGKILL)
            process.stop(0)


@pytest.fixture(scope="module")
def resolver(running_lab: Lab) -> Iterator[Unbound]:
    """The host's own one: who asks it too early spoils nobody else's memory."""
    anchors = running_lab.unbound.trust_anchors
    place = running_lab.directory / "own-resolver"
    with Unbound(place, address="127.0.0.30", trust_anchors=anchors, name="own-resolver") as unbound:
        yield unbound


@pytest.fixture(scope="module")
def played(running_lab: Lab, resolver: Unbound, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """All clients at once."""
    lab, home, asked = running_lab, tmp_path_factory.mktemp("clients"), resolver.address
    lab.clean()
    plant(lab)
    program, bereft = configured(lab, home / "program"), configured(lab, home / "bereft")
    impatient = configured(lab, home / "impatient", {"propagation": {"timeout": "12s"}})
    file, short, long = (one.configuration for one in (program, impatient, bereft))
    clients = {
        host: other_clients.lego(lab, file, home / host, host, asked, otherwise) for host, otherwise in LEGO.items()
    }
    clients |= {host: other_clients.uacme(lab, file, home / host, host) for host in UACME}
    clients[ACME_SH] = other_clients.acme_sh(file, home / ACME_SH, ACME_SH)
    first, second, third = LATE
    late = {
        first: other_clients.lego(lab, short, home / first, first, asked),
        second: other_clients.uacme(lab, short, home / second, second),
        third: other_clients.acme_sh(short, home / third, third),
    }
    first, second = KILLED
    killed = {
        first: other_clients.lego(lab, long, home / first, first, asked),
        second: other_clients.uacme(lab, long, home / second, second),
    }
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(killed_while_they_wait, lab, killed)
        ran = together({**clients, **late})
        killing.result()
    homes = {host: client.home for host, client in clients.items()}
    return Played(program, homes, ran, impatient, {host: ran[host] for host in late}, bereft)


@pytest.mark.parametrize("host", HOSTS)
def test_apex_and_wildcard_are_obtained(played: Played, host: str) -> None:
    """By either service; with the value from lego or computed here; and where lego follows an alias itself."""
    played.ran[host].succeeded()
    home = played.homes[host]
    file = home / ".lego" / "certificates" / f"{host}.crt" if host in LEGO else home / host / "cert.pem"
    assert set(keys.describe(file.read_text()).names) == {host, f"*.{host}"}


@pytest.mark.parametrize("host", [*HOSTS, ACME_SH])
def test_what_is_somebody_else_s_stays_and_nothing_else(running_lab: Lab, played: Played, host: str) -> None:
    """On every server of the zone, once the last withdrawal is there."""
    running_lab.await_values(owner(host), [FOREIGN])


def test_the_journal_has_nothing_open(played: Played) -> None:
    """Whoever called, and whatever came of it."""
    assert open_leases(played.program.state) == []
    assert open_leases(played.impatient.state) == []


def test_acme_sh_adds_all_values_before_it_removes_any(played: Played) -> None:
    """Two at one name, each beginning with a dash; and what was set is kept for the next run."""
    played.ran[ACME_SH].succeeded()
    entries = played.program("--json", "log").succeeded().result["entries"]
    events = [entry["event"] for entry in entries if f"{owner(ACME_SH)}." in entry.get("names", ())]
    assert events == ["written", "written", "withdrawn", "withdrawn"]
    kept = (played.homes[ACME_SH] / ".acme.sh" / "account.conf").read_text()
    hook, configuration = other_clients.HOOK, played.program.configuration
    assert kept == f"SAVED_DNSBROKER_HOOK='{hook}'\nSAVED_DNSBROKER_CONFIG='{configuration}'\n"


def test_uacme_comes_to_dns_by_itself(played: Played) -> None:
    """Nobody tells it which kind to take; what else the CA offers is declined without a word: the line is its own."""
    for host in UACME:
        (line,) = played.ran[host].stderr.splitlines()
        assert line.startswith("uacme: terms at ")


def test_what_fails_is_taken_back_by_the_call_itself(running_lab: Lab, played: Played) -> None:
    """A server never follows: each client ends with its own status and our reason, and nothing stands in DNS."""
    assert [played.late[host].status for host in LATE] == [1, 2, 1]
    for host, ran in played.late.items():
        assert ": ns.flaky.test (127.0.0.31) " in ran.stdout + ran.stderr, host
        assert running_lab.values("powerdns", owner(host)) == frozenset(), host


def test_what_was_killed_with_its_hook_is_withdrawn_by_gc(running_lab: Lab, played: Played) -> None:
    """At once: the process that would have asked the CA is seen to be gone."""
    assert [len(running_lab.values("powerdns", owner(host))) for host in KILLED] == [1, 1]
    played.bereft("gc").succeeded()
    assert [len(running_lab.values("powerdns", owner(host))) for host in KILLED] == [0, 0]
    assert open_leases(played.bereft.state) == []
