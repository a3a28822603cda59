"""No test sleeps for as long as something is guessed to take: it polls a condition, see `tests.waiting`."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
SLEEP = re.compile(r"(?<!def )\b(?:time|asyncio|anyio)\.sleep\((?!0\))")
SUBJECT = re.compile(r"#.* subject: .{10}")
NOT_THESE = ("kit/wrong_", "stranger/", "test_sleeps.py")
"""Plugins with planted faults, and a plugin from elsewhere."""


def test_a_sleep_is_the_subject_of_its_test_and_says_so() -> None:
    """A line that sleeps ends with `# subject: …`: a slow client, a plugin that blocks. `sleep(0)` only yields."""
    unmarked = [
        f"{file.relative_to(TESTS)}:{number}: {line.strip()}"
        for file in sorted(TESTS.rglob("*.py"))
        if not any(each in file.as_posix() for each in NOT_THESE)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if SLEEP.search(line) and not SUBJECT.search(line)
    ]
    assert not unmarked, "poll a condition with `tests.waiting.until`, or say why time is the subject:\n" + "\n".join(
        unmarked
    )
