"""One write of the PowerDNS adapter, request by request: settings mended, serials followed, other writers survived."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from dnsbroker.errors import Conflict, ProviderUnavailable, RecordRejected, SerialStuck
from dnsbroker.records import Add, Change, Receipt, Record, Remove
from dnsbroker.settings import Secret
from dnsbroker.testing import FakeClock, surroundings
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings
from literal_powerdns import NAME, Literal, Unescaping, done, refused, rrset, text, told, zone
from loopback import Response

ADD = Add(Record(NAME, "TXT", "ours"), 5)
NOW = 1795176000


def apply(
    server: Literal, *changes: Change, clock: FakeClock | None = None, times: int = 1, **settings: Any
) -> Receipt:
    """The receipt for the changes (default: adding our value), asked for ``times`` times."""

    async def play() -> Receipt:
        async with server:
            made = PowerDNSSettings(url=server.url, api_key=Secret("the test", lambda: "key"), **settings)
            provider = PowerDNS(made, surroundings("corp", clock=clock or FakeClock()))
            for _ in range(times - 1):
                await provider.apply("example.org.", changes or [ADD])
            receipt = await provider.apply("example.org.", changes or [ADD])
            await provider.aclose()
            return receipt

    return asyncio.run(play())


def written(**after: Any) -> Literal:
    """A server on which one write succeeds: an empty zone, then ours with ``after``."""
    start = {key: value for key, value in after.items() if key not in ("serial", "edited_serial")}
    return Literal(
        read=[told(zone(**start)), told(zone(rrset('"ours"'), **{"serial": 11, **after}))],
        patch=[done(11)],
    )


# The way of a write


def test_a_write_is_read_once_patched_once_and_read_back() -> None:
    """Version and zone are asked for once; NOTIFY comes when the serial has been seen."""
    server = written()
    receipt = apply(server)
    assert server.asked() == ["zones", "version", "read", "patch", "read", "notify"]
    assert receipt == Receipt(changed=True, serial=11)
    assert receipt.atomic


def test_what_is_so_already_is_not_written() -> None:
    """Not even a setting is judged, not even on a secondary."""
    for kind in ("Master", "Slave"):
        server = Literal(read=[told(zone(rrset('"ours"'), kind=kind, soa_edit_api=""))])
        assert apply(server) == Receipt(changed=False, serial=10)
        assert server.asked("patch", "put", "notify") == []


def test_old_serials_are_not_believed() -> None:
    """Before 5.0 the old serial in the reply equals the new one, and no header at all is no alarm either."""
    for reply in (done(11), done(11, 10), done()):
        server = written()
        server.replies["patch"] = [reply]
        assert apply(server).serial == 11


def test_the_served_serial_is_the_one_that_counts() -> None:
    """The stored one in the reply is another where SOA-EDIT is set."""
    server = Literal(
        read=[
            told(zone(soa_edit="INCREMENT-WEEKS", serial=10, edited_serial=2978)),
            told(zone(rrset('"ours"'), soa_edit="INCREMENT-WEEKS", serial=11, edited_serial=2979)),
        ],
        patch=[done(11)],
    )
    assert apply(server).serial == 2979


def test_a_serial_that_wraps_is_newer() -> None:
    """RFC 1982: 0 comes after 4294967295."""
    server = Literal(read=[told(zone(serial=4294967295)), told(zone(rrset('"ours"'), serial=0))], patch=[done(0)])
    assert apply(server).serial == 0


# NOTIFY and rectification


@pytest.mark.parametrize(
    ("kind", "notified"), [("Master", True), ("Primary", True), ("Producer", True), ("Native", False)]
)
def test_primaries_are_told_to_notify(kind: str, notified: bool) -> None:
    """A native zone's 200 to it would prove nothing."""
    server = written(kind=kind)
    apply(server)
    assert bool(server.asked("notify")) is notified


def test_notify_can_be_left_to_the_server() -> None:
    """``notify = false``."""
    server = written()
    apply(server, notify=False)
    assert server.asked("notify") == []


def test_a_notify_that_fails_is_a_warning() -> None:
    """The change stands, secondaries follow at their refresh."""
    server = written()
    server.replies["notify"] = [refused("Failed to add to the queue - see server log")]
    receipt = apply(server)
    assert receipt.serial == 11
    assert "Failed to add to the queue" in receipt.warnings[0]


METADATA = {"kind": "NSEC3PARAM", "metadata": ["1 0 0 -"], "type": "Metadata"}


@pytest.mark.parametrize(
    ("metadata", "default", "rectified"),
    [
        ([METADATA], "yes", False),
        ([METADATA], "no", True),
        ([{"kind": "API-RECTIFY", "metadata": ["0"]}], "yes", True),
        ([{"kind": "API-RECTIFY", "metadata": ["0"]}, {"kind": "PRESIGNED", "metadata": ["1"]}], "no", False),
    ],
)
def test_a_signed_zone_is_rectified_only_where_the_server_does_not(
    metadata: list[dict[str, Any]], default: str, rectified: bool
) -> None:
    """A false ``api_rectify`` says nothing: the zone's own metadata does, or else the server's default."""
    server = written(dnssec=True)
    server.replies["metadata"] = [told(metadata)]
    server.replies["config"] = [told([{"name": "default-api-rectify", "type": "ConfigSetting", "value": default}])]
    assert apply(server).warnings == ()
    assert bool(server.asked("rectify")) is rectified
    assert server.asked("patch", "rectify", "notify") == ["patch", *["rectify"] * rectified, "notify"]


def test_nothing_is_asked_about_a_zone_that_needs_no_rectifying() -> None:
    """Unsigned, or known to be rectified by the server."""
    for signed in (False, True):
        server = written(dnssec=signed, api_rectify=signed)
        apply(server)
        assert server.asked("metadata", "config", "rectify") == []


def test_a_failed_rectification_is_a_warning() -> None:
    """The change stands, and the server's words are passed on."""
    server = written(dnssec=True)
    server.replies["metadata"] = [told([{"kind": "API-RECTIFY", "metadata": ["0"]}])]
    server.replies["rectify"] = [refused("Failed to rectify 'example.org.'")]
    assert "Failed to rectify" in apply(server).warnings[0]


# SOA-EDIT-API


def mended(kind: str, **fields: Any) -> Receipt:
    """The receipt for a write by which SOA-EDIT-API became ``kind``, in a request of exactly that."""
    server = written(**fields)
    receipt = apply(server)
    assert server.bodies("put") == [{"soa_edit_api": kind}]
    assert server.asked("put", "patch") == ["put", "patch"]
    assert "/metadata" not in "".join(request.target for request in server.requests)
    assert f"is now {kind}" in receipt.warnings[0]
    return receipt


def test_an_unset_soa_edit_api_is_mended_before_the_write() -> None:
    """One setting, never the kind; a warning says so loudly."""
    receipt = mended("INCREASE", soa_edit_api="")
    assert "SOA-EDIT-API was unset" in receipt.warnings[0]
    assert "not set, so a change leaves the serial as it is" in receipt.warnings[0]


@pytest.mark.parametrize(
    ("kind", "stored", "served", "api", "edit"),
    [
        ("INCREASE", 10, 10, "INCEPTION-INCREMENT", ""),
        ("DEFAULT", 2026112001, 2026112001, "EPOCH", ""),
        ("INCREASE", 10, 10, "SOA-EDIT", ""),
        ("SOA-EDIT-INCREASE", 10, 1795046400, "SOA-EDIT", "INCEPTION-EPOCH"),
        ("SOA-EDIT-INCREASE", 10, 1795046400, "INCREASE", "INCEPTION-EPOCH"),
        ("SOA-EDIT-INCREASE", 10, 2026111901, "INCREASE", "INCEPTION-INCREMENT"),
    ],
)
def test_what_does_nothing_or_goes_backwards_is_mended(
    kind: str, stored: int, served: int, api: str, edit: str
) -> None:
    """Each such setting gives way to the gentlest that works; with ``false`` an error is told and nothing written."""
    before = zone(serial=stored, edited_serial=served, soa_edit_api=api, soa_edit=edit)
    after = zone(rrset('"ours"'), serial=stored + 1, edited_serial=served + 1, soa_edit_api=kind, soa_edit=edit)
    server = Literal(read=[told(before), told(after)], patch=[done(stored + 1)])
    assert apply(server).serial == served + 1
    assert server.bodies("put") == [{"soa_edit_api": kind}]

    server = Literal(read=[told(before)])
    with pytest.raises(SerialStuck) as caught:
        apply(server, soa_edit_api=False)
    assert server.asked("put", "patch", "notify") == []
    assert (caught.value.setting, caught.value.serial) == (api, served)
    assert f"pdnsutil set-meta example.org SOA-EDIT-API {kind}" in caught.value.hint
    assert not caught.value.transient


@pytest.mark.parametrize("api", ["DEFAULT", "INCREASE", "increase", "SOA-EDIT-INCREASE", "EPOCH"])
def test_what_works_is_left_alone(api: str) -> None:
    """Whatever the value is, and however it is spelt."""
    server = written(soa_edit_api=api)
    assert apply(server).warnings == ()
    assert server.asked("put") == []


def test_a_value_asked_for_is_set() -> None:
    """Even where another works; where it stands already nothing is sent."""
    server = written(soa_edit_api="INCREASE")
    assert "SOA-EDIT-API was INCREASE and is now DEFAULT" in apply(server, soa_edit_api="DEFAULT").warnings[0]
    assert server.bodies("put") == [{"soa_edit_api": "DEFAULT"}]
    server = written(soa_edit_api="default")
    apply(server, soa_edit_api="DEFAULT")
    assert server.asked("put") == []


def test_a_value_asked_for_that_would_not_work_is_not_set() -> None:
    """EPOCH on a dated serial would take it back."""
    server = Literal(read=[told(zone(serial=2026112001))])
    with pytest.raises(SerialStuck, match="back from 2026112001"):
        apply(server, soa_edit_api="EPOCH")
    assert server.asked("put", "patch") == []


def test_a_native_zone_needs_no_serial() -> None:
    """Its copies come by the database: with ``false`` it is written, and no serial is promised."""
    server = written(kind="Native", soa_edit_api="", serial=10)
    assert apply(server, soa_edit_api=False) == Receipt(changed=True, serial=None)
    assert server.asked("put", "notify") == []


def test_the_servers_default_soa_edit_is_asked_for_where_it_shows() -> None:
    """A zone without SOA-EDIT that is served under another serial than it has: INCREASE would be hidden there."""
    before = zone(serial=10, edited_serial=1795046400)
    after = zone(rrset('"ours"'), serial=2026112001, edited_serial=2026112001)
    config = [
        {"name": "default-soa-edit", "value": "INCEPTION-EPOCH"},
        {"name": "default-soa-edit-signed", "value": ""},
    ]
    server = Literal(read=[told(before), told(after)], patch=[done(2026112001)], config=[told(config)])
    assert apply(server).serial == 2026112001
    assert server.bodies("put") == [{"soa_edit_api": "DEFAULT"}]


def test_epoch_waits_for_the_next_second() -> None:
    """The second change in one second would not move the serial, so it is made in the next."""
    clock = FakeClock(datetime.fromtimestamp(NOW, UTC))
    after = zone(rrset('"ours"'), serial=NOW + 1, soa_edit_api="EPOCH")
    server = Literal(read=[told(zone(serial=NOW, soa_edit_api="EPOCH")), told(after)], patch=[done(NOW + 1)])
    assert apply(server, clock=clock, soa_edit_api=False).serial == NOW + 1
    assert clock.slept == [pytest.approx(1.1)]
    assert server.asked("patch") == ["patch"]


def test_a_serial_that_stood_still_is_pushed_again() -> None:
    """The server's second was not over: after a wait the same RRset is sent once more, and the serial moves."""
    still = zone(rrset('"ours"'), serial=10)
    moved = zone(rrset('"ours"'), serial=11)
    server = Literal(read=[told(zone()), told(still), told(still), told(moved)], patch=[done(10), done(11)])
    clock = FakeClock()
    assert apply(server, clock=clock).serial == 11
    assert len(clock.slept) == 1
    first, second = server.bodies("patch")
    assert first["rrsets"][0]["records"] == second["rrsets"][0]["records"]


def test_a_serial_that_moves_with_the_time_is_only_waited_for() -> None:
    """SOA-EDIT EPOCH shows the present second, whatever is stored."""
    fields: dict[str, Any] = {"soa_edit": "EPOCH", "soa_edit_api": "DEFAULT"}
    reads = [
        zone(serial=10, edited_serial=NOW, **fields),
        zone(rrset('"ours"'), serial=2026112001, edited_serial=NOW, **fields),
        zone(rrset('"ours"'), serial=2026112001, edited_serial=NOW + 1, **fields),
    ]
    server = Literal(read=[told(read) for read in reads], patch=[done(2026112001)])
    assert apply(server).serial == NOW + 1
    assert server.asked("patch", "put") == ["patch"]


def test_a_prediction_that_failed_is_mended_after_the_write() -> None:
    """The setting looked right and was not, as under a week that the server spreads: auto tries the next best."""
    fields: dict[str, Any] = {"soa_edit": "INCEPTION-EPOCH", "soa_edit_api": "DEFAULT", "serial": 2026112001}
    still = zone(rrset('"ours"'), edited_serial=2026112003, **fields)
    moved = zone(rrset('"ours"'), edited_serial=2026112004, **fields)
    server = Literal(
        read=[told(read) for read in (zone(edited_serial=2026112003, **fields), still, still, still, moved)],
        patch=[done()],
    )
    assert apply(server).serial == 2026112004
    assert server.asked("patch", "put") == ["patch", "patch", "put", "patch"]


def test_a_serial_that_nothing_moves_is_an_error_after_all() -> None:
    """The change stands, but secondaries will not see it, and that is said."""
    server = Literal(read=[told(zone()), told(zone(rrset('"ours"')))], patch=[done(10)])
    with pytest.raises(SerialStuck, match="stayed at 10 after a change"):
        apply(server, soa_edit_api=False)
    assert server.asked("put", "notify") == []


# Refused before writing


@pytest.mark.parametrize("kind", ["Slave", "Secondary", "Consumer"])
def test_a_secondary_is_not_written(kind: str) -> None:
    """The next transfer would undo it: the hint names the primary."""
    server = Literal(read=[told(zone(kind=kind, masters=["192.0.2.1"], soa_edit_api=""))])
    with pytest.raises(RecordRejected, match="would not last") as caught:
        apply(server)
    assert "192.0.2.1" in caught.value.hint
    assert server.asked("put", "patch") == []


def test_an_alias_is_a_conflict_before_writing() -> None:
    """Its target is told; no setting is touched."""
    server = Literal("5.0.7", read=[told(zone(rrset("elsewhere.example.", type="CNAME"), soa_edit_api=""))])
    with pytest.raises(Conflict) as caught:
        apply(server)
    assert caught.value.found == ("elsewhere.example.",)
    assert server.asked("put", "patch") == []


# Other writers


def test_a_lost_update_is_made_again() -> None:
    """Another client replaced the RRset between our write and our reading: both values stand in the end."""
    theirs = rrset('"theirs"')
    server = Literal(
        read=[
            told(zone()),
            told(zone(theirs, serial=12)),
            told(zone(theirs, serial=12)),
            told(zone(rrset('"theirs"', '"ours"'), serial=13)),
        ],
        patch=[done(11), done(13)],
    )
    clock = FakeClock()
    receipt = apply(server, clock=clock)
    assert (receipt.changed, receipt.serial) == (True, 13)
    contents = [record["content"] for record in server.bodies("patch")[1]["rrsets"][0]["records"]]
    assert contents == ['"theirs"', '"ours"']
    assert len(clock.slept) == 1


def test_a_client_that_always_undoes_us_is_told_of() -> None:
    """Three attempts, then an error that says who is to blame; a later try may succeed."""
    server = Literal(read=[told(zone())], patch=[done(11)])
    with pytest.raises(Conflict, match="another client undid") as caught:
        apply(server)
    assert caught.value.transient
    assert server.asked("patch") == ["patch"] * 3


def test_a_value_that_came_back_is_removed_again() -> None:
    """The negative twin: what we withdrew and another client put back."""
    ours = rrset('"ours"')
    server = Literal(
        read=[told(zone(ours)), told(zone(ours, serial=12)), told(zone(ours, serial=12)), told(zone(serial=13))],
        patch=[done(11), done(13)],
    )
    assert apply(server, Remove(ADD.record)).serial == 13


def test_nothing_is_believed_without_reading_back() -> None:
    """The write succeeded, but the reading after it fails for good: no receipt."""
    server = Literal(read=[told(zone()), text(500, "Internal Server Error")], patch=[done(11)])
    with pytest.raises(ProviderUnavailable):
        apply(server)


# Servers that undo escapes


@pytest.mark.parametrize("value", ['say "hi"', r"back\slash", "Grüße", r'all \ "of" ü'])
def test_escapes_survive_a_server_that_undoes_them(value: str) -> None:
    """5.1 takes one escape away before it reads a content, and would store or refuse something else."""
    foreign = [r'"foreign \"quoted\" \\ \195\188"', '"plain"']
    server = Unescaping(*foreign)
    apply(server, Add(Record(NAME, "TXT", value), 5))
    assert server.contents[:2] == foreign
    assert apply(Unescaping(*server.contents), Add(Record(NAME, "TXT", value), 5)).changed is False


def test_values_without_escapes_are_sent_as_they_are_to_every_version() -> None:
    """No second spelling for what ACME writes."""
    server = Unescaping('"plain"')
    apply(server)
    assert server.contents == ['"plain"', '"ours"']
    assert server.asked("patch") == ["patch"]


@pytest.mark.parametrize("first", [done(11), refused("Record: Parsing record content: invalid escape")])
def test_a_later_server_without_that_fault_gets_ordinary_escapes(first: Response) -> None:
    """What reads back in double escapes, or is refused in them, is sent again as it should be."""
    twice, once = r'"\\195\\188"', r'"\195\188"'
    reads = [zone(), zone(rrset(twice), serial=11)] if first.status == 204 else [zone()]
    server = Literal(
        "5.1.9", read=[told(read) for read in (*reads, zone(rrset(once), serial=12))], patch=[first, done(12)]
    )
    assert apply(server, Add(Record(NAME, "TXT", "ü"), 5)).serial == 12
    sent = [patch["rrsets"][0]["records"][0]["content"] for patch in server.bodies("patch")]
    assert sent == [twice, once]
