"""The recorded conversation with the reference, step for step."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Answers
from .judge import judge
from .player import Step, read, steps

pytestmark = pytest.mark.timeout(240)  # the first test of each kind waits for the whole conversation

RECORDED: dict[str, list[Step]] = {kind: steps(kind) for kind in ("http", "ws")}
DEVIATIONS, OPEN = read("deviations.json"), read("expected_open.json")
EXPECTED: dict[str, dict[str, Any]] = {kind: DEVIATIONS[kind] | OPEN[kind] for kind in RECORDED}


@pytest.mark.parametrize("kind", RECORDED)
def test_every_step_has_one_expectation(kind):
    names = [step["name"] for step in RECORDED[kind]]
    assert len(set(names)) == len(names)
    recorded = {step["name"] for step in RECORDED[kind] if "answer" in step}
    parts = [recorded, set(DEVIATIONS[kind]), set(OPEN[kind])]
    assert sum(map(len, parts)) == len(names)
    assert set().union(*parts) == set(names)


@pytest.mark.parametrize(
    ("kind", "step"),
    [(kind, step) for kind, script in RECORDED.items() for step in script],
    ids=[f"{kind}-{step['name']}" for kind, script in RECORDED.items() for step in script],
)
def test_the_answer_is_the_references(kind: str, step: Step, answers: dict[str, Answers]):
    wrong = judge(step, answers[kind][step["name"]], EXPECTED[kind].get(step["name"]))
    if wrong:
        shown = {key: value for key, value in answers[kind][step["name"]].items() if key != "text"}
        pytest.fail("\n".join([*wrong, f"asked: {step.get('send', step)}", f"got: {shown}"]), pytrace=False)
