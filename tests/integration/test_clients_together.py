"""Two certbots and a dehydrated at once, for the same names: all succeed, and somebody else's value outlives them.

A server of the zone is late until the values of all three stand at the primary: nobody is done before the others come.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from certbot_host import HOOK, PROGRAMS, SECONDS
from dehydrated_host import Dehydrated
from dnsbroker import keys
from lab.misbehaving import Behaviour
from lab.processes import look_until, with_environment
from lab.rig import Lab
from lab.topology import Domain
from program import Program
from underway import open_leases

FOREIGN = "theirs"
#: By RFC 2136, and by PowerDNS. Both are unsigned, and short, because Pebble takes no answer above 512 octets.
HOSTS = {"s.both.test": "bind", "s.flaky.test": "powerdns"}
CLIENTS = ("debian", "newest", "dehydrated")
#: Two of each client's, and the one that is somebody else's.
VALUES = 2 * len(CLIENTS) + 1
DYNAMIC = Domain("both.test", "bind", ["misbehaving"], signed=False)


@dataclass(frozen=True)
class Played:
    """What came of it: where each client has its certificate, by host and client."""

    program: Program
    certificates: Mapping[tuple[str, str], Path]


def owner(host: str) -> str:
    """Where the values of a host's challenges stand."""
    return f"_acme-challenge.{host}"


def certbot(kind: str, lab: Lab, configuration: Path, home: Path, host: str) -> Path:
    """Obtain a certificate with a certbot that shares nothing with the other one; where it is."""
    places = [f"--{place}-dir={home / place}" for place in ("config", "work", "logs")]
    account = ["-n", "--agree-tos", "--register-unsafely-without-email", "--server", lab.pebble.url]
    hooks = [f"--manual-{call}-hook={HOOK} certbot-{call}" for call in ("auth", "cleanup")]
    manual = ["--manual", "--preferred-challenges=dns", *hooks]
    words: list[str | Path] = [PROGRAMS[kind], "certonly", *account, *places, *manual]
    variables = {"DNSBROKER_CONFIG": str(configuration), "REQUESTS_CA_BUNDLE": str(lab.pebble.ca_file)}
    command = with_environment({**variables, "PYTHONPATH": ""}, [*words, "-d", host, "-d", f"*.{host}"])
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "config" / "live" / host / "cert.pem"


def dehydrated(lab: Lab, configuration: Path, home: Path, host: str) -> Path:
    """Obtain one with dehydrated; where it is."""
    client = Dehydrated(home, lab.pebble, configuration, f"{host} *.{host}", settings=["HOOK_CHAIN=yes"])
    client.registered()().succeeded()
    return home / "certs" / host / "cert.pem"


def plant(lab: Lab) -> None:
    """Somebody else's value at each name, everywhere; from then on one server does not follow."""
    lab.create_zone(DYNAMIC)
    lab.bind.update("both.test", add={(owner("s.both.test"), "TXT"): [FOREIGN]}, ttl=1)
    lab.powerdns.replace("flaky.test", owner("s.flaky.test"), [f'"{FOREIGN}"'], ttl=1)
    lab.powerdns.notify("flaky.test")
    for host in HOSTS:
        lab.await_values(owner(host), [FOREIGN])
    lab.misbehaving.behave(Behaviour(stale=True))


@pytest.fixture(scope="module")
def played(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """All three, at either service."""
    lab, home = running_lab, tmp_path_factory.mktemp("together")
    lab.clean()
    plant(lab)
    file = home / "dnsbroker.toml"
    file.touch(mode=0o600)
    file.write_text(lab.config(home / "state"))
    calls: dict[tuple[str, str], Callable[[], Path]] = {}
    for host in HOSTS:
        for kind in CLIENTS:
            obtain = dehydrated if kind == "dehydrated" else partial(certbot, kind)
            calls[host, kind] = partial(obtain, lab, file, home / f"{kind}-{host}", host)
    with ThreadPoolExecutor(len(calls)) as pool:
        under_way = {name: pool.submit(call) for name, call in calls.items()}
        try:
            for host in HOSTS:
                await_all_at_once(lab, host, list(under_way.values()))
        finally:
            lab.misbehaving.behave()
    return Played(Program(file), {name: call.result() for name, call in under_way.items()})


def await_all_at_once(lab: Lab, host: str, under_way: Sequence[Future[Path]]) -> None:
    """Wait until two values of each client and somebody else's stand at the primary, or a client has failed."""

    def is_over() -> bool:
        return len(lab.values(HOSTS[host], owner(host))) == VALUES or any(call.done() for call in under_way)

    look_until(is_over, f"{VALUES} values for {host}", 90)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("client", CLIENTS)
def test_each_obtains_apex_and_wildcard(played: Played, host: str, client: str) -> None:
    """Though the others' values stood at the same name all the while."""
    names = keys.describe(played.certificates[host, client].read_text()).names
    assert set(names) == {host, f"*.{host}"}


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_somebody_else_s_stays_and_nothing_else(running_lab: Lab, played: Played, host: str) -> None:
    """On every server of the zone."""
    running_lab.await_values(owner(host), [FOREIGN])
    assert open_leases(played.program.state) == []


@pytest.mark.parametrize("host", HOSTS)
def test_each_client_s_two_values_go_out_in_one_write(played: Played, host: str) -> None:
    """At most: those that come at the same time share one. Nothing is written twice."""
    entries = played.program("--json", "log").succeeded().result["entries"]
    writes = [entry for entry in entries if entry["event"] == "written" and f"{owner(host)}." in entry["names"]]
    assert 1 <= len(writes) <= len(CLIENTS)
