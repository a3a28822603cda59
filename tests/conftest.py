"""What all tests share: the option that moves the clock."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import time_machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--days-ahead",
        type=int,
        default=0,
        metavar="DAYS",
        help="run as on a later day; tests that start a process, whose clock would not be moved, are skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    days = config.getoption("--days-ahead")
    if not days:
        return
    traveller = time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True)
    traveller.start()
    config.add_cleanup(traveller.stop)
    patch = pytest.MonkeyPatch()
    patch.setattr(subprocess.Popen, "__init__", _refuse)
    config.add_cleanup(patch.undo)


def _refuse(*_arguments: object, **_more: object) -> None:
    pytest.skip("starts a process, whose clock would not be moved")
