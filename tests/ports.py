"""Free ports of this machine for servers that do not choose one themselves."""

from __future__ import annotations

import contextlib
import os
import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below the ports that the system hands out itself."""
WORKERS = 8


def free_port() -> int:
    """Find a free port. Each worker of pytest-xdist has ports of its own, so no other worker takes it meanwhile."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    size = (LAST - FIRST) // WORKERS
    while True:
        with socket.socket() as made, contextlib.suppress(OSError):
            port = FIRST + worker * size + random.randrange(size)
            made.bind(("127.0.0.1", port))
            return port
