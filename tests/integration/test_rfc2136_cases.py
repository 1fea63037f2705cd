"""What real servers do with updates that do not go well, and what the RFC 2136 adapter makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnsbroker.errors import Conflict, ProviderError, ProviderUnavailable, RecordRejected
from dnsbroker.records import Add, Change, Receipt, Record, RecordType, Remove, RRset, Swap
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_rfc2136 import RFC2136, RFC2136Settings
from dynamic import (
    DynamicPowerDNS,
    Hasty,
    KnotPrimary,
    Middle,
    Target,
    adapter_for,
    apply,
    door,
    refused,
    require_namespace,
)
from lab.bind import ACME_KEY, LAB_KEY, Bind, Zone
from lab.zonefile import zone_text

SECONDARY, MIDDLE, BIND, KNOT, POWERDNS = (f"127.0.0.{last}" for last in (34, 35, 36, 37, 38))
NAME = "_acme-challenge.plain.test."
ONE, TWO = "3 1 1 " + "ab" * 32, "3 1 1 " + "cd" * 32


def add(value: str = "ours", name: str = NAME, type: RecordType = "TXT") -> Add:
    """A change."""
    return Add(Record(name, type, value), 60)


def swap(expected: str, desired: str, ttl: int = 60) -> Swap:
    """A change of the TLSA RRset."""
    return Swap(NAME, "TLSA", frozenset({expected} - {""}), frozenset({desired} - {""}), ttl)


@pytest.fixture(scope="module", autouse=True)
def inside() -> None:
    """Nothing in here runs elsewhere."""
    require_namespace()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """A BIND with a zone for the key, one that grants it a single name, and one that delegates."""
    text = zone_text("plain.test", 1, {"ns1": [BIND]}) + "away NS ns.elsewhere.test.\n"
    narrow = [f"{ACME_KEY} name _acme-challenge.narrow.test. TXT"]
    zones = [
        Zone("plain.test", text, signed=False),
        Zone("narrow.test", zone_text("narrow.test", 1, {"ns1": [BIND]}), signed=False, grants=narrow),
    ]
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


@pytest.fixture
def middle(bind: Bind) -> Iterator[Middle]:
    """Somebody on the way to BIND."""
    with Middle(bind, MIDDLE) as somebody:
        yield somebody


@pytest.fixture(params=["bind", "knot", "powerdns"])
def anyone(request: pytest.FixtureRequest) -> Target:
    """Each of the three."""
    server: Target = request.getfixturevalue(request.param)
    return server


# What stands in the way


def test_a_cname_is_a_conflict_before_anything_is_written(anyone: Target) -> None:
    """BIND would drop the record and say NOERROR; the change beside it is not made either."""
    opened = door(anyone)
    opened.change(replace={(NAME, "CNAME"): ["target.test."]})
    error = refused(anyone, add(), add(name="beside.plain.test."))
    assert isinstance(error, Conflict)
    assert error.found == ("CNAME target.test.",)
    assert "target.test." in error.hint
    assert not opened.look("beside.plain.test.", "TXT")
    assert not apply(anyone, Remove(Record(NAME, "TXT", "ours"))).changed


def test_a_cname_that_comes_in_between_is_a_conflict_all_the_same(bind: Bind, middle: Middle) -> None:
    """NOERROR is no proof; and what did arrive of the failed call is taken back."""
    opened = door(bind)
    middle.before = lambda: opened.change(replace={(NAME, "CNAME"): ["target.test."]})
    error = refused(middle, add(), add(name="beside.plain.test."))
    assert isinstance(error, Conflict)
    assert error.found == ("CNAME target.test.",)
    assert not opened.look("beside.plain.test.", "TXT")


@pytest.mark.parametrize("content", [("TXT", '"v=spf1 -all"'), ("CNAME", "ns1.plain.test.")], ids=["TXT", "CNAME"])
def test_what_a_wildcard_lends_does_not_stand_there(anyone: Target, content: tuple[str, str]) -> None:
    """A record of ours gets our TTL beside neither, and after its withdrawal the wildcard is not taken for it."""
    opened = door(anyone)
    opened.change(replace={("*.plain.test.", content[0]): [content[1]]}, ttl=3600)
    adapter = adapter_for(anyone)
    assert asyncio.run(adapter.read("plain.test.", NAME, "TXT")) is None
    assert apply(anyone, add()).changed
    found = asyncio.run(adapter.read("plain.test.", NAME, "TXT"))
    assert found is not None
    assert (found.ttl, found.values) == (60, frozenset({"ours"}))
    assert apply(anyone, Remove(Record(NAME, "TXT", "ours"))).changed
    assert asyncio.run(adapter.read("plain.test.", NAME, "TXT")) is None


def test_a_wildcards_own_values_can_be_ours(bind: Bind) -> None:
    """A value that the wildcard has as well is written at the name, and withdrawn there only."""
    opened = door(bind)
    opened.put("*.plain.test.", "TXT", 60, "ours")
    assert apply(bind, add()).changed
    assert apply(bind, Remove(Record(NAME, "TXT", "ours"))).serial == asyncio.run(opened.serial("plain.test."))
    assert opened.look("*.plain.test.", "TXT") == {"ours"}


def test_a_name_below_a_zone_cut_is_refused(bind: Bind) -> None:
    """BIND would accept a record there that nobody ever sees."""
    error = refused(bind, add(name="_acme-challenge.away.plain.test."))
    assert isinstance(error, RecordRejected)
    assert "ns.elsewhere.test." in str(error)
    assert asyncio.run(adapter_for(bind).find_zone("_acme-challenge.away.plain.test.")) is None


def test_a_policy_that_drops_records_silently_is_found_out(tmp_path: Path) -> None:
    """PowerDNS skips what its Lua script refuses, and says NOERROR."""
    script = tmp_path / "policy.lua"
    script.write_text("function updatepolicy(input) return false end\n")
    settings = {"lua-dnsupdate-policy-script": str(script)}
    with DynamicPowerDNS(tmp_path / "server", address=SECONDARY, settings=settings) as server:
        server.create_dynamic_zone("plain.test")
        error = refused(server, add())
    assert isinstance(error, RecordRejected)
    assert "accepted the update" in str(error)
    assert "policy" in error.hint


# TTLs, serials, messages


def test_a_swap_gives_the_rrset_its_ttl(anyone: Target) -> None:
    """The value that stays gets it, too."""
    opened = door(anyone)
    opened.put(NAME, "TLSA", 3600, ONE)
    assert apply(anyone, Swap(NAME, "TLSA", frozenset({ONE}), frozenset({ONE, TWO}), 120)).changed
    found = asyncio.run(opened.see(NAME, "TLSA"))
    assert found is not None
    assert (found.ttl, found.values) == (120, frozenset({ONE, TWO}))


def test_what_is_so_already_raises_no_alarm(anyone: Target) -> None:
    """The serial stays, which is no fault then."""
    opened = door(anyone)
    opened.put(NAME, "TXT", 60, "ours")
    before = asyncio.run(opened.serial("plain.test."))
    receipt = apply(anyone, add(), Remove(Record(NAME, "TXT", "gone")))
    assert receipt == Receipt(changed=False, serial=before)


def test_apex_and_wildcard_travel_in_one_message(middle: Middle, bind: Bind) -> None:
    """So BIND sends one NOTIFY, at once."""
    door(bind)
    assert apply(middle, add("apex"), add("wildcard")).atomic
    assert middle.updates == 1


def test_more_than_a_message_holds_goes_in_several(middle: Middle, bind: Bind) -> None:
    """The receipt says that it was not one write."""
    opened = door(bind)
    names = [f"n{number}.plain.test." for number in range(100)]
    receipt = apply(middle, *(add("x" * 700, name) for name in names))
    assert (receipt.changed, receipt.atomic, middle.updates) == (True, False, 2)
    assert all(opened.look(name, "TXT") for name in names)


def test_a_serial_that_stands_still_is_told(powerdns: DynamicPowerDNS) -> None:
    """PowerDNS can be set so that secondaries never hear of an update."""
    opened = door(powerdns)
    powerdns.pdnsutil("set-meta", "plain.test", "SOA-EDIT-DNSUPDATE", "NONE")
    try:
        warnings = apply(powerdns, add()).warnings
    finally:
        powerdns.pdnsutil("set-meta", "plain.test", "SOA-EDIT-DNSUPDATE")
    assert opened.look(NAME, "TXT") == {"ours"}
    assert len(warnings) == 1
    assert "SOA-EDIT-DNSUPDATE" in warnings[0]


# Silence and other writers


def test_a_frozen_server_is_unavailable(bind: Bind) -> None:
    """It takes the connection and says nothing."""
    bind.freeze()
    try:
        error = refused(bind, add(), kind=Hasty)
    finally:
        bind.thaw()
    assert isinstance(error, ProviderUnavailable)
    assert "no answer" in str(error)


def test_an_update_without_an_answer_is_sent_once_more(middle: Middle, bind: Bind) -> None:
    """A server may drop one under load."""
    opened = door(bind)
    middle.lose = 1
    assert apply(middle, add(), swap("", ONE), kind=Hasty).changed
    assert middle.updates == 2
    assert (opened.look(NAME, "TXT"), opened.look(NAME, "TLSA")) == (frozenset({"ours"}), frozenset({ONE}))


def test_it_is_not_sent_a_third_time(middle: Middle, bind: Bind) -> None:
    """The error is one that may pass."""
    opened = door(bind)
    middle.lose = 9
    error = refused(middle, add(), kind=Hasty)
    assert isinstance(error, ProviderUnavailable)
    assert error.transient
    assert middle.updates == 2
    assert not opened.look(NAME, "TXT")


@pytest.mark.parametrize("change", [add(), swap("", ONE)], ids=["add", "swap"])
def test_a_lost_reply_is_looked_into(middle: Middle, bind: Bind, change: Change) -> None:
    """What the server has made is seen, counts, and is not sent again."""
    opened = door(bind)
    middle.after = lambda answer: None
    receipt = apply(middle, change, kind=Hasty)
    assert receipt.changed
    assert receipt.serial == asyncio.run(opened.serial("plain.test."))
    assert opened.look(NAME, "TXT") | opened.look(NAME, "TLSA") in ({"ours"}, {ONE})
    assert middle.updates == 1


def test_a_lost_reply_to_a_removal_is_looked_into(middle: Middle, bind: Bind) -> None:
    """A delete may be repeated."""
    opened = door(bind)
    opened.put(NAME, "TXT", 60, "ours", "foreign")
    middle.lose = 1
    assert apply(middle, Remove(Record(NAME, "TXT", "ours")), kind=Hasty).changed
    assert opened.look(NAME, "TXT") == {"foreign"}


def test_another_writer_wins_against_a_swap(middle: Middle, bind: Bind) -> None:
    """The server itself compares; what is found then is in the error, and stays."""
    opened = door(bind)
    opened.put(NAME, "TLSA", 60, ONE)
    middle.before = lambda: opened.put(NAME, "TLSA", 60, ONE, TWO)
    error = refused(middle, add(), Swap(NAME, "TLSA", frozenset({ONE}), frozenset({TWO}), 60))
    assert isinstance(error, Conflict)
    assert (error.expected, error.found, error.transient) == ((ONE,), (ONE, TWO), False)
    assert (opened.look(NAME, "TLSA"), opened.look(NAME, "TXT")) == (frozenset({ONE, TWO}), frozenset())


def test_another_writer_who_wants_the_same_is_no_conflict(middle: Middle, bind: Bind) -> None:
    """The RRset is what was desired."""
    opened = door(bind)
    middle.before = lambda: opened.put(NAME, "TLSA", 60, ONE)
    apply(middle, swap("", ONE))
    assert opened.look(NAME, "TLSA") == {ONE}


def test_a_writer_who_comes_and_goes_is_a_conflict_that_may_pass(middle: Middle, bind: Bind) -> None:
    """Twice the RRset is as expected when it is read, and another when the update comes."""
    opened = door(bind)

    def gone(answer: bytes) -> bytes:
        opened.put(NAME, "TLSA", 60)
        return answer

    middle.before = lambda: opened.put(NAME, "TLSA", 60, TWO)
    middle.after = gone
    error = refused(middle, swap("", ONE))
    assert isinstance(error, Conflict)
    assert error.transient
    assert middle.updates == 2


def test_another_writers_value_beside_ours_is_no_conflict(middle: Middle, bind: Bind) -> None:
    """Adding and removing by value go together with whatever else happens there."""
    opened = door(bind)
    opened.put(NAME, "TXT", 60, "foreign", "old")
    middle.before = lambda: opened.put(NAME, "TXT", 60, "other", "old")
    assert apply(middle, add(), Remove(Record(NAME, "TXT", "old"))).changed
    assert opened.look(NAME, "TXT") == {"other", "ours"}


def test_eight_writers_at_once_lose_nothing_and_leave_nothing(anyone: Target) -> None:
    """Not even their own locks are needed, where every change is by value."""
    opened = door(anyone)
    opened.put(NAME, "TXT", 3600, "foreign")
    values = [f"value-{number}" for number in range(8)]

    async def together(*changes: Change) -> None:
        await asyncio.gather(*(adapter_for(anyone).apply("plain.test.", [change]) for change in changes))

    asyncio.run(together(*map(add, values)))
    assert opened.look(NAME, "TXT") == {"foreign", *values}
    asyncio.run(together(*(Remove(Record(NAME, "TXT", value)) for value in values)))
    assert asyncio.run(opened.see(NAME, "TXT")) == RRset(NAME, "TXT", 3600, frozenset({"foreign"}))


# The way to the server


def _named(server: Target, *addresses: str) -> RFC2136:
    """An adapter whose server is a name with these addresses."""

    async def resolve(host: str) -> tuple[str, ...]:
        assert host == "ns1.example.org"
        return addresses

    secret = Secret("a test", lambda: server.keys.secrets[ACME_KEY])
    settings = RFC2136Settings(server="ns1.example.org", tsig_name=ACME_KEY, tsig_secret=secret)
    return RFC2136(settings, replace(surroundings(), addresses=resolve))


@pytest.mark.parametrize("dead", ["127.0.0.39", "fd00::dead"], ids=["refusing", "no route"])
def test_every_address_of_a_host_name_is_tried(bind: Bind, dead: str) -> None:
    """One family may be dead."""
    opened = door(bind)
    assert asyncio.run(_named(bind, dead, BIND).apply("plain.test.", [add()])).changed
    assert opened.look(NAME, "TXT") == {"ours"}


def test_no_address_that_answers_is_told_for_each(bind: Bind) -> None:
    """The person sees what happened to which."""
    with pytest.raises(ProviderUnavailable) as caught:
        asyncio.run(_named(bind, "127.0.0.39", "127.0.0.33").find_zone(NAME))
    assert "127.0.0.39: TCP: connection refused" in str(caught.value)
    assert "127.0.0.33: TCP: connection refused" in str(caught.value)


def test_a_name_without_addresses_is_told(bind: Bind) -> None:
    """It is the server's name that is wrong."""
    with pytest.raises(ProviderError, match=r"no address of the server ns1\.example\.org"):
        asyncio.run(_named(bind).find_zone(NAME))
