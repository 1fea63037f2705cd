"""The real dehydrated with our hook: certificates by either service, chained or not, and nothing of ours left in DNS.

Most of its time it waits for the CA, so whatever is to succeed goes at once, each with a state directory of its own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dehydrated_host import Dehydrated
from dnsbroker import keys
from lab.configuration import Table
from lab.rig import Lab
from lab.topology import Domain
from program import Program, Ran
from underway import open_leases

FOREIGN = "not ours"

#: dehydrated tells the hook of a failed request, and may go on; here it does so twice while the values stand.
STUMBLING = 'for again in 1 2; do "$HOOK" exit_hook "Problem connecting to server" || exit; done'
#: No way to the service for as long as this call lasts.
UNREACHED = 'DNSBROKER_CONFIG="${DNSBROKER_CONFIG%/*}/unreached.toml"'
#: Somebody takes the first name's value away before the CA looks.
ROBBED = 'sh "$BASEDIR/rob" || exit'
NOWHERE: Table = {"providers": {"bind": {"port": 9}}, "propagation": {"timeout": "1s"}}


@dataclass(frozen=True)
class Scene:
    """One certificate: its line in domains.txt, whether the hook is chained, and what that does besides."""

    line: str
    chained: bool = True
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the certificate."""
        return self.line.split()

    @property
    def challenges(self) -> set[str]:
        """Where its values stand."""
        return {f"_acme-challenge.{name.removeprefix('*.')}" for name in self.names}


SCENES = {
    "powerdns": Scene("chained.example.test *.chained.example.test"),
    "powerdns-unchained": Scene("single.example.test *.single.example.test", chained=False),
    "bind": Scene("chained.bind.test *.chained.bind.test"),
    "bind-unchained": Scene("single.bind.test *.single.bind.test", chained=False),
    "stumbling": Scene("stumbling.example.test", after={"deploy_challenge": STUMBLING}),
    "unreached": Scene("unreached.bind.test", before={"clean_challenge": UNREACHED}),
    "robbed": Scene("a.robbed.test b.robbed.test c.robbed.test", after={"deploy_challenge": ROBBED}),
}
PLAIN = ("powerdns", "powerdns-unchained", "bind", "bind-unchained")


@dataclass(frozen=True)
class Played:
    """A scene after its run: what dehydrated said, and what the log has."""

    scene: Scene
    host: Dehydrated
    program: Program
    ran: Ran

    @property
    def log(self) -> list[Mapping[str, Any]]:
        """The entries of the log."""
        entries: list[Mapping[str, Any]] = self.program("--json", "log").succeeded().result["entries"]
        return entries

    def logged(self, event: str) -> list[Mapping[str, Any]]:
        """The entries of one event."""
        return [entry for entry in self.log if entry["event"] == event]


@pytest.fixture(scope="module")
def account(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Dehydrated:
    """A directory with an account at the lab's CA, for the others to take."""
    running_lab.clean()
    home = tmp_path_factory.mktemp("account") / "dehydrated"
    return Dehydrated(home, running_lab.pebble, Path("unused.toml")).registered()


def staged(lab: Lab, account: Dehydrated, directory: Path, scene: Scene) -> Dehydrated:
    """What the scene needs, below ``directory``."""
    directory.mkdir()
    live = directory / "dehydrated" / "certs" / scene.names[0]
    lineage: Table = {"certificates": {"kept": {"lineage": str(live)}}}
    for name, overrides in {"dnsbroker": lineage, "unreached": {**lineage, **NOWHERE}}.items():
        (directory / f"{name}.toml").write_text(lab.config(directory / "state", overrides=overrides))
    settings = [f"HOOK_CHAIN={'yes' if scene.chained else 'no'}"]
    host = account.another(directory / "dehydrated", directory / "dnsbroker.toml", scene.line, settings=settings)
    host.interfere(scene.before, scene.after)
    return host


def play(host: Dehydrated, scene: Scene) -> Played:
    """Run it."""
    return Played(scene, host, Program(host.home.parent / "dnsbroker.toml"), host())


def robbery(lab: Lab, name: str) -> str:
    """A command that brings ``name`` back to what stood there before."""
    record = {"content": f'"{FOREIGN}"', "disabled": False}
    change = {"name": f"{name}.", "type": "TXT", "changetype": "REPLACE", "ttl": 5, "records": [record]}
    url = f"{lab.powerdns.url}/api/v1/servers/localhost/zones/{lab.domain_of(name).name}."
    key = f"X-API-Key: {lab.powerdns.api_key}"
    return shlex.join(["curl", "-sSf", "-X", "PATCH", "-H", key, "-d", json.dumps({"rrsets": [change]}), url])


@pytest.fixture(scope="module")
def played(running_lab: Lab, account: Dehydrated, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Played]:
    """All scenes, after they have run beside each other, where somebody else's values stand at each name."""
    lab, directory = running_lab, tmp_path_factory.mktemp("dehydrated")
    lab.create_zone(Domain("robbed.test", "powerdns"))  # one server: what is taken away is gone at once
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")  # about which there is nothing to say then
    names = [name for scene in SCENES.values() for name in scene.challenges]
    zones = {name: lab.domain_of(name) for name in names}
    for name, zone in zones.items():
        if zone.primary == "powerdns":
            lab.powerdns.replace(zone.name, name, [f'"{FOREIGN}"'])
    others = {(name, "TXT"): [f'"{FOREIGN}"'] for name, zone in zones.items() if zone.primary == "bind"}
    lab.bind.update("bind.test", add=others, ttl=5)
    hosts = {name: staged(lab, account, directory / name, scene) for name, scene in SCENES.items()}
    (hosts["robbed"].home / "rob").write_text(robbery(lab, "_acme-challenge.a.robbed.test"))
    with ThreadPoolExecutor(len(SCENES)) as pool:
        return dict(zip(SCENES, pool.map(play, hosts.values(), SCENES.values()), strict=True))


@pytest.mark.parametrize("name", PLAIN)
def test_apex_and_wildcard_are_obtained_and_nothing_is_said(played: Mapping[str, Played], name: str) -> None:
    """By either service, chained or not: the certificate is live, and stderr has nothing but a line of dehydrated's."""
    one = played[name]
    assert one.ran.succeeded().stderr.strip() == ""
    leaf = keys.describe((one.host.certs / one.scene.names[0] / "cert.pem").read_text())
    assert set(leaf.names) == set(one.scene.names)
    assert {call.status for call in one.host.calls} == {0}


@pytest.mark.parametrize("name", SCENES)
def test_nothing_of_ours_is_left_and_what_is_not_ours_stays(
    running_lab: Lab, played: Mapping[str, Played], name: str
) -> None:
    """On every server, and in the journal."""
    for challenge in played[name].scene.challenges:
        running_lab.await_values(challenge, [FOREIGN])
    assert open_leases(played[name].program.state) == []


@pytest.mark.parametrize("name", PLAIN)
def test_a_chained_call_is_one_write_and_one_wait(played: Mapping[str, Played], name: str) -> None:
    """Its twin: where calls are not chained there are two of each."""
    one = played[name]
    calls = 1 if one.scene.chained else 2
    assert len(one.host.called("deploy_challenge")) == len(one.host.called("clean_challenge")) == calls
    assert len(one.logged("written")) == calls


def test_an_error_in_the_middle_of_a_run_takes_nothing_away(played: Mapping[str, Played]) -> None:
    """Told twice that there was one, while the values stand: the CA finds them all the same."""
    one = played["stumbling"]
    one.ran.succeeded()
    assert one.host.called("deploy_cert")


def test_a_service_that_is_down_for_the_clean_up_costs_no_order(played: Mapping[str, Played]) -> None:
    """The call succeeds and says what is left; the end of the run takes it away."""
    one = played["unreached"]
    stderr = one.ran.succeeded().stderr
    assert [call.status for call in one.host.called("clean_challenge")] == [0]
    assert "_acme-challenge.unreached.bind.test" in stderr and "bind" in stderr
    assert one.host.called("deploy_cert") and one.host.called("exit_hook")[-1].status == 0


def test_the_name_that_was_refused_is_told_by_its_token(played: Mapping[str, Played]) -> None:
    """What dehydrated names is the last one of the line, whichever it was."""
    one = played["robbed"]
    stderr = one.ran.failed(1).stderr
    assert [call.words[1] for call in one.host.called("invalid_challenge")] == ["c.robbed.test"]
    (told,) = [line for line in stderr.splitlines() if "refused" in line]
    assert "a.robbed.test" in told and "c.robbed.test" not in told
