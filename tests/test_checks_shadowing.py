"""Names that live only by a wildcard, on loopback servers: found before a record below them would end them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.checks.shadowing import shadowing
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing import FakeClock
from watching import Stage, stage

#: Patient: no server is silent here, but one may be slow on a busy machine.
EXCHANGE = Exchange(2.0, 2.0)
NAME = "_acme-challenge.host.example.test."
WILDCARD = "* A 192.0.2.7"


@pytest.fixture
def two() -> Iterator[Stage]:
    """``example.test.`` on two servers."""
    with stage() as made:
        yield made


def found(scene: Stage, name: str = NAME, *lines: str, extra: tuple[str, ...] = ()) -> list[Finding]:
    """What a record for ``name`` would make vanish, once ``lines`` stand in the zone."""
    for copy in scene.copies:
        if lines:
            copy.add(*lines)

    async def story() -> tuple[Finding, ...]:
        finder = Finder(scene.tree.config(), EXCHANGE, FakeClock())
        return await shadowing(await finder.find(name), finder, extra=extra)

    return list(asyncio.run(story()))


def test_n28_a_host_that_lives_only_by_a_wildcard(two: Stage) -> None:
    """Named with the wildcard that makes it, and every record that has to be added under its own name."""
    (finding,) = found(two, NAME, WILDCARD, "* AAAA 2001:db8::7", "* MX 10 mail", "* TXT no-matter")
    assert (finding.check, finding.severity, finding.subject) == ("wildcard-shadowing", Severity.ERROR, NAME)
    assert finding.message == (
        "host.example.test lives only by *.example.test, and would vanish with a record at "
        "_acme-challenge.host.example.test"
    )
    server = f"127.0.0.21:{two.names.port}"
    assert finding.evidence == (
        Evidence(server, "*.example.test. A 192.0.2.7"),
        Evidence(server, "*.example.test. AAAA 2001:db8::7"),
        Evidence(server, "*.example.test. MX 10 mail.example.test."),
    )
    assert finding.hint == (
        'first add "host.example.test. A 192.0.2.7", "host.example.test. AAAA 2001:db8::7", '
        '"host.example.test. MX 10 mail.example.test." to example.test, and the same at *.host.example.test if names '
        "below are used"
    )


def test_the_target_of_an_alias_would_lose_what_it_has_by_a_wildcard(two: Stage) -> None:
    """A warning: most such names are there for challenges alone, and nobody misses anything."""
    lines = "host A 192.0.2.1", "_acme-challenge.host CNAME target", WILDCARD
    (finding,) = found(two, NAME, *lines)
    assert (finding.check, finding.severity, finding.subject) == ("wildcard-shadowing", Severity.WARNING, NAME)
    assert finding.message.startswith("target.example.test, where its record is to stand")
    assert 'add "target.example.test. A 192.0.2.7" to example.test' in finding.hint
    assert found(two, NAME, "target A 192.0.2.9") == []


@pytest.mark.parametrize("target", ["@", "_target", "ns1"])
def test_a_target_that_no_wildcard_makes_a_host_loses_nothing(two: Stage, target: str) -> None:
    """An apex and a server are there by themselves; a name with an underscore is no host's."""
    assert found(two, NAME, "host A 192.0.2.1", f"_acme-challenge.host CNAME {target}", WILDCARD) == []


def test_what_the_hint_says_ends_it(two: Stage) -> None:
    """The same values, explicitly: from outside they differ in nothing but what stands below them."""
    assert found(two, NAME, WILDCARD)
    assert found(two, NAME, "host A 192.0.2.7") == []
    assert found(two, NAME, "*.host A 192.0.2.7") == []


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("host A 192.0.2.7",),
        (WILDCARD, "host A 192.0.2.8"),
        (WILDCARD, "host TXT only"),
        (WILDCARD, "a.host A 192.0.2.7"),
        (WILDCARD, "*.host A 192.0.2.7"),
        (WILDCARD, "_acme-challenge.host TXT left-behind"),
        ("* TXT nothing-that-anybody-is-reached-by",),
        ("*.other A 192.0.2.7",),
    ],
)
def test_n28_nothing_vanishes_where_the_host_exists_or_has_nothing(two: Stage, lines: tuple[str, ...]) -> None:
    """Explicitly, as an empty name with others below it, with a wildcard of its own, or not at all."""
    assert found(two, NAME, *lines) == []


def test_the_apex_s_own_challenge_shadows_nothing(two: Stage) -> None:
    """There is no name between, so nobody is asked either."""
    found(two, "_acme-challenge.example.test.", WILDCARD)
    asked = {entry.name for entry in two.names.log if entry.server == two.server(1).ip}
    assert [name for name in asked if name.endswith(".example.test.") and not name.startswith(("_acme", "ns"))] == []


def test_every_name_on_the_way_down_vanishes(two: Stage) -> None:
    """Below a name that a wildcard makes it makes all others too."""
    (finding,) = found(two, "_acme-challenge.a.b.example.test.", WILDCARD)
    assert finding.message.startswith("b.example.test, a.b.example.test live only by *.example.test,")
    assert '"b.example.test. A 192.0.2.7", "a.b.example.test. A 192.0.2.7"' in finding.hint
    (finding,) = found(two, "_acme-challenge.a.b.example.test.", "b A 192.0.2.9", "*.b A 192.0.2.10")
    assert finding.message.startswith("a.b.example.test lives only by *.b.example.test,")


@pytest.mark.parametrize("target", ["www.example.test.", "www.elsewhere.test."])
def test_a_wildcard_cname_shadows_as_well(two: Stage, target: str) -> None:
    """N15: it is not followed at the challenge name, and is what makes the host; wherever it leads, if anywhere."""
    (finding,) = found(two, NAME, f"* CNAME {target}")
    assert f'"host.example.test. CNAME {target}"' in finding.hint


def test_signatures_decide_where_there_are_any(two: Stage) -> None:
    """One with as many labels as the name has shows that it stands there itself."""
    signature = "RRSIG A 13 {} 60 20300101000000 20200101000000 1 example.test. AAAA"
    (finding,) = found(two, NAME, WILDCARD, f"* {signature.format(2)}")
    assert finding.check == "wildcard-shadowing"
    assert found(two, NAME, "host A 192.0.2.7", f"host {signature.format(3)}") == []


def test_one_server_is_asked_and_little(two: Stage) -> None:
    """Without a wildcard by one random name; a denial that a second server remembers could outlive the write."""
    assert found(two, NAME) == []
    below = [entry for entry in two.names.log if entry.name.endswith(".example.test.") and entry.name[:2] != "ns"]
    assert {entry.server for entry in below} == {two.server(1).ip}
    assert len({entry.name for entry in below}) == 3
    found(two, NAME, WILDCARD)
    assert not [entry for entry in two.names.log if entry.server == two.tree.resolver.ip and "host" in entry.name]


def test_many_names_side_by_side_cost_one_question_more(two: Stage) -> None:
    """Whether there is a wildcard above them is asked once for all."""

    async def story() -> None:
        finder = Finder(two.tree.config(), EXCHANGE, FakeClock())
        places = [await finder.find(f"_acme-challenge.h{number}.example.test.") for number in range(20)]
        two.names.log.clear()
        assert [await shadowing(place, finder) for place in places] == [()] * 20

    asyncio.run(story())
    assert len(two.names.log) == 1


class TestExtra:
    """Other names below which a record is going to be written."""

    TLSA = "_25._tcp.mail.example.test."

    def test_a_tlsa_record_shadows_its_host(self, two: Stage) -> None:
        """Names that nobody is reached by are not among those that vanish."""
        (finding,) = found(two, "_acme-challenge.example.test.", WILDCARD, extra=(self.TLSA,))
        assert finding.subject == self.TLSA
        assert finding.message.startswith("mail.example.test lives only by *.example.test,")
        assert found(two, "_acme-challenge.example.test.", "mail A 192.0.2.7", extra=(self.TLSA,)) == []

    def test_one_that_is_an_alias_is_looked_at_where_it_leads(self, two: Stage) -> None:
        """A DNAME makes names too, and is no wildcard."""
        lines = (WILDCARD, "tree DNAME x.example.test.")
        (finding,) = found(two, "_acme-challenge.example.test.", *lines, extra=("_25._tcp.a.tree.example.test.",))
        assert finding.message.startswith("x.example.test, a.x.example.test live only by")

    def test_one_that_cannot_be_found_is_a_finding(self, two: Stage) -> None:
        """Nothing is raised."""
        (finding,) = found(two, "_acme-challenge.example.test.", extra=("_25._tcp.mail.nowhere.",))
        assert (finding.check, finding.subject) == ("no-zone", "_25._tcp.mail.nowhere.")


def test_that_nobody_answers_any_more_is_a_finding(two: Stage) -> None:
    """The place was found; then the servers went."""

    async def story() -> tuple[Finding, ...]:
        finder = Finder(two.tree.config(), EXCHANGE, FakeClock())
        place = await finder.find(NAME)
        for server in two.servers:
            server.behaviour.rcode = "SERVFAIL"
        return await shadowing(place, finder)

    (finding,) = asyncio.run(story())
    assert (finding.check, finding.subject) == ("no-zone", NAME)
