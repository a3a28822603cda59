from __future__ import annotations

import pytest

from visado.settings.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), ("-1", -1), ("1.5", 1.5), (".5", 0.5), ("-.5", -0.5), ("007", 7),
        ("+1", None), ("1.", None), ("1e3", None), ("1,000", None), ("0x10", None), ("", None), ("h", None),
        ("1h", 3_600_000), ("1 h", 3_600_000), ("1   h", 3_600_000), ("1 ", 1), (" 1", None), ("1h ", None),
        ("1\th", None), ("1h\n", None), ("1h30m", None), ("1h 30m", None), ("1.5h", 5_400_000), ("0.5ms", 0.5),
        ("1 week", 604_800_000), ("6d", 518_400_000), ("10h", 36_000_000), ("1 month", None), ("1 MONTH", None),
        ("1Y", 31_557_600_000), ("1 Week", 604_800_000), ("١", None), ("1" * 101, None), ("-1ms", -1),
        ("-0.001s", -1),
    ],
)  # fmt: skip
def test_durations(text, expected):
    assert parse_duration(text) == expected


UNITS = {
    31_557_600_000: "years year yrs yr y",
    604_800_000: "weeks week w",
    86_400_000: "days day d",
    3_600_000: "hours hour hrs hr h",
    60_000: "minutes minute mins min m",
    1_000: "seconds second secs sec s",
    1: "milliseconds millisecond msecs msec ms",
}


@pytest.mark.parametrize(("worth", "name"), [(worth, name) for worth, names in UNITS.items() for name in names.split()])
def test_every_unit_spelling_in_any_case(worth, name):
    assert parse_duration(f"2{name}") == parse_duration(f"2 {name.upper()}") == 2 * worth
