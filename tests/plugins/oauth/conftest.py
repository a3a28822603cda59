from __future__ import annotations

import pytest

from .live_setup import Browser, LiveSetup, need


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """A running host with the providers one and two."""
    need("node")
    made = LiveSetup(tmp_path_factory.mktemp("live"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture
def browser():
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def other_browser():
    made = Browser()
    yield made
    made.close()
