"""A picture of a roll-over as SVG (version 1.1, one file, no script): lanes, bars, a time axis, a legend.

Rule: all text is escaped, and nothing is drawn but what the picture holds. It brings its own background, light or dark
as its reader likes it, so that it can be read wherever it is shown. Lengths are in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import ceil

from dnsbroker.dane.timeline import Bar, Lane, Picture, Section, short
from dnsbroker.readable import line

WIDTH = 1120
#: Where the axis of time begins and ends.
LEFT, RIGHT = 190, WIDTH - 20
_TOP, _ROW, _GAP, _HEAD = 64, 16, 6, 26
#: How wide a character is, as far as that can be known.
_CHARACTER = 6.3
_MOST_TICKS = 9
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_DAY = 86400

#: Bars on which white text is read best.
_SOLID = ("record", "key", "step", "ripe")
#: One colour for each key; white text can be read on all of them.
_COLOURS = ("#1f5fbf", "#a34700", "#1b7a3d", "#7b3fa0", "#a3274f", "#0f6f7a", "#6b5a00", "#555f6d")
STYLE = """
svg { font: 11px ui-monospace, Menlo, Consolas, monospace; }
.paper { fill: #ffffff; }
text { fill: #1f2328; }
.title { font-size: 14px; font-weight: bold; }
.section { font-weight: bold; }
.tick, .rule { stroke: #c4ccd4; stroke-width: 1; }
.set { fill: none; stroke: #57606a; stroke-width: 1; }
.step { fill: #57606a; }
.spreading { opacity: 0.25; }
.ripening { opacity: 0.45; stroke: #57606a; stroke-dasharray: 3 2; }
.retiring { opacity: 0.35; stroke: #57606a; stroke-dasharray: 1 2; }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117; }
text { fill: #e6edf3; }
.tick, .rule { stroke: #3d444d; }
.set, .ripening, .retiring { stroke: #9198a1; }
}
.in { fill: #ffffff; }
"""


def svg(picture: Picture) -> str:
    """The whole file."""
    return _Sheet(picture).text()


@dataclass(frozen=True)
class _Scale:
    """Where a moment stands on the axis."""

    begin: float
    end: float

    def x(self, moment: float) -> float:
        return LEFT + (moment - self.begin) / (self.end - self.begin) * (RIGHT - LEFT)

    def ticks(self) -> tuple[list[float], float]:
        """The moments at which the axis is marked, and how far apart they are (seconds)."""
        span = self.end - self.begin
        days = ceil(span / _DAY / _MOST_TICKS)
        step = next((step for step in _STEPS if span / step <= _MOST_TICKS), days * _DAY)
        first = ceil(self.begin / step)
        return [number * float(step) for number in range(first, int(self.end // step) + 1)], float(step)


class _Sheet:
    """The drawing, from the top down."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._scale = _Scale(picture.begin, picture.end)
        data = dict.fromkeys(
            bar.record for s in picture.sections for lane in s.lanes for bar in lane.bars if bar.record
        )
        self._colours = {one: _COLOURS[index % len(_COLOURS)] for index, one in enumerate(data)}

    def text(self) -> str:
        y = float(_TOP)
        body: list[str] = []
        for section in self._picture.sections:
            drawn, y = self._section(section, y)
            body += drawn
        bottom = y + _GAP
        legend, height = self._legend(bottom + _HEAD)
        begin, end = self._picture.begin, self._picture.end
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
            f'height="{height:g}" role="img" data-begin="{begin:.3f}" data-end="{end:.3f}">'
        )
        title = _text(20, 26, self._picture.title, "title")
        parts = [
            head,
            f"<title>{_escaped(self._picture.title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" fill="#ffffff" width="{WIDTH}" height="{height:g}"/>',
            title,
            *self._axis(bottom),
            *body,
            *legend,
            "</svg>\n",
        ]
        return "\n".join(parts)

    def _axis(self, bottom: float) -> Iterator[str]:
        moments, step = self._scale.ticks()
        form = "%H:%M:%S" if step < 60 else "%H:%M" if step < _DAY else "%Y-%m-%d"
        day = datetime.fromtimestamp(self._picture.begin, UTC)
        yield _text(20, _TOP - 14, f"{day:%Y-%m-%d} UTC", "day")
        for moment in moments:
            x = self._scale.x(moment)
            ends = f'x1="{x:.2f}" x2="{x:.2f}" y1="{_TOP - 8}" y2="{bottom:g}"'
            yield f'<line class="tick" data-at="{moment:.3f}" {ends}/>'
            yield _text(x, _TOP - 14, datetime.fromtimestamp(moment, UTC).strftime(form), "time", anchor="middle")

    def _section(self, section: Section, y: float) -> tuple[list[str], float]:
        drawn = [_text(20, y + 14, section.title, "section")]
        y += _HEAD
        for lane in section.lanes:
            drawn += [f'<g class="lane" data-lane="{_escaped(lane.name)}">', *self._lane(lane, y), "</g>"]
            y += lane.rows * _ROW + _GAP
        return drawn, y + _GAP

    def _lane(self, lane: Lane, y: float) -> Iterator[str]:
        yield _text(LEFT - 10, y + 12, _fitted([lane.name, f"…{lane.name[-24:]}"], LEFT - 20), "name", anchor="end")
        for bar in lane.bars:
            yield from self._bar(bar, lane, y)

    def _bar(self, bar: Bar, lane: Lane, y: float) -> Iterator[str]:
        x, end = self._scale.x(bar.start), self._scale.x(bar.end)
        is_set = bar.what == "set"
        top = y if is_set else y + bar.row * _ROW + 1
        height = lane.rows * _ROW if is_set else _ROW - 2
        colour = f' fill="{self._colours[bar.record]}"' if bar.record else ""
        record = f' data-record="{_escaped(bar.record)}"' if bar.record else ""
        yield (
            f'<rect class="{bar.what}"{colour}{record} data-from="{bar.start:.3f}" data-to="{bar.end:.3f}" '
            f'x="{x:.2f}" y="{top:g}" width="{max(end - x, 0.5):.2f}" height="{height:g}">'
            f"<title>{_escaped(bar.note)}</title></rect>"
        )
        label = _fitted(_labels(bar), end - x - 6)
        if label:
            yield _text(x + 4, top + 11, label, "in" if bar.what in _SOLID else "over")

    def _legend(self, y: float) -> tuple[list[str], float]:
        """Its lines in columns, and where the sheet ends."""
        drawn = [f'<line class="rule" x1="20" x2="{RIGHT}" y1="{y - _HEAD / 2:g}" y2="{y - _HEAD / 2:g}"/>']
        entries: Sequence[tuple[str, str, str]] = [
            (self._colours[entry.data], "record", entry.text)
            for entry in self._picture.legend
            if entry.data in self._colours
        ]
        entries = [
            *entries,
            ("none", "set", "an RRset, as long as a server had it"),
            (_COLOURS[-1], "spreading", "a record that is not on every server"),
            (_COLOURS[-1], "ripening", "everywhere, and caches may lack it"),
            (_COLOURS[-1], "retiring", "its key is served no more"),
        ]
        for index, (colour, what, text) in enumerate(entries):
            x, top = (20, RIGHT // 2)[index % 2], y + index // 2 * (_ROW + 4)
            drawn.append(f'<rect class="{what}" fill="{colour}" x="{x}" y="{top:g}" width="22" height="{_ROW - 4}"/>')
            drawn.append(_text(x + 30, top + 10, text, "entry"))
        return drawn, y + ceil(len(entries) / 2) * (_ROW + 4) + 12


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.2f}" y="{y:g}" text-anchor="{anchor}">{_escaped(text)}</text>'


def _labels(bar: Bar) -> Sequence[str]:
    """What may stand in a bar, the longest first: of a key its digest says most, of all else the first word."""
    if bar.record and bar.what in ("record", "key"):
        return bar.label, short(bar.record), bar.record[:4]
    return bar.label, bar.label.partition(":")[0]


def _fitted(texts: Sequence[str], room: float) -> str:
    """The first of ``texts`` that there is ``room`` for; else nothing."""
    return next((text for text in texts if len(text) * _CHARACTER <= room), "")


def _escaped(text: str) -> str:
    return escape(line(text))
