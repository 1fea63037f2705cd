"""The lab's own server misbehaves on the wire exactly as it is told, and else not."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import pytest

from lab import wire
from lab.misbehaving import Behaviour
from lab.processes import LabError, look_until
from lab.rig import Lab
from lab.topology import PLACES

FLAKY_CHALLENGE = "_acme-challenge.flaky.test"


def from_flaky(name: str = FLAKY_CHALLENGE, *, tcp: bool = False, seconds: float = 0.4) -> dns.message.Message:
    """The misbehaving server's answer to a TXT question."""
    return wire.ask(PLACES["misbehaving"].address, name, "TXT", tcp=tcp, seconds=seconds)


def add_to_flaky(lab: Lab, *values: str) -> None:
    """Make the TXT values at the misbehaving zone's challenge name exactly these, and tell the secondaries."""
    lab.powerdns.replace("flaky.test", FLAKY_CHALLENGE, [f'"{value}"' for value in values])
    lab.powerdns.notify("flaky.test")


# -- the server that misbehaves --


def test_it_follows_its_primary(lab: Lab) -> None:
    """Told nothing, it is a good secondary."""
    add_to_flaky(lab, "one", "two")
    lab.await_values(FLAKY_CHALLENGE, ["one", "two"])
    assert from_flaky().flags & dns.flags.AA
    assert from_flaky("nothing.flaky.test").rcode() == dns.rcode.NXDOMAIN
    assert from_flaky("elsewhere.test").rcode() == dns.rcode.REFUSED


def test_silent_means_no_answer_by_either_transport(lab: Lab) -> None:
    """Neither by UDP nor by TCP."""
    lab.misbehaving.behave(Behaviour(silent=True))
    for tcp in (False, True):
        with pytest.raises(dns.exception.Timeout):
            from_flaky(tcp=tcp)


def test_dropping_udp_leaves_tcp(lab: Lab) -> None:
    """UDP is not answered, TCP is."""
    lab.misbehaving.behave(Behaviour(drop_udp=True))
    with pytest.raises(dns.exception.Timeout):
        from_flaky()
    assert from_flaky(tcp=True).flags & dns.flags.AA


def test_truncating_needs_tcp(lab: Lab) -> None:
    """By UDP only the TC bit, by TCP the value."""
    add_to_flaky(lab, "long")
    lab.await_values(FLAKY_CHALLENGE, ["long"])
    lab.misbehaving.behave(Behaviour(truncate=True))
    answer = from_flaky()
    assert answer.flags & dns.flags.TC
    assert not answer.answer
    assert lab.values("misbehaving", FLAKY_CHALLENGE) == {"long"}
    assert [asked.transport for asked in lab.misbehaving.asked[-2:]] == ["udp", "tcp"]


@pytest.mark.parametrize("rcode", ["REFUSED", "SERVFAIL", "FORMERR", "NOTIMP"])
def test_a_wrong_rcode_is_all_it_says(lab: Lab, rcode: str) -> None:
    """Lame or broken, as told."""
    lab.misbehaving.behave(Behaviour(rcode=rcode))
    answer = from_flaky()
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert not answer.answer


def test_lame_servers_have_no_authority(lab: Lab) -> None:
    """A forwarder has the value without AA; one that lost the zone points at the root."""
    add_to_flaky(lab, "known")
    lab.await_values(FLAKY_CHALLENGE, ["known"])
    lab.misbehaving.behave(Behaviour(authoritative=False))
    assert from_flaky().answer
    assert not from_flaky().flags & dns.flags.AA
    lab.misbehaving.behave(Behaviour(referral=True))
    assert not from_flaky().flags & dns.flags.AA
    assert str(from_flaky().authority[0].name) == "."


def test_slow_answers_come_late(lab: Lab) -> None:
    """Each answer takes its time."""
    lab.misbehaving.behave(Behaviour(slow=0.5))
    with pytest.raises(dns.exception.Timeout):
        from_flaky()
    assert from_flaky(seconds=2).flags & dns.flags.AA


def test_a_stale_server_keeps_the_old_copy(lab: Lab) -> None:
    """Old serial, no value, however long one waits; told to behave, it catches up."""
    before = lab.serial("misbehaving", "flaky.test")
    lab.misbehaving.behave(Behaviour(stale=True))
    add_to_flaky(lab, "new")
    look_until(lambda: lab.values("bind-secondary", FLAKY_CHALLENGE) == {"new"}, "the good secondary follows")
    with pytest.raises(LabError, match="at misbehaving"):
        lab.await_values(FLAKY_CHALLENGE, ["new"], seconds=0.5)
    assert lab.serial("misbehaving", "flaky.test") == before
    lab.misbehaving.behave()
    lab.await_values(FLAKY_CHALLENGE, ["new"], seconds=2)


def test_a_lagging_server_follows_after_its_time(lab: Lab) -> None:
    """It answers all the while, and shows every change so many seconds later than the primary."""
    lab.misbehaving.behave(Behaviour(lag=1.0))
    with lab.observer(FLAKY_CHALLENGE, ["powerdns", "misbehaving"]) as seen:
        add_to_flaky(lab, "later")
        look_until(lambda: seen.everywhere(seen.having("later")) is not None, "both have it")
    first = {label.split()[0]: at for label, at in seen.first(seen.having("later")).items()}
    assert first["powerdns"] is not None
    assert first["misbehaving"] is not None
    assert 0.95 <= first["misbehaving"] - first["powerdns"] <= 2


def test_a_losing_server_has_the_serial_without_the_value(lab: Lab) -> None:
    """The serial is new, the challenge record is not there."""
    lab.misbehaving.behave(Behaviour(lose=True))
    add_to_flaky(lab, "lost")
    lab.await_served("flaky.test")
    assert lab.serial("misbehaving", "flaky.test") == lab.serial("powerdns", "flaky.test")
    assert set(lab.leftovers(FLAKY_CHALLENGE)) >= {"powerdns"}
    assert from_flaky().rcode() == dns.rcode.NXDOMAIN


def test_an_alternating_server_takes_turns(lab: Lab) -> None:
    """As two machines behind one address, one of them stale."""
    lab.misbehaving.behave(Behaviour(alternate=True))
    add_to_flaky(lab, "sometimes")
    look_until(lambda: lab.values("misbehaving", FLAKY_CHALLENGE) == {"sometimes"}, "it shows now and then")
    shown = [len(lab.values("misbehaving", FLAKY_CHALLENGE)) for _ in range(4)]
    assert shown in ([0, 1, 0, 1], [1, 0, 1, 0])
