"""Servers that answer an RFC 2136 adapter with every code there is, told in words: scripted ones, on loopback."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.tsig
import dns.update
import pytest

from dnsbroker.errors import AuthRejected, Conflict, ProviderError, ProviderUnavailable, RecordRejected, ZoneMissing
from dnsbroker.records import Add, Record, Remove
from dnsbroker.testing import FakeClock, zones
from dnsbroker_rfc2136.settings import ALGORITHMS
from scripted_updates import SECRET, ZONE, Message, Scripted, adapter_for

NAME = "_acme-challenge.example.org."
ADD = Add(Record(NAME, "TXT", "ours"), 5)


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server that does as it is told, and what updates ask for not at all."""
    with Scripted() as scripted:
        yield scripted


def refused(server: Scripted, *changes: Add | Remove, zone: str = "example.org.") -> ProviderError:
    """The error that comes of ``changes``; no part of the key is in it."""
    with pytest.raises(ProviderError) as caught:
        asyncio.run(adapter_for(server).apply(zone, changes or (ADD,)))
    told = f"{caught.value} {caught.value.hint} {caught.value.fields()}"
    assert base64.b64encode(SECRET).decode() not in told
    assert re.match(r"provider corp, zone example\.org: [^A-Z.].*[^.]$", str(caught.value))
    return caught.value


CODES = [
    ("NOTAUTH", ZoneMissing, "not its primary", "by its SOA the zone's primary is ns1.example.org"),
    ("NOTZONE", RecordRejected, "does not take", "not in the zone"),
    ("REFUSED", AuthRejected, f"refuses key acme-key. the update of {NAME} TXT", "rndc thaw example.org"),
    ("SERVFAIL", ProviderUnavailable, "failed at the update", "log"),
    ("NOTIMP", RecordRejected, "does not take", "does not do dynamic updates"),
    ("FORMERR", RecordRejected, "does not take", "does not understand"),
]


@pytest.mark.parametrize(("code", "kind", "told", "hint"), CODES, ids=[code for code, *_ in CODES])
def test_every_code_is_explained(server: Scripted, code: str, kind: type, told: str, hint: str) -> None:
    """With what to do next; only a failure of the server may pass; nothing is sent twice."""
    server.update = lambda answer: answer.set_rcode(dns.rcode.from_text(code))
    error = refused(server)
    assert type(error) is kind
    assert told in str(error)
    assert code in str(error)
    assert hint in error.hint
    assert error.transient == (code == "SERVFAIL")
    assert len(server.updates) == 1


@pytest.mark.parametrize("code", ["YXDOMAIN", "YXRRSET", "NXDOMAIN", "NXRRSET"])
def test_a_prerequisite_that_keeps_failing_is_a_conflict(server: Scripted, code: str) -> None:
    """Once more is tried, after another look."""
    server.update = lambda answer: answer.set_rcode(dns.rcode.from_text(code))
    error = refused(server)
    assert isinstance(error, Conflict)
    assert error.transient
    assert len(server.updates) == 2


TSIG_ERRORS = [
    (dns.rcode.BADSIG, "signature with key acme-key. is wrong (BADSIG)", "tsig_secret"),
    (dns.rcode.BADKEY, "does not know key acme-key. with algorithm hmac-sha256 (BADKEY)", "tsig_name"),
    (dns.rcode.BADTRUNC, "signatures as short as hmac-sha256's (BADTRUNC)", "not truncated"),
    (dns.rcode.BADTIME, "clock that is 86400 s ahead of this host's (BADTIME)", "chrony"),
]


@pytest.mark.parametrize(("code", "told", "hint"), TSIG_ERRORS, ids=[code.name for code, *_ in TSIG_ERRORS])
def test_every_error_of_the_signature_is_explained(
    server: Scripted, code: dns.rcode.Rcode, told: str, hint: str
) -> None:
    """None passes by itself, so nothing is sent twice."""

    def bend(answer: Message) -> None:
        answer.set_rcode(dns.rcode.NOTAUTH)
        moment = (int(time.time()) + 86400).to_bytes(6, "big") if code == dns.rcode.BADTIME else b""
        answer.use_tsig(answer.keyring, tsig_error=code, other_data=moment)

    server.question = bend
    error = refused(server)
    assert isinstance(error, AuthRejected)
    assert told in re.sub(r"8639\d|8640\d", "86400", str(error))
    assert hint in error.hint
    assert not error.transient
    assert len(server.questions) == 1


def test_an_unsigned_refusal_is_still_a_refusal(server: Scripted) -> None:
    """It can do no more harm than silence, and says more."""

    def bend(answer: Message) -> None:
        answer.set_rcode(dns.rcode.REFUSED)
        answer.tsig = None

    server.update = bend
    assert isinstance(refused(server), AuthRejected)


def test_an_unsigned_success_is_none(server: Scripted) -> None:
    """The negative twin."""

    def bend(answer: Message) -> None:
        answer.tsig = None

    server.question = bend
    error = refused(server)
    assert isinstance(error, AuthRejected)
    assert "not signed" in str(error)


def test_noerror_is_no_proof(server: Scripted) -> None:
    """What does not show within two seconds was not made, and is asked back."""
    clock = FakeClock()
    with pytest.raises(RecordRejected, match=r"accepted the update .* but did not make it"):
        asyncio.run(adapter_for(server, clock).apply("example.org.", [ADD]))
    assert 2 <= sum(clock.slept) < 2.1
    assert all(0.02 <= pause <= 0.1 for pause in clock.slept)
    assert [update.update[0].deleting for update in server.updates] == [None, dns.rdataclass.NONE]


def test_a_value_that_shows_a_little_later_counts(server: Scripted) -> None:
    """As with inline signing; the serial is the one that is served then."""
    served = iter([None, None, None, None, "@ SOA ns1 hostmaster 9 3600 900 604800 60\n_acme-challenge 5 TXT ours\n"])

    def later(answer: Message) -> None:
        text = next(served, None) if server.updates else None
        if text:
            server.zone = zones.parse("example.org.", text)

    server.question = later
    clock = FakeClock()
    receipt = asyncio.run(adapter_for(server, clock).apply("example.org.", [ADD]))
    assert (receipt.changed, receipt.serial, receipt.warnings) == (True, 9, ())
    assert 0 < sum(clock.slept) < 2


def test_a_name_outside_the_zone_asks_nobody(server: Scripted) -> None:
    """Names are compared by labels."""
    for name in ("a.example.com.", "badexample.org."):
        error = refused(server, Add(Record(name, "TXT", "x"), 5))
        assert isinstance(error, RecordRejected)
    assert server.questions == []


def test_a_failed_call_takes_back_what_went_before(server: Scripted) -> None:
    """Where one message could not hold all, and a later one is refused."""
    names = [f"n{number}.example.org." for number in range(100)]
    codes = iter(["NOERROR", "REFUSED", "NOERROR"])
    server.update = lambda answer: answer.set_rcode(dns.rcode.from_text(next(codes)))
    error = refused(server, *(Add(Record(name, "TXT", "x" * 700), 5) for name in names))
    assert isinstance(error, RecordRejected)
    first, _, last = server.updates
    assert {rrset.name for rrset in first.update} == {rrset.name for rrset in last.update}
    assert {rrset.deleting for rrset in last.update} == {dns.rdataclass.NONE}


def test_a_call_that_cannot_take_back_is_unsure(server: Scripted) -> None:
    """The error is then of the kind after which the broker looks again."""
    codes = iter(["NOERROR", "", ""])

    def bend(answer: Message) -> None:
        code = next(codes)
        answer.set_rcode(dns.rcode.from_text(code or "NOERROR"))
        answer.tsig = answer.tsig if code else None

    server.update = bend
    assert isinstance(refused(server), ProviderUnavailable)


def test_a_dname_above_the_name_is_a_conflict() -> None:
    """Nothing below it can be seen (RFC 6672 section 2.4)."""
    with Scripted(ZONE + "moved DNAME elsewhere.test.\n") as server:
        error = refused(server, Add(Record("_acme-challenge.moved.example.org.", "TXT", "ours"), 5))
    assert isinstance(error, Conflict)
    assert error.found == ("CNAME _acme-challenge.elsewhere.test.",)
    assert server.updates == []


# Zones


def found(server: Scripted, name: str) -> str | None:
    """The zone that the adapter finds."""
    return asyncio.run(adapter_for(server).find_zone(name))


def test_a_zone_is_looked_for_from_the_longest_name(server: Scripted) -> None:
    """By TCP, without recursion, at the update server only, and no further than the zone."""
    assert found(server, "_acme-challenge.www.example.org.") == "example.org."
    assert server.questions == [
        "_acme-challenge.www.example.org. IN SOA TCP",
        "www.example.org. IN SOA TCP",
        "example.org. IN SOA TCP",
    ]


@pytest.mark.parametrize("name", ["www.ample.org.", "www.myexample.org.", "org.", "a.child.example.org."])
def test_a_name_elsewhere_has_no_zone(server: Scripted, name: str) -> None:
    """Neither one that ends in the same letters, nor one that is delegated away."""
    assert found(server, name) is None


def test_a_zone_without_authority_is_none(server: Scripted) -> None:
    """A cache, or a secondary whose zone has expired."""

    def bend(answer: Message) -> None:
        answer.flags &= ~dns.flags.AA

    server.question = bend
    assert found(server, NAME) is None
    error = refused(server)
    assert isinstance(error, ZoneMissing)
    assert error.tried == ("example.org.",)


def test_a_failing_server_is_not_a_missing_zone(server: Scripted) -> None:
    """Or the broker would write the parent zone."""
    server.question = lambda answer: answer.set_rcode(dns.rcode.SERVFAIL)
    with pytest.raises(ProviderUnavailable):
        found(server, NAME)


def test_its_servers_are_those_of_the_zones_own_ns_records(server: Scripted) -> None:
    """By the server's own word, in small letters."""
    server.zone = zones.parse("example.org.", ZONE.replace("@ NS ns1", "@ NS NS1\n@ NS ns.cloud.example."))
    servers = asyncio.run(adapter_for(server).name_servers("Example.org"))
    assert servers == {"ns1.example.org.", "ns.cloud.example."}
    assert server.questions == ["example.org. IN NS TCP"]


def test_a_zone_that_is_delegated_away_has_no_servers_here(server: Scripted) -> None:
    """The negative twin: NS records in a referral are the parent's, and those without authority anybody's."""
    for name in ("child.example.org.", "ample.org."):
        with pytest.raises(ZoneMissing):
            asyncio.run(adapter_for(server).name_servers(name))
    server.question = lambda answer: answer.set_rcode(dns.rcode.SERVFAIL)
    with pytest.raises(ProviderUnavailable):
        asyncio.run(adapter_for(server).name_servers("example.org."))


def test_its_serial_is_that_of_the_zones_own_soa(server: Scripted) -> None:
    """A zone of which the server has none is missing, whatever its parent's is."""
    assert asyncio.run(adapter_for(server).serial("Example.org")) == 7
    for name in ("child.example.org.", "ample.org."):
        with pytest.raises(ZoneMissing):
            asyncio.run(adapter_for(server).serial(name))


def test_a_question_goes_by_udp_where_tcp_fails(server: Scripted) -> None:
    """An update does not."""
    server.refuses_tcp = True
    assert found(server, "example.org.") == "example.org."
    assert server.questions == ["example.org. IN SOA UDP"]
    error = refused(server)
    assert isinstance(error, ProviderUnavailable)
    assert "TCP" in str(error)
    assert server.updates == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_and_verifies(server: Scripted, algorithm: str) -> None:
    """Those that are cut short included."""
    server.algorithm = algorithm
    adapter = adapter_for(server, tsig_algorithm=algorithm)
    assert asyncio.run(adapter.find_zone("example.org.")) == "example.org."
    with pytest.raises(AuthRejected, match="cannot be trusted: an answer is signed with another key"):
        server.question = lambda answer: answer.use_tsig(dns.tsig.Key("other.", SECRET, ALGORITHMS[algorithm]))
        asyncio.run(adapter.find_zone("example.org."))
