"""Eight processes at once on one RRset lose nothing, leave nothing, and share their writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from household import Household, credulous
from lab.processes import look_until
from lab.rig import Lab
from underway import Underway, open_leases

EIGHT = range(8)
ZONES = ("example.test", "bind.test")
#: Processes share a write where one is slow enough for others to come; never are there more than one for each act.
MOST_WRITES = 2 * len(EIGHT)
#: In seconds: low, since it is for so long that the CA may remember an older answer. Somebody else's is kept.
TTL = 1
LOW = {"providers": {"powerdns": {"ttl": "1s"}, "bind": {"ttl": "1s"}}}


@contextlib.contextmanager
def at_once(configuration: Path, calls: Sequence[Sequence[str]]) -> Iterator[list[Underway]]:
    """The program under way with each of ``calls``; every one must end well."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(Underway(configuration, *call)) for call in calls]
        yield running
        assert [run.end() for run in running] == [0] * len(calls), [(run.events[-1:], run.error) for run in running]


def plant(lab: Lab, zone: str, name: str) -> None:
    """Put somebody else's value at ``name``, on every server."""
    if zone == "example.test":
        lab.powerdns.set_soa_edit_api(zone, "INCREASE")
        lab.powerdns.replace(zone, name, ['"x"'], ttl=TTL)
        lab.powerdns.notify(zone)
    else:
        lab.bind.update(zone, add={(name, "TXT"): ["x"]}, ttl=TTL)
    lab.await_values(name, ["x"])


@pytest.mark.parametrize("zone", ZONES)
def test_eight_hooks_at_one_name(lab: Lab, configure: Callable[..., Path], tmp_path: Path, zone: str) -> None:
    """Presented at once, all stand everywhere; cleaned up at once, none does, and somebody else's value survives."""
    name, configuration = f"_acme-challenge.eight.{zone}", configure(overrides=LOW)
    plant(lab, zone, name)
    primary = lab.domain_of(name).primary
    before = lab.serial(primary, zone) or 0
    with at_once(configuration, [("txt", "present", name, f"value-{number}") for number in EIGHT]):
        pass
    values = {f"value-{number}" for number in EIGHT}
    for server in lab.domain_of(name).members:
        assert lab.values(server, name) == values | {"x"}
    with at_once(configuration, [("txt", "cleanup", name, value) for value in sorted(values)]):
        pass
    assert lab.values(primary, name) == {"x"}
    assert (lab.serial(primary, zone) or 0) - before <= MOST_WRITES
    lab.await_values(name, ["x"])
    assert open_leases(tmp_path / "state") == []


@pytest.mark.parametrize("zone", ZONES)
def test_eight_certificates_of_one_name(lab: Lab, configure: Callable[..., Path], tmp_path: Path, zone: str) -> None:
    """All eight runs have their values at one challenge name; each gets its certificate and takes its own back.

    The name and somebody else's value are short, because Pebble takes no answer above 512 octets.
    """
    host = f"s.{zone}"
    name = f"_acme-challenge.{host}"
    plant(lab, zone, name)
    before = lab.serial(lab.domain_of(name).primary, zone) or 0
    calls = [("issue", "--name", f"c{number}", "-d", host) for number in EIGHT]
    with at_once(configure(overrides=LOW), calls):
        pass
    assert sorted(path.name for path in (tmp_path / "state" / "live").iterdir()) == [f"c{number}" for number in EIGHT]
    assert lab.values(lab.domain_of(name).primary, name) == {"x"}
    assert (lab.serial(lab.domain_of(name).primary, zone) or 0) - before <= MOST_WRITES
    lab.await_values(name, ["x"])
    assert open_leases(tmp_path / "state") == []


def test_one_value_of_several_processes_comes_and_goes_once(
    lab: Lab, configure: Callable[..., Path], tmp_path: Path
) -> None:
    """A value that four present at once is there once; cleaned up by all of them at once, it is gone."""
    name, configuration = "_acme-challenge.shared.example.test", configure(overrides=LOW)
    with at_once(configuration, [("txt", "present", name, "shared") for _ in range(4)]):
        pass
    assert lab.values("powerdns", name) == {"shared"}
    with at_once(configuration, [("txt", "cleanup", name, "shared") for _ in range(4)]):
        pass
    look_until(lambda: not lab.leftovers(name), f"nothing at {name}")
    assert open_leases(tmp_path / "state") == []


@pytest.mark.parametrize(("parallel", "fewest", "most"), [(2, 1, 2), (8, 3, 8)])
def test_no_more_requests_are_in_flight_than_parallel_says(
    running_lab: Lab, tmp_path: Path, parallel: int, fewest: int, most: int
) -> None:
    """Twenty certificates at once: a request has a connection for itself, and so many connections are there at most.

    With the default there are more than two: they are really counted.
    """
    names = {f"c{number}": [f"c{number}.example.test"] for number in range(20)}
    with credulous(tmp_path / "ca", port=14540) as ca:
        home = Household(running_lab, tmp_path / "home", ca).says(names, {"parallel": parallel})
        seen: list[int] = []
        with Underway(home.configuration, "issue") as run:
            while not run.has("result"):
                seen.append(connections(ca.port))
            assert run.end() == 0, run.events
    assert [item["status"] for item in run.await_event("result")["certificates"]] == ["issued"] * 20
    assert fewest <= max(seen) <= most


def connections(port: int) -> int:
    """How many connections to a loopback port are established, as the kernel counts them."""
    lines = [line.split() for path in ("tcp", "tcp6") for line in Path(f"/proc/net/{path}").read_text().splitlines()]
    return sum(fields[2].endswith(f":{port:04X}") and fields[3] == "01" for fields in lines)
