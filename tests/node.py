"""Node, and the packages that tests need: installed once, as the lock file pins them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(why: str) -> NoReturn:
    """Skip the test, except where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def install(folder: Path, what: str) -> str:
    """Install what the lock file of a folder pins, unless it is there; return the path of node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable(f"node and npm are not installed: {what} is not there to test with")
    with (folder / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker of pytest-xdist may be installing
        _install(npm, folder, hashlib.sha256(lock.read()).hexdigest(), what)
    return node


def _install(npm: str, folder: Path, wanted: str, what: str) -> None:
    stamp = folder / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    command = [npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    if done.returncode:
        unavailable(f"npm ci failed: {what} is not there to test with\n{done.stderr}")
    stamp.write_text(wanted)
