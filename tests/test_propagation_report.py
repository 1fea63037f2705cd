"""Who disagrees, and the cure, in the words that a person reads."""

from __future__ import annotations

import pytest

from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.exchange import Address
from dnsbroker.lookup.zone import NameServer, Zone
from dnsbroker.propagation.report import Failure, warnings
from dnsbroker.propagation.verdict import Finding, ServerVerdict, Verdict, Want

ZONE = Zone(
    "example.org.",
    tuple(
        NameServer(f"ns{number}.example.org.", Address(f"192.0.2.{number}"), in_parent=True, in_child=True)
        for number in (1, 2, 3)
    ),
    SOA("example.org.", "ns1.example.org.", 7, 3600, 600, 3600),
)
WANT = Want("_acme-challenge.example.org.", "TXT", frozenset({"value"}), serial=8)


def seen(
    number: int,
    verdict: Verdict = Verdict.GREEN,
    detail: str = "",
    serial: int | None = 8,
    *,
    ip: str = "",
    silent_for: float = 0.0,
    wavers: bool = False,
) -> ServerVerdict:
    """That server with that verdict."""
    name, ip = f"ns{number}.example.org.", ip or f"192.0.2.{number}"
    finding = Finding(verdict, detail, serial)
    return ServerVerdict(name, ip, finding, ip, frozenset({name}), silent_for=silent_for, wavers=wavers)


def failure(*states: ServerVerdict, want: Want = WANT, waited: float = 600, timeout: float = 600) -> Failure:
    return Failure(ZONE, want, states, waited, timeout)


STALE = seen(2, Verdict.STALE, "has no TXT of ours, at serial 7, needs 8", 7)


def test_the_message_names_each_that_disagrees() -> None:
    """And none of the others; the table has them all."""
    told = failure(seen(1), STALE, seen(3, Verdict.UNREACHABLE, "UDP: no answer within 2 s", None))
    assert told.message() == (
        "_acme-challenge.example.org is not right on every server of example.org after 10m: "
        "ns2.example.org (192.0.2.2) is stale: has no TXT of ours, at serial 7, needs 8; "
        "ns3.example.org (192.0.2.3) is unreachable: UDP: no answer within 2 s"
    )
    assert told.seen() == {
        "ns1.example.org (192.0.2.1)": "green",
        "ns2.example.org (192.0.2.2)": "stale: has no TXT of ours, at serial 7, needs 8",
        "ns3.example.org (192.0.2.3)": "unreachable: UDP: no answer within 2 s",
    }


class TestOneThatIsBehind:
    """The secondary's refresh, who notifies it, and the option to use."""

    @pytest.mark.parametrize(
        ("waited", "timeout", "proposed"), [(600, 600, "65m"), (10, 7200, "125m"), (30, 30, "65m"), (600, 3601, "66m")]
    )
    def test_the_time_out_that_would_do_is_computed(self, waited: float, timeout: float, proposed: str) -> None:
        """Longer than the refresh and than the present one, in whole minutes."""
        assert failure(seen(1), STALE, waited=waited, timeout=timeout).hint() == (
            "ns2.example.org refreshes every 3600 s and did not follow our NOTIFY: let it accept NOTIFY from "
            f"ns1.example.org (192.0.2.1), set propagation.timeout to {proposed}, or leave it out, with "
            "propagation.ignore or once with --ignore ns2.example.org"
        )

    def test_after_its_refresh_it_is_the_transfer_that_fails(self) -> None:
        """Longer waiting would not help it."""
        hint = failure(seen(1), STALE, waited=4000).hint()
        assert hint.startswith("ns2.example.org refreshes every 3600 s and yet is behind: look in its log")
        assert "propagation.timeout" not in hint

    def test_the_primary_itself_needs_no_notify(self) -> None:
        """It is not told to accept its own."""
        stale = seen(1, Verdict.STALE, "has no TXT of ours, at serial 7, needs 8", 7)
        hint = failure(stale, seen(2)).hint()
        assert hint.startswith("ns1.example.org is the zone's primary: look in its log")

    def test_the_same_serial_with_other_data_is_told_so(self) -> None:
        """Where the serial to wait for is not known, the others' tells."""
        want = Want(WANT.name, "TXT", WANT.values)
        hint = failure(seen(1), seen(2, Verdict.STALE, "has no TXT of ours", 8), want=want).hint()
        assert hint.startswith("ns2.example.org serves other data under the same serial 8")
        assert "set-meta example.org SOA-EDIT-API INCREASE, then pdnsutil increase-serial example.org)" in hint
        hint = failure(seen(1), seen(2, Verdict.STALE, "has no TXT of ours", 7), want=want).hint()
        assert "did not follow our NOTIFY" in hint

    def test_where_nobody_has_it_the_question_is_whether_it_was_written(self) -> None:
        """`wait` for a value that nobody published."""
        want = Want(WANT.name, "TXT", WANT.values)
        states = [seen(number, Verdict.STALE, "has no TXT of ours", 8) for number in (1, 2)]
        assert (
            failure(*states, want=want).hint() == "no server of example.org has it: was it written, and to this zone?"
        )


class TestOptions:
    """``--ignore`` is only proposed where it works."""

    def test_the_address_alone_where_the_name_has_good_ones(self) -> None:
        """Ignoring the name would leave out a server that is right."""
        other = seen(2, Verdict.STALE, "has no TXT of ours", 7, ip="2001:db8::2")
        assert failure(seen(1), seen(2), other).hint().endswith("--ignore 2001:db8::2")

    def test_a_configured_server_goes_by_its_address(self) -> None:
        """It has no name, and ignore takes no port."""
        state = ServerVerdict("10.0.0.53:5300", "10.0.0.53:5300", Finding(Verdict.LAME), "10.0.0.53")
        told = failure(seen(1), state)
        assert told.hint().endswith("--ignore 10.0.0.53")
        assert "10.0.0.53:5300 is lame" in told.message()

    def test_not_for_tlsa_nor_for_what_a_ca_would_refuse_nor_for_the_last(self) -> None:
        """Ignoring the unsigned server makes the CA refuse; for TLSA it is not heeded."""
        tlsa = Want("_443._tcp.example.org.", "TLSA", WANT.values, 8)
        assert "--ignore" not in failure(seen(1), STALE, want=tlsa).hint()
        assert "--ignore" not in failure(seen(1), seen(2, Verdict.BOGUS)).hint()
        assert "--ignore" not in failure(STALE).hint()


@pytest.mark.parametrize(
    ("verdict", "start"),
    [
        (Verdict.LOST, "ns2.example.org serves another copy of the zone, or the record was overwritten"),
        (Verdict.LAME, "load the zone on ns2.example.org, or take it out of the NS records"),
        (Verdict.BROKEN, "look in the log of ns2.example.org"),
        (Verdict.BOGUS, "a CA that validates will refuse that answer"),
        (Verdict.UNREACHABLE, "let ns2.example.org answer at 192.0.2.2 by UDP and TCP"),
        (Verdict.UNTESTED, "ask from a host that has a way to 192.0.2.2"),
    ],
)
def test_each_verdict_has_its_cure(verdict: Verdict, start: str) -> None:
    """The first thing to do."""
    assert failure(seen(1), seen(2, verdict, serial=None)).hint().startswith(start)


def test_the_gravest_one_is_cured_first() -> None:
    """A wrong answer before a missing one."""
    hint = failure(seen(1), seen(2, Verdict.UNREACHABLE, serial=None), seen(3, Verdict.STALE, serial=7)).hint()
    assert hint.startswith("ns3.example.org refreshes")


def test_of_equals_the_primary_is_cured_first() -> None:
    """What it lacks no secondary can have."""
    states = [seen(number, Verdict.STALE, "has no TXT of ours, at serial 7, needs 8", 7) for number in (2, 1)]
    assert failure(*states).hint().startswith("ns1.example.org is the zone's primary")


def test_green_ones_are_told_where_they_are_what_is_left() -> None:
    """That take turns, that hang now, or that nobody had the time to look at twice."""
    wavering = failure(seen(1), seen(2, wavers=True))
    assert "ns2.example.org (192.0.2.2) is green: had the values and lost them again" in wavering.message()
    assert wavering.hint().startswith("bring the machines that answer as ns2.example.org in step")
    hanging = failure(seen(1), seen(2, silent_for=4.0))
    assert "ns2.example.org (192.0.2.2) is green, but has not answered for 4 s" in hanging.message()
    assert hanging.hint().startswith("let ns2.example.org answer at 192.0.2.2")
    assert failure(seen(1), seen(2)).message().endswith("their agreement was not confirmed in time")


def test_what_is_said_although_it_is_through() -> None:
    """The ignored, the tolerated, those with half a transport; not those that this host cannot reach."""
    ignored, lame = STALE, seen(3, Verdict.LAME, "answers REFUSED", None)
    half, far = seen(1, Verdict.GREEN, "answers by TCP only: a CA needs UDP too"), seen(4, Verdict.UNTESTED, "no way")
    assert warnings([ignored, lame, half, far], [lame, half, far], [lame, far]) == (
        "ns2.example.org (192.0.2.2) is ignored",
        "ns3.example.org (192.0.2.3) is lame: answers REFUSED; it was not waited for",
        "ns1.example.org (192.0.2.1) answers by TCP only: a CA needs UDP too",
    )


def test_who_had_no_time_to_answer_is_not_called_dead() -> None:
    """A time-out shorter than an answer takes is to be mended itself, and is told as short as it was."""
    silent = seen(2, Verdict.UNREACHABLE, "no answer", None)
    hasty = failure(seen(1), silent, waited=0.02, timeout=0.02)
    assert "after 20ms" in hasty.message()
    assert hasty.hint().startswith("set propagation.timeout to more")
    assert failure(seen(1), silent).hint().startswith("let ns2.example.org answer")
