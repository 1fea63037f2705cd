"""The picture of a roll-over: what is in it, and that each bar stands where its moments are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from dnsbroker.dane.drawing import LEFT, RIGHT, svg
from dnsbroker.dane.timeline import Bar, Chronicle, Picture, everywhere, picture, relied_on_from
from dnsbroker.journal import Served, Sight, StepTaken

START = 1_795_300_000.0
OWNER = "_25._tcp.mail.example.org."
ENDPOINT = "smtp://mail.example.org"
FIRST, SECOND, THIRD, CA = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)
OLD, NEW, NEXT, TOP = (f"3 1 1 {FIRST}", f"3 1 1 {SECOND}", f"3 1 1 {THIRD}", f"2 1 1 {CA}")
MIN_WAIT, TTL = 3.0, 2
SVG = "{http://www.w3.org/2000/svg}"
STEPS = {0: "unpublished", 3: "staged", 4: "propagated", 9: "steady", 10: "ripe", 12: "deployed", 18: "steady"}


def sights(server: str, *sets: tuple[float, Iterable[str]], until: float = 26.0) -> list[Sight]:
    """What ``server`` had: from each moment on (seconds after START) a set."""
    begun = [START + at for at, _ in sets]
    ends = [*begun[1:], START + until]
    return [
        Sight(server, frozenset(records), TTL, first, last, last == ends[-1])
        for (_, records), first, last in zip(sets, begun, ends, strict=True)
    ]


def served(address: str, *keys: tuple[str, float, float]) -> list[Served]:
    """The keys that ``address`` was seen with."""
    return [Served(ENDPOINT, address, key, START + first, START + last) for key, first, last in keys]


def rolled() -> Chronicle:
    """A roll-over at two servers, of which the second is a second late, with two addresses."""
    sets = [(0.0, []), (1.0, [OLD, TOP]), (3.0, [OLD, NEW, TOP]), (16.0, [NEW, TOP]), (18.0, [NEW, NEXT, TOP])]
    late = [(at and at + 1, records) for at, records in sets]
    return Chronicle(
        "example.org",
        [StepTaken(START + at, step, f"so it is <{step}>") for at, step in STEPS.items()],
        {OWNER: [*sights("192.0.2.1", *sets), *sights("192.0.2.2", *late)]},
        {},
        {OWNER: MIN_WAIT},
        {ENDPOINT: [*served("192.0.2.25", (FIRST, 0.5, 11), (SECOND, 12, 26)), *served("::1", (FIRST, 0.5, 12.5))]},
        {OLD: "old", NEW: "current", NEXT: "next", TOP: "CA"},
    )


def drawn(begin: float = START) -> Picture:
    made = picture([rolled()], START + 30, begin)
    assert made is not None
    return made


def bars(made: Picture, section: str, lane: str) -> list[Bar]:
    """The bars of a lane, in seconds after START."""
    (found,) = [
        one for part in made.sections if section in part.title for one in part.lanes if one.name.startswith(lane)
    ]
    return list(found.bars)


def told(found: Iterable[Bar]) -> list[tuple[float, float, str, str]]:
    return [(one.start - START, one.end - START, one.what, one.label) for one in found]


def read(text: str) -> ElementTree.Element:
    """The file as a reader's program has it."""
    return ElementTree.fromstring(text)  # noqa: S314 - of the program's own making


class TestWhatIsInIt:
    """Lanes and bars, by what was seen."""

    def test_each_set_of_records_is_a_bar_with_its_records(self) -> None:
        """At each server for itself, named by what each key was then."""
        first = told(bars(drawn(), "records at", "192.0.2.1"))
        assert [bar[:2] for bar in first if bar[2] == "set"] == [(0, 1), (1, 3), (3, 16), (16, 18), (18, 26)]
        assert first[0] == (0, 1, "set", "no record")
        assert [bar[3] for bar in first if bar[:3] == (3, 16, "record")] == [
            "CA d4d4d4d4",
            "current → old a1a1a1a1",
            "next → current b2b2b2b2",
        ]
        assert (18, 26, "record", "next c3c3c3c3") in first
        second = told(bars(drawn(), "records at", "192.0.2.2"))
        assert [bar[:2] for bar in second if bar[2] == "set"] == [(0, 2), (2, 4), (4, 17), (17, 19), (19, 26)]

    def test_a_record_keeps_its_row_in_every_set(self) -> None:
        """So that its life can be followed."""
        rows = {(bar.record, bar.row) for bar in bars(drawn(), "records at", "192.0.2.1") if bar.what == "record"}
        assert len(rows) == len({record for record, _ in rows}) == 4

    def test_a_record_ripens_from_where_it_is_everywhere(self) -> None:
        """For twice the TTL of what caches may hold without it; it retires from where its key was last served."""
        assert told(bars(drawn(), "clocks", "3 1 1 b2b2b2b2")) == [
            (3, 4, "spreading", "not everywhere"),
            (4, 8, "ripening", f"ripening: twice the TTL of {TTL} s"),
            (8, 26, "ripe", "may be relied on"),
        ]
        assert told(bars(drawn(), "clocks", "3 1 1 a1a1a1a1"))[1:] == [
            (2, 5, "ripening", "ripening: min_wait of 3 s"),
            (5, 12.5, "ripe", "may be relied on"),
            (12.5, 17, "retiring", "retiring"),
        ]

    def test_each_address_shows_the_keys_that_it_served(self) -> None:
        """As long as it was seen with them."""
        assert told(bars(drawn(), "keys served", "192.0.2.25")) == [
            (0.5, 11, "key", "key a1a1a1a1"),
            (12, 26, "key", "key b2b2b2b2"),
        ]

    def test_keys_of_two_algorithms_stand_below_each_other(self) -> None:
        """Where an address served both; the one that follows another takes its row."""
        looks = served("::1", (FIRST, 0, 26), (SECOND, 0, 12), (THIRD, 12, 26))
        both = replace(rolled(), served={ENDPOINT: looks})
        made = picture([both], START + 30, START)
        assert made is not None
        assert [(bar.record, bar.row) for bar in bars(made, "keys served", "::1")] == [
            (FIRST, 0),
            (SECOND, 1),
            (THIRD, 1),
        ]

    def test_certificates_side_by_side_share_their_lanes(self) -> None:
        """Each has steps of its own, and nothing is drawn twice."""
        made = picture([rolled(), replace(rolled(), reference="rsa")], START + 30, START)
        assert made is not None
        assert len(made.sections) == 1 + len(drawn().sections)
        assert made.title.endswith("example.org, rsa")

    def test_a_set_ends_where_the_next_one_was_seen(self) -> None:
        """Although a cache may have got it until then, or later."""
        long = [replace(one, last=START + 26) for one in sights("192.0.2.1", (0, [OLD]), (5, [OLD, NEW]))]
        made = picture([replace(rolled(), sights={OWNER: long})], START + 30, START)
        assert made is not None
        sets = [bar[:2] for bar in told(bars(made, "records at", "192.0.2.1")) if bar[2] == "set"]
        assert sets == [(0, 5), (5, 26)]
        assert told(bars(made, "clocks", "3 1 1 b2b2b2b2"))[0][:3] == (5, 26, "ripening")

    def test_steps_follow_one_another(self) -> None:
        """Each until the next; one that came for another reason goes on."""
        found = told(bars(drawn(), "steps", "step"))
        assert [(start, label) for start, _, _, label in found] == list(STEPS.items())
        assert all(before[1] == after[0] for before, after in pairwise(found))
        assert bars(drawn(), "steps", "step")[1].note == "staged: so it is <staged>"

    def test_without_a_beginning_it_is_the_last_roll_over(self) -> None:
        """From where the last rest ended; what was before is cut off."""
        made = picture([rolled()], START + 30)
        assert made is not None
        assert START + 9 < made.begin < START + 10
        assert bars(made, "records at", "192.0.2.1")[0].start == START + 10

    def test_the_legend_says_what_each_key_is_now(self) -> None:
        """And what is gone."""
        texts = {entry.text for entry in drawn().legend}
        assert texts == {"3 1 1 a1a1a1a1: old", "3 1 1 b2b2b2b2: current", "3 1 1 c3c3c3c3: next", "2 1 1 d4d4d4d4: CA"}

    def test_nothing_seen_is_nothing_drawn(self) -> None:
        """Neither of nobody, nor of a time in which nobody looked."""
        assert picture([], START) is None
        assert picture([Chronicle("example.org")], START) is None
        assert picture([rolled()], START + 90, START + 60) is None


class TestClocks:
    """When a record was everywhere, and from when on it may be relied on."""

    def test_a_record_that_vanishes_somewhere_begins_anew(self) -> None:
        """At one of two servers; without the gap it is one time."""
        whole = sights("192.0.2.1", (0, [NEW]))
        broken = sights("192.0.2.2", (0, []), (2, [NEW]), (9, []), (11, [NEW]))
        assert everywhere(NEW, [*whole, *broken]) == ((START + 2, START + 9), (START + 11, START + 26))
        assert everywhere(NEW, whole) == ((START, START + 26),)

    def test_a_record_that_one_server_never_had_is_nowhere_relied_on(self) -> None:
        """However many others have it."""
        assert everywhere(NEW, [*sights("192.0.2.1", (0, [NEW])), *sights("192.0.2.2", (0, []))]) == ()

    def test_a_cached_denial_needs_no_wait_of_its_own(self) -> None:
        """An empty set says nothing against any key; one with other records does."""
        empty = sights("192.0.2.1", (0, []), (5, [NEW]))
        other = sights("192.0.2.1", (0, [OLD]), (5, [OLD, NEW]))
        assert relied_on_from(NEW, empty, START + 5, 1.0) == (START + 6, "min_wait of 1 s")
        assert relied_on_from(NEW, other, START + 5, 1.0) == (START + 9, "twice the TTL of 2 s")
        assert relied_on_from(NEW, other, START + 5, 60.0)[0] == START + 65


class TestDrawing:
    """The file, read again."""

    def test_every_bar_stands_where_its_moments_are(self) -> None:
        """By the marks on the axis, which are read from the file as well."""
        root = read(svg(drawn()))
        ticks = [
            (float(one.attrib["data-at"]), float(one.attrib["x1"]))
            for one in root.iter(f"{SVG}line")
            if one.get("class") == "tick"
        ]
        assert len(ticks) >= 4
        (at, x), (later, farther) = ticks[0], ticks[-1]

        def expected(moment: float) -> float:
            return x + (moment - at) / (later - at) * (farther - x)

        found = [one for one in root.iter(f"{SVG}rect") if "data-from" in one.attrib]
        wanted = [bar for section in drawn().sections for lane in section.lanes for bar in lane.bars]
        assert len(found) == len(wanted)
        for rectangle, bar in zip(found, wanted, strict=True):
            begin, end = float(rectangle.attrib["x"]), float(rectangle.attrib["width"]) + float(rectangle.attrib["x"])
            assert begin == pytest.approx(expected(bar.start), abs=0.1)
            assert end == pytest.approx(expected(bar.end), abs=0.6)
            assert LEFT <= begin <= end <= RIGHT

    def test_no_lane_lies_upon_another(self) -> None:
        """From the top down, all within the sheet."""
        root = read(svg(drawn()))
        spans = []
        for lane in root.iter(f"{SVG}g"):
            tops = [(float(one.attrib["y"]), float(one.attrib["height"])) for one in lane.iter(f"{SVG}rect")]
            spans.append((min(y for y, _ in tops), max(y + height for y, height in tops)))
        assert len(spans) == 1 + 2 + 4 + 2
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert spans[-1][1] < float(root.attrib["height"])

    def test_one_key_has_one_colour(self) -> None:
        """In its records, its clock and where it is served; and no two have the same."""
        root = read(svg(drawn()))
        colours = {
            (one.attrib["data-record"], one.attrib["fill"])
            for one in root.iter(f"{SVG}rect")
            if "data-record" in one.attrib
        }
        assert {record for record, _ in colours} == {FIRST, SECOND, THIRD, CA}
        assert len(colours) == len({colour for _, colour in colours}) == 4

    def test_a_label_stays_within_its_bar(self) -> None:
        """As long as the bar is; a short one shows less, or nothing."""
        root = read(svg(drawn()))
        for lane in root.iter(f"{SVG}g"):
            children = list(lane)
            for rectangle, text in pairwise(children):
                if rectangle.tag == f"{SVG}rect" and text.tag == f"{SVG}text" and text.text:
                    assert 6 * len(text.text) <= float(rectangle.attrib["width"])

    def test_it_can_be_read_on_light_and_on_dark(self) -> None:
        """It has its own paper, which follows its reader's taste, and the text with it."""
        text = svg(drawn())
        root = read(text)
        (paper,) = [one for one in root.iter(f"{SVG}rect") if one.get("class") == "paper"]
        assert (paper.attrib["width"], paper.attrib["height"]) == (root.attrib["width"], root.attrib["height"])
        dark = re.search(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n\}", text, re.DOTALL)
        assert dark is not None and ".paper" in dark[1] and "text {" in dark[1]

    def test_a_name_can_draw_nothing(self) -> None:
        """Markup and control characters in what others wrote are text, or gone."""
        evil = Chronicle(
            "<script>&\x1b]0;\x00",
            [StepTaken(START, "steady", '"/><script>')],
            {"_25._tcp.<b>.": sights('192.0.2.1"', (0, [NEW]))},
        )
        made = picture([evil], START + 30)
        assert made is not None
        root = read(svg(made))
        assert {one.tag.removeprefix(SVG) for one in root.iter()} == {
            "svg", "title", "style", "rect", "text", "line", "g"
        }  # fmt: skip
        assert "<script>&" in (root.findtext(f"{SVG}title") or "")

    @pytest.mark.parametrize("seconds", [1, 45, 1800, 86400, 86400 * 90, 86400 * 400])
    def test_the_axis_has_few_marks_at_round_times(self, seconds: int) -> None:
        """Whether it is about a second or a year."""
        sets = sights("192.0.2.1", (0, [OLD]), (seconds / 2, [OLD, NEW]), until=float(seconds))
        made = picture([Chronicle("example.org", (), {OWNER: sets})], START + seconds, START)
        assert made is not None
        root = read(svg(made))
        marks = [float(one.attrib["data-at"]) for one in root.iter(f"{SVG}line") if one.get("class") == "tick"]
        assert 1 <= len(marks) <= 10
        steps = {round(after - before) for before, after in pairwise(marks)}
        assert len(steps) <= 1
        assert [mark for mark in marks for step in steps or {1} if mark % step] == []
