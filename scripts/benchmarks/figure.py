"""What a benchmark found: figures beside their targets and yardsticks, for programs (JSON) and people (a table).

A target was set on another machine. Where the design also tells how fast a yardstick was there, the target is scaled by
how fast the yardstick is here: `fair` is what the target amounts to on this machine in this hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Something bare, measured in the same run in the same unit. ratio: figure by yardstick, of paired laps where there
    were any. design: what it was where the targets were set, as far as the design says so."""

    name: str
    value: float
    ratio: float
    design: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result. In units "../s" and "share" more is better, in all others less.

    target: of design section 9.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    yardsticks: Sequence[Yardstick] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def more_is_better(self) -> bool:
        """Whether it is a rate or a share."""
        return self.unit.endswith("/s") or self.unit == "share"

    @property
    def fair(self) -> float | None:
        """The target on a machine of this speed, by the first yardstick that the design knows."""
        known = next((one for one in self.yardsticks if one.design), None)
        if self.target is None or known is None or known.design is None:
            return None
        return self.target * known.value / known.design

    def score(self, target: float | None) -> float | None:
        """1 where the target is just met, above where it is exceeded."""
        if target is None:
            return None
        return self.value / target if self.more_is_better else target / self.value

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "target": self.target,
            "of_target": _rounded(self.score(self.target)),
            "target_at_this_speed": _rounded(self.fair),
            "of_target_at_this_speed": _rounded(self.score(self.fair)),
            "yardsticks": [
                {"name": one.name, "value": _rounded(one.value), "ratio": _rounded(one.ratio), "design": one.design}
                for one in self.yardsticks
            ],
            "details": {key: _rounded(value) for key, value in self.details.items()},
        }


def show(console: Console, title: str, figures: Iterable[Figure]) -> None:
    """The table of one benchmark."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in ("what", ">measured", ">target", ">of it", ">at this speed", "yardstick", ">there", ">ratio"):
        table.add_column(column.lstrip(">"), justify="right" if column[0] == ">" else "left")
    for figure in figures:
        first, *rest = _yardstick_cells(figure)
        of_target, of_fair = figure.score(figure.target), figure.score(figure.fair)
        table.add_row(
            figure.name,
            f"{number(figure.value)} {figure.unit}",
            number(figure.target),
            _score(of_target),
            _score(of_fair),
            *first,
        )
        for cells in rest:
            table.add_row("", "", "", "", "", *cells)
    console.print(table)


def _yardstick_cells(figure: Figure) -> list[tuple[str, str, str]]:
    return [(one.name, number(one.value), number(one.ratio)) for one in figure.yardsticks] or [("", "", "")]


def _score(score: float | None) -> str:
    if score is None:
        return ""
    return f"[{'green' if score >= 1 else 'yellow' if score >= 0.5 else 'red'}]{score:.2f}"


def number(value: float | None) -> str:
    """Three digits that matter."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
