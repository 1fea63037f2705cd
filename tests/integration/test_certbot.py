"""Debian's certbot and the newest one, with the plugin and with the manual hooks, as docs/certbot.md says."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import pages
from certbot_host import HOOKS, PLUGIN, PROGRAMS, Host, send, unpacked_plugin
from dnsbroker import keys
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

    def made(kind: str, name: str, **configuration: object) -> Host:
        return Host(lab, tmp_path / f"{kind}-{name}", kind, name, site, configuration)

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


def names_of(host: Host) -> list[str]:
    """In a zone of each service; the page's command asks for the first one and its wildcard."""
    return [host.name, f"{host.kind}.{ALONE}"]


def obtain_both(host: Host, header: str) -> Ran:
    """Have certbot obtain one certificate for its names in both zones, and for their wildcards."""
    other = names_of(host)[1]
    return host.obtain(header, "-d", other, "-d", f"*.{other}", "-v")


def assert_obtained(host: Host, ran: Ran, *names: str) -> None:
    """A certificate for these names and their wildcards; nothing of it is left in DNS or on its way."""
    ran.succeeded()
    assert "error:" not in ran.stdout + ran.stderr
    leaf = keys.describe((host.certificate() / "cert.pem").read_text())
    assert set(leaf.names) == {*names, *(f"*.{name}" for name in names)}
    assert open_leases(host.dnsbroker.state) == []
    for name in names:
        host.lab.await_values(challenge(name), {FOREIGN})


def test_by_the_plugin_all_values_of_a_zone_go_out_in_one_write(
    lab: Lab, host: Hosts, pool: ThreadPoolExecutor
) -> None:
    """Through PowerDNS and through dynamic updates, by both certbots; what stood there before stays."""
    lab.create_zone(Domain(ALONE, "bind"))
    hosts = [host(kind, f"{kind}.example.test") for kind in PROGRAMS]
    plant(lab, *(name for each in hosts for name in names_of(each)))
    for each, ran in zip(hosts, pool.map(lambda each: obtain_both(each, PLUGIN), hosts), strict=True):
        assert_obtained(each, ran, *names_of(each))
        for zone, event in itertools.product(("example.test.", f"{ALONE}."), ("written", "withdrawn")):
            told = [
                line for line in each.log.splitlines() if f":dnsbroker: {event} " in line and f"zone={zone} " in line
            ]
            assert len(told) == 1, told
        assert "dnsbroker: propagated" in ran.stdout + ran.stderr


def test_by_the_hooks_only_the_last_call_writes(lab: Lab, host: Hosts, pool: ThreadPoolExecutor) -> None:
    """Both certbots at once, for one name in a zone and for another each, with one dnsbroker between them."""
    lab.create_zone(Domain(ALONE, "bind"))
    hosts = [host(kind, "shared.example.test") for kind in PROGRAMS]
    hosts[1].dnsbroker = hosts[0].dnsbroker
    plant(lab, *{name for each in hosts for name in names_of(each)})
    done = list(pool.map(lambda each: obtain_both(each, HOOKS), hosts))
    for each, ran in zip(hosts, done, strict=True):
        assert_obtained(each, ran, *names_of(each))
    told = hosts[0].dnsbroker("--json", "log").succeeded().result["entries"]
    assert len({entry["run"] for entry in told if entry["run_command"] == "hook certbot auth"}) <= len(hosts)


def test_what_the_plugin_cannot_publish_the_ca_is_not_asked_for(
    lab: Lab, host: Hosts, pool: ThreadPoolExecutor
) -> None:
    """A secondary that does not follow, and a zone that nobody may write: certbot stops, and says in our words why."""
    lab.misbehaving.behave(Behaviour(stale=True))
    stale = host("debian", "stale.flaky.test", propagation={"timeout": "3s"})
    closed = host("newest", "closed.bind.test", providers={"dyn": None})
    lab.unbound.forget_queries()
    late, refused = pool.map(lambda each: each.obtain(PLUGIN), [stale, closed])
    assert late.status == refused.status == 1
    assert "ns.flaky.test (127.0.0.31) is stale" in late.stderr
    assert "(hint: ns.flaky.test refreshes every " in late.stderr
    assert "no configured provider" in refused.stderr
    for each in (stale, closed):
        assert lab.unbound.queries(challenge(each.name)) == []
        assert not each.certificate().exists()
        assert open_leases(each.dnsbroker.state) == []
    lab.misbehaving.behave()
    lab.await_values(challenge(stale.name), ())


def test_a_broken_configuration_breaks_only_the_plugins_own_runs(host: Hosts, pool: ThreadPoolExecutor) -> None:
    """It is listed all the same, and goes on with everything else; who uses it is told the key."""
    hosts = [host(kind, "broken.example.test") for kind in PROGRAMS]
    for each in hosts:
        each.dnsbroker.configuration.write_text('state_dri = "x"\n')

    def tried(each: Host) -> tuple[Ran, Ran]:
        return each("plugins", "--prepare"), each.obtain(PLUGIN)

    for listed, used in pool.map(tried, hosts):
        assert "* dns-dnsbroker" in listed.succeeded().stdout
        assert "state_dri: unknown key" in " ".join(listed.stdout.split())
        assert used.status == 1
        assert "state_dri: unknown key; the nearest known key is state_dir" in used.stderr


def test_after_a_failure_that_certbot_did_not_heed_the_next_run_is_refused_early(lab: Lab, host: Hosts) -> None:
    """Whatever the CA makes of it: what failed is told with its reason, and so is until when nothing is published."""
    lab.misbehaving.behave(Behaviour(stale=True))
    late = host("debian", "late.flaky.test", propagation={"timeout": "2s"})
    first, second = (late.obtain(HOOKS, "--dry-run") for _ in range(2))
    assert "reported error code 3" in first.stderr
    assert "ns.flaky.test (127.0.0.31) is stale" in first.stderr
    assert "hint: ns.flaky.test refreshes every " in first.stderr
    assert "reported error code 1" in second.stderr
    assert "nothing is published before " in second.stderr
    written = [entry for entry in late.dnsbroker("--json", "log").result["entries"] if entry["event"] == "written"]
    assert len(written) == 1
    assert open_leases(late.dnsbroker.state) == []
    assert lab.values("powerdns", challenge(late.name)) == frozenset()


def test_each_lineage_of_one_renewal_is_deployed(lab: Lab, host: Hosts, tmp_path: Path) -> None:
    """One proved by the hooks, one by the plugin; what fails to be deployed certbot does not heed, and we do."""
    lab.create_zone(Domain(ALONE, "bind"))
    one, two = f"one.{ALONE}", f"two.{ALONE}"
    copied = {"lineage": str(tmp_path / f"debian-{one}" / "config" / "live" / two), "copies": [{"to": str(tmp_path)}]}
    both = host("debian", one, certificates={two: copied})
    both.units.running("nginx", "true")
    both.obtain(HOOKS).succeeded()
    both.obtain(PLUGIN, name=two).succeeded()
    assert both.units.reloads == ["nginx"]
    before = (tmp_path / "fullchain.pem").read_text()
    both.dnsbroker("status").succeeded()

    both.units.broken("nginx")
    renewed = both("renew", "--force-renewal", "--no-random-sleep-on-renew").succeeded()
    assert both.units.reloads == ["nginx"] * 2
    assert before != (tmp_path / "fullchain.pem").read_text() == (both.certificate(two) / "fullchain.pem").read_text()
    assert "Job for nginx.service failed" in renewed.stderr
    assert "nginx" in both.dnsbroker("status").failed(4).stdout
    both.units.running("nginx", "true")
    both.dnsbroker("renew", environment=both.units.environment).succeeded()
    assert both.units.reloads == ["nginx"] * 3
    both.dnsbroker("status").succeeded()


def await_written(*hosts: Host) -> None:
    """Until each has its values at the primary, where it waits for a secondary that does not follow."""
    for each in hosts:
        look_until(lambda each=each: bool(each.lab.values("powerdns", challenge(each.name))), each.name, 30)  # type: ignore[misc]


def assert_left_until_it_expires(*hosts: Host) -> None:
    """What nobody cleans up, and no client can be seen for, is gone with the first ``gc`` after an hour."""
    for each in hosts:
        assert each.lab.values("powerdns", challenge(each.name)), each.name
        each.dnsbroker("gc").succeeded()
        assert each.lab.values("powerdns", challenge(each.name)), each.name
        each.dnsbroker("gc", environment=later(HOUR + 60)).succeeded()
        assert each.lab.values("powerdns", challenge(each.name)) == frozenset(), each.name
        assert open_leases(each.dnsbroker.state) == []


def test_a_stopped_certbot_waits_for_the_plugin_and_a_killed_one_leaves_nothing_for_long(lab: Lab, host: Hosts) -> None:
    """Hooks cannot have certbot wait: it cleans up for calls that had returned, or for none; gc sees it gone."""
    lab.misbehaving.behave(Behaviour(stale=True))
    plugin, hooks = host("newest", "plugin.flaky.test"), host("debian", "hooks.flaky.test")
    killed = host("debian", "killed.flaky.test"), host("newest", "killed-too.flaky.test")
    with ExitStack() as stack:
        runs = [
            stack.enter_context(each.started(header))
            for each, header in zip((plugin, hooks, *killed), (PLUGIN, HOOKS) * 2, strict=True)
        ]
        await_written(plugin, hooks, *killed)
        send(runs[0].pid, signal.SIGTERM)
        os.kill(runs[1].pid, signal.SIGTERM)
        for run in runs[2:]:
            send(run.pid, signal.SIGKILL)
        look_until(lambda: not any(run.is_running for run in runs), "the end", 20)
    assert open_leases(plugin.dnsbroker.state) == []
    assert lab.values("powerdns", challenge(plugin.name)) == frozenset()
    assert len(lab.values("powerdns", challenge(hooks.name))) == 1
    assert_left_until_it_expires(killed[0])
    for each in (hooks, killed[1]):
        each.dnsbroker("gc").succeeded()
        assert lab.values("powerdns", challenge(each.name)) == frozenset(), each.name
        assert open_leases(each.dnsbroker.state) == []


def test_a_run_that_ended_in_its_second_call_of_four_hinders_no_other(
    lab: Lab, host: Hosts, pool: ThreadPoolExecutor
) -> None:
    """Nothing was written yet; the next run for the same names writes its own values and no others, and at once."""
    lab.create_zone(Domain(ALONE, "bind"))

    def tried(number: signal.Signals) -> tuple[Host, Ran]:
        ended = host("debian", f"{number.name.lower()}.{ALONE}")
        other = f"other.{ended.name}"
        names = "-d", other, "-d", f"*.{other}"
        plant(lab, ended.name, other)
        pid = ended.home / "pid"
        waiting = f"until [ -s {pid} ]; do sleep 0.01; done"
        ended.interfere(f'if [ "$number" = 2 ]; then {waiting}; kill -{int(number)} "$(cat {pid})"; fi')
        with ended.started(HOOKS, *names) as ending:
            pid.write_text(str(ending.pid))
            look_until(lambda: not ending.is_running, "the end", 20)
        assert open_leases(ended.dnsbroker.state) == []
        return ended, ended.obtain(HOOKS, *names)

    for ended, ran in pool.map(tried, (signal.SIGTERM, signal.SIGKILL)):
        assert_obtained(ended, ran, ended.name, f"other.{ended.name}")


@pytest.mark.parametrize("service", ["cloudflare", "rfc2136"])
def test_the_page_has_every_setting_of_the_plugin_that_people_come_from(service: str) -> None:
    """All that Debian's names; a newer one may know more."""
    old = Path("/usr/lib/python3/dist-packages") / f"certbot_dns_{service}"
    told = "".join(path.read_text() for path in old.rglob("*.py"))
    settings = set(re.findall(rf"--dns-{service}[\w-]*|\bdns_{service}_\w+", told))
    section = pages.section(pages.text("docs/certbot.md"), f"## From certbot-dns-{service}")
    assert len(settings) > 5
    assert settings <= {word for row in pages.rows(section) for word in pages.words(row[0])}
