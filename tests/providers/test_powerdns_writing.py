"""One write of the PowerDNS adapter, request by request: the way of it, NOTIFY, other writers, escapes."""

from __future__ import annotations

from typing import Any

import pytest

from dnsbroker.errors import Conflict, ProviderUnavailable, RecordRejected
from dnsbroker.records import Add, Receipt, Record, Remove
from dnsbroker.testing import FakeClock
from literal_powerdns import ADD, NAME, Literal, Unescaping, apply, done, refused, rrset, text, told, written, zone
from loopback import Response

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


def test_a_notify_that_never_went_out_is_made_up_for() -> None:
    """A run that ended between its write and its NOTIFY would leave the secondaries to the server's minute."""
    server = Literal(read=[told(zone(rrset('"ours"'), notified_serial=9))])
    assert apply(server) == Receipt(changed=False, serial=10)
    assert server.asked("patch", "notify") == ["notify"]


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
