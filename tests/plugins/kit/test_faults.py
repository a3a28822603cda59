"""The suites find the fault of each wrong plugin and say what to change; correct plugins pass."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)  # a run of many suites, in one test
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RIGHT = ["right", "right_logins", "right_checks", "right_verifiers"]
WRONG = [
    "wrong_strategies",
    "wrong_logins",
    "wrong_credentials",
    "wrong_checks",
    "wrong_verifiers",
    "wrong_observers",
    "wrong_storages",
]


def faults():
    """Yield the module and the class of every planted fault."""
    for module in WRONG:
        for name, each in vars(importlib.import_module(f".{module}", __package__)).items():
            if name.startswith("Test") and hasattr(each, "caught_by"):
                yield pytest.param(module, each, id=f"{module.removeprefix('wrong_')}-{name.removeprefix('Test')}")


FAULTS = list(faults())


def run(folder, *tests):
    """Run tests as an author does; return the report of each by its module, class and name."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    cases = ET.parse(report).iter("testcase")
    return {(*each.get("classname").split(".")[-2:], each.get("name").partition("[")[0]): each for each in cases}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Runs the tests of a module that must find its faults, in one process; returns their reports."""

    @functools.cache
    def read(module):
        names = [
            f"{fault.__name__}::{fault.caught_by}" for of, fault in (each.values for each in FAULTS) if of == module
        ]
        return run(tmp_path_factory.mktemp(module), *(f"{HERE / module}.py::{name}" for name in names))

    return read


@pytest.mark.parametrize(("module", "fault"), FAULTS)
def test_a_wrong_plugin_is_told_what_to_change(reports, module, fault):
    case = reports(module)[module, fault.__name__, fault.caught_by]
    failure = case.find("failure")
    assert failure is not None, "the fault was not found"
    assert fault.says in failure.get("message"), failure.get("message")


def suites():
    """Yield every suite of a correct plugin."""
    for module in RIGHT:
        for name, each in vars(importlib.import_module(f".{module}", __package__)).items():
            if name.startswith("Test"):
                yield module, each


SUITES = list(suites())


@pytest.mark.parametrize(("module", "suite"), [pytest.param(*each, id=each[1].__name__) for each in SUITES])
def test_a_correct_plugin_passes(tmp_path, module, suite):
    """It passes every test, and skips those alone that have nothing to test in it."""
    cases = {name[2]: case for name, case in run(tmp_path, f"{HERE / module}.py::{suite.__name__}").items()}
    assert {*cases} == {name for name in dir(suite) if name.startswith("test_")}
    bad = {name for name, case in cases.items() for end in ("failure", "error") if case.find(end) is not None}
    assert not bad
    assert {name for name, case in cases.items() if case.find("skipped") is not None} == suite.SKIPPED


def test_there_are_enough_faults():
    assert len(FAULTS) >= 135
    assert len({(module, fault.__name__) for module, fault in (each.values for each in FAULTS)}) == len(FAULTS)
