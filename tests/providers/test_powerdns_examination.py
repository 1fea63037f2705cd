"""What the doctor hears of a PowerDNS: the key, the zone's kind, and whether a change would be followed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from dnsbroker.adapter import Examines
from dnsbroker.findings import Finding, Severity
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from literal_powerdns import CLOSED, Literal, Told, rrset, text, told, zone

NOW = FakeClock(datetime(2026, 11, 21, 12, tzinfo=UTC))
KEY = "a-key-that-nobody-sees"


def examined(server: Literal, *zones: str, fix: bool = False, **settings: Any) -> tuple[Finding, ...]:
    """What is found at the server; its zone is looked at unless others are named."""

    async def play() -> tuple[Finding, ...]:
        async with server:
            made = PowerDNSSettings(url=server.url, api_key=Secret("the test", lambda: KEY), **settings)
            provider = PowerDNS(made, surroundings("corp", clock=NOW))
            assert isinstance(provider, Examines)
            found = await provider.examine(zones or ["example.org."], fix=fix)
            await provider.aclose()
            return found

    found = asyncio.run(play())
    assert KEY not in repr(found)
    assert server.asked("patch", "notify") == []  # no record is touched, whatever is found
    if not fix:
        assert server.asked("put", "rectify") == []
    return found


def found(server: Literal, fix: bool = False, **settings: Any) -> Finding:
    """The only finding."""
    (finding,) = examined(server, fix=fix, **settings)
    return finding


def reading(**fields: Any) -> Literal:
    """A server with a zone of these fields."""
    return Literal(read=[told(zone(**fields))])


def greeting(reply: Told) -> Literal:
    """A server that answers the first question so."""
    server = Literal()
    server.replies["version"] = [reply]
    return server


def server_settings(**lines: str) -> Told:
    """The answer to a question about pdns.conf."""
    return told([{"name": name.replace("_", "-"), "value": value} for name, value in lines.items()])


@pytest.mark.parametrize("kind", ["Master", "Producer", "Primary"])
def test_a_sound_zone_is_passed_over_in_silence(kind: str) -> None:
    """With its secondaries, and with challenges of somebody else."""
    challenge = rrset('"somebody"')
    servers = rrset("ns1.example.org.", "ns2.example.net.", name="example.org.", type="NS")
    assert examined(reading(kind=kind, rrsets=[challenge, servers])) == ()


def test_a_signed_zone_that_the_server_rectifies_is_sound() -> None:
    """Its own setting may be off where the server's default is on (P38)."""
    server = Literal(
        read=[told(zone(dnssec=True))], metadata=[told([])], config=[server_settings(default_api_rectify="yes")]
    )
    assert examined(server) == ()
    assert examined(reading(dnssec=False)) == ()


def test_a_key_that_is_refused_is_told_once() -> None:
    """However many zones there are, and without the key in it."""
    server = greeting(text(401, "Unauthorized"))
    (finding,) = examined(server, "example.org.", "example.net.")
    assert (finding.check, finding.severity, finding.subject) == ("auth", Severity.ERROR, "provider corp")
    assert "401" in finding.message
    assert finding.hint == "compare api_key (from the test) with api-key in the server's pdns.conf"


def test_without_zones_the_key_is_tried_all_the_same() -> None:
    """As where no certificate is configured."""

    async def play(server: Literal) -> tuple[Finding, ...]:
        async with server:
            provider = PowerDNS(PowerDNSSettings(url=server.url, api_key=Secret("x", lambda: KEY)), surroundings())
            return await provider.examine([], fix=False)

    (finding,) = asyncio.run(play(greeting(text(401, "Unauthorized"))))
    assert finding.check == "auth"
    assert asyncio.run(play(Literal())) == ()


def test_a_server_that_cannot_be_asked_is_a_finding() -> None:
    """Nothing is raised: not for a closed connection, nor a secret that is none, nor nonsense."""
    closed = found(greeting(CLOSED))
    assert closed.check == "provider-fails"
    assert "webserver-allow-from" in closed.hint
    assert found(greeting(told({"error": "no"}))).check == "provider-fails"
    assert found(greeting(told("?", 500))).check == "provider-fails"


def test_a_secret_that_is_no_key_is_a_mistake_in_the_configuration() -> None:
    """And the key is named."""

    async def play() -> tuple[Finding, ...]:
        settings = PowerDNSSettings(url="http://127.0.0.1:9", api_key=Secret("the test", lambda: ""))
        return await PowerDNS(settings, surroundings("corp")).examine(["example.org."], fix=False)

    (finding,) = asyncio.run(play())
    assert finding.check == "misconfigured"
    assert "providers.corp.api_key" in finding.message


def test_a_zone_that_the_server_lacks_is_missing() -> None:
    """The others are looked at all the same."""
    missing, sound = "example.net.", "example.org."
    (finding,) = examined(reading(), missing, sound)
    assert (finding.check, finding.subject) == ("zone-missing", missing)
    assert finding.hint


@pytest.mark.parametrize("kind", ["Slave", "Secondary", "Consumer"])
def test_a_zone_that_comes_from_elsewhere_takes_no_changes(kind: str) -> None:
    """The primary is named; there is nothing else to say about such a zone (P36)."""
    finding = found(reading(kind=kind, soa_edit_api="", masters=["192.0.2.1"]))
    assert (finding.check, finding.severity) == ("read-only-zone", Severity.ERROR)
    assert "192.0.2.1" in finding.hint


def test_a_zone_that_was_signed_elsewhere_takes_no_changes() -> None:
    """What would be written has no signature; without the mark all is well."""
    metadata = told([{"kind": "PRESIGNED", "metadata": ["1"]}])
    finding = found(Literal(read=[told(zone(dnssec=True))], metadata=[metadata]))
    assert finding.check == "presigned-zone"
    assert "unset-presigned example.org" in finding.hint
    assert examined(Literal(read=[told(zone(dnssec=True, api_rectify=True))], metadata=[told([])])) == ()


@pytest.mark.parametrize(
    ("api", "edit", "serials", "kind"),
    [
        ("", "", (10, 10), "INCREASE"),
        ("", "", (2026112101, 2026112101), "DEFAULT"),
        ("INCEPTION-INCREMENT", "", (10, 10), "INCREASE"),
        ("EPOCH", "", (2026112001, 2026112001), "DEFAULT"),
        ("INCREASE", "INCEPTION-EPOCH", (10, 1795046400), "SOA-EDIT-INCREASE"),
        ("SOA-EDIT", "", (10, 10), "INCREASE"),
    ],
)
def test_a_serial_that_stands_is_told_with_what_would_be_set(
    api: str, edit: str, serials: tuple[int, int], kind: str
) -> None:
    """With --fix it is set, in a request of exactly that, and looked at again (P1, P2, P4 to P6)."""
    fields: dict[str, Any] = {"serial": serials[0], "edited_serial": serials[1], "soa_edit_api": api, "soa_edit": edit}
    finding = found(reading(**fields))
    assert (finding.check, finding.severity, finding.fixed) == ("serial-stuck", Severity.WARNING, False)
    assert finding.hint == f"`dnsbroker doctor example.org --fix` sets it to {kind}, as the next write would"
    assert finding.evidence[0].serial == serials[1]
    assert f"SOA-EDIT-API {api or 'unset'}" in finding.evidence[0].record

    server = Literal(read=[told(zone(**fields)), told(zone(**{**fields, "soa_edit_api": kind}))])
    fixed = found(server, fix=True)
    assert (fixed.check, fixed.fixed) == ("serial-stuck", True)
    assert fixed.message.startswith(f"SOA-EDIT-API is {kind} now")
    assert server.bodies("put") == [{"soa_edit_api": kind}]


@pytest.mark.parametrize("api", ["INCREASE", "increase", "DEFAULT", "EPOCH", "SOA-EDIT-INCREASE"])
def test_a_serial_that_moves_is_left_alone(api: str) -> None:
    """Even with --fix, and whatever the configuration would rather have: a write sees to that."""
    assert examined(reading(soa_edit_api=api)) == ()
    server = reading(soa_edit_api=api)
    assert examined(server, fix=True, soa_edit_api="DEFAULT") == ()
    assert server.asked("put") == []


def test_a_setting_that_is_not_to_be_touched_is_not() -> None:
    """With ``soa_edit_api = false`` the command is told instead, and --fix does nothing."""
    server = reading(soa_edit_api="")
    finding = found(server, fix=True, soa_edit_api=False)
    assert (finding.check, finding.severity, finding.fixed) == ("serial-stuck", Severity.ERROR, False)
    assert "`pdnsutil set-meta example.org SOA-EDIT-API INCREASE`" in finding.hint
    assert server.asked("put") == []


def test_a_value_asked_for_is_what_is_set_where_it_helps() -> None:
    """Where it does not, the way out is told."""
    assert found(reading(soa_edit_api=""), soa_edit_api="DEFAULT").severity is Severity.WARNING
    server = Literal(read=[told(zone(soa_edit_api="")), told(zone(soa_edit_api="DEFAULT"))])
    assert found(server, fix=True, soa_edit_api="DEFAULT").fixed
    assert server.bodies("put") == [{"soa_edit_api": "DEFAULT"}]

    server = reading(soa_edit_api="", soa_edit="INCEPTION-EPOCH", edited_serial=1795046400)
    finding = found(server, fix=True, soa_edit_api="INCREASE")
    assert (finding.severity, finding.fixed) == (Severity.ERROR, False)
    assert 'set soa_edit_api = "auto"' in finding.hint
    assert "SOA-EDIT-API SOA-EDIT-INCREASE" in finding.hint
    assert server.asked("put") == []


def test_a_setting_that_did_not_take_is_not_called_mended() -> None:
    """What is set is read back; a refusal is a finding of its own."""
    finding = found(reading(soa_edit_api=""), fix=True)
    assert (finding.severity, finding.fixed) == (Severity.ERROR, False)
    assert finding.hint.startswith("`pdnsutil set-meta example.org SOA-EDIT-API INCREASE`")
    refused = Literal(read=[told(zone(soa_edit_api=""))], put=[text(403, "read only")])
    assert found(refused, fix=True).check == "auth"


def test_the_serial_of_a_native_zone_is_nobodys_trouble() -> None:
    """Who replicates the database needs none; that secondaries would not hear of a change is a notice."""
    finding = found(reading(kind="Native", soa_edit_api=""))
    assert (finding.check, finding.severity) == ("serial-stuck", Severity.NOTICE)
    servers = rrset("ns1.example.org.", "ns2.example.net.", name="example.org.", type="NS")
    finding = found(reading(kind="Native", rrsets=[servers]))
    assert (finding.check, finding.severity) == ("native-zone", Severity.NOTICE)
    assert [seen.record for seen in finding.evidence] == ["NS ns1.example.org.", "NS ns2.example.net."]
    alone = rrset("ns1.example.org.", name="example.org.", type="NS")
    assert examined(reading(kind="Native", rrsets=[alone])) == ()


@pytest.mark.parametrize(("metadata", "default"), [([{"kind": "API-RECTIFY", "metadata": ["0"]}], "yes"), ([], "no")])
def test_a_signed_zone_that_is_not_rectified_is_told_and_mended(metadata: list[Any], default: str) -> None:
    """By its own setting or by the server's; without --fix nothing is done."""

    def server() -> Literal:
        config = server_settings(default_api_rectify=default)
        return Literal(read=[told(zone(dnssec=True))], metadata=[told(metadata)], config=[config])

    finding = found(server())
    assert (finding.check, finding.severity, finding.fixed) == ("unrectified", Severity.WARNING, False)
    mending = server()
    fixed = found(mending, fix=True)
    assert fixed.fixed
    assert mending.asked("rectify") == ["rectify"]
    assert "set-meta example.org API-RECTIFY 1" in fixed.hint


def test_disabled_records_at_the_names_of_challenges_are_shown() -> None:
    """Those elsewhere are the administrator's affair."""
    kept = {"content": '"old"', "disabled": True}
    challenge = {**rrset('"served"', name="_acme-challenge.www.example.org."), "records": [kept]}
    elsewhere = {**rrset('"x"', name="www.example.org."), "records": [kept]}
    finding = found(reading(rrsets=[challenge, elsewhere]))
    assert (finding.check, finding.severity) == ("disabled-record", Severity.NOTICE)
    assert [seen.record for seen in finding.evidence] == ['_acme-challenge.www.example.org. TXT "old"']
    assert examined(reading(rrsets=[elsewhere])) == ()


def test_a_version_that_nobody_tried_is_told() -> None:
    """One that is too old, or none at all."""
    old = Literal("4.6.1", read=[told(zone())])
    assert found(old).check == "old-version"
    unknown = found(Literal("custom", read=[told(zone())]))
    assert "cannot be told" in unknown.message
