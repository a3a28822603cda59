"""What all tests share: the option that moves the clock, and which tests one worker of pytest-xdist runs together."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "tests/seeds/": "port 7512",
    "tests/wire/test_conversation": "recordings",
    "tests/wire/test_transports": "recordings",
    "tests/plugins/ldap/test_active_directory": "samba",
    "tests/plugins/ldap/": "slapd",
    "tests/plugins/oauth/test_host": "openid",
    "tests/plugins/oauth/test_browser": "openid",
    "tests/plugins/oauth/test_strategy_kind": "openid",
}
"""Tests that share a port or a costly server, by the start of their path; every other file is a group of its own."""
LONGEST = [
    "tests/stranger/test_stranger.py",
    "tests/docs/test_documents.py",
    "tests/plugins/kit/test_new_plugin.py",
    "slapd",
    "tests/core/cli/test_client.py",
    "openid",
    "tests/plugins/audit/test_host.py",
    "tests/plugins/kit/test_faults.py",
    "tests/core/plugins/test_manager.py",
    "tests/core/security/strategies/test_added_strategies.py",
    "tests/core/web/test_websocket.py",
    "tests/core/plugins/test_watchdog.py",
    "recordings",
    "samba",
    "tests/core/cli/test_serve.py",
    "tests/wire/test_fuzz.py",
    "port 7512",
    "tests/sdk/test_sdk.py",
]
"""The groups that take longest, in this order, so that no worker is left with one of them at the end."""


def group_of(nodeid: str) -> str:
    """Return the name of the group of a test."""
    file = nodeid.partition("::")[0]
    return next((name for start, name in GROUPS.items() if file.startswith(start)), file)


class GroupScheduling(LoadScopeScheduling):
    """Gives a whole group of tests to one worker, and the next group to the first worker that has none."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """Let pytest-xdist distribute groups, whatever `--dist` says."""
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the workers begin with the groups that take longest."""
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(group_of(item.nodeid), len(places)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--days-ahead",
        type=int,
        default=0,
        metavar="DAYS",
        help="run as on a later day; tests that start a process, whose clock would not be moved, are skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    if days := config.getoption("--days-ahead"):
        traveller = time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=True)
        traveller.start()
        config.add_cleanup(traveller.stop)


@pytest.fixture(scope="session", autouse=True)
def _one_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skip what starts a process, where the clock of this one was moved."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("--days-ahead"):
            patch.setattr(subprocess.Popen, "__init__", _refuse)
        yield


def _refuse(*_arguments: object, **_more: object) -> None:
    pytest.skip("starts a process, whose clock would not be moved")
