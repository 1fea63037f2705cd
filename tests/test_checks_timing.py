"""What the times in a zone's SOA make of mistakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dnsbroker.checks.timing import timing
from dnsbroker.findings import Severity
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.zone import NameServer, Zone

SOUND = SOA("example.test.", "ns1.example.test.", 7, 3600, 600, 3600, retry=900, expire=1_209_600)
SERVERS = tuple(
    NameServer(f"ns{number}.example.test.", Address(f"192.0.2.{number}"), in_parent=True, in_child=True)
    for number in (1, 2)
)


def zone(*, servers: int = 2, **times: int) -> Zone:
    """A zone whose SOA has ``times``, and sound ones beside them."""
    return Zone("example.test.", SERVERS[:servers], replace(SOUND, **times))  # type: ignore[arg-type]


def test_usual_times_are_passed_over() -> None:
    """The twin of all that follows."""
    assert timing(zone()) == ()
    assert timing(zone(minimum=3600)) == ()


@pytest.mark.parametrize(("minimum", "ttl", "is_long"), [(7200, 7200, True), (7200, 3600, False), (600, 86400, False)])
def test_a_denial_is_kept_for_the_lesser_of_two_times(minimum: int, ttl: int, is_long: bool) -> None:
    """The SOA's minimum, and its own TTL (RFC 2308)."""
    findings = timing(zone(minimum=minimum, ttl=ttl))
    assert [(one.check, one.severity) for one in findings] == [("negative-ttl", Severity.NOTICE)] * is_long
    if is_long:
        assert findings[0].message.endswith("stays wrong for 2h")
        assert findings[0].evidence[0].serial == 7


@pytest.mark.parametrize("times", [{"refresh": 172_800}, {"refresh": 30, "retry": 10}, {"retry": 7200}])
def test_how_long_a_lost_notify_costs(times: dict[str, int]) -> None:
    """A notice; where there is a single server nothing is ever transferred."""
    (finding,) = timing(zone(**times))
    assert (finding.check, finding.severity) == ("odd-refresh", Severity.NOTICE)
    assert f"refresh {times.get('refresh', 3600)}" in finding.evidence[0].record
    assert timing(zone(servers=1, **times)) == ()


@pytest.mark.parametrize(("expire", "is_short"), [(3600, True), (4499, True), (4500, False)])
def test_a_secondary_has_to_try_twice_before_it_gives_up(expire: int, is_short: bool) -> None:
    """Else one lost transfer is an outage."""
    findings = timing(zone(expire=expire))
    assert [(one.check, one.severity) for one in findings] == [("short-expire", Severity.WARNING)] * is_short
