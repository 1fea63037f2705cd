"""SIGKILL at any moment after the order was opened: the next run goes on with that order and its key, DNS clean."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dnsbroker import keys
from household import Household, credulous
from lab.misbehaving import Behaviour
from lab.pebble import Pebble
from lab.processes import look_until
from lab.rig import Lab
from underway import SENDING, WITHDRAWING, Underway, at, open_leases

#: Ten moments of a run, in their order. A run that withdraws may be over before it is seen.
MOMENTS = (
    *(at("order"), SENDING, at("written"), at("server", '"verdict": "green"')),
    *(at("propagated"), at("asked"), at("asked"), at("validated"), WITHDRAWING, at("withdrawn")),
)
LOW = {"providers": {"powerdns": {"ttl": "1s"}, "bind": {"ttl": "1s"}}}


@dataclass(frozen=True)
class Broken:
    """A run for ``names`` that was killed; ``order`` and ``key`` are what it left open, empty where it had ended."""

    configuration: Path
    names: Sequence[str]
    order: str
    key: str
    log: Sequence[str]

    @property
    def state(self) -> Path:
        return self.configuration.parent / "state"


def left_open(state: Path) -> tuple[str, str]:
    """The open order's URL and the digest of its key."""
    home = state / "pending" / "one"
    if not (home / "order.json").exists():
        return "", ""
    return json.loads((home / "order.json").read_text())["order"], digest(home / "privkey.pem")


def digest(key: Path) -> str:
    return keys.spki_sha256_of(key.read_text())


def is_matching(live: Path) -> bool:
    return keys.matches((live / "privkey.pem").read_text(), (live / "fullchain.pem").read_text())


def written(lab: Lab, directory: Path, names: Sequence[str]) -> Path:
    """A configuration of its own, with one certificate for ``names``."""
    directory.mkdir(exist_ok=True)
    configuration = directory / "dnsbroker.toml"
    configuration.touch(mode=0o600)
    overrides = {**LOW, "certificates": {"one": {"deploy_hooks": ["true"]}}}
    configuration.write_text(lab.config(directory / "state", certificates={"one": names}, overrides=overrides))
    return configuration


def killed(lab: Lab, directory: Path, number: int) -> Broken:
    """A run killed at the moment with that number: every other one a renewal, of a certificate that gets more names."""
    zone = ("example.test", "bind.test")[number // 2 % 2]
    names = [f"r{number}.{zone}", f"*.r{number}.{zone}"]
    if number % 2:
        with Underway(written(lab, directory, [f"before{number}.flaky.test"]), "issue") as run:
            assert run.end() == 0, run.events
    configuration = written(lab, directory, names)
    moment = MOMENTS[number]
    with Underway(configuration, "renew", halting=moment.line) as run:
        moment.await_in(run, directory / "state")
        run.stop(signal.SIGKILL)
    return Broken(configuration, names, *left_open(directory / "state"), [event["event"] for event in run.events])


def assert_clean(lab: Lab, broken: Broken) -> None:
    """Whole, live and nothing else."""
    live = broken.state / "live" / "one"
    assert is_matching(live)
    assert set(keys.describe((live / "fullchain.pem").read_text()).names) == set(broken.names)
    # A write that was cut off may still take effect: its lease is looked at again when it cannot any more.
    in_doubt = {"unwanted"} if "written" not in broken.log else set()
    assert {found for found, _ in open_leases(broken.state)} <= in_doubt, broken.log
    assert not list((broken.state / "pending" / "one").iterdir())
    challenge = f"_acme-challenge.{broken.names[0]}"
    assert lab.values(lab.domain_of(challenge).primary, challenge) == frozenset()


def assert_resumed(run: Underway, broken: Broken) -> None:
    """With the same order, and the same key."""
    if broken.order:
        assert run.await_event("resumed")["url"] == broken.order
        assert not run.has("order")
        assert digest(broken.state / "live" / "one" / "privkey.pem") == broken.key


def test_the_next_run_goes_on_with_the_order_of_a_killed_one(lab: Lab, tmp_path: Path) -> None:
    """At each moment, at either service, first certificate or renewal; a value of its order stays until it has served.

    The primary is watched all the time: values come once and go once. All are killed, then resumed, side by side.
    """
    watched = [f"_acme-challenge.r{number}.{('example.test', 'bind.test')[number // 2 % 2]}" for number in range(10)]
    with contextlib.ExitStack() as stack:
        observers = [stack.enter_context(lab.observer(name, [lab.domain_of(name).primary])) for name in watched]
        with ThreadPoolExecutor(len(MOMENTS)) as pool:
            work = [pool.submit(killed, lab, tmp_path / f"r{number}", number) for number in range(len(MOMENTS))]
            broken = [one.result() for one in work]
        assert [bool(one.order) for one in broken[:8]] == [True] * 8, [one.log for one in broken]
        runs = [stack.enter_context(Underway(one.configuration, "renew")) for one in broken]
        assert [run.end() for run in runs] == [0] * len(runs), [run.events for run in runs]
    for run, one, observer in zip(runs, broken, observers, strict=True):
        assert_resumed(run, one)
        assert_clean(lab, one)
        (history,) = observer.history.values()
        seen = [sighting.values for sighting in history]
        assert (seen[0], seen[-1], len(frozenset().union(*seen))) == (frozenset(), frozenset(), 2), (one.log, seen)
        assert not any(second - first for first, second in itertools.pairwise(seen[1:])), (one.log, seen)


def test_a_value_withdrawn_before_the_order_is_gone_on_with_is_waited_for_again(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """A secondary that has not heard yet still has it from before, and is about to lose it: that is not what is wanted.

    The CA's resolver asks that secondary too, and would fail an order that need not have failed.
    """
    configuration = configure({"one": ["again.flaky.test"]}, LOW)
    with Underway(configuration, "issue", halting='"propagated"') as run:
        run.await_halt()
        run.stop(signal.SIGKILL)
    lab.misbehaving.behave(Behaviour(stale=True))
    with Underway(configuration, "gc") as gc:
        assert gc.end() == 0, gc.events
    with Underway(configuration, "renew") as run:
        run.await_event("server", seen=lambda event: "about to leave" in event.get("detail", ""))
        assert not run.has("propagated")
        lab.misbehaving.behave()
        assert run.end() == 0, run.events
        assert run.has("resumed")
        serial = run.await_event("written")["serial"]
        told = [event for event in run.events if event["event"] == "server" and event["address"] == "127.0.0.31"]
    assert [event["verdict"] for event in told if event["serial"] >= serial][-1:] == ["green"], told


def test_what_was_asked_for_by_name_is_gone_on_with_too(lab: Lab, configure: Callable[..., Path]) -> None:
    """It is remembered from before its order; one that failed is not."""
    configuration = configure({}, LOW)
    with Underway(configuration, "issue", "-d", "asked.example.test", halting='"order"') as run:
        run.await_halt()
        url = run.await_event("order")["url"]
        run.stop(signal.SIGKILL)
    with Underway(configuration, "issue", "-d", "no.such.zone.invalid") as run:
        assert run.end() == 1, run.events
    with Underway(configuration, "renew") as run:
        assert run.end() == 0, run.events
        assert run.await_event("resumed")["url"] == url
    remembered = configuration.parent / "state" / "certificates"
    assert [file.name for file in remembered.iterdir()] == ["asked.example.test.toml"]


# What keeps an order from being gone on with; the CA of these believes without looking


@pytest.fixture(scope="module")
def ca(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """For orders that are opened, not proved."""
    with credulous(tmp_path_factory.mktemp("ca"), port=14520) as started:
        yield started


def edited(facts: Path, **changes: str) -> None:
    facts.write_text(json.dumps({**json.loads(facts.read_text()), **changes}))


def test_another_order_is_opened_where_the_old_one_is_not_what_is_wanted(
    running_lab: Lab, ca: Pebble, tmp_path: Path
) -> None:
    """Unknown to the CA, of another CA or account, for other names or another kind of key, or damaged on disk.

    The key of an order that the CA does not know is as good as new: nothing was issued for it.
    """
    kinds = ("same", "unknown", "directory", "account", "names", "key_type", "key", "damaged", "fresh")
    names = {kind: [f"{kind.replace('_', '')}.example.test"] for kind in kinds}
    home = Household(running_lab, tmp_path / "home", ca).says(names, {"propagation": {"settle": "60s"}})
    pending = {kind: home.state / "pending" / kind for kind in kinds}
    with Underway(home.configuration, "issue") as run:
        look_until(lambda: all((path / "order.json").exists() for path in pending.values()), "all orders", 20.0)
        # Killed over the write, it would leave values that nobody can be sure of for a while.
        look_until(lambda: {state for state, _ in open_leases(home.state)} == {"present"}, "all values", 20.0)
        run.stop(signal.SIGKILL)
    before = {kind: digest(path / "privkey.pem") for kind, path in pending.items()}
    edited(pending["unknown"] / "order.json", order=ca.url.replace("/dir", "/my-order/nobody-knows-it"))
    edited(pending["directory"] / "order.json", directory="https://ca.test/dir")
    edited(pending["account"] / "order.json", account="other")
    (pending["key"] / "privkey.pem").write_text((pending["same"] / "privkey.pem").read_text())
    (pending["damaged"] / "order.json").write_text("{")
    names["names"].append("more.example.test")
    # What the killed run wrote may be in the CA's cache for its TTL, which has to be seen.
    looking = {"propagation": {"require": "all-reachable"}}
    home.says(names, {**LOW, **looking, "certificates": {"key_type": {"key_type": "ecdsa-p384"}}})

    home("renew", "fresh", "--new-key").succeeded()
    ran = home("--json", "renew").succeeded()
    assert [item["certificate"] for item in ran.named("resumed")] == ["same"]
    assert {item["certificate"] for item in ran.named("order")} == set(kinds) - {"same", "fresh"}
    assert {kind for kind in kinds if home.key_of(kind) == before[kind]} == {"same", "unknown"}
    assert home.key_type("key_type") == "ecdsa-p384"
    assert not [path for home in pending.values() for path in home.iterdir()]
    assert open_leases(home.state) == []
