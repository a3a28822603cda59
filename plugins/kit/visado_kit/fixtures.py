"""Fixtures for the tests of a plugin.

    pytest_plugins = ["visado_kit.fixtures"]

in a test module, or in the topmost `conftest.py`, makes them available. The kit does not register them with every
pytest of its environment: their names, `host` above all, are common ones.
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
    """The `visado.toml` of `host`, empty. Override it with a fixture of the same name."""
    return ""


@pytest.fixture
def host(tmp_path: Path, host_config: str, canaries: Canaries) -> Generator[LiveHost]:
    """A host in a process of its own, for one test. At the end its log is searched for `canaries`."""
    folder = tmp_path / "host"
    folder.mkdir()
    with serve(folder, config=host_config) as running:
        canaries.check_at_end("the log of the host", lambda: running.log)
        yield running


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still, for a host in this process: `build_host(folder, settings, clock)`."""
    return Clock()


@pytest.fixture
def canaries() -> Generator[Canaries]:
    """Secrets to follow. Fails the test if one is in a log of this process, or in the log of `host`."""
    followed = Canaries()
    with followed.watch():
        yield followed
    followed.finish()
