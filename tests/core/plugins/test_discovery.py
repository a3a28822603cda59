from __future__ import annotations

import sys

import pytest

from tests.core.throwaway import put
from visado.plugins.discovery import find_candidates, unmet_requirement


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution in a folder of `sys.path`; its folder of metadata is returned."""

    def add(name, folder="site", **given):
        site = tmp_path / folder
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        put(site, name, "", **given)
        return site / f"visado_{name}-1.2.3.dist-info"

    return add


def claims(name):
    return [str(each) for each in find_candidates() if each.name == name]


def test_candidates_come_in_the_order_of_their_names(install):
    for name in ("zoo", "abc"):
        install(name)
    names = [each.name for each in find_candidates()]
    assert names == sorted(names)
    assert {"abc", "local", "tinydb", "zoo"} <= set(names)


def test_a_candidate_is_described_by_package_version_and_folder(install, tmp_path):
    install("zoo")
    assert claims("zoo") == [f"visado-zoo 1.2.3 in {tmp_path / 'site'}"]


def test_a_leftover_of_pip_is_ignored(install):
    install("zoo")
    info = install("old", point="zoo")
    info.rename(info.with_name("~isado_old-1.2.3.dist-info"))
    assert [each.split()[0] for each in claims("zoo")] == ["visado-zoo"]


@pytest.mark.parametrize("spelling", ["visado-zoo", "Visado_Zoo", "visado.zoo"])
def test_a_project_that_is_found_twice_counts_once_and_the_first_on_the_path_wins(install, spelling):
    second = install("zoo", folder="second")
    (second / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {spelling}\nVersion: 9\n")
    install("zoo", folder="first")
    assert [each.split(" in ")[0] for each in claims("zoo")] == ["visado-zoo 1.2.3"]


def test_a_distribution_without_metadata_is_ignored(install):
    info = install("zoo")
    (info / "METADATA").unlink()
    assert claims("zoo") == []


def test_two_projects_with_one_plugin_name_are_two_candidates(install):
    install("zoo")
    install("menagerie", point="zoo")
    assert sorted(each.split()[0] for each in claims("zoo")) == ["visado-menagerie", "visado-zoo"]


@pytest.mark.parametrize(
    ("requirement", "met"),
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
        ("Visado>=2", False),
        ("visado-local>=9", True),
        ("visado>=1.3rc1", False),
        ("visado>=1.2.0rc1", True),
        ("visado @ https://packages.example/visado-9.tar.gz", True),
        ('visado>=9; extra == "later"', True),
        ('visado>=9; python_version < "3"', True),
        ('visado>=9; python_version >= "3"', False),
        ("visado=>9", True),  # no requirement at all
    ],
)
def test_a_requirement_of_visado_is_met_or_not(requirement, met):
    assert unmet_requirement(["pydantic>=99", requirement], "1.2.0") == (None if met else requirement)


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("visado>=1.9", True),
        ("visado>=1.9,<2.1", True),
        ("visado>=2.0rc1", True),
        ("visado>=2.0rc2", False),
        ("visado>=2", False),
        ("visado==2.*", True),
    ],
)
def test_a_pre_release_of_visado_meets_what_its_number_meets(requirement, met):
    assert (unmet_requirement([requirement], "2.0rc1") is None) is met
