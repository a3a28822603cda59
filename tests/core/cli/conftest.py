from __future__ import annotations

import os

import pytest


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """The command in this process, which is quicker: an exception that leaves it would be a traceback."""
    from visado.cli import main

    for name in [each for each in os.environ if each.startswith("VISADO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return lambda *words: main(words)
