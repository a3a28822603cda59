from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from visado_kit.live import LiveHost

USUAL = 7512


@contextmanager
def usual_host(folder: Path, config: str = "") -> Iterator[LiveHost]:
    """A host where the documents expect it, or on any port where that one is taken."""
    host = LiveHost(folder, config=config)
    host.port = USUAL if _free(USUAL) else 0
    try:
        host.start()
    except RuntimeError:  # somebody else was quicker
        host.port = 0
        host.start()
    try:
        yield host
    finally:
        host.stop()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHost]:
    with usual_host(tmp_path_factory.mktemp("host")) as running:
        yield running
