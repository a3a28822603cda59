from __future__ import annotations

import pytest

from visado_kit.live import serve


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A host that waits a second for a client, open to this machine."""
    with serve(tmp_path_factory.mktemp("quick"), config="[limits]\nrequest_timeout = 1\n") as host:
        yield host
