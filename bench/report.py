"""What was found: medians with their extremes, ratios within one run, bars met or missed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """Where a figure is to end up: at least, or at most, this."""

    how: Literal["at least", "at most"]
    value: float

    def met(self, figure: float) -> bool:
        return figure >= self.value if self.how == "at least" else figure <= self.value


@dataclass(frozen=True)
class Row:
    """One thing that was measured in several rounds; with `against`, its share of another row's median."""

    part: str
    what: str
    values: Sequence[float]
    unit: str
    against: str = ""
    ratio: float | None = None
    bar: Bar | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self.bar is None or self.bar.met(self.median if self.ratio is None else self.ratio)


@dataclass
class Report:
    """Rows in the order in which they were measured."""

    rows: list[Row] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(
        self,
        part: str,
        what: str,
        values: Sequence[float],
        unit: str,
        *,
        against: Row | None = None,
        bar: Bar | None = None,
    ) -> Row:
        """Note the rounds of one thing; the bar is for its share of `against`, or where there is none for itself."""
        share = statistics.median(values) / against.median if against is not None else None
        row = Row(part, what, values, unit, against.what if against else "", share, bar)
        self.rows.append(row)
        print(_line(row), flush=True)
        return row

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if not row.met]

    def markdown(self) -> str:
        """One table per part."""
        parts = list(dict.fromkeys(row.part for row in self.rows))
        lines: list[str] = []
        for part in parts:
            lines += [f"\n### {part}\n", HEAD, *(_line(row) for row in self.rows if row.part == part)]
        return "\n".join([*lines, *(f"\nNot measured: {each}." for each in self.missing)]) + "\n"

    def write(self, folder: Path, about: dict[str, object]) -> None:
        """Leave `result.json` and `result.md`."""
        rows = [{**asdict(row), "median": row.median, "met": row.met} for row in self.rows]
        found = {"about": about, "rows": rows, "missing": self.missing}
        (folder / "result.json").write_text(json.dumps(found, indent=2) + "\n")
        told = "\n".join(f"- {name}: {value}" for name, value in about.items())
        (folder / "result.md").write_text(f"{told}\n{self.markdown()}")


HEAD = "| What | Median | Minimum to maximum | Ratio | Bar | |\n| --- | ---: | ---: | ---: | --- | --- |"


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} of {row.against}"
    bar = f"{row.bar.how} {row.bar.value:g}" if row.bar else ""
    verdict = "" if row.bar is None else "met" if row.met else "**missed**"
    extremes = f"{_number(min(row.values))} to {_number(max(row.values))}" if len(row.values) > 1 else ""
    return f"| {row.what} | {_number(row.median)} {row.unit} | {extremes} | {ratio} | {bar} | {verdict} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
