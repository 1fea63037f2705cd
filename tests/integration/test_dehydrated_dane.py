"""The real dehydrated rolls its key over under TLSA records, killed at each step: no client is ever sent away."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import halting
from dane_client import Watch, accepts, digest
from dane_lab import MIN_WAIT, TTL, WebServer
from dehydrated_host import Dehydrated
from lab.configuration import Table
from lab.pebble import Pebble
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import RESOLVER, Domain

HOST = "web.rolled.test"
ADDRESS = "127.0.0.106"
ENDPOINT = f"https://{HOST}"
OWNER = f"_443._tcp.{HOST}"
ZONE = Domain(
    "rolled.test",
    "powerdns",
    ["bind-secondary", "nsd"],
    ttl=TTL,
    soa_edit_api="INCREASE",
    records=f"web A {ADDRESS}\n",
)
#: Every run finds the certificate due, and takes the key that was laid out for it.
ROLLING = ("PRIVATE_KEY_RENEW=yes", "PRIVATE_KEY_ROLLOVER=yes", "RENEW_DAYS=9999")
#: The whole run dies, as by a power cut.
DEATH = "kill -9 0"
HELD = "dehydrated does not begin"


def halted(event: str) -> str:
    """Shell that has our hook do what it is called for, and kills the run as soon as it has told of ``event``."""
    stands = 'grep -qs "^State:.T" "/proc/$pid/status"'
    call = f'{sys.executable} {halting.__file__} \'"event": "{event}"\' --json hook dehydrated "$@" &'
    return f"{call}\npid=$!\nuntil {stands} || ! kill -0 $pid 2>&-; do sleep 0.02; done\n! {stands} || {DEATH}"


def spki(path: Path) -> str:
    """The digest of the key in a certificate's file."""
    return digest("3 1 1", x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER))


class Rolled:
    """dehydrated, dnsbroker as its hook, and a web server that serves dehydrated's own files."""

    def __init__(self, lab: Lab, ca: Pebble, directory: Path) -> None:
        configuration = directory / "dnsbroker.toml"
        self._lab = lab
        self.client = Dehydrated(directory / "dehydrated", ca, configuration, HOST, settings=ROLLING)
        self.kept = self.client.certs / HOST
        (self.client.home / "live").symlink_to("certs")  # where the server looks
        self.web = WebServer(directory / "nginx", self.client.home, [HOST], [ADDRESS])
        pid = self.web.directory / "nginx.pid"
        reload = f"test ! -e {pid} || kill -HUP $(cat {pid})"
        table: Table = {
            "propagation": {"require": "none", "settle": "10ms"},
            "certificates": {"web": {"lineage": str(self.kept), "deploy_hooks": [reload]}},
        }
        dane = f'[[dane]]\nendpoint = "{ENDPOINT}"\ncertificate = "web"\nttl = "{TTL}s"\nmin_wait = "{MIN_WAIT}s"\n'
        configuration.touch(mode=0o600)
        configuration.write_text(lab.config(directory / "state", overrides=table) + dane)

    @property
    def records(self) -> frozenset[str]:
        """What stands in DNS."""
        return self._lab.values(ZONE.primary, OWNER, "TLSA")

    def runs(self, status: int = 0) -> None:
        """Run dehydrated as a timer does, until one run ends with ``status``; those before it have to be held."""

        def is_over() -> bool:
            ran = self.client()
            if ran.status == status:
                return True
            assert HELD in ran.stderr, (ran.status, ran.stdout, ran.stderr)
            told = re.findall(r"(?:from|until) ([-0-9]+ [:0-9]+) UTC", ran.stderr)
            moments = [datetime.fromisoformat(f"{moment}+00:00") for moment in told]
            look_until(lambda: all(moment < datetime.now(UTC) for moment in moments), "the time that was told")
            return False

        look_until(is_over, f"a run that ends with {status}", 120)

    def dies(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """A run is killed there."""
        self.client.interfere(before, after)
        self.runs(-signal.SIGKILL)
        self.client.interfere({})
        (self.client.home / "lock").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def rolled(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rolled]:
    """A first certificate, served, without any record; the CA believes all challenges."""
    running_lab.clean()
    directory = tmp_path_factory.mktemp("rolled")
    believing = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    ca = Pebble(directory / "pebble", port=14001, management_port=15001, authorization_reuse=100, environment=believing)
    running_lab.create_zone(ZONE)
    try:
        with ca:
            found = Rolled(running_lab, ca, directory)
            found.client.registered()().succeeded()
            with found.web:
                yield found
    finally:
        running_lab.drop_zone(ZONE.name)


#: Where a run dies: before a call of the hook, or after it. Each one goes on where that before it ended.
STEPS: Sequence[tuple[Mapping[str, str], Mapping[str, str]]] = (
    ({"exit_hook": halted("written")}, {}),  # the next key's record is being written
    ({}, {"sync_cert": DEATH}),  # the key is used up, and no link has moved
    ({"deploy_cert": DEATH}, {}),  # they have moved, and the server does not know it
    ({}, {"deploy_cert": DEATH}),  # it does, and the key that was laid out then is not published
    ({"startup_hook": halted("written")}, {}),  # that is being done
)


def test_killed_at_each_step_and_resumed_it_is_never_refused(rolled: Rolled) -> None:
    """Every run is held until the key that lies there is known to all caches, and so is the first."""
    assert HELD in rolled.client().failed(1).stderr
    assert accepts(ENDPOINT, RESOLVER) == ""
    with Watch(RESOLVER, [ENDPOINT]) as watch:
        for before, after in STEPS:
            rolled.dies(before, after)
        rolled.runs()
        look_until(lambda: watch.seen[-1].key == spki(rolled.kept / "cert.pem"), "the last key is served")
    assert watch.refusals == []
    assert len(watch.keys(ENDPOINT)) >= 4
    assert f"3 1 1 {spki(rolled.kept / 'cert.pem')}" in rolled.records
