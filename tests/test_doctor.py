"""The doctor's visit: whom it looks at, that one fault hides no other, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from dnsbroker.checks.caa import Authority
from dnsbroker.checks.skew import Reading
from dnsbroker.doctor.authorities import Office, compared
from dnsbroker.errors import AuthRejected, ConfigError
from dnsbroker.findings import Finding, Severity
from dnsbroker.names import is_within
from dnsbroker.testing import FakeClock, MemoryProvider, MemoryService
from practice import CERTIFICATE, CHALLENGE, ZONE, Practice, grave, leave, practising, words


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with practising(tmp_path / "state") as made:
        yield made


def test_a_sound_world_is_silent(practice: Practice) -> None:
    """No error and no warning; everything was looked at once, the apex and the wildcard in one zone."""
    diagnosis = practice.visit(config=practice.config(CERTIFICATE))
    assert grave(diagnosis) == []
    assert not diagnosis.has_error
    seen = diagnosis.examined
    assert (seen.names, seen.zones, seen.providers, seen.servers) == (2, 1, 1, 2)


def test_nothing_is_changed(practice: Practice) -> None:
    """No record, no file, no account; nor does a resolver hear of the challenge name."""
    practice.visit(config=practice.config(CERTIFICATE))
    assert practice.service.seen == []
    assert not practice.state_dir.exists()
    resolver = practice.tree.resolver
    asked = {question.name for question in practice.tree.servers.log if question.server == resolver.ip}
    assert asked and not any(is_within(name, ZONE) and name != ZONE for name in asked)


@pytest.mark.parametrize("name", ["example.test", "EXAMPLE.test.", "*.example.test", "www.example.test", CHALLENGE])
def test_any_domain_name_will_do(practice: Practice, name: str) -> None:
    """However it is written, and whether or not a certificate has it."""
    diagnosis = practice.visit(name)
    assert grave(diagnosis) == []
    assert diagnosis.examined.names == 1


def test_a_name_in_unicode_is_found(practice: Practice) -> None:
    """And told as it was written."""
    diagnosis = practice.visit("bücher.test")
    assert ("no-provider", "_acme-challenge.bücher.test") in words(diagnosis)


def test_without_certificates_the_providers_are_looked_at(practice: Practice) -> None:
    """And nothing else."""
    seen = practice.visit().examined
    assert (seen.names, seen.zones, seen.providers) == (0, 0, 1)
    assert practice.tree.servers.log == []


def test_what_is_neither_name_nor_certificate_is_refused(practice: Practice) -> None:
    """With what is configured in the hint."""
    with pytest.raises(ConfigError, match="'c17' is neither a configured certificate nor a domain name") as caught:
        practice.visit("c17", config=practice.config(CERTIFICATE))
    assert "example.test" in caught.value.hint


def test_a_wrong_certificate_is_a_finding_unless_it_is_named(practice: Practice) -> None:
    """The others are looked at all the same."""
    config = practice.config({**CERTIFICATE, "wrong": {"names": ["example.test"], "key_type": "dsa"}})
    assert words(practice.visit(config=config)) == [("misconfigured", "wrong")]
    assert grave(practice.visit("example.test", config=config)) == []
    with pytest.raises(ConfigError, match="key_type"):
        practice.visit("wrong", config=config)


def test_a_zone_that_nobody_holds_is_found(practice: Practice) -> None:
    """For each name that would be written there; other names are well."""
    practice.tree.zone("other.test.", "@ NS ns\nns A 127.0.0.23\n", "127.0.0.23")
    practice.tree.delegate("other NS ns.other", "ns.other A 127.0.0.23")
    diagnosis = practice.visit("example.test", "other.test")
    assert words(diagnosis) == [("no-provider", "_acme-challenge.other.test")]
    assert diagnosis.examined.zones == 2


def test_two_providers_for_one_zone_are_told_once(practice: Practice) -> None:
    """Whatever number of names stands in it."""
    other = {"type": "memory", "service": MemoryService(ZONE)}
    providers = {"memory": {"type": "memory", "service": practice.service}, "other": other}
    diagnosis = practice.visit("a.example.test", "b.example.test", config=practice.config(providers=providers))
    (found,) = grave(diagnosis)
    assert (found.check, found.subject, found.severity) == ("ambiguous-provider", "example.test", Severity.ERROR)
    assert "zones" in found.hint


class Refusing(MemoryProvider):
    """A service that knows the account no more."""

    async def find_zone(self, name: str) -> str | None:
        raise AuthRejected("the key was refused", provider="memory", hint="make a new one")

    async def zones(self) -> tuple[str, ...] | None:
        raise AuthRejected("the key was refused", provider="memory", hint="make a new one")


def test_a_provider_that_fails_is_told_once(practice: Practice) -> None:
    """Not for each name that could not be looked for because of it."""
    config = practice.config(CERTIFICATE, {"memory": Refusing})
    diagnosis = practice.visit(config=config)
    assert words(diagnosis) == [("provider-fails", "provider memory")]
    assert diagnosis.has_error
    assert [found.message for found in grave(diagnosis)] == ["the key was refused"]  # whose it was, the subject says


def test_a_provider_that_cannot_be_asked_whose_a_zone_is_is_a_finding(practice: Practice) -> None:
    """Where another one is right, too: once, and without a warning beside it; an error where all are looked at."""
    practice.service.serve(ZONE, "ns1.example.test.")
    providers = {
        "memory": {"type": "memory", "service": practice.service},
        "other": {"type": "other", "service": MemoryService("other.test.")},
    }
    config = practice.config(CERTIFICATE, {"other": Refusing}, providers=providers)
    for names, severity in (((), Severity.ERROR), (["example.test"], Severity.WARNING)):
        diagnosis = practice.visit(*names, config=config)
        assert [(found.check, found.subject, found.severity) for found in grave(diagnosis)] == [
            ("provider-fails", "provider other", severity)
        ]
        assert [event for event in practice.told if event["event"] == "warning"] == []


class Examining(Refusing):
    """A service that says itself what is wrong, and was asked."""

    asked: list[tuple[Sequence[str], bool]]

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        return (Finding("auth", Severity.ERROR, "provider memory", "the key ended yesterday"),)


def test_what_a_provider_says_itself_replaces_what_it_answered(practice: Practice) -> None:
    """It knows more."""
    diagnosis = practice.visit(config=practice.config(CERTIFICATE, {"memory": Examining}))
    assert words(diagnosis) == [("auth", "provider memory")]


class Breaking(MemoryProvider):
    """An adapter with a defect."""

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        raise KeyError("nothing")


def test_a_check_that_breaks_is_a_finding(practice: Practice) -> None:
    """And the others are told as if nothing had happened."""
    practice.zones[1].behaviour.rcode = "REFUSED"
    diagnosis = practice.visit("example.test", config=practice.config(adapters={"memory": Breaking}))
    found = {finding.check: finding for finding in grave(diagnosis)}
    assert "KeyError" in found["unexamined"].message
    assert found["unexamined"].subject == "provider memory"
    assert "lame-server" in found


class Ahead(MemoryProvider):
    """A service behind the name servers, whose zone has gone on."""

    async def serial(self, zone: str) -> int:
        return 9


class Speechless(Ahead):
    """One that will not say how far."""

    async def serial(self, zone: str) -> int:
        raise AuthRejected("the key may not read zones", provider="memory")


def test_servers_that_do_not_follow_the_service_are_found(practice: Practice) -> None:
    """Also where all of them agree, for nobody sees what is written; a service that says nothing accuses nobody."""
    diagnosis = practice.visit(config=practice.config(CERTIFICATE, {"memory": Ahead}))
    found = grave(diagnosis)
    assert [finding.check for finding in found] == ["stale-server"] * 2
    assert all(9 in {item.serial for item in finding.evidence} and finding.hint for finding in found)
    for zone in practice.zones:
        zone.bump(9)
    assert grave(practice.visit(config=practice.config(CERTIFICATE, {"memory": Ahead}))) == []
    assert grave(practice.visit(config=practice.config(CERTIFICATE, {"memory": Speechless}))) == []


class Noting(MemoryProvider):
    """A service that writes down how it was asked to examine itself."""

    seen: list[tuple[Sequence[str], bool]] = []  # noqa: RUF012 - for one test

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        self.seen.append((zones, fix))
        told = Finding("auth", Severity.ERROR, "provider memory", "mended", fixed=True)
        return (told,) if fix else ()


def test_a_provider_hears_its_zones_and_whether_to_mend(practice: Practice) -> None:
    """What it mended counts as an error no more."""
    Noting.seen.clear()
    config = practice.config(CERTIFICATE, {"memory": Noting})
    assert practice.visit(config=config).fixed == 0
    diagnosis = practice.visit(config=config, fix=True)
    assert Noting.seen == [((ZONE,), False), ((ZONE,), True)]
    assert (diagnosis.fixed, diagnosis.has_error, diagnosis.count(Severity.ERROR)) == (1, False, 0)


def test_only_providers_that_matter_are_asked_for_a_name(practice: Practice) -> None:
    """All of them where it is not known who would write."""
    providers = {
        "memory": {"type": "memory", "service": practice.service},
        "other": {"type": "memory", "service": MemoryService("other.test.")},
    }
    config = practice.config(providers=providers)
    assert practice.visit("example.test", config=config).examined.providers == 1
    assert practice.visit("nobody.test", config=config).examined.providers == 2
    assert practice.visit(config=config).examined.providers == 2


def test_fix_withdraws_what_is_left_and_nothing_else(practice: Practice) -> None:
    """A stranger's value stays; without the option so does ours, and it is told."""
    leave(practice, "ours")
    rrset = practice.service.rrset(ZONE, CHALLENGE, "TXT")
    assert rrset is not None
    practice.service.plant(ZONE, CHALLENGE, "TXT", 5, {*rrset.values, "foreign"})
    assert [word for word, _ in words(practice.visit("example.test"))] == ["left-behind"]
    mended = practice.visit("example.test", fix=True)
    assert [finding.fixed for finding in mended.findings if finding.check == "left-behind"][-1]
    rrset = practice.service.rrset(ZONE, CHALLENGE, "TXT")
    assert rrset is not None and rrset.values == {"foreign"}


def test_what_is_left_at_a_name_of_nobody_is_told_of(practice: Practice) -> None:
    """By the journal alone, where every certificate is looked at; then --fix withdraws it."""
    leave(practice, "ours")
    config = practice.config({"www.example.test": {}})
    (found,) = grave(practice.visit(config=config))
    assert (found.check, found.subject) == ("left-behind", CHALLENGE[:-1])
    assert "--fix" in found.hint and "ours" in found.evidence[0].record
    assert grave(practice.visit("www.example.test", config=config)) == []
    assert practice.visit(config=config, fix=True).fixed == 1
    assert grave(practice.visit(config=config)) == []


def test_fix_for_a_name_leaves_other_names_alone(practice: Practice) -> None:
    """Who mends one thing has not asked for another."""
    leave(practice, "ours")
    assert practice.visit("www.example.test", fix=True).fixed == 0
    assert practice.service.rrset(ZONE, CHALLENGE, "TXT") is not None


def test_an_error_that_is_allowed_is_a_warning(practice: Practice) -> None:
    """The certificate says that it stops no order; for a name of nobody it is an error."""
    for zone in practice.zones:
        zone.add('@ CAA 0 issue "other.test"')
    allowing = {"example.test": {"names": ["example.test"], "allow": ["caa-forbids"]}}
    (warning,) = grave(practice.visit(config=practice.config(allowing)))
    (error,) = grave(practice.visit("example.test"))
    assert warning.check == error.check == "caa-forbids"
    assert (warning.severity, error.severity) == (Severity.WARNING, Severity.ERROR)


def test_a_ca_that_cannot_be_reached_is_told(practice: Practice) -> None:
    """By its account; the rest is looked at."""
    nowhere = {"directory": "http://127.0.0.1:1/dir", "agree_tos": True}
    diagnosis = practice.visit(config=practice.config(CERTIFICATE, acme=nowhere))
    assert words(diagnosis) == [("ca-unreachable", "account default")]


def test_an_account_that_cannot_be_read_is_told(practice: Practice) -> None:
    """Not raised: the rest is looked at."""
    file = practice.state_dir / "accounts" / "default" / "account.json"
    file.mkdir(parents=True)
    assert words(practice.visit(config=practice.config(CERTIFICATE))) == [("account-unreadable", "account default")]
    file.rmdir()
    assert grave(practice.visit(config=practice.config(CERTIFICATE))) == []


def test_this_hosts_clock_is_held_against_the_cas(practice: Practice) -> None:
    """One that is an hour off refuses what is signed here; with one that agrees all is well."""
    practice.date = format_datetime(FakeClock().now() - timedelta(hours=1), usegmt=True)
    (found,) = grave(practice.visit("example.test"))
    assert (found.check, found.subject, found.severity) == ("clock-skew", "this host", Severity.ERROR)
    practice.date = format_datetime(FakeClock().now(), usegmt=True)
    assert grave(practice.visit("example.test")) == []


@pytest.mark.parametrize(
    ("clocks", "wrong"),
    [
        ({"one.test": 3600.0, "other.test": 3601.0}, ["this host"]),
        ({"one.test": 3600.0, "other.test": 0.5}, ["one.test"]),
        ({"one.test": 0.5, "other.test": -0.5}, []),
        ({"one.test": 3600.0, "other.test": None}, ["this host"]),
    ],
)
def test_who_is_alone_with_its_time_is_wrong(clocks: dict[str, float | None], wrong: list[str]) -> None:
    """The clocks of all CAs are judged together; one with two accounts is still one witness."""
    readings = [None if ahead is None else Reading(witness, ahead) for witness, ahead in clocks.items()]
    offices = [Office(Authority(("ca.test",), ""), (), None, reading) for reading in (*readings, readings[0])]
    assert [(finding.check, finding.subject) for finding in compared(offices)] == [
        ("clock-skew", subject) for subject in wrong
    ]


def test_every_finding_is_an_event(practice: Practice) -> None:
    """In the order of the diagnosis, with its evidence; what it does not say is left out."""
    practice.zones[1].behaviour.rcode = "REFUSED"
    diagnosis = practice.visit("example.test")
    told = [event for event in practice.told if event["event"] == "finding"]
    assert [(event["check"], event["severity"], event["subject"]) for event in told] == [
        (finding.check, finding.severity, finding.subject) for finding in diagnosis.findings
    ]
    lame = next(event for event in told if event["check"] == "lame-server")
    assert "127.0.0.22" in str(lame["evidence"])
    assert "fixed" not in lame
