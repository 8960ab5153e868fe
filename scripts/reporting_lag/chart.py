"""The chart of docs/gain.md: what is misjudged, against how late reports are. Plain SVG, for light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.reporting_lag.measure import Counts

WIDTH, HEIGHT = 800, 380
LEFT, RIGHT, TOP, BOTTOM = 56, 235, 34, 52
MOST_DAYS, MOST = 45.0, 0.75
#: name, label, colour, colour on dark pages
LINES = (
    ("misjudged", "debt load misjudged", "#c2410c", "#fb923c"),
    ("missed", "many lenders missed", "#1d4ed8", "#93c5fd"),
    ("wrong", "wrong outcome", "#7e22ce", "#d8b4fe"),
    ("frozen", "wrongly frozen", "#0f766e", "#5eead4"),
)


def drawn(lags: Mapping[float, Counts], ours: Counts, today: float) -> str:
    """The SVG. lags: by days late on average; ours: Plimsoll with nightly feeds, drawn at half a day."""
    points = {0.5: ours, **lags}
    parts = [*_frame(), *_today(today)]
    ends: list[tuple[float, str, str]] = []
    for number, (name, label, _, _) in enumerate(LINES):
        values = [(days, _value(counts, name)) for days, counts in sorted(points.items())]
        path = " ".join(f"{_x(days):.1f},{_y(value):.1f}" for days, value in values)
        parts.append(f'<polyline class="line l{number}" points="{path}"/>')
        parts += [f'<circle class="dot l{number}" cx="{_x(d):.1f}" cy="{_y(v):.1f}" r="3"/>' for d, v in values]
        at_today = _value(lags[today], name)
        ends.append((_y(values[-1][1]), f"l{number}", f"{label} ({100 * at_today:.0f} % today)"))
    parts += _labels(ends)
    best = ", ".join(f"{label} {100 * _value(ours, name):.1f} %" for name, label, _, _ in LINES[:2])
    parts.append(f'<text class="note" x="{LEFT}" y="{HEIGHT - 10}">Plimsoll with nightly feeds: {best}</text>')
    return _whole(parts)


def _value(counts: Counts, name: str) -> float:
    return 1 - counts.share("recognized") if name == "missed" else counts.share(name)


def _x(days: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * days / MOST_DAYS


def _y(value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(value, MOST) / MOST)


def _frame() -> list[str]:
    parts = [f'<text class="title" x="{LEFT}" y="20">What lenders misjudge, by how late reports are</text>']
    for percent in range(0, 76, 15):
        y = _y(percent / 100)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{_x(MOST_DAYS):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 8}" y="{y + 4:.1f}">{percent} %</text>')
    for days in (0, 7, 18, 30, 45):
        at = f'x="{_x(days):.1f}" y="{_y(0) + 18:.1f}"'
        parts.append(f'<text class="tick" text-anchor="middle" {at}>{days}</text>')
    parts.append(f'<text class="tick" x="{_x(MOST_DAYS) + 12:.1f}" y="{_y(0) + 18:.1f}">days late on average</text>')
    return parts


def _today(today: float) -> list[str]:
    x = f"{_x(today):.1f}"
    return [
        f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP}" y2="{_y(0):.1f}"/>',
        f'<text class="tick" x="{_x(today) + 5:.1f}" y="{TOP + 10}">today</text>',
    ]


def _labels(ends: Sequence[tuple[float, str, str]]) -> list[str]:
    """At the lines' ends, moved apart where they would lie on each other."""
    parts, last = [], -1e9
    for y, style, label in sorted(ends):
        last = max(y, last + 17)
        parts.append(f'<text class="label {style}" x="{_x(MOST_DAYS) + 10:.1f}" y="{last + 4:.1f}">{label}</text>')
    return parts


def _whole(parts: Sequence[str]) -> str:
    light = "".join(f".l{n}{{stroke:{c};fill:{c}}}" for n, (_, _, c, _) in enumerate(LINES))
    dark = "".join(f".l{n}{{stroke:{c};fill:{c}}}" for n, (_, _, _, c) in enumerate(LINES))
    style = (
        "text{font:12px system-ui,sans-serif;fill:#333;stroke:none}.title{font-size:15px;font-weight:600}"
        ".grid{stroke:#ddd}.mark{stroke:#888;stroke-dasharray:4 4}"
        f"{light}polyline.line{{fill:none;stroke-width:2}}text.label{{stroke:none}}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}" + dark + "polyline.line{fill:none}}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    return "\n".join([head, f"<style>{style}</style>", *parts, "</svg>", ""])
