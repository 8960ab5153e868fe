"""Entries over time, one row of bars a log, all rows over the same time. Pure SVG.

Times are what the logs' authors say. So that one liar cannot squeeze everybody's bars into one, the time shown ends a
day behind the report's, and begins where all but one in a thousand entries do; what lies outside is told in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from client.audit.page.markup import Markup, element, joined
from client.audit.reading.timeline import DAY, WIDTHS

BARS = 140
"""At most so many are drawn in a row."""
_WIDTH, _HEIGHT, _AXIS = 700.0, 32.0, 20
_OUTLIERS = 1000
_TICKS = 5
_NAMES = dict(zip(WIDTHS, ("an hour", "6 hours", "a day", "a week", "4 weeks", "a year"), strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """counts: by the start of the bucket, Unix seconds. before, after: entries outside of the time shown."""

    name: str
    counts: Mapping[int, int]
    before: int
    after: int
    untimed: int

    @property
    def peak(self) -> int:
        """The highest bar."""
        return max(self.counts.values(), default=0)


@dataclass(frozen=True, slots=True)
class Chart:
    """start: of the first bar; width: of each, seconds; bars: how many there is room for."""

    rows: Sequence[Row]
    start: int
    width: int
    bars: int


def plan(timelines: Sequence[tuple[str, Mapping[str, Any]]], made: int) -> Chart:
    """timelines: names, and facts as reading.timeline gives them. made: time of the report, Unix seconds."""
    width = max((each["width"] for _, each in timelines), default=WIDTHS[0])
    end = made + DAY
    total = sum((_merged(each["counts"], width) for _, each in timelines), Counter[int]())
    start = _first(total, end)
    while (last := max([start, *(at for at in total if start <= at <= end)])) - start >= BARS * width:
        if width == WIDTHS[-1]:
            break
        width = WIDTHS[WIDTHS.index(width) + 1]
        start = start // width * width
        total = _merged(list(total.items()), width)
    rows = [_row(name, each, (start, end, width)) for name, each in timelines]
    return Chart(rows, start, width, (last - start) // width + 1)


def draw(chart: Chart) -> Markup:
    """A table: of each log its name, its bars, its entries and its highest bar."""
    head = element(
        "tr",
        element("th", "log", scope="col"),
        element("th", f"entries, each bar is {_NAMES[chart.width]}", scope="col"),
        element("th", "shown", class_="number", scope="col"),
        element("th", "highest bar", class_="number", scope="col"),
    )
    body = [
        element(
            "tr",
            element("td", row.name, class_="text"),
            element("td", _bars(row, chart), class_="plot"),
            element("td", f"{sum(row.counts.values()):,}", class_="number"),
            element("td", f"{row.peak:,}", class_="number"),
        )
        for row in chart.rows
    ]
    axis = element("tr", element("td"), element("td", _axis(chart)), element("td"), element("td"))
    whole = element("table", element("thead", head), element("tbody", *body, axis), class_="chart")
    return element("div", whole, class_="wide")


def remarks(chart: Chart) -> list[str]:
    """What is not drawn."""
    said = []
    for row in chart.rows:
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (row.before, "before the time shown"),
                (row.after, "later than this report by more than a day"),
                (row.untimed, "without a time that can be"),
            )
            if count
        ]
        said += [f"{row.name}: entries not drawn: {', '.join(parts)}"] if parts else []
    return said


def _merged(counts: Sequence[Sequence[int]], width: int) -> Counter[int]:
    merged: Counter[int] = Counter()
    for start, count in counts:
        merged[start // width * width] += count
    return merged


def _first(total: Counter[int], end: int) -> int:
    """The first bucket that is drawn."""
    left = sum(total.values()) // _OUTLIERS
    starts = sorted(start for start in total if start <= end)
    for start in starts:
        left -= total[start]
        if left < 0:
            return start
    return starts[-1] if starts else end // WIDTHS[-1] * WIDTHS[-1]


def _row(name: str, timeline: Mapping[str, Any], shown: tuple[int, int, int]) -> Row:
    start, end, width = shown
    counts = _merged(timeline["counts"], width)
    inside = {at: count for at, count in counts.items() if start <= at <= end}
    before = sum(count for at, count in counts.items() if at < start)
    after = sum(count for at, count in counts.items() if at > end)
    return Row(name, inside, before, after, timeline["untimed"])


def _bars(row: Row, chart: Chart) -> Markup:
    step = _WIDTH / chart.bars
    parts = []
    for at, count in sorted(row.counts.items()):
        left = (at - chart.start) // chart.width * step
        height = max(1.0, (_HEIGHT - 2) * count / row.peak)
        parts.append(f"M{left:.1f} {_HEIGHT - 1:g}v-{height:.1f}h{max(step * 0.9, 0.5):.1f}v{height:.1f}z")
    title = element("title", f"{row.name}: {sum(row.counts.values()):,} entries")
    base = element("path", d=f"M0 {_HEIGHT - 0.5}H{_WIDTH:g}", class_="base")
    drawn = element("path", d=" ".join(parts), class_="bars") if parts else joined(())
    size = {"viewBox": f"0 0 {_WIDTH:g} {_HEIGHT:g}", "preserveAspectRatio": "none"}
    return element("svg", title, base, drawn, role="img", **size)


def _axis(chart: Chart) -> Markup:
    step = max(1, -(-chart.bars // _TICKS))
    marks = []
    for bar in range(0, chart.bars, step):
        left = bar * _WIDTH / chart.bars
        if left < _WIDTH - 120 or not bar:
            marks.append(element("text", _date(chart.start + bar * chart.width, chart.width), x=f"{left:.0f}", y="14"))
    return element("svg", *marks, class_="axis", viewBox=f"0 0 {_WIDTH:g} {_AXIS}", aria_hidden="true")


def _date(time: int, width: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M" if width < DAY else "%Y-%m-%d")
