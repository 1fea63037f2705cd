"""What the doctor hears of an RFC 2136 server: its key, its clock, and whether it would take an update."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest
from dns.rdtypes.ANY import TSIG

from dnsbroker.adapter import Examines
from dnsbroker.findings import Finding, Severity
from dnsbroker.settings import Secret
from scripted_updates import SECRET, Message, Scripted, adapter_for

ZONE = "example.org."


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server that does as it is told, and what updates ask for not at all."""
    with Scripted() as scripted:
        yield scripted


def examined(server: Scripted, *zones: str, **changed: Any) -> tuple[Finding, ...]:
    """What is found; no part of the key is in it, and nothing was asked for that could change the zone."""

    async def play() -> tuple[Finding, ...]:
        adapter = adapter_for(server, **changed)
        assert isinstance(adapter, Examines)
        return tuple(await adapter.examine(zones, fix=True))

    found = asyncio.run(play())
    assert base64.b64encode(SECRET).decode() not in repr(found)
    for update in server.updates:
        assert all(asks_for_nothing(rrset) for rrset in update.update)
        assert len(update.update) <= 1
    return found


def asks_for_nothing(rrset: dns.rrset.RRset) -> bool:
    """Whether it deletes one TXT value, and that one that is nobody's (RFC 2136 section 2.5.4)."""
    (rdata,) = rrset
    is_value = rrset.deleting == dns.rdataclass.NONE and rrset.rdtype == dns.rdatatype.TXT
    return is_value and rdata.to_text().startswith('"dnsbroker looks whether it may: ')


def found(server: Scripted, *zones: str, **changed: Any) -> Finding:
    """The only finding."""
    (finding,) = examined(server, *(zones or [ZONE]), **changed)
    return finding


def answering(code: str) -> Callable[[Message], None]:
    """Answers with that code."""
    return lambda answer: answer.set_rcode(dns.rcode.from_text(code))


def test_a_sound_server_is_passed_over_in_silence(server: Scripted) -> None:
    """One update that asks for nothing at the challenge's name, and the same without a signature, which it refuses."""
    assert examined(server, ZONE) == ()
    signed, unsigned = server.updates
    assert signed.had_tsig
    assert not unsigned.had_tsig
    assert signed.update[0].name.to_text() == "_acme-challenge.example.org."


def test_without_zones_the_key_is_tried_all_the_same(server: Scripted) -> None:
    """By a question; nothing is updated."""
    assert examined(server) == ()
    server.question = answering("NOTAUTH")
    (finding,) = examined(server)
    assert finding.check == "auth"
    assert server.updates == []


def test_a_zone_made_for_challenges_is_tried_at_its_apex() -> None:
    """Its values stand there."""
    with Scripted(origin="_acme-challenge.example.org.") as server:
        assert examined(server, "_acme-challenge.example.org") == ()
        assert server.updates[0].update[0].name.to_text() == "_acme-challenge.example.org."


ERRORS = [
    (dns.rcode.BADKEY, "auth", "does not know key acme-key."),
    (dns.rcode.BADSIG, "auth", "the signature with key acme-key. is wrong"),
    (dns.rcode.BADTIME, "clock-skew", "s ahead of this host's (BADTIME)"),
]


@pytest.mark.parametrize(("error", "check", "told"), ERRORS, ids=["BADKEY", "BADSIG", "BADTIME"])
def test_what_is_wrong_with_a_signature_is_told_once(
    server: Scripted, error: dns.rcode.Rcode, check: str, told: str
) -> None:
    """However many zones there are; a clock's error in seconds (R7, R8)."""

    def refuse(answer: Message) -> None:
        assert answer.tsig is not None
        tsig = answer.tsig[0]
        assert isinstance(tsig, TSIG.TSIG)
        other = (int(time.time()) + 900).to_bytes(6, "big") if error == dns.rcode.BADTIME else b""
        answer.set_rcode(dns.rcode.NOTAUTH)
        answer.tsig = dns.rrset.from_rdata(answer.tsig.name, 0, tsig.replace(error=error, other=other))
        answer.want_tsig_sign = False

    server.question = refuse
    finding = found(server, ZONE, "example.net.")
    assert (finding.check, finding.severity, finding.subject) == (check, Severity.ERROR, "provider corp")
    assert told in finding.message
    assert finding.hint


def dated(answer: Message, ahead: int) -> None:
    """Sign ``answer`` by a clock that is so many seconds ahead of ours."""
    key = dns.tsig.Key("acme-key.", SECRET, dns.tsig.HMAC_SHA256)
    assert answer.tsig is not None
    tsig, answer.tsig = answer.tsig[0], None
    assert isinstance(tsig, TSIG.TSIG)
    moment = int(time.time()) + ahead
    signed, _ = dns.tsig.sign(answer.to_wire(), key, tsig, moment, answer.request_mac)  # type: ignore[no-untyped-call]
    answer.tsig = dns.rrset.from_rdata(key.name, 0, signed)
    answer.want_tsig_sign = False


@pytest.mark.parametrize(("ahead", "told"), [(0, ""), (-40, ""), (100, "ahead of"), (-200, "behind")])
def test_a_clock_that_will_be_refused_one_day_is_told(server: Scripted, ahead: int, told: str) -> None:
    """The time in a signature that still verifies says so."""
    server.question = lambda answer: dated(answer, ahead)
    findings = examined(server, ZONE)
    assert [(finding.check, finding.severity) for finding in findings] == [("clock-skew", Severity.WARNING)] * bool(
        told
    )
    assert all(f"s {told} this host's" in finding.message for finding in findings)


def test_a_weak_key_is_told(server: Scripted) -> None:
    """It works all the same."""
    server.algorithm = "hmac-md5"
    finding = found(server, tsig_algorithm="hmac-md5")
    assert (finding.check, finding.severity) == ("weak-key", Severity.WARNING)
    assert "uses hmac-md5" in finding.message


def test_a_server_that_is_silent_or_a_secret_that_is_none_is_a_finding(server: Scripted) -> None:
    """Nothing is raised."""
    assert found(server, port=1).check == "provider-fails"
    finding = found(server, tsig_secret=Secret("the test", lambda: "not base64!"))
    assert finding.check == "misconfigured"
    assert "providers.corp.tsig_secret" in finding.message


def test_a_server_without_tcp_takes_no_updates(server: Scripted) -> None:
    """Questions go by UDP then, updates never."""
    server.refuses_tcp = True
    finding = found(server)
    assert (finding.check, finding.severity) == ("provider-fails", Severity.ERROR)
    assert "TCP" in finding.message


def test_a_zone_that_the_server_lacks_is_missing(server: Scripted) -> None:
    """The others are looked at all the same, and no update is sent for it."""
    finding = found(server, ZONE, "example.net.")
    assert (finding.check, finding.subject) == ("zone-missing", "example.net.")
    assert {update.zone[0].name.to_text() for update in server.updates} == {ZONE}


def test_a_server_that_is_not_the_primary_says_where_that_is(server: Scripted) -> None:
    """It serves the zone, and takes no updates of it (R16)."""
    server.update = answering("NOTAUTH")
    finding = found(server)
    assert (finding.check, finding.severity) == ("not-primary", Severity.ERROR)
    assert "ns1.example.org" in finding.hint


@pytest.mark.parametrize(
    ("code", "check"),
    [("REFUSED", "update-refused"), ("NOTIMP", "update-refused"), ("SERVFAIL", "provider-fails")],
)
def test_a_server_that_takes_no_updates_is_told(server: Scripted, code: str, check: str) -> None:
    """With what may be done about it (R9, R15, R17)."""
    server.update = answering(code)
    finding = found(server)
    assert (finding.check, finding.severity, finding.subject) == (check, Severity.ERROR, ZONE)
    assert code in finding.message
    assert finding.hint
    assert all(update.had_tsig for update in server.updates)


def test_a_policy_for_other_names_may_be_right(server: Scripted) -> None:
    """The key may update the zone, but not the one name that was tried: that warns."""

    def narrow(answer: Message) -> None:
        if server.updates[-1].update:
            answer.set_rcode(dns.rcode.REFUSED)

    server.update = narrow
    finding = found(server)
    assert (finding.check, finding.severity) == ("update-refused", Severity.WARNING)
    assert finding.hint.startswith("right as it is where the key is for other names only")


def test_a_server_that_asks_for_no_key_is_told(server: Scripted) -> None:
    """Whoever sends from there may change the zone (R24)."""
    server.takes_unsigned = True
    finding = found(server)
    assert (finding.check, finding.severity) == ("unsigned-updates", Severity.WARNING)
    assert "TSIG-ALLOW-DNSUPDATE" in finding.hint
