"""Debian's certbot and the newest one, with the plugin and with the manual hooks, as docs/certbot.md says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from certbot_host import PLUGIN, PROGRAMS, Host, unpacked_plugin
from dnsbroker import keys
from lab.configuration import Table
from lab.misbehaving import Behaviour
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import Domain
from later import HOUR, later
from program import Ran
from underway import open_leases

Hosts = Callable[..., Host]
FOREIGN = "a record of somebody else's"
#: One server, so that nobody waits for BIND's pause between two messages to its secondaries.
ALONE = "alone.test"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin is."""
    return unpacked_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def host(lab: Lab, site: Path, tmp_path: Path) -> Hosts:
    """A host with a certbot of that kind, which is to get a certificate for that name: ``host("debian", "x.test")``."""

    def made(kind: str, name: str, services: Table | None = None, **overrides: object) -> Host:
        return Host(lab, tmp_path / f"{kind}-{name}", kind, name, site).configured(overrides, services)

    return made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """For what may happen side by side."""
    with ThreadPoolExecutor(8) as executor:
        yield executor


def challenge(name: str) -> str:
    return f"_acme-challenge.{name}"


def plant(lab: Lab, *names: str) -> None:
    """A record that is nobody's business here, at the challenge name of each."""
    for name in map(challenge, names):
        domain = lab.domain_of(name)
        if domain.primary == "powerdns":
            lab.powerdns.replace(domain.name, name, [f'"{FOREIGN}"'])
        else:
            lab.bind.update(domain.name, add={(f"{name}.", "TXT"): [f'"{FOREIGN}"']})


def assert_obtained(host: Host, ran: Ran) -> None:
    """A certificate for the apex and the wildcard; nothing of it is left in DNS or on its way."""
    ran.succeeded()
    leaf = keys.describe((host.live / "cert.pem").read_text())
    assert set(leaf.names) == {host.name, f"*.{host.name}"}
    assert open_leases(host.dnsbroker.state) == []
    host.lab.await_values(challenge(host.name), {FOREIGN})


def test_by_the_plugin_both_values_go_out_in_one_write(lab: Lab, host: Hosts, pool: ThreadPoolExecutor) -> None:
    """Through PowerDNS and through dynamic updates, by both certbots; what stood there before stays."""
    lab.create_zone(Domain(ALONE, "bind"))
    hosts = [host(kind, f"{kind}.{zone}") for kind in PROGRAMS for zone in ("example.test", ALONE)]
    plant(lab, *(each.name for each in hosts))
    for each, ran in zip(hosts, pool.map(lambda each: each.obtain(PLUGIN, "-v"), hosts), strict=True):
        assert_obtained(each, ran)
        told = [line for line in each.log.splitlines() if ":dnsbroker: " in line]
        assert len([line for line in told if ":dnsbroker: written" in line]) == 1, told
        assert len([line for line in told if ":dnsbroker: withdrawn" in line]) == 1, told
        assert "dnsbroker: propagated" in ran.stdout + ran.stderr


def test_what_the_plugin_cannot_publish_the_ca_is_not_asked_for(
    lab: Lab, host: Hosts, pool: ThreadPoolExecutor
) -> None:
    """A secondary that does not follow, and a zone that nobody may write: certbot stops, and says in our words why."""
    lab.misbehaving.behave(Behaviour(stale=True))
    stale = host("debian", "stale.flaky.test", propagation={"timeout": "3s"})
    closed = host("newest", "closed.bind.test", services={"dyn": None})
    lab.unbound.forget_queries()
    late, refused = pool.map(lambda each: each.obtain(PLUGIN), [stale, closed])
    assert late.status == refused.status == 1
    assert "ns.flaky.test (127.0.0.31) is stale" in late.stderr
    assert "(hint: ns.flaky.test refreshes every " in late.stderr
    assert "no configured provider" in refused.stderr
    for each in (stale, closed):
        assert lab.unbound.queries(challenge(each.name)) == []
        assert not each.live.exists()
        assert open_leases(each.dnsbroker.state) == []
    lab.misbehaving.behave()
    lab.await_values(challenge(stale.name), ())


def test_a_broken_configuration_breaks_only_the_plugins_own_runs(host: Hosts, pool: ThreadPoolExecutor) -> None:
    """It is listed all the same, and goes on with everything else; who uses it is told the key."""
    hosts = [host(kind, "broken.example.test") for kind in PROGRAMS]
    for each in hosts:
        each.dnsbroker.configuration.write_text('state_dri = "x"\n')

    def tried(each: Host) -> tuple[Ran, Ran, Ran]:
        return each("plugins", "--prepare"), each("certificates"), each.obtain(PLUGIN)

    for listed, other, used in pool.map(tried, hosts):
        assert "* dns-dnsbroker" in listed.succeeded().stdout
        assert "state_dri: unknown key" in " ".join(listed.stdout.split())
        other.succeeded()
        assert used.status == 1
        assert "state_dri: unknown key; the nearest known key is state_dir" in used.stderr


def started_by(pid: int) -> list[int]:
    """The processes that ``pid`` has started, and those that they have."""
    stats = {path.name: path for path in Path("/proc").iterdir() if path.name.isdigit()}
    children = [int(name) for name, path in stats.items() if parent_of(path) == pid]
    return [*children, *(each for child in children for each in started_by(child))]


def parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return -1


def test_a_stopped_or_killed_certbot_leaves_nothing_in_dns(lab: Lab, host: Hosts) -> None:
    """Stopped, it waits for dnsbroker to clean up; killed with all that it started, its values go when they expire."""
    lab.misbehaving.behave(Behaviour(stale=True))
    stopped, killed = host("newest", "stopped.flaky.test"), host("debian", "killed.flaky.test")
    runs = {each: each.started(PLUGIN) for each in (stopped, killed)}
    for each in runs:
        look_until(lambda each=each: bool(lab.values("powerdns", challenge(each.name))), each.name, 30)  # type: ignore[misc]
    os.kill(runs[stopped].pid, signal.SIGTERM)
    look_until(lambda: not runs[stopped].is_running, "the end", 20)
    assert open_leases(stopped.dnsbroker.state) == []
    assert lab.values("powerdns", challenge(stopped.name)) == frozenset()

    for pid in (runs[killed].pid, *started_by(runs[killed].pid)):
        os.kill(pid, signal.SIGKILL)
    runs[killed].stop(0)
    assert len(lab.values("powerdns", challenge(killed.name))) == 2
    killed.dnsbroker("gc").succeeded()
    assert len(lab.values("powerdns", challenge(killed.name))) == 2
    killed.dnsbroker("gc", environment=later(HOUR + 60)).succeeded()
    assert lab.values("powerdns", challenge(killed.name)) == frozenset()
