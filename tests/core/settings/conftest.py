from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr

from visado.settings import loading
from visado.settings.loading import Section
from visado.settings.sections import SECTIONS


class Directory(BaseModel):
    password: SecretStr = SecretStr("")


class Example(Section):
    """An example."""

    name: ClassVar[str] = "example"
    url: str = "there"
    password: SecretStr = SecretStr("")
    count: int = 1
    directories: dict[str, Directory] = Field({})


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    import os

    for name in os.environ:
        if name.startswith("VISADO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path):
    def run(toml="", *, given=None, secrets=None, sections=(*SECTIONS, Example)):
        file = tmp_path / "visado.toml"
        file.write_text(toml)
        return loading.load(sections, config=file, given=given, secrets=secrets)

    return run
