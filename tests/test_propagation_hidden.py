"""N29: a record below a name that its server denies is lost to resolvers that go down name by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dnsbroker.clock import Deadline
from dnsbroker.errors import NotPropagated
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.propagation.verdict import Sight, Verdict, Want, judge
from watching import NAME, Stage, stage

HOST = "host.example.test."
BELOW = f"_acme-challenge.{HOST}"
#: Seconds in which every server has been asked, on a busy machine too; a wait that fails costs them.
ENOUGH = 2.0


@pytest.fixture
def two() -> Iterator[Stage]:
    """A primary and one secondary, both with the record below the host."""
    with stage() as made:
        made.publish("value", label="_acme-challenge.host")
        made.exchange = Exchange(10.0, 10.0)  # nobody is silent here
        made.finder = Finder(made.tree.config(), made.exchange, made.clock)
        yield made


def asked(scene: Stage, number: int, name: str) -> int:
    """How often the server was asked whether ``name`` is there, once the place was known."""
    ip = scene.server(number).ip
    return len([entry for entry in scene.names.log if (entry.server, entry.name, entry.type) == (ip, name, "A")])


def test_n29_a_server_that_denies_a_name_above_is_never_green(two: Stage) -> None:
    """Although it has every value; the cure is to make the empty name known."""
    two.server(2).behaviour.denied = frozenset({HOST})
    error = two.failure("value", name=BELOW, seconds=ENOUGH)
    assert two.told(2) == ["hidden"]
    assert "is hidden: has it, but denies that host.example.test above it exists" in error.message
    assert "127.0.0.21" not in error.message
    assert error.hint.startswith(
        "make the empty names of example.test known on ns2.example.test (PowerDNS: pdnsutil rectify-zone example.test, "
        "then pdns_control purge example.test$): "
    )
    assert error.hint.endswith("--ignore ns2.example.test")


def test_without_that_the_name_above_is_asked_for_once(two: Stage) -> None:
    """The twin: one question for each address, however often the value is looked at."""
    assert two.wait("value", name=BELOW, rounds=3).verdicts
    assert [asked(two, number, HOST) for number in (1, 2)] == [1, 1]


def test_a_zone_that_is_mended_meanwhile_is_through(two: Stage) -> None:
    """It is asked again until the name is there, or the time is over."""
    two.server(2).behaviour.denied = frozenset({HOST})

    def mend() -> None:
        if two.told(2):
            two.server(2).behaviour.denied = frozenset()
        else:
            asyncio.get_running_loop().call_later(0.01, mend)

    assert two.wait("value", name=BELOW, meanwhile=mend).verdicts
    assert two.told(2) == ["hidden", "green"]


def test_directly_below_the_apex_nobody_is_asked(two: Stage) -> None:
    """Between the usual challenge name and its zone there is nothing."""
    two.publish("value")
    two.server(2).behaviour.denied = frozenset({HOST})
    assert two.wait("value").verdicts
    assert {entry.type for entry in two.names.log if entry.name == NAME} == {"SOA", "TXT"}
    assert asked(two, 2, HOST) == asked(two, 2, "example.test.") == 0


def test_an_alias_above_that_leads_nowhere_is_there(two: Stage) -> None:
    """Its answer says NXDOMAIN of where it leads, not of itself."""
    for copy in two.copies:
        copy.add("host CNAME gone")
    assert two.wait("value", name=BELOW).verdicts


def test_the_same_among_many_names(two: Stage) -> None:
    """Where the serial is asked first, the values once it is new enough."""
    names = [f"_acme-challenge.h{number}.example.test." for number in range(6)]
    for number in range(6):
        two.publish("value", label=f"_acme-challenge.h{number}")
    two.server(1).behaviour.denied = frozenset({"h4.example.test."})
    errors = together(two, names)
    assert ["is hidden" in error for error in errors] == [False] * 4 + [True, False]


def together(scene: Stage, names: list[str]) -> list[str]:
    """What waits for a value at each of ``names``, all at once, end with; empty for the one that is through."""

    async def story() -> list[str]:
        watcher = scene.watcher()

        async def waited(name: str) -> str:
            try:
                await watcher.wait(await scene.expectation("value", name=name), Deadline.after(scene.clock, ENOUGH))
            except NotPropagated as error:
                return error.message
            return ""

        return list(await asyncio.gather(*map(waited, names)))

    return asyncio.run(story())


def test_every_name_in_between_counts(two: Stage) -> None:
    """From the top down, as a resolver goes; TLSA records stand two labels below their host."""
    value = "3 1 1 " + "ab" * 32
    for copy in two.copies:
        copy.add(f"_25._tcp.mail TLSA {value}")
    wanted: dict[str, Any] = {"name": "_25._tcp.mail.example.test.", "type": "TLSA", "serial": None}
    assert two.wait(value, **wanted).verdicts
    two.server(2).behaviour.denied = frozenset({"_tcp.mail.example.test."})
    assert "denies that _tcp.mail.example.test above it exists" in two.failure(value, seconds=ENOUGH, **wanted).message


@pytest.mark.parametrize(
    ("sight", "verdict"),
    [
        ({"values": frozenset({"a"})}, Verdict.GREEN),
        ({"values": frozenset({"a"}), "denied": HOST}, Verdict.HIDDEN),
        ({"values": frozenset({"a"}), "denied": HOST, "fault": "unsigned"}, Verdict.BOGUS),
        ({"denied": HOST}, Verdict.STALE),
    ],
)
def test_the_value_comes_first_and_its_proof_before_its_way(sight: dict[str, Any], verdict: Verdict) -> None:
    """Where the value is not there yet, the names above need not be either."""
    looked = Sight("NOERROR", authoritative=True, **sight)
    assert judge(looked, Want(BELOW, "TXT", frozenset({"a"}))).verdict is verdict
