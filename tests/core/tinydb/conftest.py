from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """A switch: a full disk takes the first bytes of a write, and no more."""
    real, is_full = os.pwrite, False

    def pwrite(fd: int, data: memoryview, position: int) -> int:
        if not is_full:
            return real(fd, data, position)
        if len(data) > 10:
            return real(fd, data[:10], position)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def switch(to: bool) -> None:
        nonlocal is_full
        is_full = to

    monkeypatch.setattr(os, "pwrite", pwrite)
    yield switch
    is_full = False
