"""Running the command `visado` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VISADO = str(Path(sys.executable).with_name("visado"))


PASSWORD = "a long enough password"


def clean(**more):
    return {name: value for name, value in os.environ.items() if not name.startswith("VISADO_")} | more


def run(*words, stdin=None, cwd=None, patience=60, **environment):
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [VISADO, *words],
        capture_output=True,
        text=True,
        env=clean(**environment),
        cwd=cwd,
        timeout=patience,
        check=False,
        **given,
    )
