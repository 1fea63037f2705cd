"""What people are told of roll-overs, and when one needs a person: each verdict with its opposite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dnsbroker.journal import Observed, Served, Sight
from dnsbroker.knowing.describing import rollover as described
from dnsbroker.knowing.health import Health, Known, judge
from dnsbroker.knowing.metrics import families
from dnsbroker.knowing.rollovers import (
    THEN,
    Cast,
    Place,
    Role,
    Rollover,
    Site,
    Standing,
    Unmanaged,
    last_served,
    of_step,
    sets,
    strangers,
)
from dnsbroker.knowing.telling import rollover_lines, unmanaged_lines
from dnsbroker.rolling import Step
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Kind, Subject, Tlsa, made, parse

NAME = "example.org"
OWNER = "_25._tcp.mail.example.org."
SMTP = "smtp://mail.example.org"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECONDS = NOW.timestamp()
DAY = 86400.0
PATIENCE = timedelta(days=3)
EE, TA = Kind(3, 1, 1), Kind(2, 1, 1)
AUTHORITY, OTHER = Subject(b"ca", b"ca key"), Subject(b"other ca", b"other ca key")
LIVE = Presented(Subject(b"live", b"live key"), (AUTHORITY,))
NEXT = Presented(Subject(b"", b"next key"))
HELD = Presented(Subject(b"held", b"held key"), (OTHER,))
STEADY = Rollover(NAME, Step.STEADY, SECONDS - 40 * DAY, "all is there")


def health(rollover: Rollover, now: datetime = NOW) -> Health:
    """How the certificate of that roll-over is."""
    observed = tuple(
        Observed(site.endpoint, NAME, not site.uncovered, now, "; ".join(site.uncovered)) for site in rollover.sites
    )
    return judge(Known(NAME, rollover=rollover, observed=observed), now, PATIENCE)


def lines(rollover: Rollover) -> list[str]:
    return list(rollover_lines(rollover, health(rollover), NOW))


class TestWhoseARecordIs:
    """By the keys of this moment, and by who wrote it."""

    CAST = Cast((LIVE,), (NEXT,), (HELD,), ("ab" * 32,))

    @pytest.mark.parametrize(
        ("record", "role"),
        [
            (made(EE, LIVE.leaf), Role.CURRENT),
            (made(EE, NEXT.leaf), Role.NEXT),
            (made(EE, HELD.leaf), Role.HELD),
            (made(TA, AUTHORITY), Role.AUTHORITY),
            (made(TA, OTHER), Role.AUTHORITY),
            (parse(f"2 1 1 {'ab' * 32}"), Role.AUTHORITY),
            (made(EE, Subject(b"old", b"old key")), Role.OLD),
            (made(TA, Subject(b"old", b"old ca")), Role.OLD),
        ],
    )
    def test_a_record_of_ours_has_a_part(self, record: Tlsa, role: Role) -> None:
        """Each in its own."""
        assert self.CAST.role(record, is_ours=True) is role

    def test_what_is_not_ours_is_foreign_unless_it_names_a_key_of_ours(self) -> None:
        """A CA's record belongs to who wrote it."""
        assert self.CAST.role(made(EE, LIVE.leaf), is_ours=False) is Role.CURRENT
        assert self.CAST.role(made(TA, AUTHORITY), is_ours=False) is Role.FOREIGN
        assert self.CAST.role(made(EE, Subject(b"", b"x")), is_ours=False) is Role.FOREIGN


class TestWhatWasSeen:
    """The last look at servers and services."""

    def test_only_what_a_server_had_last_counts(self) -> None:
        """Not what it had before, nor what was about to be written."""
        old, new = f"3 1 1 {'aa' * 32}", f"3 1 1 {'bb' * 32}"
        seen = [
            Sight("192.0.2.1", frozenset({old}), 60, 0, 5, False),
            Sight("192.0.2.1", frozenset({new}), 60, 5, 9, True),
            Sight("", frozenset({old, new}), 60, 5, 9, True),
        ]
        assert sets(seen) == (frozenset({parse(new)}),)

    def test_an_address_is_known_by_what_it_served_last(self) -> None:
        """Both keys of two algorithms, and no key of long ago."""
        seen = [
            Served(SMTP, "::1", "aa" * 32, 0, 5),
            Served(SMTP, "::1", "bb" * 32, 5, 9),
            Served(SMTP, "::1", "cc" * 32, 6, 9),
        ]
        assert last_served(seen) == {"::1": frozenset({"bb" * 32, "cc" * 32})}

    def test_a_key_that_no_record_names_is_told(self) -> None:
        """Where there are records of that kind at all."""
        named = frozenset({parse(f"3 1 1 {'aa' * 32}")})
        served = {"::1": frozenset({"aa" * 32}), "192.0.2.25": frozenset({"aa" * 32, "bb" * 32})}
        assert strangers(named, served) == ("192.0.2.25",)
        assert strangers(frozenset({made(TA, AUTHORITY)}), served) == ()
        assert strangers(frozenset(), served) == ()


class TestWhenAPersonIsNeeded:
    """And when the next run sees to it."""

    def test_a_steady_one_is_well(self) -> None:
        """However long it has been so."""
        assert health(STEADY) == Health(NAME, "ok", False, ())

    def test_records_that_do_not_cover_need_one_at_once(self) -> None:
        """By the word that a monitor knows; the twin covers."""
        site = Site(SMTP, (Place(OWNER, seen=SECONDS),), ("no 3 1 1 record names what example.org serves",))
        found = health(replace(STEADY, sites=(site,)))
        assert (found.status, found.needs_person) == ("not covered", True)
        assert found.findings[0].startswith(f"{SMTP}: no 3 1 1 record names what example.org serves; ")
        assert health(replace(STEADY, sites=(replace(site, uncovered=()),))).status == "ok"

    def test_one_that_stands_still_needs_one(self) -> None:
        """With the reason."""
        found = health(replace(STEADY, step=Step.STUCK, reason="the certificate ab was taken back"))
        assert (found.status, found.needs_person) == ("stuck", True)
        assert found.findings == ("the roll-over of its key stands still: the certificate ab was taken back",)

    def test_an_objection_needs_one(self) -> None:
        """Each in its own words."""
        found = health(replace(STEADY, objections=("the zone is not signed", "3 0 1 breaks")))
        assert (found.status, found.needs_person) == ("stuck", True)
        assert found.findings == ("TLSA: the zone is not signed", "TLSA: 3 0 1 breaks")

    def test_one_that_waits_for_its_time_needs_nobody(self) -> None:
        """Not before that time is past for as long as a failure may last."""
        waiting = Rollover(NAME, Step.PROPAGATED, SECONDS - 9 * DAY, "caches", SECONDS + 60)
        assert not health(waiting).needs_person
        assert not health(replace(waiting, until=SECONDS - 3 * DAY)).needs_person
        late = health(replace(waiting, until=SECONDS - 3 * DAY - 1))
        assert (late.status, late.needs_person) == ("stuck", True)
        assert "has not gone on since 2026-11-17" in late.findings[0]
        assert "`dnsbroker tlsa advance`" in late.findings[0]

    def test_one_that_waits_for_a_server_needs_one_in_the_end(self) -> None:
        """Where time alone does not move it."""
        silent = Rollover(NAME, Step.PUBLISHED, SECONDS - 2 * DAY, "192.0.2.2 is silent")
        assert not health(silent).needs_person
        assert health(replace(silent, since=SECONDS - 4 * DAY)).needs_person

    def test_one_that_was_never_published_needs_nobody(self) -> None:
        """Since when it is configured is not known."""
        assert not health(Rollover(NAME, Step.UNPUBLISHED)).needs_person

    def test_a_certificate_that_is_held_is_called_so(self) -> None:
        """With the time; it needs nobody."""
        found = health(Rollover(NAME, Step.HELD, SECONDS, "a cache may hold a set", SECONDS + 3600))
        assert (found.status, found.needs_person) == ("held", False)
        assert "until 2026-11-20 13:00 UTC: a cache may hold a set" in found.findings[0]

    def test_a_key_that_cannot_be_read_needs_one(self) -> None:
        """For what it names is not known."""
        found = health(replace(STEADY, trouble="next.pem cannot be read; let it"))
        assert (found.status, found.needs_person, found.findings) == (
            "damaged",
            True,
            ("next.pem cannot be read; let it",),
        )

    def test_a_step_that_nobody_knows_is_a_matter_for_a_person(self) -> None:
        """Written by another version, say."""
        assert of_step("steady") is Step.STEADY
        assert of_step("levitating") is Step.STUCK


class TestLines:
    """What ``tlsa status`` prints."""

    def test_step_time_reason_and_what_comes_next(self) -> None:
        """In this order; how far ahead a moment is, in words."""
        waiting = Rollover(NAME, Step.PROPAGATED, SECONDS - 3600, "caches may lack it", SECONDS + 4800)
        assert lines(waiting) == [
            "example.org: propagated since 2026-11-20 11:00 UTC, until 2026-11-20 13:20 UTC (in 1 h 20 min)",
            "  caches may lack it",
            f"  then: {THEN[Step.PROPAGATED]}",
        ]

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(1, "in 1 s"), (60, "in 1 min"), (3661, "in 1 h 1 min"), (86400 * 3 + 50, "in 3 d"), (0, "over; the next")],
    )
    def test_how_far_ahead_a_moment_is(self, seconds: int, words: str) -> None:
        """Two units at most, and none that is nothing."""
        assert words in lines(replace(STEADY, until=SECONDS + seconds))[0]

    def test_records_stand_below_their_owner_name(self) -> None:
        """With whose they are, and since when every server has them; long digests are cut."""
        record = f"3 1 1 {'ab' * 32}"
        place = Place(
            OWNER,
            (Standing(record, Role.CURRENT, SECONDS - DAY), Standing("3 1 1 ff", Role.NEXT, None)),
            SECONDS,
            is_whole=False,
        )
        found = lines(replace(STEADY, sites=(Site(SMTP, (place,)),)))
        assert found[3:] == [
            f"  {SMTP}",
            "    _25._tcp.mail.example.org, looked at 2026-11-20 12:00 UTC, and not every server answered",
            "      3 1 1 abababababababab…  current  on every server since 2026-11-19 12:00 UTC",
            "      3 1 1 ff  next     not on every server",
        ]
        never = lines(replace(STEADY, sites=(Site(SMTP, (Place(OWNER),)),)))
        assert never[-1] == "    _25._tcp.mail.example.org: not looked at yet"

    def test_a_record_that_was_taken_away_is_not_told_as_one_that_is_still_to_come(self) -> None:
        """A server that was late has it yet."""
        place = Place(OWNER, (Standing("3 1 1 ff", Role.OLD, None, is_withdrawn=True),), SECONDS, is_whole=True)
        found = lines(replace(STEADY, sites=(Site(SMTP, (place,)),)))
        assert found[-1] == "      3 1 1 ff  old  taken away; a server had it still"

    def test_what_was_asked_and_what_is_held_is_told(self) -> None:
        """An emergency above all."""
        assert "  a new key was asked for" in lines(replace(STEADY, is_asked=True))
        emergency = lines(replace(STEADY, is_asked=True, is_emergency=True))
        assert any("an emergency was called out" in line for line in emergency)
        assert "  a new key was asked for" not in emergency
        assert any("certificate 0ab1 is issued" in line for line in lines(replace(STEADY, held="0ab1")))

    def test_a_table_that_was_removed_names_the_command(self) -> None:
        """And each record that it left."""
        left = Unmanaged(SMTP, (f"{OWNER} TLSA 3 1 1 ff",), (NAME,), is_withdrawn=False)
        head, record = unmanaged_lines(left, NOW)
        assert head == (
            f"{SMTP}: 1 record of ours in DNS, and no [[dane]] table speaks of it any more;"
            f" `dnsbroker tlsa withdraw {SMTP}` takes them away"
        )
        assert record == f"  {OWNER} TLSA 3 1 1 ff"

    def test_an_endpoint_that_was_withdrawn_and_has_no_table_needs_one_first(self) -> None:
        """Publication alone is refused."""
        withdrawn = Unmanaged(SMTP, (), (NAME,), is_withdrawn=True, has_table=False)
        (line,) = unmanaged_lines(withdrawn, NOW)
        assert line.endswith(f"; a [[dane]] table for it, and then `dnsbroker tlsa publish {SMTP}` brings it back")

    def test_an_endpoint_that_was_withdrawn_says_how_long_the_key_has_to_stay(self) -> None:
        """And how it comes back."""
        withdrawn = Unmanaged(SMTP, (), (NAME,), is_withdrawn=True, serve_until=SECONDS + 60)
        (line,) = unmanaged_lines(withdrawn, NOW)
        assert "its present key has to be served until 2026-11-20 12:01 UTC" in line
        assert "has to be served" not in unmanaged_lines(withdrawn, NOW + timedelta(minutes=1))[0]
        assert f"`dnsbroker tlsa publish {SMTP}`" in line

    def test_while_a_server_still_has_its_records_no_end_is_told(self) -> None:
        """Caches get them from there."""
        withdrawn = Unmanaged(SMTP, (), (NAME,), is_withdrawn=True, serve_until=SECONDS, given_by=("192.0.2.2",))
        (line,) = unmanaged_lines(withdrawn, NOW)
        assert "; 192.0.2.2 still has its records: its present key has to be served meanwhile;" in line


def test_programs_get_the_same() -> None:
    """With whole digests, and moments in RFC 3339."""
    record = f"3 1 1 {'ab' * 32}"
    site = Site(SMTP, (Place(OWNER, (Standing(record, Role.CURRENT, SECONDS),), SECONDS, is_whole=True),), ("x",))
    facts = described(replace(STEADY, sites=(site,), until=None))
    assert (facts["step"], facts["until"], facts["then"]) == ("steady", None, THEN[Step.STEADY])
    assert facts["endpoints"] == [
        {
            "endpoint": SMTP,
            "uncovered": ["x"],
            "owners": [
                {
                    "owner": OWNER,
                    "looked_at": "2026-11-20T12:00:00Z",
                    "all_answered": True,
                    "records": [
                        {"record": record, "is": "current", "since": "2026-11-20T12:00:00Z", "withdrawn": False}
                    ],
                }
            ],
        }
    ]


def test_monitors_get_the_clocks() -> None:
    """Of each roll-over, and no sample where there is no time to wait for."""
    rollovers = [STEADY, Rollover("b", Step.HELD, SECONDS, "", SECONDS + 60)]
    text = "".join(family.text() for family in families([], [], 0, NOW, 0, rollovers))
    assert f'dnsbroker_rollover_since_seconds{{certificate="b",step="held"}} {SECONDS:.0f}\n' in text
    assert f'dnsbroker_rollover_until_seconds{{certificate="b"}} {SECONDS + 60:.0f}\n' in text
    assert 'dnsbroker_rollover_until_seconds{certificate="example.org"}' not in text


def test_every_step_says_what_comes_next() -> None:
    """None is left without."""
    assert set(THEN) == set(Step)
