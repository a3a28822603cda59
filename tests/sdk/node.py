"""Node, and the packages that tests need: installed once, as the lock file pins them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parent
_STAMP = FOLDER / "node_modules" / ".installed"


def unavailable(why: str) -> NoReturn:
    """Skip the test, except where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def install() -> str:
    """Install what the lock file pins, unless it is there; return the path of node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("node and npm are not installed: the official JavaScript client is not tested")
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if not _STAMP.exists() or _STAMP.read_text() != wanted:
        command = [npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=90, check=False)
        if done.returncode:
            unavailable(f"npm ci failed: the official JavaScript client is not tested\n{done.stderr}")
        _STAMP.write_text(wanted)
    return node
