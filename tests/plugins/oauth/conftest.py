from __future__ import annotations

import pytest

from .town import Surfer, Town, need


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """A running host with the providers one and two."""
    need("node")
    made = Town(tmp_path_factory.mktemp("town"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture
def surfer():
    made = Surfer()
    yield made
    made.close()


@pytest.fixture
def another():
    made = Surfer()
    yield made
    made.close()
