from __future__ import annotations

import pytest

from tests.core.throwaway import put
from visado.plugins.requirements import unmet
from visado_kit.live import serve


def test_a_plugin_for_another_major_version_is_not_loaded(tmp_path):
    put(tmp_path / "site", "next", "raise RuntimeError('loaded')\n")
    metadata = tmp_path / "site" / "visado_next-1.2.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: visado>=9,<10\n")
    with serve(tmp_path, environment={"PYTHONPATH": str(tmp_path / "site")}) as host:
        shown = host.query("security:listPlugins").result["plugins"]["next"]
    assert shown["state"] == "quarantined"
    assert shown["reason"] == "it needs visado >=9,<10, and this is 0.1.0"


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ("visado", True),
        ("visado>=1.2", True),
        ("visado >= 1.2, < 2", True),
        ("visado[local]>=1.3", False),
        ("visado (>=1.3)", False),
        ("visado==1.2.*", True),
        ("visado!=1.2.*", False),
        ("visado~=1.1", True),
        ("visado~=1.1.0", False),
        ("visado==1.2", True),
        ("visado==1.2.0", True),
        ("visado<1.2", False),
        ("visado>1.2", False),
        ("visado-local>=9", True),
        ('visado>=9; extra == "later"', True),
    ],
)
def test_what_a_package_asks_of_the_version_is_read(requirement, fits):
    assert (unmet(["pydantic>=99", requirement], "1.2.0rc1") is None) is fits
