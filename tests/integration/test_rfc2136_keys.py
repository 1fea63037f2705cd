"""Keys, views, policies and secondaries: whom real servers let write, and what a person is told who may not."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import dns.tsig
import pytest
from dns.rdtypes.ANY import TSIG

from dnsbroker.errors import AuthRejected, ProviderUnavailable, RecordRejected, ZoneMissing
from dnsbroker.records import Add, Record
from dnsbroker.settings import Secret
from dnsbroker_rfc2136.explain import Blame
from dnsbroker_rfc2136.wire import understood
from dynamic import (
    DynamicPowerDNS,
    KnotPrimary,
    Middle,
    Target,
    WrittenBind,
    adapter_for,
    apply,
    door,
    exchange,
    refused,
    require_namespace,
)
from lab import wire
from lab.bind import ACME_KEY, LAB_KEY, Bind, Zone
from lab.processes import look_until
from lab.zonefile import zone_text

SECONDARY, MIDDLE, BIND, KNOT, POWERDNS = (f"127.0.0.{last}" for last in (34, 35, 36, 37, 38))
NAME = "_acme-challenge.plain.test."
WRONG = Secret("a test", lambda: base64.b64encode(b"not the secret").decode())


def add(value: str = "ours", name: str = NAME) -> Add:
    """A change."""
    return Add(Record(name, "TXT", value), 60)


@pytest.fixture(scope="module", autouse=True)
def inside() -> None:
    """Nothing in here runs elsewhere."""
    require_namespace()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """A BIND with a zone for the key, one that grants it a single name, and one to freeze."""
    narrow = [f"{ACME_KEY} name _acme-challenge.narrow.test. TXT"]
    texts = {name: zone_text(name, 1, {"ns1": [BIND]}) for name in ("plain.test", "frozen.test", "narrow.test")}
    zones = [Zone(name, texts[name], signed=False) for name in ("plain.test", "frozen.test")]
    zones.append(Zone("narrow.test", texts["narrow.test"], signed=False, grants=narrow))
    with Bind(tmp_path_factory.mktemp("bind"), address=BIND, zones=zones) as server:
        yield server


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnotPrimary]:
    """A Knot."""
    with KnotPrimary(tmp_path_factory.mktemp("knot"), ["plain.test"], address=KNOT) as server:
        yield server


@pytest.fixture(scope="module")
def powerdns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamicPowerDNS]:
    """A PowerDNS with zones for the key, for another key, and for anybody."""
    with DynamicPowerDNS(tmp_path_factory.mktemp("powerdns"), address=POWERDNS) as server:
        server.create_dynamic_zone("plain.test")
        server.create_dynamic_zone("others.test", keys=[LAB_KEY])
        server.create_dynamic_zone("open.test", keys=[])
        yield server


@pytest.fixture(params=["bind", "knot", "powerdns"])
def anyone(request: pytest.FixtureRequest) -> Target:
    """Each of the three."""
    server: Target = request.getfixturevalue(request.param)
    return server


# Keys


def test_a_wrong_secret_is_told_from_an_unknown_key(bind: Bind, knot: KnotPrimary) -> None:
    """Each error says what to compare, and neither is one that passes."""
    for server in (bind, knot):
        wrong, unknown = refused(server, add(), tsig_secret=WRONG), refused(server, add(), tsig_name="other-key")
        other_algorithm = refused(server, add(), tsig_algorithm="hmac-sha512")
        assert all(isinstance(error, AuthRejected) for error in (wrong, unknown, other_algorithm))
        assert "BADSIG" in str(wrong)
        assert "tsig_secret" in wrong.hint
        assert "does not know key other-key." in str(unknown)
        assert "hmac-sha512 (BADKEY)" in str(other_algorithm)
        assert not any(error.transient for error in (wrong, unknown, other_algorithm))


def test_powerdns_does_not_say_what_is_wrong_with_a_key(powerdns: DynamicPowerDNS) -> None:
    """So the hint names all that may be."""
    wrong: list[dict[str, Any]] = [
        {"tsig_secret": WRONG},
        {"tsig_name": "other-key"},
        {"tsig_algorithm": "hmac-sha512"},
    ]
    for changed in wrong:
        error = refused(powerdns, add(), **changed)
        assert isinstance(error, AuthRejected)
        assert "does not say why (NOTAUTH)" in str(error)
        assert "both clocks" in error.hint


def test_looking_for_a_zone_with_a_wrong_key_is_no_missing_zone(anyone: Target) -> None:
    """Or the broker would look for another provider."""
    with pytest.raises(AuthRejected):
        asyncio.run(adapter_for(anyone, tsig_secret=WRONG).find_zone(NAME))


@pytest.mark.parametrize("ahead", [1000, -5000])
def test_a_wrong_clock_is_told_with_its_error(bind: Bind, knot: KnotPrimary, ahead: int) -> None:
    """A real BADTIME answer holds the server's time."""
    for server in (bind, knot):
        key = server.keys.tsig(ACME_KEY)
        question = _signed_at(dns.message.make_query("plain.test.", "SOA"), key, int(time.time()) - ahead)
        reply = understood(question, exchange(server.address, question.to_wire()), key)
        assert abs(reply.skew - ahead) <= 1
        told = str(Blame("corp", server.address, ACME_KEY, "hmac-sha256").key(replace(reply, skew=ahead)))
        assert f"{abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} this host's (BADTIME)" in told


def _signed_at(message: dns.message.Message, key: dns.tsig.Key, moment: int) -> dns.message.Message:
    """``message``, signed as at ``moment`` (seconds since 1970)."""
    octets = message.to_wire()
    message.use_tsig(key)
    assert message.tsig is not None
    assert isinstance(message.tsig[0], TSIG.TSIG)
    signed, _ = dns.tsig.sign(octets, key, message.tsig[0], moment)  # type: ignore[no-untyped-call]
    message.tsig = dns.rrset.from_rdata(key.name, 0, signed)
    message.want_tsig_sign = False
    return message


@pytest.mark.parametrize("algorithm", ["hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha384", "hmac-sha512"])
def test_every_algorithm_that_servers_have_works(powerdns: DynamicPowerDNS, algorithm: str) -> None:
    """Weak ones with a warning in every receipt."""
    opened = door(powerdns)
    name, secret = f"key-{algorithm[5:]}", base64.b64encode(b"s" * 32).decode()
    powerdns.pdnsutil("import-tsig-key", name, algorithm, secret)
    powerdns.pdnsutil("add-meta", "plain.test", "TSIG-ALLOW-DNSUPDATE", name)
    settings: dict[str, Any] = {
        "tsig_name": name,
        "tsig_algorithm": algorithm,
        "tsig_secret": Secret("a test", lambda: secret),
    }
    warnings = apply(powerdns, add(), **settings).warnings
    assert opened.look(NAME, "TXT") == {"ours"}
    assert [("weak" in warning) for warning in warnings] == ([True] if algorithm in ("hmac-md5", "hmac-sha1") else [])


# Answers that cannot be trusted


def _without_signature(answer: bytes) -> bytes:
    message = dns.message.from_wire(answer, keyring=False)
    message.tsig = None
    return message.to_wire()


def _with_another_octet(answer: bytes) -> bytes:
    message = dns.message.from_wire(answer, keyring=False)
    assert message.tsig is not None
    tsig = message.tsig[0]
    assert isinstance(tsig, TSIG.TSIG)
    message.tsig = dns.rrset.from_rdata(message.tsig.name, 0, tsig.replace(mac=b"\0" + tsig.mac[1:]))
    return message.to_wire()


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (_without_signature, "not signed"),
        (_with_another_octet, "does not verify"),
        (lambda octets: octets[:40], "read"),
    ],
    ids=["unsigned", "wrong MAC", "broken off"],
)
def test_success_without_proof_is_none(bind: Bind, forge: Callable[[bytes], bytes], told: str) -> None:
    """The same answer, forged on the way, counts as none: the value's presence is proved by a signed answer alone."""
    opened = door(bind)

    def vanishing(answer: bytes) -> bytes:
        opened.put(NAME, "TXT", 60)
        return forge(answer)

    with Middle(bind, MIDDLE) as middle:
        middle.after = forge
        assert apply(middle, add()).changed
        assert opened.look(NAME, "TXT") == {"ours"}
        middle.after = vanishing
        error = refused(middle, add("second"))
    assert isinstance(error, ProviderUnavailable)
    assert told in str(error)


# Policies


def test_a_name_that_the_policy_leaves_out_is_refused(bind: Bind, knot: KnotPrimary) -> None:
    """The hint is the line that would grant it."""
    denied = Add(Record("_443._tcp.narrow.test.", "TXT", "x"), 60)
    error = refused(bind, denied, zone="narrow.test.")
    assert isinstance(error, AuthRejected)
    assert "REFUSED" in str(error)
    assert f"`grant {ACME_KEY} name _443._tcp.narrow.test. TXT;`" in error.hint
    assert "rndc thaw narrow.test" in error.hint


def test_of_several_names_one_refusal_is_not_the_keys(bind: Bind) -> None:
    """The broker tries them one by one then: the kind of error says that the record is to blame."""
    changes = [add(name=name) for name in ("_acme-challenge.narrow.test.", "other.narrow.test.")]
    assert isinstance(refused(bind, *changes, zone="narrow.test."), RecordRejected)
    assert apply(bind, changes[0], zone="narrow.test.").changed


def test_knots_badkey_for_an_update_is_a_policy(tmp_path: Path) -> None:
    """It says so of a key that it has just answered a question for."""
    with KnotPrimary(tmp_path, ["plain.test"], address=SECONDARY, types="TLSA") as server:
        error = refused(server, add())
    assert isinstance(error, AuthRejected)
    assert f"refuses key {ACME_KEY} the update of {NAME} TXT (BADKEY)" in str(error)
    assert "Knot: an acl with action update" in error.hint


def test_knots_badkey_for_a_question_may_be_an_acl(knot: KnotPrimary) -> None:
    """It does not know, at this zone, a key that none of the zone's acls names."""
    secret = knot.keys.secrets["rndc-key."]
    error = refused(knot, add(), tsig_name="rndc-key", tsig_secret=Secret("a test", lambda: secret))
    assert isinstance(error, AuthRejected)
    assert "acl of the zone" in error.hint


def test_a_frozen_zone_is_refused_with_the_cure(bind: Bind) -> None:
    """`rndc freeze` looks like any other refusal from outside."""
    bind.rndc("freeze", "frozen.test")
    try:
        error = refused(bind, add(name="_acme-challenge.frozen.test."), zone="frozen.test.")
    finally:
        bind.rndc("thaw", "frozen.test")
    assert isinstance(error, AuthRejected)
    assert "`rndc thaw frozen.test`" in error.hint


def test_a_key_that_is_not_listed_is_refused_with_the_cure(powerdns: DynamicPowerDNS) -> None:
    """PowerDNS answers REFUSED, not NOTAUTH."""
    error = refused(powerdns, add(name="_acme-challenge.others.test."), zone="others.test.")
    assert isinstance(error, AuthRejected)
    assert "`pdnsutil set-meta others.test TSIG-ALLOW-DNSUPDATE acme-key`" in error.hint


def test_updates_switched_off_are_refused_with_the_cure(tmp_path: Path) -> None:
    """As PowerDNS is installed."""
    with DynamicPowerDNS(tmp_path, address=SECONDARY, settings={"dnsupdate": "no"}) as server:
        server.create_dynamic_zone("plain.test")
        error = refused(server, add())
    assert isinstance(error, AuthRejected)
    assert "dnsupdate=yes" in error.hint


def test_a_zone_that_anybody_may_update_works(powerdns: DynamicPowerDNS) -> None:
    """PowerDNS does not show that a zone asks for no key; the manual warns of it."""
    name = "_acme-challenge.open.test."
    assert apply(powerdns, add(name=name), zone="open.test.").changed


# Other servers, other views


def test_a_secondary_is_refused_with_the_primarys_name(bind: Bind, tmp_path: Path) -> None:
    """Which its SOA tells."""
    zone = Zone("plain.test", primaries=[BIND])
    with Bind(tmp_path, address=SECONDARY, zones=[zone], name="secondary") as secondary:
        look_until(lambda: wire.serves(SECONDARY, "plain.test"), "the zone's transfer")
        error = refused(secondary, add(name="secondary.plain.test."))
    assert isinstance(error, AuthRejected)
    assert "the zone's primary is ns1.plain.test" in error.hint


@pytest.fixture
def forwarding(bind: Bind, tmp_path: Path) -> Iterator[Bind]:
    """A secondary that forwards updates to a primary with the same key."""
    zone = Zone("plain.test", primaries=[BIND], options="allow-update-forwarding { any; };")
    secondary = Bind(tmp_path, address=SECONDARY, zones=[zone], name="secondary")
    secondary.keys = bind.keys
    door(bind)
    with secondary:
        look_until(lambda: wire.serves(SECONDARY, "plain.test"), "the zone's transfer")
        yield secondary


def test_forwarding_to_a_dead_primary_may_pass(bind: Bind, forwarding: Bind) -> None:
    """The secondary says SERVFAIL."""
    bind.stop()
    try:
        error = refused(forwarding, add())
    finally:
        bind.start()
    assert isinstance(error, ProviderUnavailable)
    assert "SERVFAIL" in str(error)


def test_forwarding_that_takes_too_long_leaves_nothing(bind: Bind, forwarding: Bind) -> None:
    """The value is not seen in time at the server that took the update, so it is taken back where it went."""
    error = refused(forwarding, add())
    assert isinstance(error, RecordRejected)
    assert "a secondary that forwards updates" in error.hint
    assert not wire.values(BIND, NAME)


def test_a_zone_that_the_server_lacks_is_named(anyone: Target) -> None:
    """With the server that was asked."""
    error = refused(anyone, add(name="a.nowhere.test."), zone="nowhere.test.")
    assert isinstance(error, ZoneMissing)
    assert error.tried == ("nowhere.test.",)
    assert f"{anyone.address} does not answer with authority for nowhere.test." in str(error)


VIEWS = """
key "acme-key" { algorithm hmac-sha256; secret "SECRET"; };
view "ours" {
    match-clients { key "acme-key"; };
    zone "plain.test" { type primary; file "ours.zone"; update-policy { grant acme-key. zonesub TXT; }; };
};
view "theirs" {
    match-clients { any; };
    zone "plain.test" { type primary; file "theirs.zone"; };
    zone "sub.plain.test" { type primary; file "sub.zone"; };
};
"""


def test_the_key_leads_into_its_view(tmp_path: Path) -> None:
    """Every question is signed, so the zone, the value and the serial are those of the view that is written."""
    files = {
        "ours.zone": zone_text("plain.test", 100, {"ns1": [SECONDARY]}),
        "theirs.zone": zone_text("plain.test", 1, {"ns1": [SECONDARY]}),
        "sub.zone": zone_text("sub.plain.test", 1, {"ns1": [SECONDARY]}),
    }
    with WrittenBind(tmp_path, VIEWS, files, address=SECONDARY) as server:
        look_until(lambda: wire.serves(SECONDARY, "plain.test"), "the zone")
        assert asyncio.run(adapter_for(server).find_zone("_acme-challenge.sub.plain.test.")) == "plain.test."
        assert apply(server, add()).serial == 101
        assert not wire.values(SECONDARY, NAME)
