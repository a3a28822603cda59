"""Fixtures for the tests of a plugin.

    pytest_plugins = ["visado_kit.fixtures"]

at the top of a test file, or of the topmost `conftest.py`, brings them.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from visado_kit.canaries import Canaries
from visado_kit.clock import Clock
from visado_kit.live import LiveHost, serve


@pytest.fixture
def host_config() -> str:
    """The `visado.toml` of `host`, empty: to be overridden, by a fixture of the same name."""
    return ""


@pytest.fixture
def host(tmp_path: Path, host_config: str, canaries: Canaries) -> Generator[LiveHost]:
    """A real host in a process of its own, for one test. At the end its log is searched for `canaries`."""
    folder = tmp_path / "host"
    folder.mkdir()
    with serve(folder, config=host_config) as running:
        canaries.look_at("the log of the host", lambda: running.log)
        yield running


@pytest.fixture
def clock() -> Clock:
    """Time that stands still until told, for a host in this process: `open_host(folder, settings, clock)`."""
    return Clock()


@pytest.fixture
def canaries() -> Generator[Canaries]:
    """Secrets to follow: fails the test where one is in a log of this process, or of `host`."""
    known = Canaries()
    with known.watch():
        yield known
    known.finish()
