"""SOA-EDIT-API as the PowerDNS adapter meets it: judged before a write, mended as allowed, and followed after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dnsbroker.errors import SerialStuck
from dnsbroker.records import Receipt
from dnsbroker.testing import FakeClock
from literal_powerdns import Literal, apply, done, rrset, told, written, zone

NOW = 1795176000


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
