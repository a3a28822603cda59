"""Plugins that exist for the length of a test: a module and its metadata in a folder for PYTHONPATH."""

from __future__ import annotations

import os
import subprocess
import sys

GOOD = """
from visado import *
from visado import hookimpl

class Word(KeepsCredentials):
    name = {name!r}
    async def authenticate(self, request): return Fail("not today")
    async def create(self, user_id, credentials, by): return {{}}
    async def update(self, user_id, credentials, by): return {{}}
    async def delete(self, user_id, by): pass
    async def validate(self, user_id, credentials, by, *, update): pass
    async def exists(self, user_id): return False
    async def info(self, user_id): return {{}}

@hookimpl
def register_strategies():
    return [Word()]
"""


def put(site, name, source, point=None):
    """Install a throw-away plugin in a folder for PYTHONPATH, as a distribution of its own."""
    info = site / f"visado_{name}-1.2.3.dist-info"
    info.mkdir(parents=True)
    (site / f"visado_{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: visado-{name}\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text(f"[visado]\n{point or name} = visado_{name}\n")
    return site


def command(folder, *words, config="", path=()):
    """Run the real command with the throw-away plugins beside those of the workspace; `path` holds more folders."""
    (folder / "visado.toml").write_text(config)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [folder / "site", *path]))}
    return subprocess.run(
        [sys.executable, "-m", "visado", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=60,
        check=False,
    )
